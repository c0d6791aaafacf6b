//! The queue: every current job and the latest finished ones.

pub mod draw;
mod row;
pub mod tree;

use std::collections::{BTreeMap, HashSet};

use caur_core::model::{Job, JobId, JobState};

pub use row::{JobRow, commit, rank, took, waited};

use crate::table::Table;

/// How many finished jobs stay listed.
pub const FINISHED: usize = 300;

/// The state of the queue view.
#[derive(Debug, Default)]
pub struct QueueScreen {
    /// The jobs.
    pub table: Table<JobRow>,
    counts: BTreeMap<JobState, usize>,
    batch: Batch,
}

/// The jobs that came since the queue was last empty: what the progress bar is about.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Batch {
    open: HashSet<JobId>,
    done: HashSet<JobId>,
    failed: usize,
}

/// How far the current batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchProgress {
    /// Jobs of it that have ended.
    pub done: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// All of them.
    pub total: usize,
}

impl QueueScreen {
    /// Takes the whole queue.
    pub fn replace(&mut self, jobs: Vec<Job>, more_to_come: bool) {
        for job in &jobs {
            self.batch.note(job);
        }
        if !more_to_come || self.table.total() == 0 {
            self.table.replace(jobs.into_iter().map(JobRow::from));
        } else {
            self.table
                .change(jobs.into_iter().map(JobRow::from).collect(), &[]);
        }
        self.count();
    }

    /// Takes what changed, and says which jobs have ended by it.
    pub fn change(&mut self, jobs: Vec<Job>, gone: &[JobId]) -> Vec<Job> {
        let mut ended = Vec::new();
        for job in &jobs {
            self.batch.note(job);
            let was_open = self.job(job.id).is_some_and(|old| !old.state.is_final());
            if was_open && job.state.is_final() {
                ended.push(job.clone());
            }
        }
        self.table
            .change(jobs.into_iter().map(JobRow::from).collect(), gone);
        self.count();
        ended
    }

    /// A job of the queue.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.table.get(&id).map(|row| &row.job)
    }

    /// How many jobs are in each state, filter or not.
    pub fn counts(&self) -> &BTreeMap<JobState, usize> {
        &self.counts
    }

    /// How far the current batch has come; none where nothing is under way.
    pub fn batch(&self) -> Option<BatchProgress> {
        let Batch { open, done, failed } = &self.batch;
        (!open.is_empty()).then(|| BatchProgress {
            done: done.len(),
            failed: *failed,
            total: open.len() + done.len(),
        })
    }

    fn count(&mut self) {
        self.counts.clear();
        for row in self.table.rows() {
            *self.counts.entry(row.job.state).or_default() += 1;
        }
    }
}

impl Batch {
    fn note(&mut self, job: &Job) {
        if !job.state.is_final() {
            if self.open.is_empty() {
                self.done.clear();
                self.failed = 0;
            }
            self.done.remove(&job.id);
            self.open.insert(job.id);
        } else if self.open.remove(&job.id) {
            self.done.insert(job.id);
            self.failed += usize::from(!job.state.satisfies_dependants() && job.state != JobState::Canceled);
        }
    }
}
