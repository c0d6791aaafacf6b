//! The rows of the queue: order, filter and selection.
//!
//! The selection belongs to a job and not to a row: it stays on it however the rows move. When the job
//! leaves the list, the job that takes its row is selected.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use caur_core::model::{Job, JobId, JobState};

/// The queue as rows.
#[derive(Debug, Default)]
pub struct QueueTable {
    jobs: Vec<Job>,
    by_id: HashMap<JobId, usize>,
    rows: Vec<usize>,
    filter: String,
    selected: Option<JobId>,
    /// The row that the selection was last seen in.
    row: usize,
    offset: usize,
}

impl QueueTable {
    /// Replaces the jobs; selection and filter stay.
    pub fn replace(&mut self, jobs: Vec<Job>) {
        self.jobs = jobs;
        self.jobs.sort_by_cached_key(order);
        self.by_id = self
            .jobs
            .iter()
            .enumerate()
            .map(|(at, job)| (job.id, at))
            .collect();
        self.refilter();
    }

    /// Shows only jobs in which every word of `filter` occurs.
    pub fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.refilter();
    }

    /// The filter.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// How many jobs are in each state, filter or not.
    pub fn counts(&self) -> BTreeMap<JobState, usize> {
        let mut counts = BTreeMap::new();
        for job in &self.jobs {
            *counts.entry(job.state).or_default() += 1;
        }
        counts
    }

    /// How many jobs there are, filter or not.
    pub fn total(&self) -> usize {
        self.jobs.len()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows from the first visible one on.
    pub fn visible(&self, height: usize) -> impl Iterator<Item = &Job> {
        self.rows
            .iter()
            .skip(self.offset)
            .take(height)
            .map(|&at| &self.jobs[at])
    }

    /// A job by its identifier.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.by_id.get(&id).map(|&at| &self.jobs[at])
    }

    /// The selected job's identifier; it may have left the list until [`Self::settle`] is called.
    pub fn selected(&self) -> Option<JobId> {
        self.selected
    }

    /// The row of the selected job.
    pub fn selected_row(&self) -> Option<usize> {
        let selected = self.selected?;
        self.rows.iter().position(|&at| self.jobs[at].id == selected)
    }

    /// Moves the selection by so many rows, as far as there are any.
    pub fn move_by(&mut self, rows: isize) {
        self.select_row(self.row.saturating_add_signed(rows));
    }

    /// Selects a row, or the last one.
    pub fn select_row(&mut self, row: usize) {
        self.row = row.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.row).map(|&at| self.jobs[at].id);
    }

    /// Finds a new selection where the selected job is gone, unless it is to be kept as `pinned`, and scrolls
    /// so that the selection is among the `height` visible rows.
    pub fn settle(&mut self, height: usize, pinned: bool) {
        match self.selected_row() {
            Some(row) => self.row = row,
            None if pinned && self.selected.is_some() => {}
            None => self.select_row(self.row),
        }
        let height = height.max(1);
        let first = (self.row + 1).saturating_sub(height);
        let last = self.rows.len().saturating_sub(height);
        self.offset = self.offset.clamp(first, self.row.max(first)).min(last);
    }

    fn refilter(&mut self) {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        self.rows = (0..self.jobs.len())
            .filter(|&at| matches(&self.jobs[at], &words))
            .collect();
    }
}

fn matches(job: &Job, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let request = &job.request;
    let text = format!(
        "{} {} {} {} {} {}",
        request.pkgbase,
        request.target,
        job.state,
        request.class,
        job.builder.as_deref().unwrap_or_default(),
        job.reason.as_deref().unwrap_or_default(),
    )
    .to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// Rows of one rank are in the order of their age; what is over comes latest first.
fn order(job: &Job) -> (u8, Reverse<u64>, JobId) {
    if job.state.is_final() {
        (u8::MAX, Reverse(job.finished.unwrap_or(job.since)), job.id)
    } else {
        (rank(job.state), Reverse(0), job.id)
    }
}

/// What is being worked on, then what comes next, then what is stuck, then what is over, failures first.
pub fn rank(state: JobState) -> u8 {
    match state {
        JobState::Building => 0,
        JobState::Publishing => 1,
        JobState::Uploaded => 2,
        JobState::Ready => 3,
        JobState::Waiting => 4,
        JobState::Blocked => 5,
        JobState::Held => 6,
        JobState::Backoff => 7,
        JobState::Failed => 8,
        JobState::TimedOut => 9,
        JobState::OutOfMemory => 10,
        JobState::InfrastructureFailed => 11,
        JobState::Canceled => 12,
        JobState::Succeeded => 13,
        JobState::AlreadyBuilt => 14,
        JobState::Skipped => 15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::job;

    fn ids(table: &QueueTable) -> Vec<u64> {
        table.visible(100).map(|job| job.id.0).collect()
    }

    fn table() -> QueueTable {
        let mut table = QueueTable::default();
        table.replace(vec![
            job(1, "old", JobState::Succeeded),
            job(2, "new", JobState::Failed),
            job(3, "waits", JobState::Waiting),
            job(4, "ready", JobState::Ready),
            job(5, "builds", JobState::Building),
            job(6, "stuck", JobState::Blocked),
            job(7, "goes", JobState::Publishing),
        ]);
        table.settle(10, false);
        table
    }

    #[test]
    fn work_first_then_the_queue_then_what_is_over() {
        assert_eq!(ids(&table()), [5, 7, 4, 3, 6, 2, 1]);
    }

    #[test]
    fn the_selection_stays_on_its_job() {
        let mut table = table();
        table.select_row(2);
        table.replace(vec![
            job(4, "ready", JobState::Succeeded),
            job(8, "x", JobState::Building),
        ]);
        table.settle(10, false);
        assert_eq!(
            (table.selected(), table.selected_row()),
            (Some(JobId(4)), Some(1))
        );
    }

    #[test]
    fn the_row_is_kept_when_the_job_goes_unless_it_is_pinned() {
        let mut table = table();
        table.select_row(1);
        table.replace(vec![
            job(5, "builds", JobState::Building),
            job(9, "y", JobState::Ready),
        ]);
        table.settle(10, true);
        assert_eq!(table.selected(), Some(JobId(7)));
        table.settle(10, false);
        assert_eq!(table.selected(), Some(JobId(9)));
        table.replace(Vec::new());
        table.settle(10, false);
        assert_eq!(table.selected(), None);
    }

    #[test]
    fn every_word_of_the_filter_must_occur() {
        let mut table = table();
        table.set_filter("FAILED new".to_owned());
        assert_eq!(ids(&table), [2]);
        table.set_filter("failed old".to_owned());
        assert_eq!(table.len(), 0);
        assert_eq!(table.total(), 7);
    }

    #[test]
    fn the_selection_is_always_visible() {
        let mut table = table();
        for row in [6, 0, 3] {
            table.select_row(row);
            table.settle(3, false);
            let visible: Vec<JobId> = table.visible(3).map(|job| job.id).collect();
            assert!(visible.contains(&table.selected().unwrap()));
        }
        table.settle(0, false);
    }
}
