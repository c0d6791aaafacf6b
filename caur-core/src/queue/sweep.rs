//! The sweeper: expires leases, ends pauses, forgets what is old. Any `database` may run it; one is elected.

use std::time::Duration;

use super::claim::millis;
use super::{Queue, QueueError, scripts};

/// How a sweeper works.
#[derive(Debug, Clone)]
pub struct SweepSettings {
    /// Its name; unique among all sweepers.
    pub name: String,
    /// How long it stays elected without sweeping.
    pub term: Duration,
    /// A longer gap between two sweeps counts as an outage.
    pub outage: Duration,
    /// How long every live lease lasts at least after an outage.
    pub grace: Duration,
}

/// What one sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepReport {
    /// Whether this sweeper is the elected one; otherwise it did nothing.
    pub elected: bool,
    /// Leases that had run out.
    pub expired: usize,
    /// Jobs whose pause is over.
    pub resumed: usize,
    /// Jobs that were blocked for too long.
    pub given_up: usize,
    /// Old jobs that were forgotten.
    pub trimmed: usize,
    /// Old logs that were removed.
    pub logs: usize,
}

impl Queue {
    /// Sweeps once, in bounded steps: a large backlog takes several calls.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn sweep(&self, settings: &SweepSettings) -> Result<SweepReport, QueueError> {
        let mut script = scripts::SWEEP.prepare_invoke();
        script
            .arg(&settings.name)
            .arg(millis(settings.term))
            .arg(millis(settings.grace))
            .arg(millis(settings.outage));
        let (elected, expired, resumed, given_up, trimmed, logs): (u8, usize, usize, usize, usize, usize) =
            self.call("sweep the queue", &script).await?;
        Ok(SweepReport {
            elected: elected == 1,
            expired,
            resumed,
            given_up,
            trimmed,
            logs,
        })
    }

    /// Ends the election of the sweeper `name` at once, if it is elected.
    ///
    /// # Errors
    /// [`QueueError::Link`]; the election then ends with its term.
    pub async fn resign(&self, name: &str) -> Result<(), QueueError> {
        let mut script = scripts::RESIGN.prepare_invoke();
        script.arg(name);
        self.call::<()>("resign as sweeper", &script).await
    }
}
