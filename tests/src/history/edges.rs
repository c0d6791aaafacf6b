//! No job starts before what it depends on is final, and well.
//!
//! Packages are judged, not jobs, since a newer request may give a package another job. At the start of a job, each
//! dependency of its package must be final in a state that satisfies, unless the plan rightly knew no such edge:
//! - the dependency was final already when the job was last planned (edges run between queued jobs only);
//! - the dependency was asked for anew while somebody worked on the job, whose own start lies before that. A plan is
//!   made a moment before it is committed, so that [`PLANNING_MS`] before count as well;
//! - the edge is part of a cycle, and a later plan cut the cycle elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use caur_core::model::{JobId, JobState};

use super::lives::millis;
use super::{History, Verdict, shown};

/// How long a plan may take until it is committed.
const PLANNING_MS: u64 = 3000;

/// What is known of a package so far; places are numbers of events.
struct Package {
    job: JobId,
    state: JobState,
    /// Where its newest life began.
    asked: usize,
    /// Where its edges were last made.
    planned: usize,
    /// Where it became final, in this life.
    ended: Option<usize>,
    /// When an attempt of it ended last, by Redis' clock.
    worked: u64,
    /// Whether it was asked for more than once.
    again: bool,
}

/// Reads the events in their order.
pub fn judge(history: &History, verdict: &mut Verdict) {
    let mut dependencies: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut dependants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (dependant, dependency) in &history.edges {
        dependencies.entry(dependant).or_default().push(dependency);
        dependants.entry(dependency).or_default().push(dependant);
    }
    let circular = circular(history);
    let mut packages: HashMap<&str, Package> = HashMap::new();
    // Edges that a new life of the dependency did not make, as the dependant was being worked on.
    let mut missed: HashSet<(&str, &str)> = HashSet::new();

    for (index, event) in history.events.iter().enumerate() {
        let key = event.key.as_str();
        if packages.get(key).is_some_and(|package| package.job > event.job) {
            // Its successor counts.
            continue;
        }
        let planned = event.action == "submit" && event.to == JobState::Waiting;
        let born = event.from.is_none_or(JobState::is_final);
        if event.from == Some(JobState::Ready) && event.to == JobState::Building {
            for dependency in dependencies.get(key).into_iter().flatten() {
                let edge = (key, *dependency);
                let problem = problem(&packages, edge, &missed, &circular);
                if let Some(problem) = problem {
                    verdict
                        .lies
                        .push(format!("{}: it depends on {dependency}, {problem}", shown(event)));
                }
            }
        }
        if born {
            for dependant in dependants.get(key).into_iter().flatten() {
                let worked_on = packages.get(dependant).is_some_and(|package| {
                    !package.state.is_queued() || package.worked + PLANNING_MS >= millis(event)
                });
                if worked_on {
                    missed.insert((dependant, key));
                } else {
                    missed.remove(&(*dependant, key));
                }
            }
        }
        let again = packages.contains_key(key);
        let package = packages.entry(key).or_insert(Package {
            job: event.job,
            state: event.to,
            asked: index,
            planned: index,
            ended: None,
            worked: 0,
            again: false,
        });
        if event.from == Some(JobState::Building) && event.to != JobState::Building {
            package.worked = millis(event);
        }
        package.job = event.job;
        package.state = event.to;
        if planned {
            package.planned = index;
            package.again |= again;
        }
        if born {
            package.asked = index;
            package.ended = None;
        }
        if event.to.is_final() {
            package.ended = Some(index);
        }
    }
}

/// What is wrong with a start of `edge.0` as far as `edge.1` is concerned.
fn problem(
    packages: &HashMap<&str, Package>,
    edge: (&str, &str),
    missed: &HashSet<(&str, &str)>,
    circular: &BTreeSet<(&str, &str)>,
) -> Option<String> {
    let dependant = packages.get(edge.0)?;
    let Some(dependency) = packages.get(edge.1) else {
        return Some("which no event tells of".to_owned());
    };
    if dependency.state.satisfies_dependants() {
        return None;
    }
    if circular.contains(&edge) && (dependant.again || dependency.again) {
        return None;
    }
    let ended_before_plan = dependency.ended.is_some_and(|at| at < dependant.planned);
    let came_while_working = missed.contains(&edge) && dependency.asked > dependant.planned;
    if ended_before_plan || came_while_working {
        return None;
    }
    Some(format!("whose job {} is {}", dependency.job, dependency.state))
}

/// The recorded edges that lie on a cycle, counting those that were left out for that reason.
fn circular(history: &History) -> BTreeSet<(&str, &str)> {
    let mut graph: HashMap<&str, Vec<&str>> = HashMap::new();
    for (dependant, dependency) in history.edges.iter().chain(&history.broken) {
        graph.entry(dependant).or_default().push(dependency);
    }
    let edges = history.edges.iter().map(|(a, b)| (a.as_str(), b.as_str()));
    edges
        .filter(|(dependant, dependency)| reaches(&graph, dependency, dependant))
        .collect()
}

fn reaches<'a>(graph: &HashMap<&'a str, Vec<&'a str>>, from: &'a str, to: &str) -> bool {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        let next = graph.get(node).into_iter().flatten();
        open.extend(next.filter(|next| seen.insert(**next)));
    }
    false
}
