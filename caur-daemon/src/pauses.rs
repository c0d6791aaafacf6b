//! The pauses of targets that cannot be published at the moment.

use std::collections::BTreeMap;
use std::time::Duration;

use caur_core::model::Target;
use tokio::time::Instant;

/// How long a publisher waits for news before it looks by itself.
const IDLE: Duration = Duration::from_secs(20);
/// The longest pause of a target after publishing failed.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Targets whose last try failed: how long they pause, and until when.
#[derive(Default)]
pub struct Pauses(BTreeMap<Target, (Duration, Instant)>);

impl Pauses {
    /// Whether it is not to be tried yet.
    pub fn is_paused(&self, target: &Target, now: Instant) -> bool {
        self.0.get(target).is_some_and(|(_, until)| *until > now)
    }

    /// Begins a pause, twice as long as the last one, and says how long.
    pub fn failed(&mut self, target: &Target) -> Duration {
        let last = self.0.get(target).map_or(Duration::ZERO, |(pause, _)| *pause);
        let pause = (last * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        self.0.insert(target.clone(), (pause, Instant::now() + pause));
        pause
    }

    /// Forgets that tries failed.
    pub fn succeeded(&mut self, target: &Target) {
        self.0.remove(target);
    }

    /// How long from `now` until the next paused target may be tried again, at most [`IDLE`].
    pub fn next(&self, now: Instant) -> Duration {
        let ends = self
            .0
            .values()
            .map(|(_, until)| until.saturating_duration_since(now));
        let paused = ends.filter(|wait| !wait.is_zero());
        paused
            .min()
            .map_or(IDLE, |wait| wait.clamp(Duration::from_millis(100), IDLE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_only_those_that_last_are_waited_for() {
        let target = Target {
            repo: "repo".parse().unwrap(),
            arch: "x86_64".parse().unwrap(),
        };
        let mut pauses = Pauses::default();
        assert_eq!(pauses.next(Instant::now()), IDLE);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let begun = Instant::now();
            assert_eq!(pauses.failed(&target), Duration::from_secs(seconds));
            assert!(pauses.is_paused(&target, begun));
            assert!(pauses.next(begun) >= IDLE.min(Duration::from_secs(seconds)));
        }
        // Its next try may run for long.
        let over = Instant::now() + LONGEST_PAUSE;
        assert!(!pauses.is_paused(&target, over));
        assert_eq!(pauses.next(over), IDLE);
        pauses.succeeded(&target);
        assert_eq!(pauses.failed(&target), Duration::from_secs(1));
    }
}
