//! The queue's housekeeping that every `database` daemon offers to do: one of them is elected and sweeps.

use std::time::Duration;

use caur_core::queue::{Queue, QueueError, SweepSettings};
use color_eyre::eyre::Result;
use tokio_util::sync::CancellationToken;

use crate::outage::wait_for_redis;

/// How often the queue is swept.
const SWEEP: Duration = Duration::from_secs(5);

/// Sweeps the queue until `shutdown`.
///
/// # Errors
/// Only what cannot mend itself: a queue that this program cannot read.
pub async fn sweep(queue: Queue, name: String, lease: Duration, shutdown: CancellationToken) -> Result<()> {
    let interval = SWEEP.min(lease / 4);
    let settings = SweepSettings {
        name,
        term: interval * 3,
        outage: interval * 2,
        grace: lease,
    };
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => {
                if let Err(error) = queue.resign(&settings.name).await {
                    tracing::debug!("{error}");
                }
                return Ok(());
            }
        }
        match queue.sweep(&settings).await {
            Ok(report) if report.expired > 0 => {
                tracing::warn!(
                    jobs = report.expired,
                    "took {} jobs back whose lease had run out",
                    report.expired
                );
            }
            Ok(_) => {}
            Err(QueueError::Link { source, .. }) => {
                tracing::warn!("cannot sweep the queue: {source}");
                wait_for_redis(queue.link(), &source, &shutdown).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
