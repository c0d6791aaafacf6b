//! The plan of a batch: which job waits for which, how long the chain behind each one is, and how long it may be
//! overtaken.
//!
//! Pure: takes what is queued and what is asked for, gives what the `submit` script commits. Takes time in proportion
//! to jobs and edges; only a cycle costs more.

mod cycles;
mod providers;
mod weight;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use self::providers::Providers;
use super::policy;
use crate::model::{DependencyKind, JobId, JobRequest, JobState, Need, Pkgbase, Target};

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
    /// Whether an operator forced it to start: it gets no new edges then.
    pub released: bool,
    /// Expected seconds of its own build.
    pub expected: u64,
    /// Expected seconds of the chain that it starts.
    pub chain: u64,
    /// Seconds by which later jobs may overtake it, see [`policy::delay`].
    pub delay: u64,
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
    /// Jobs of the queue whose chain changed, in expected seconds.
    pub chains: BTreeMap<String, u64>,
    /// Jobs of the queue whose delay changed, in seconds.
    pub delays: BTreeMap<String, u64>,
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
    /// Seconds by which later jobs may overtake it, see [`policy::delay`].
    pub delay: u64,
    /// What it waits for: `#INDEX` in this batch from 1, or a queued job; with the names it needs of it.
    pub deps: BTreeMap<String, String>,
    /// What it needs and does not wait for, because they need each other.
    pub broken: Vec<Pkgbase>,
}

/// An edge that was left out of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenEdge {
    /// The job that would wait.
    pub dependant: Pkgbase,
    /// The job it would wait for.
    pub dependency: Pkgbase,
    /// The names that it needs of it.
    pub names: Vec<String>,
    /// The strongest reason for which it needs one of them.
    pub kind: DependencyKind,
}

struct Node<'a> {
    request: &'a JobRequest,
    live: Option<&'a LiveJob>,
    /// Whether it may get new edges.
    open: bool,
    expected: u64,
}

/// A node waits for another one.
struct Edge<'a> {
    dependant: usize,
    dependency: usize,
    names: Vec<&'a str>,
    /// The strongest reason among the names.
    kind: DependencyKind,
}

