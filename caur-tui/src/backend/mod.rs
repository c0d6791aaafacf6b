//! Where the console's data comes from.

pub mod demo;
mod demo_farm;
mod demo_log;
pub mod redis;
#[cfg(test)]
pub mod scripted;

use std::future::Future;

use caur_core::model::JobId;
use tokio::sync::{mpsc, watch};

use crate::msg::BackendMsg;

/// The job whose log is wanted; only the latest wish counts.
pub type Wanted = watch::Receiver<Option<JobId>>;

/// Reports of a backend; sending waits while the console is busy, so a flood of log lines cannot pile up.
pub type Reports = mpsc::Sender<BackendMsg>;

/// A source of link states, jobs and logs.
pub trait Backend: Send + 'static {
    /// Reports until the receiver of `reports` is gone or nothing more can ever be reported.
    ///
    /// The state of the link comes first. Whenever `wanted` changes to a job, the next report about its log is
    /// [`crate::msg::LogEvent::Begin`] or [`crate::msg::LogEvent::Missing`]; a log that comes into being later
    /// is reported then.
    fn run(self, wanted: Wanted, reports: Reports) -> impl Future<Output = ()> + Send;
}
