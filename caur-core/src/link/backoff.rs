//! Waiting times between attempts: doubling, limited, and spread so that many clients of one server that
//! was restarted do not return in the same instant.

use std::time::Duration;

/// The first waiting time, before jitter.
const FIRST: Duration = Duration::from_millis(200);

/// The longest waiting time.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failed attempts and says how long to wait before the next.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Notes one more failure and returns the time to wait: 0.2 s doubled with each failure up to 30 s, of
    /// which a random part between a half and the whole is taken.
    pub fn next_delay(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1_u32 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// How many failures were noted since the last [`reset`](Self::reset).
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_and_stay_within_their_limits() {
        let mut backoff = Backoff::default();
        let mut full = FIRST;
        for _ in 0..40 {
            let delay = backoff.next_delay();
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
            full = (full * 2).min(LONGEST);
        }
        assert_eq!(backoff.failures(), 40);
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
    }
}
