//! The farm in virtual time: who builds which job when, with the policy that real builders claim by.
//!
//! Serves the forecast of every job's start and end, and the comparison of policies. Takes some microseconds per
//! job, so that it can run whenever somebody looks.

mod engine;

use std::collections::HashMap;

use self::engine::Farm;
use crate::model::{BuildClass, BuilderName, JobId};

/// A builder that takes jobs.
#[derive(Debug, Clone)]
pub struct OnlineBuilder {
    /// Its name.
    pub name: BuilderName,
    /// The highest class it takes; none: only jobs for its name.
    pub class: Option<u32>,
    /// How many jobs it builds at a time.
    pub slots: u32,
    /// How fast it is, in thousandths: one that needs half the expected time has 2 × [`NORMAL_SPEED`](super::policy::NORMAL_SPEED).
    pub speed: u64,
}

/// A job that is not final.
#[derive(Debug, Clone)]
pub struct UnfinishedJob {
    /// Its identifier.
    pub id: JobId,
    /// Which builders may take it.
    pub class: BuildClass,
    /// What operators gave it.
    pub priority: i32,
    /// Expected seconds of its own build.
    pub expected: u64,
    /// Expected seconds of the chain that it starts.
    pub chain: u64,
    /// Seconds by which later jobs may overtake it, see [`delay`](super::policy::delay).
    pub delay: u64,
    /// Jobs that it waits for; those that are not among the simulated ones count as done.
    pub waits_for: Vec<JobId>,
    /// Where it stands.
    pub standing: Standing,
}

/// Where an unfinished job stands. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In the queue since then.
    Queued {
        /// When it became ready, or began to wait.
        since: u64,
    },
    /// Not ready before a time.
    Backoff {
        /// That time.
        until: u64,
    },
    /// Being built.
    Building {
        /// By this one, whether it takes more jobs or not.
        builder: BuilderName,
        /// When it began.
        started: u64,
    },
    /// Built and about to be published.
    Built,
    /// Held or blocked: neither it nor what waits for it moves.
    Stuck,
}

/// When a job is built, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// A builder starts it.
    pub start: u64,
    /// It is done.
    pub end: u64,
}

/// How builders choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// As in this farm, see [`policy`](super::policy).
    Farm,
    /// The first of a topological order that follows the order of the jobs.
    FirstCome,
    /// The one with the longest chain behind it.
    LongestChain,
}

/// When every job is likely to start and to end, seen at `now`, if every build takes as long as expected.
///
/// A job that no online builder can take, one that is stuck and whatever waits for either have no entry.
#[must_use]
pub fn forecast(jobs: &[UnfinishedJob], builders: &[OnlineBuilder], now: u64) -> HashMap<JobId, Span> {
    let spans = simulate(jobs, builders, now, Rule::Farm, |index| {
        jobs[index].expected * 1000
    });
    jobs.iter()
        .zip(spans)
        .filter_map(|(job, span)| Some((job.id, span?)))
        .collect()
}

/// Runs the farm from `now` until nothing moves any more, and tells when every job was built, in the order of `jobs`.
///
/// `actual` gives the milliseconds that a builder of [`NORMAL_SPEED`](super::policy::NORMAL_SPEED) needs for the job of an index. Of idle builders
/// the first of the list claims first.
#[must_use]
pub fn simulate(
    jobs: &[UnfinishedJob],
    builders: &[OnlineBuilder],
    now: u64,
    rule: Rule,
    actual: impl Fn(usize) -> u64,
) -> Vec<Option<Span>> {
    let mut farm = Farm::new(jobs, builders, rule, now);
    farm.begin(&actual);
    farm.claim(&actual);
    while farm.advance() {
        farm.claim(&actual);
    }
    farm.into_spans()
}
