//! Finished jobs by time.

pub mod draw;
#[cfg(test)]
mod snapshots;
pub mod summary;

use caur_core::model::{Job, JobId};

use crate::screen::queue::JobRow;
use crate::table::{Sort, Table};

/// How many finished jobs are asked for at a time.
pub const PAGE: usize = 500;
/// No more than these are held: a filter that shows little would otherwise fetch everything that was ever built.
const MOST: usize = 20_000;

/// The state of the history view.
#[derive(Debug)]
pub struct HistoryScreen {
    /// Finished jobs.
    pub table: Table<JobRow>,
    loaded: bool,
    complete: bool,
    wanted: usize,
}

impl Default for HistoryScreen {
    fn default() -> Self {
        let mut table = Table::default();
        // By the time they ended.
        table.set_sort(Sort {
            order: 11,
            reversed: false,
        });
        Self {
            table,
            loaded: false,
            complete: false,
            wanted: PAGE,
        }
    }
}

impl HistoryScreen {
    /// Takes the newest finished jobs, and whether there are no older ones.
    pub fn replace(&mut self, jobs: Vec<Job>, complete: bool) {
        self.table.replace(jobs.into_iter().map(JobRow::from));
        (self.loaded, self.complete) = (true, complete);
    }

    /// A job that is listed.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.table.get(&id).map(|row| &row.job)
    }

    /// Whether anything came yet.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Whether there are no older ones.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many jobs are wanted: more once the end of the list is near.
    pub fn wanted(&mut self) -> usize {
        let near_end = self.table.cursor() + PAGE / 5 > self.table.len();
        if self.loaded && !self.complete && near_end && self.table.total() >= self.wanted {
            self.wanted = (self.wanted + PAGE).min(MOST);
        }
        self.wanted
    }
}
