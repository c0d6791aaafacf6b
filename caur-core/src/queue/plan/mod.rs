//! The plan of a batch: which job waits for which, and how long the chain behind each one is.
//!
//! Pure: takes what is queued and what is asked for, gives what the `submit` script commits.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::model::{JobId, JobRequest, JobState, Need, Pkgbase, Target};

/// Expected seconds of a build of which nothing is known yet.
pub const DEFAULT_EXPECTED: u64 = 180;

/// A job that is in the queue already, as far as planning is concerned.
#[derive(Debug, Clone)]
pub struct LiveJob {
    /// Its identifier.
    pub id: JobId,
    /// What was asked for.
    pub request: JobRequest,
    /// Where it stands.
    pub state: JobState,
    /// Expected seconds of its own build.
    pub expected: u64,
    /// Expected seconds of the chain that it starts.
    pub chain: u64,
    /// Whether an operator let it start whatever it waits for.
    pub released: bool,
    /// Jobs it waits for.
    pub waits_for: Vec<JobId>,
}

/// What the `submit` script commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The jobs of the batch, in its order.
    pub jobs: Vec<PlannedJob>,
    /// Queued jobs that now wait for one of the batch as well: dependant, index from 1, names.
    pub extra: Vec<(String, usize, String)>,
    /// Queued jobs whose chain grew.
    pub chains: BTreeMap<String, u64>,
    /// Edges that were left out because they would close a cycle.
    pub broken: Vec<BrokenEdge>,
}

/// One job of a batch with its place in the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    /// Expected seconds of its own build.
    pub expected: u64,
    /// Expected seconds of the chain that it starts.
    pub chain: u64,
    /// What it waits for: `#INDEX` in this batch from 1, or a queued job; with the names it needs of it.
    pub deps: BTreeMap<String, String>,
    /// Packages whose edges were left out.
    pub broken: Vec<String>,
}

/// An edge that was left out of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenEdge {
    /// The job that would wait.
    pub dependant: Pkgbase,
    /// The job it would wait for.
    pub dependency: Pkgbase,
}

struct Node<'a> {
    request: &'a JobRequest,
    live: Option<&'a LiveJob>,
    expected: u64,
}

/// Dependant, dependency, and the names that make the edge.
struct Edge {
    dependant: usize,
    dependency: usize,
    names: Vec<String>,
}

/// Plans `batch` over the `live` jobs. `expected` gives the learned seconds of a `TARGET/ARCH/PKGBASE`.
///
/// Edges run between jobs of the same target and architecture only. Where several jobs provide a name, the one
/// whose pkgbase it is comes first, then the first by pkgbase. Cycles are cut edge by edge, and reported.
pub fn plan(batch: &[JobRequest], live: &[LiveJob], expected: impl Fn(&str) -> Option<u64>) -> Plan {
    let batch_keys: HashSet<String> = batch.iter().map(JobRequest::key).collect();
    let mut nodes: Vec<Node> = batch
        .iter()
        .map(|request| Node {
            request,
            live: None,
            expected: expected(&request.key()).unwrap_or(DEFAULT_EXPECTED),
        })
        .collect();
    nodes.extend(
        live.iter()
            .filter(|job| !batch_keys.contains(&job.request.key()))
            .map(|job| Node {
                request: &job.request,
                live: Some(job),
                expected: job.expected,
            }),
    );

    // A job that is replaced keeps its place for those that wait for it, or hands it to its successor.
    let places: HashMap<String, usize> = batch
        .iter()
        .enumerate()
        .map(|(i, request)| (request.key(), i))
        .collect();
    let replaced = live
        .iter()
        .filter(|job| job.state.is_queued() || job.state == JobState::Building)
        .filter_map(|job| Some((job.id, *places.get(&job.request.key())?)));
    let (kept, edges, broken) = wire(&nodes, batch.len(), replaced);
    let chains = chains(
        &nodes,
        kept.iter()
            .copied()
            .chain(edges.iter().map(|e| (e.dependant, e.dependency))),
    );

    let mut jobs: Vec<PlannedJob> = batch
        .iter()
        .zip(&nodes)
        .zip(&chains)
        .map(|((_, node), &chain)| PlannedJob {
            broken: Vec::new(),
            expected: node.expected,
            chain,
            deps: BTreeMap::new(),
        })
        .collect();
    let mut extra = Vec::new();
    for edge in edges {
        let names = edge.names.join(" ");
        match nodes[edge.dependant].live {
            Some(dependant) => extra.push((dependant.id.to_string(), edge.dependency + 1, names)),
            None => {
                let dependency = match nodes[edge.dependency].live {
                    Some(job) => job.id.to_string(),
                    None => format!("#{}", edge.dependency + 1),
                };
                jobs[edge.dependant].deps.insert(dependency, names);
            }
        }
    }
    let grown = nodes.iter().zip(&chains).filter_map(|(node, &chain)| {
        let job = node.live?;
        (job.chain != chain).then(|| (job.id.to_string(), chain))
    });
    Plan {
        jobs,
        extra,
        chains: grown.collect(),
        broken,
    }
}

