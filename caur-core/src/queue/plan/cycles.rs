//! Cycles: found as strongly connected components, cut at their weakest edges.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Edge, Node};
use crate::model::DependencyKind;

/// The kinds of edges in the order in which they are laid: what is laid last is cut first.
const STRONGEST_FIRST: [DependencyKind; 3] =
    [DependencyKind::Make, DependencyKind::Run, DependencyKind::Check];

/// Parts the `new` edges into those that can be laid beside the `kept` ones without a cycle, and those to cut.
///
/// Of every cycle the weakest edge is cut, never a kept one. Of several ways to cut equally weak edges a short one is
/// found by the greedy rule of Eades, Lin and Smyth (A fast and effective heuristic for the feedback arc set problem,
/// 1993), one-sided; none of the cut edges could be laid after all. Ties go by pkgbase, so that the order of a batch
/// does not matter.
pub(super) fn without_cycles<'a>(
    nodes: &[Node],
    kept: &[(usize, usize)],
    new: Vec<Edge<'a>>,
) -> (Vec<Edge<'a>>, Vec<Edge<'a>>) {
    let mut dependencies = vec![Vec::new(); nodes.len()];
    for &(dependant, dependency) in kept {
        dependencies[dependant].push(dependency);
    }
    for edge in &new {
        dependencies[edge.dependant].push(edge.dependency);
    }
    let component = components(&dependencies);
    let inside = |dependant: usize, dependency: usize| component[dependant] == component[dependency];
    let (within, mut laid): (Vec<_>, Vec<_>) = new
        .into_iter()
        .partition(|edge| inside(edge.dependant, edge.dependency));
    if within.is_empty() {
        return (laid, Vec::new());
    }

    // Only edges inside one component can be part of a cycle, and components do not touch each other.
    let mut knots: BTreeMap<usize, Knot> = BTreeMap::new();
    for edge in within {
        knots.entry(component[edge.dependant]).or_default().new.push(edge);
    }
    for &(dependant, dependency) in kept.iter().filter(|&&(a, b)| inside(a, b)) {
        if let Some(knot) = knots.get_mut(&component[dependant]) {
            knot.laid.push((dependant, dependency));
        }
    }
    let mut cut = Vec::new();
    for knot in knots.into_values() {
        knot.untie(nodes, &mut laid, &mut cut);
    }
    let by_name = |edge: &Edge| {
        let pkgbase = |index: usize| &nodes[index].request.pkgbase;
        (pkgbase(edge.dependant), pkgbase(edge.dependency), edge.dependant)
    };
    cut.sort_by(|a, b| by_name(a).cmp(&by_name(b)));
    (laid, cut)
}

/// The nodes that are part of a cycle.
pub(super) fn members(nodes: usize, edges: &[Edge]) -> Vec<usize> {
    let mut dependencies = vec![Vec::new(); nodes];
    for edge in edges {
        dependencies[edge.dependant].push(edge.dependency);
    }
    let component = components(&dependencies);
    let mut size = vec![0_usize; nodes];
    for &number in &component {
        size[number] += 1;
    }
    (0..nodes).filter(|&node| size[component[node]] > 1).collect()
}

/// One strongly connected component.
#[derive(Default)]
struct Knot<'a> {
    laid: Vec<(usize, usize)>,
    new: Vec<Edge<'a>>,
}

impl<'a> Knot<'a> {
    fn untie(mut self, nodes: &[Node], laid: &mut Vec<Edge<'a>>, cut: &mut Vec<Edge<'a>>) {
        for kind in STRONGEST_FIRST {
            let (level, rest): (Vec<Edge>, Vec<Edge>) =
                self.new.into_iter().partition(|edge| edge.kind == kind);
            self.new = rest;
            if level.is_empty() {
                continue;
            }
            let place = sequence(nodes, &self.laid, &level);
            let (forward, mut backward): (Vec<Edge>, Vec<Edge>) = level
                .into_iter()
                .partition(|edge| place[&edge.dependant] < place[&edge.dependency]);
            // Whatever runs forward in one sequence with all that is laid already closes no cycle.
            self.laid
                .extend(forward.iter().map(|edge| (edge.dependant, edge.dependency)));
            laid.extend(forward);
            backward.sort_by_key(|edge| (place[&edge.dependant], place[&edge.dependency]));
            for edge in backward {
                if self.reaches(edge.dependency, edge.dependant) {
                    cut.push(edge);
                } else {
                    self.laid.push((edge.dependant, edge.dependency));
                    laid.push(edge);
                }
            }
        }
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        let mut dependencies: HashMap<usize, Vec<usize>> = HashMap::new();
        for &(dependant, dependency) in &self.laid {
            dependencies.entry(dependant).or_default().push(dependency);
        }
        let mut seen = HashSet::from([from]);
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            let next = dependencies.get(&node).into_iter().flatten().copied();
            open.extend(next.filter(|&next| seen.insert(next)));
        }
        false
    }
}