/// Plans `batch` over the `live` jobs. `expected` gives the learned seconds of a `TARGET/ARCH/PKGBASE`.
///
/// Edges run between jobs of the same target and architecture only. Where several jobs provide a name, the one
/// whose pkgbase it is comes first, then the first by pkgbase. A queued job that needs something of the batch waits
/// for it as well. Cycles are cut at their weakest edges, and these are reported; what waits in the queue goes on
/// waiting. A job that an operator released gets no new edges, until a newer request takes its place.
pub fn plan(batch: &[JobRequest], live: &[LiveJob], expected: impl Fn(&str) -> Option<u64>) -> Plan {
    let places: HashMap<(&Target, &Pkgbase), usize> = batch
        .iter()
        .enumerate()
        .map(|(index, request)| ((&request.target, &request.pkgbase), index))
        .collect();
    let place = |job: &LiveJob| places.get(&(&job.request.target, &job.request.pkgbase)).copied();
    let mut nodes: Vec<Node> = batch
        .iter()
        .map(|request| Node {
            request,
            live: None,
            open: true,
            expected: expected(&request.key()).unwrap_or(DEFAULT_EXPECTED),
        })
        .collect();
    let mut by_id: HashMap<JobId, usize> = HashMap::with_capacity(live.len());
    for job in live {
        let Some(index) = place(job) else {
            by_id.insert(job.id, nodes.len());
            nodes.push(Node {
                request: &job.request,
                live: Some(job),
                open: job.state.is_queued() && !job.released,
                expected: job.expected,
            });
            continue;
        };
        // A job that is replaced keeps its place for those that wait for it, or hands it to its successor.
        if job.state.is_queued() || job.state == JobState::Building {
            by_id.insert(job.id, index);
        }
    }

    let mut kept = Vec::new();
    for (index, node) in nodes.iter().enumerate().skip(batch.len()) {
        let waits_for = node.live.map_or(&[][..], |job| &job.waits_for);
        kept.extend(waits_for.iter().filter_map(|id| Some((index, *by_id.get(id)?))));
    }
    let wanted = wanted_edges(&nodes, batch.len());
    let (edges, cut) = cycles::without_cycles(&nodes, &kept, wanted);
    let graph = weight::Graph::new(
        nodes.len(),
        kept.iter()
            .copied()
            .chain(edges.iter().map(|edge| (edge.dependant, edge.dependency))),
    );
    let expected: Vec<u64> = nodes.iter().map(|node| node.expected).collect();
    let chains = graph.chains(&expected);
    let delays: Vec<u64> = graph
        .costs(&expected)
        .into_iter()
        .map(|cost| policy::delay(cost.seconds, cost.jobs))
        .collect();

    let mut jobs: Vec<PlannedJob> = (0..batch.len())
        .map(|index| PlannedJob {
            expected: nodes[index].expected,
            chain: chains[index],
            delay: delays[index],
            deps: BTreeMap::new(),
            broken: Vec::new(),
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
    let mut broken = Vec::with_capacity(cut.len());
    for edge in cut {
        let dependency = nodes[edge.dependency].request.pkgbase.clone();
        if let Some(job) = jobs.get_mut(edge.dependant) {
            job.broken.push(dependency.clone());
        }
        broken.push(BrokenEdge {
            dependant: nodes[edge.dependant].request.pkgbase.clone(),
            dependency,
            names: edge.names.into_iter().map(ToOwned::to_owned).collect(),
            kind: edge.kind,
        });
    }
    let mut plan = Plan {
        jobs,
        extra,
        chains: BTreeMap::new(),
        delays: BTreeMap::new(),
        broken,
    };
    for (index, node) in nodes.iter().enumerate() {
        let Some(job) = node.live else { continue };
        if job.chain != chains[index] {
            plan.chains.insert(job.id.to_string(), chains[index]);
        }
        if job.delay != delays[index] {
            plan.delays.insert(job.id.to_string(), delays[index]);
        }
    }
    plan
}

/// The packages of `batch` that need each other, directly or through others, by name.
///
/// Only of these the reason of each need matters to [`plan`]; of all others it may stay unknown.
#[must_use]
pub fn cyclic(batch: &[JobRequest]) -> Vec<Pkgbase> {
    let nodes: Vec<Node> = batch
        .iter()
        .map(|request| Node {
            request,
            live: None,
            open: true,
            expected: 0,
        })
        .collect();
    let edges = wanted_edges(&nodes, batch.len());
    let mut members: Vec<Pkgbase> = cycles::members(nodes.len(), &edges)
        .into_iter()
        .map(|index| batch[index].pkgbase.clone())
        .collect();
    members.sort();
    members.dedup();
    members
}

/// The edges that the needs ask for and that touch one of the first `batch` nodes, by dependant.
fn wanted_edges<'a>(nodes: &[Node<'a>], batch: usize) -> Vec<Edge<'a>> {
    let providers = Providers::of(nodes, batch);
    let mut edges = Vec::new();
    for (dependant, node) in nodes.iter().enumerate().filter(|(_, node)| node.open) {
        let mut needed: BTreeMap<usize, Edge> = BTreeMap::new();
        for Need { name, kind } in &node.request.needs {
            let Some(dependency) = providers.find(&node.request.target, name) else {
                continue;
            };
            if dependency == dependant || (dependant >= batch && dependency >= batch) {
                continue;
            }
            let edge = needed.entry(dependency).or_insert_with(|| Edge {
                dependant,
                dependency,
                names: Vec::new(),
                kind: *kind,
            });
            edge.names.push(name);
            edge.kind = edge.kind.max(*kind);
        }
        edges.extend(needed.into_values());
    }
    edges
}
