//! How much the queue holds in Redis besides what is to be done.

use redis::Pipeline;
use serde::Serialize;

use super::{Queue, QueueError, keys};

/// What is kept of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueSize {
    /// Finished jobs.
    pub finished: u64,
    /// Events.
    pub events: u64,
    /// Bytes of logs that are being written.
    pub log_live: u64,
    /// Bytes of logs that have ended.
    pub log_kept: u64,
}

impl Queue {
    /// How much of the past the queue holds.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn size(&self) -> Result<QueueSize, QueueError> {
        let mut pipeline = Pipeline::new();
        pipeline
            .zcard(keys::FINISHED)
            .xlen(keys::EVENTS)
            .get(keys::LOG_LIVE)
            .get(keys::LOG_KEPT);
        let (finished, events, live, kept): (u64, u64, Option<i64>, Option<i64>) =
            self.pipeline("measure the queue", &pipeline).await?;
        // Estimates that scripts add to and take from; they may fall a little below zero.
        let bytes = |count: Option<i64>| u64::try_from(count.unwrap_or_default()).unwrap_or_default();
        Ok(QueueSize {
            finished,
            events,
            log_live: bytes(live),
            log_kept: bytes(kept),
        })
    }
}
