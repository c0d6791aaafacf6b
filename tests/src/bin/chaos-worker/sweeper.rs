//! The sweeper: offers to sweep, as every `database` daemon does.

use caur_core::queue::{QueueError, SweepSettings};
use caur_tests::journal::What;

use crate::{Worker, wait_for_redis};

/// Works until it is killed.
///
/// # Errors
/// Only what cannot mend itself.
pub async fn work(worker: Worker) -> Result<(), QueueError> {
    let interval = worker.lease / 4;
    let settings = SweepSettings {
        name: format!("{}-{}", worker.plan.name, std::process::id()),
        term: interval * 3,
        outage: interval * 2,
        grace: worker.lease,
    };
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match worker.queue.sweep(&settings).await {
            Ok(report) if report.expired > 0 => worker.journal.note(What::Swept {
                expired: report.expired,
            }),
            Ok(_) => {}
            Err(QueueError::Link { source, .. }) => wait_for_redis(worker.queue.link(), &source).await,
            Err(error) => return Err(error),
        }
    }
}
