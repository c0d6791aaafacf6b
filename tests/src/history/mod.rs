//! The checker of the chaos test: reads what was recorded and says what in it cannot be true.
//!
//! It knows the rules of `docs/ARCHITECTURE.md`, and nothing of the scripts that keep them. Three stories are told
//! about the same jobs: the event stream by Redis, the journals by the workers, the job records at the end. Each must
//! follow the rules, and all must be the same story.

mod edges;
mod lives;
#[cfg(test)]
mod tests;
mod witnesses;

use std::collections::BTreeSet;
use std::fmt;

use caur_core::model::{JobId, JobState};
use caur_core::queue::Event;

use crate::journal::Fact;

/// Everything that was recorded.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The event stream, from its beginning.
    pub events: Vec<Event>,
    /// All journals, by time.
    pub facts: Vec<Fact>,
    /// Edges as the queue held them right after the first submit: keys of dependant and dependency.
    pub edges: Vec<(String, String)>,
    /// Edges that some plan left out, since they would have closed a cycle: likewise.
    pub broken: BTreeSet<(String, String)>,
    /// Jobs that a submit named.
    pub submitted: BTreeSet<JobId>,
    /// The job records at the end.
    pub jobs: Vec<Record>,
}

/// What of a job's record is compared with its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The job.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// How often it was claimed.
    pub attempt: u32,
}

/// What the checker found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What cannot be true, each with its job, attempt and event.
    pub lies: Vec<String>,
    /// Jobs that were told about.
    pub jobs: usize,
    /// Lives of jobs: a retry starts a new one.
    pub lives: usize,
    /// Attempts.
    pub attempts: usize,
    /// Finishes that were refused, as their lease was lost.
    pub fenced: usize,
    /// Answers that got lost.
    pub lost_answers: usize,
    /// Builds that a worker took over from its predecessor.
    pub adopted: usize,
    /// Edges, each of which was judged at every start of its dependant.
    pub edges: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} jobs with {} lives, {} attempts, {} fenced, {} answers lost, {} builds adopted, {} edges, {} lies",
            self.jobs,
            self.lives,
            self.attempts,
            self.fenced,
            self.lost_answers,
            self.adopted,
            self.edges,
            self.lies.len()
        )
    }
}

impl History {
    /// Checks all of it.
    #[must_use]
    pub fn judge(&self) -> Verdict {
        let mut verdict = Verdict {
            edges: self.edges.len(),
            ..Verdict::default()
        };
        lives::judge(self, &mut verdict);
        edges::judge(self, &mut verdict);
        witnesses::judge(self, &mut verdict);
        verdict
    }
}

/// An event in words, for messages.
fn shown(event: &Event) -> String {
    let from = event.from.map_or("nothing", JobState::as_str);
    format!(
        "event {}: {} of job {} ({}) attempt {}, {from} -> {}",
        event.id, event.action, event.job, event.key, event.attempt, event.to
    )
}
