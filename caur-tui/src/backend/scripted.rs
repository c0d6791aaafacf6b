//! A backend that plays a script: what tests let the console see, step by step.

use caur_core::model::JobId;

use super::{Backend, Reports, Wishes};
use crate::msg::{BackendMsg, Interest};

/// One step.
#[derive(Debug, Clone)]
pub enum Step {
    /// Report this.
    Report(BackendMsg),
    /// Wait until the log of this job is wanted.
    AwaitWanted(JobId),
}

/// A script.
#[derive(Debug, Clone)]
pub struct Scripted(pub Vec<Step>);

impl Backend for Scripted {
    async fn run(self, mut wishes: Wishes, reports: Reports) {
        for step in self.0 {
            let done = match step {
                Step::Report(msg) => reports.send(msg).await.is_ok(),
                Step::AwaitWanted(job) => {
                    let wants = |interest: &Interest| interest.log.is_some_and(|(wanted, _)| wanted == job);
                    wishes.interest.wait_for(wants).await.is_ok()
                }
            };
            if !done {
                return;
            }
        }
        reports.closed().await;
    }
}