/// Places for the nodes of a component such that every laid edge runs forward, dependants first, and few of the
/// `level` run back.
fn sequence(nodes: &[Node], laid: &[(usize, usize)], level: &[Edge]) -> HashMap<usize, usize> {
    /// Edges to and from those that have no place yet.
    #[derive(Default)]
    struct Open {
        laid_in: i64,
        incoming: i64,
        outgoing: i64,
        laid: Vec<usize>,
        level: Vec<usize>,
        dependants: Vec<usize>,
    }

    let mut open: HashMap<usize, Open> = HashMap::new();
    for &(dependant, dependency) in laid {
        open.entry(dependant).or_default().laid.push(dependency);
        open.entry(dependency).or_default().laid_in += 1;
    }
    for &Edge {
        dependant,
        dependency,
        ..
    } in level
    {
        let from = open.entry(dependant).or_default();
        from.outgoing += 1;
        from.level.push(dependency);
        let to = open.entry(dependency).or_default();
        to.incoming += 1;
        to.dependants.push(dependant);
    }

    // Next comes, of those whose laid dependants all have a place, the one that turns the fewest edges back.
    let rank = |node: usize, open: &Open| {
        let back = if open.incoming == 0 {
            i64::MIN
        } else {
            open.incoming - open.outgoing
        };
        (open.laid_in > 0, back, &nodes[node].request.pkgbase, node)
    };
    let mut queue: BTreeSet<_> = open.iter().map(|(&node, state)| rank(node, state)).collect();
    let mut place = HashMap::with_capacity(open.len());
    while let Some((_, _, _, node)) = queue.pop_first() {
        place.insert(node, place.len());
        let Some(state) = open.remove(&node) else { continue };
        let mut update = |other: usize, change: &dyn Fn(&mut Open)| {
            if let Some(state) = open.get_mut(&other) {
                queue.remove(&rank(other, state));
                change(state);
                queue.insert(rank(other, state));
            }
        };
        for other in state.laid {
            update(other, &|state| state.laid_in -= 1);
        }
        for other in state.level {
            update(other, &|state| state.incoming -= 1);
        }
        for other in state.dependants {
            update(other, &|state| state.outgoing -= 1);
        }
    }
    place
}

/// The strongly connected component of every node (Tarjan 1972, with an explicit stack).
fn components(graph: &[Vec<usize>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut index = vec![UNSEEN; graph.len()];
    let mut low = vec![0; graph.len()];
    let mut component = vec![UNSEEN; graph.len()];
    let (mut next, mut found) = (0, 0);
    let mut path = Vec::new();
    for root in 0..graph.len() {
        if index[root] != UNSEEN {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some(&mut (node, ref mut edge)) = calls.last_mut() {
            if *edge == 0 {
                index[node] = next;
                low[node] = next;
                next += 1;
                path.push(node);
            }
            if let Some(&child) = graph[node].get(*edge) {
                *edge += 1;
                if index[child] == UNSEEN {
                    calls.push((child, 0));
                } else if component[child] == UNSEEN {
                    low[node] = low[node].min(index[child]);
                }
                continue;
            }
            calls.pop();
            if let Some(&(parent, _)) = calls.last() {
                low[parent] = low[parent].min(low[node]);
            }
            if low[node] == index[node] {
                while let Some(member) = path.pop() {
                    component[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}
