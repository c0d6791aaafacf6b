//! How the queue works, as far as an operator decides about it.

use std::time::Duration;

use super::claim::millis;
use crate::model::FailedDependency;

/// The queue's rules. The `database` role publishes them; until then the default ones hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRules {
    /// Attempts that infrastructure failures may cost a job.
    pub attempts: u32,
    /// The pause after the first such failure; four times as long after the second.
    pub backoff: Duration,
    /// How long a job may be blocked.
    pub blocked: Duration,
    /// What a failed dependency means.
    pub failed_dependency: FailedDependency,
    /// Infrastructure failures in a row after which a builder pauses itself; 0: never.
    pub self_pause_after: u32,
    /// How long such a pause lasts.
    pub self_pause: Duration,
    /// Finished jobs that are kept.
    pub keep_finished: u64,
    /// How long finished jobs are kept.
    pub keep_finished_for: Duration,
    /// How long events are kept; 200,000 at most.
    pub keep_events_for: Duration,
    /// Bytes that all live logs together may take.
    pub log_live_bytes: u64,
    /// Bytes that all ended logs together may take.
    pub log_kept_bytes: u64,
    /// How long an ended log is kept.
    pub log_kept_for: Duration,
}

impl Default for QueueRules {
    fn default() -> Self {
        let days = |count: u64| Duration::from_secs(count * 86_400);
        Self {
            attempts: 3,
            backoff: Duration::from_secs(5),
            blocked: days(7),
            failed_dependency: FailedDependency::default(),
            self_pause_after: 3,
            self_pause: Duration::from_mins(30),
            keep_finished: 200_000,
            keep_finished_for: days(30),
            keep_events_for: days(30),
            log_live_bytes: 1 << 30,
            log_kept_bytes: 4 << 30,
            log_kept_for: days(14),
        }
    }
}

impl QueueRules {
    /// As the scripts read them.
    pub(super) fn fields(&self) -> [(&'static str, String); 12] {
        let failed_dependency = match self.failed_dependency {
            FailedDependency::Published => "published",
            FailedDependency::Block => "block",
            FailedDependency::Ignore => "ignore",
        };
        [
            ("attempts", self.attempts.to_string()),
            ("backoff_ms", millis(self.backoff).to_string()),
            ("blocked_ms", millis(self.blocked).to_string()),
            ("failed_dependency", failed_dependency.to_owned()),
            ("self_pause_after", self.self_pause_after.to_string()),
            ("self_pause_ms", millis(self.self_pause).to_string()),
            ("keep_finished", self.keep_finished.to_string()),
            ("keep_finished_ms", millis(self.keep_finished_for).to_string()),
            ("keep_events_ms", millis(self.keep_events_for).to_string()),
            ("log_live_bytes", self.log_live_bytes.to_string()),
            ("log_kept_bytes", self.log_kept_bytes.to_string()),
            ("log_kept_ms", millis(self.log_kept_for).to_string()),
        ]
    }
}