/// Edges that exist already, edges to add, and edges left out.
fn wire(
    nodes: &[Node],
    batch: usize,
    replaced: impl Iterator<Item = (JobId, usize)>,
) -> (Vec<(usize, usize)>, Vec<Edge>, Vec<BrokenEdge>) {
    let by_id: HashMap<JobId, usize> = nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| Some((node.live?.id, index)))
        .chain(replaced)
        .collect();
    let mut kept = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let waits_for = node.live.map_or(&[][..], |job| &job.waits_for);
        kept.extend(waits_for.iter().filter_map(|id| Some((index, *by_id.get(id)?))));
    }

    let providers = Providers::of(nodes);
    let mut edges = Vec::new();
    for (dependant, node) in nodes.iter().enumerate() {
        if node.live.is_some_and(|job| !job.state.is_queued()) {
            continue;
        }
        let mut needed: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for Need { name, .. } in &node.request.needs {
            match providers.find(&node.request.target, name) {
                Some(dependency) if dependency != dependant && (dependant < batch || dependency < batch) => {
                    needed.entry(dependency).or_default().push(name.clone());
                }
                _ => {}
            }
        }
        edges.extend(needed.into_iter().map(|(dependency, names)| Edge {
            dependant,
            dependency,
            names,
        }));
    }
    let (edges, broken) = without_cycles(nodes, &kept, edges);
    (kept, edges, broken)
}

struct Providers<'a>(HashMap<&'a Target, HashMap<&'a str, usize>>);

impl<'a> Providers<'a> {
    fn of(nodes: &'a [Node]) -> Self {
        let mut by_pkgbase: Vec<usize> = (0..nodes.len()).collect();
        by_pkgbase.sort_by_key(|&index| &nodes[index].request.pkgbase);
        let mut targets: HashMap<&Target, HashMap<&str, usize>> = HashMap::new();
        for index in by_pkgbase {
            let request = nodes[index].request;
            let names = targets.entry(&request.target).or_default();
            for name in &request.names {
                names.entry(name).or_insert(index);
            }
        }
        // A package's own pkgbase wins over whoever merely provides the name.
        for (index, node) in nodes.iter().enumerate() {
            let names = targets.entry(&node.request.target).or_default();
            names.insert(node.request.pkgbase.as_str(), index);
        }
        Self(targets)
    }

    fn find(&self, target: &Target, name: &str) -> Option<usize> {
        self.0.get(target)?.get(name).copied()
    }
}

/// Leaves out those of the `new` edges that would close a cycle, the last ones by name first.
fn without_cycles(nodes: &[Node], kept: &[(usize, usize)], new: Vec<Edge>) -> (Vec<Edge>, Vec<BrokenEdge>) {
    let mut dependencies = vec![Vec::new(); nodes.len()];
    for &(dependant, dependency) in kept {
        dependencies[dependant].push(dependency);
    }
    for edge in &new {
        dependencies[edge.dependant].push(edge.dependency);
    }
    let component = components(&dependencies);
    let inside = |dependant: usize, dependency: usize| component[dependant] == component[dependency];

    // Only edges inside one strongly connected component can be part of a cycle: add these one by one.
    let mut within = vec![Vec::new(); nodes.len()];
    for &(dependant, dependency) in kept.iter().filter(|(a, b)| inside(*a, *b)) {
        within[dependant].push(dependency);
    }
    let mut edges = Vec::new();
    let mut broken = Vec::new();
    for edge in new {
        if !inside(edge.dependant, edge.dependency) {
            edges.push(edge);
        } else if reaches(&within, edge.dependency, edge.dependant) {
            broken.push(BrokenEdge {
                dependant: nodes[edge.dependant].request.pkgbase.clone(),
                dependency: nodes[edge.dependency].request.pkgbase.clone(),
            });
        } else {
            within[edge.dependant].push(edge.dependency);
            edges.push(edge);
        }
    }
    (edges, broken)
}

fn reaches(graph: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        open.extend(graph[node].iter().copied().filter(|next| seen.insert(*next)));
    }
    false
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

/// Expected seconds of the longest chain that starts with each node, its own build included.
fn chains(nodes: &[Node], edges: impl Iterator<Item = (usize, usize)>) -> Vec<u64> {
    let mut dependencies = vec![Vec::new(); nodes.len()];
    let mut dependants = vec![0_usize; nodes.len()];
    for (dependant, dependency) in edges {
        dependencies[dependant].push(dependency);
        dependants[dependency] += 1;
    }
    let mut chain: Vec<u64> = nodes.iter().map(|node| node.expected).collect();
    let mut open: Vec<usize> = (0..nodes.len()).filter(|&node| dependants[node] == 0).collect();
    while let Some(node) = open.pop() {
        for &dependency in &dependencies[node] {
            chain[dependency] = chain[dependency].max(nodes[dependency].expected + chain[node]);
            dependants[dependency] -= 1;
            if dependants[dependency] == 0 {
                open.push(dependency);
            }
        }
    }
    chain
}
