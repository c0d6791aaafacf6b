//! One job: its log and what is known about it.

pub mod draw;

use caur_core::model::JobId;

use crate::log_pane::LogPane;
use crate::msg::LogEvent;

/// The state of the job view.
#[derive(Debug, Default)]
pub struct JobScreen {
    log: LogPane,
}

impl JobScreen {
    /// Shows a job; the same one again changes nothing.
    pub fn open(&mut self, job: JobId) {
        if self.log.job() != Some(job) {
            self.log = LogPane::open(Some(job));
        }
    }

    /// The job.
    pub fn job(&self) -> Option<JobId> {
        self.log.job()
    }

    /// Its log.
    pub fn log(&self) -> &LogPane {
        &self.log
    }

    /// Its log.
    pub fn log_mut(&mut self) -> &mut LogPane {
        &mut self.log
    }

    /// Which log has to be followed.
    pub fn wanted_log(&self) -> Option<(JobId, Option<u32>)> {
        self.log.job().map(|job| (job, None))
    }

    /// Takes news of the log of `job`; says whether it is the one that is shown.
    pub fn take(&mut self, job: JobId, event: LogEvent) -> bool {
        self.log.take(job, event)
    }
}
