//! What is known of the farm, and how sure that is.

use std::collections::HashMap;

use caur_core::model::{BuilderStatus, JobId};
use caur_core::queue::Pause;
use caur_core::queue::simulate::Span;

use crate::msg::{FarmNews, JobDetails, LinkState};

/// The link to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its state.
    pub state: LinkState,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

/// What is known of the farm besides what the views hold.
#[derive(Debug, Clone)]
pub struct Known {
    /// The link to the queue.
    pub link: Link,
    /// Whether this user may change the farm; none while that is unknown.
    pub may_operate: Option<bool>,
    /// The user's name, as the trail shows it.
    pub who: String,
    /// The builders, by name.
    pub builders: Vec<BuilderStatus>,
    /// Whether any list of builders came yet.
    pub has_builders: bool,
    /// Why the whole queue is paused.
    pub pause: Option<Pause>,
    /// When jobs are likely to start and to end.
    pub forecast: HashMap<JobId, Span>,
    /// What the farm is made of.
    pub farm: FarmNews,
    /// More about the job that is looked at.
    pub details: Option<(JobId, Box<JobDetails>)>,
    /// How far the queue's clock is ahead of ours, in milliseconds; none before the first jobs.
    pub skew: Option<i64>,
    /// Whether the rest of the queue is still on its way.
    pub partial: bool,
    /// When what is on screen ceased to be live, by our clock.
    pub stale_since: Option<u64>,
}

impl Known {
    pub(super) fn new(now: u64) -> Self {
        Self {
            link: Link {
                state: LinkState::Connecting,
                since: now,
            },
            may_operate: None,
            who: String::new(),
            builders: Vec::new(),
            has_builders: false,
            pause: None,
            forecast: HashMap::new(),
            farm: FarmNews::default(),
            details: None,
            skew: None,
            partial: false,
            stale_since: None,
        }
    }

    /// Whether the link works.
    pub fn is_online(&self) -> bool {
        self.link.state == LinkState::Online
    }

    /// Whether any queue was ever received.
    pub fn has_data(&self) -> bool {
        self.skew.is_some()
    }

    /// What is known about a job besides itself.
    pub fn details_of(&self, job: JobId) -> Option<&JobDetails> {
        let (known, details) = self.details.as_ref()?;
        (*known == job).then_some(details)
    }

    pub(super) fn queue_now(&self, now: u64) -> u64 {
        let now = self.stale_since.unwrap_or(now);
        now.saturating_add_signed(self.skew.unwrap_or_default())
    }

    pub(super) fn stale_for(&self, now: u64) -> Option<u64> {
        self.stale_since.map(|since| now.saturating_sub(since) / 1000)
    }

    pub(super) fn set_link(&mut self, state: LinkState, now: u64) {
        if state != LinkState::Online && self.has_data() && self.stale_since.is_none() {
            self.stale_since = Some(now);
        }
        self.link = Link { state, since: now };
    }

    pub(super) fn set_clock(&mut self, taken: u64, now: u64) {
        self.skew = Some(taken.wrapping_sub(now).cast_signed());
    }
}
