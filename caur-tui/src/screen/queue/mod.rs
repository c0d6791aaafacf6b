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
    /// Takes the whole queue, or its first part.
    pub fn replace(&mut self, jobs: Vec<Job>, more_to_come: bool) {
        if more_to_come && self.table.total() > 0 {
            // What is known of the rest stays until it comes.
            self.change(jobs, &[]);
            return;
        }
        for job in &jobs {
            self.batch.note(job);
        }
        self.table.replace(jobs.into_iter().map(JobRow::from));
        if !more_to_come {
            let table = &self.table;
            self.batch.open.retain(|id| table.get(id).is_some());
        }
        self.counts.clear();
        for row in self.table.rows() {
            *self.counts.entry(row.job.state).or_default() += 1;
        }
    }

    /// Takes what changed, and says which jobs have ended by it.
    pub fn change(&mut self, jobs: Vec<Job>, gone: &[JobId]) -> Vec<Job> {
        let mut ended = Vec::new();
        for id in gone {
            self.batch.open.remove(id);
            self.uncount(*id);
        }
        for job in &jobs {
            self.batch.note(job);
            let was_open = self.job(job.id).is_some_and(|old| !old.state.is_final());
            if was_open && job.state.is_final() {
                ended.push(job.clone());
            }
            self.uncount(job.id);
            *self.counts.entry(job.state).or_default() += 1;
        }
        self.table
            .change(jobs.into_iter().map(JobRow::from).collect(), gone);
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

    fn uncount(&mut self, id: JobId) {
        let Some(state) = self.job(id).map(|job| job.state) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&state) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&state);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::job;

    fn counted(queue: &QueueScreen) -> Vec<(JobState, usize)> {
        queue
            .counts()
            .iter()
            .map(|(state, count)| (*state, *count))
            .collect()
    }

    #[test]
    fn counts_and_the_batch_follow_every_change() {
        let mut queue = QueueScreen::default();
        let jobs =
            |ids: std::ops::Range<u64>| ids.map(|id| job(id, "a", JobState::Ready)).collect::<Vec<_>>();
        queue.replace(jobs(0..3), true);
        queue.replace(jobs(0..6), false);
        assert_eq!(counted(&queue), [(JobState::Ready, 6)]);
        let changed = [
            job(0, "a", JobState::Succeeded),
            job(1, "a", JobState::Failed),
            job(2, "a", JobState::Building),
            job(9, "a", JobState::Ready),
        ];
        let ended = queue.change(changed.to_vec(), &[JobId(3), JobId(77)]);
        assert_eq!(ended.iter().map(|job| job.id.0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(
            counted(&queue),
            [
                (JobState::Ready, 3),
                (JobState::Building, 1),
                (JobState::Succeeded, 1),
                (JobState::Failed, 1)
            ]
        );
        let batch = BatchProgress {
            done: 2,
            failed: 1,
            total: 6,
        };
        assert_eq!(queue.batch(), Some(batch));
        // What is gone without an end, as after a reset, holds up no batch.
        queue.replace(Vec::new(), false);
        assert_eq!((queue.batch(), counted(&queue)), (None, Vec::new()));
    }
}
