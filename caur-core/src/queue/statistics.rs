//! What the farm did over the last days: sums that the scripts keep per hour, and samples of the queue's length.
//!
//! `scripts/past.lua` writes them. They are kept for eight days, in a form in which a week is a small answer.

use std::collections::{BTreeMap, HashMap};

use redis::Pipeline;
use redis::streams::StreamRangeReply;
use serde::{Deserialize, Serialize};

use super::{Queue, QueueError, keys};
use crate::model::JobState;

/// Seconds up to which a duration counts for a histogram's place; one more place takes what is longer. Each bound is
/// about 1.7 times the one before.
pub const HISTOGRAM_BOUNDS: [u64; 23] = [
    2, 4, 7, 12, 20, 35, 60, 100, 180, 300, 500, 900, 1500, 2700, 4500, 7200, 12_600, 21_600, 36_000, 64_800,
    108_000, 180_000, 302_400,
];
/// Places of a histogram.
const PLACES: usize = HISTOGRAM_BOUNDS.len() + 1;
/// The order of the counters of ended jobs, which stand first among those of an hour.
const ENDED: [JobState; 8] = [
    JobState::Succeeded,
    JobState::AlreadyBuilt,
    JobState::Skipped,
    JobState::Failed,
    JobState::TimedOut,
    JobState::OutOfMemory,
    JobState::Canceled,
    JobState::InfrastructureFailed,
];
/// Where an attempt's end tells how long a package takes to build.
const BUILT: [JobState; 4] = [
    JobState::Uploaded,
    JobState::Failed,
    JobState::TimedOut,
    JobState::OutOfMemory,
];
/// Where an attempt's end says nothing of the package.
const BUILDER_FAILED: [JobState; 2] = [JobState::Backoff, JobState::InfrastructureFailed];

/// The first counter of an hour's histogram of waits, and that of builds.
const WAITS_AT: usize = ENDED.len();
const BUILDS_AT: usize = WAITS_AT + PLACES;
/// Bytes of a counter.
const COUNTER: usize = 4;

const HOUR_MS: u64 = 3_600_000;
/// Hours that are kept; as in `scripts/past.lua`.
const HOURS_KEPT: u32 = 8 * 24;

/// How long things took: counts of durations by [`HISTOGRAM_BOUNDS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Each place's count; what is missing at the end is 0.
    counts: Vec<u64>,
}

impl Histogram {
    fn of(mut counts: Vec<u64>) -> Self {
        let used = counts
            .iter()
            .rposition(|count| *count > 0)
            .map_or(0, |last| last + 1);
        counts.truncate(used);
        Self { counts }
    }

    /// Counts one duration in seconds.
    pub fn record(&mut self, seconds: u64) {
        let place = HISTOGRAM_BOUNDS.partition_point(|bound| *bound < seconds);
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] += 1;
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Seconds that the part `p` of all durations, from 0 to 1, took at most: 0.5 for the median, 0.95 for all but
    /// one of twenty. Between two bounds durations are taken to be spread evenly; of those beyond the last bound only
    /// that is known. None where nothing was counted.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts and seconds stay far below 2^53"
    )]
    pub fn percentile(&self, p: f64) -> Option<u64> {
        let all = self.count();
        if all == 0 {
            return None;
        }
        let wanted = all as f64 * p.clamp(0.0, 1.0);
        let mut below = 0.0;
        let mut lower = 0;
        for (place, count) in self.counts.iter().map(|count| *count as f64).enumerate() {
            let Some(upper) = HISTOGRAM_BOUNDS.get(place) else {
                break;
            };
            if count > 0.0 && below + count >= wanted {
                let part = ((wanted - below) / count).max(0.0);
                return Some((lower as f64 + part * (upper - lower) as f64).round() as u64);
            }
            below += count;
            lower = *upper;
        }
        Some(lower)
    }
}

/// What one builder did within an hour, or within several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderHour {
    /// Attempts that ended as builds: built, failed, out of time or memory, or failed by the farm.
    pub builds: u64,
    /// Those of them that built nothing.
    pub failures: u64,
    /// Seconds for which its slots held jobs that have left it; those of each hour count there.
    pub busy_seconds: u64,
}

impl BuilderHour {
    /// The part of the builds that built something, from 0 to 1; none without builds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn success_rate(&self) -> Option<f64> {
        let built = self.builds.saturating_sub(self.failures);
        (self.builds > 0).then(|| built as f64 / self.builds as f64)
    }

    fn add(&mut self, other: &Self) {
        self.builds += other.builds;
        self.failures += other.failures;
        self.busy_seconds += other.busy_seconds;
    }
}

/// What happened within an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourStatistics {
    /// Milliseconds since 1970 at which it began.
    pub hour_start_ms: u64,
    /// Jobs that ended, by how; without those of which there were none.
    pub ended: BTreeMap<JobState, u64>,
    /// Seconds from when a job became ready until it was claimed.
    pub waits: Histogram,
    /// Seconds from the claim to the end of builds, successful or not.
    pub builds: Histogram,
    /// By the name of the builder.
    pub builders: BTreeMap<String, BuilderHour>,
}

/// How long the queue was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSample {
    /// Milliseconds since 1970.
    pub at: u64,
    /// Jobs that waited for dependencies.
    pub waiting: u64,
    /// Jobs that could be claimed.
    pub ready: u64,
    /// Jobs whose dependencies had failed.
    pub blocked: u64,
    /// Jobs that an operator held back.
    pub held: u64,
    /// Jobs that paused after a failure of the farm.
    pub backoff: u64,
    /// Jobs that were being built: busy slots.
    pub building: u64,
    /// Slots of all builders that were there.
    pub slots_total: u64,
}

/// What the farm did over some hours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Every hour, oldest first, also those in which nothing happened; the last one is not over yet.
    pub hours: Vec<HourStatistics>,
    /// One of about every five minutes in which a sweeper was there, oldest first.
    pub samples: Vec<QueueSample>,
}

impl Statistics {
    /// What the builder of this name did in all of the hours.
    #[must_use]
    pub fn builder(&self, name: &str) -> BuilderHour {
        let mut sum = BuilderHour::default();
        for hour in &self.hours {
            sum.add(&hour.builders.get(name).copied().unwrap_or_default());
        }
        sum
    }
}

impl Queue {
    /// What the farm did in this hour and in those before it, `hours` together, eight days at most.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn statistics(&self, hours: u32) -> Result<Statistics, QueueError> {
        let now = self.now().await? / HOUR_MS;
        let first = now.saturating_sub(u64::from(hours.clamp(1, HOURS_KEPT)) - 1);
        let mut pipeline = Pipeline::new();
        pipeline.xrange(keys::SAMPLES, (first * HOUR_MS).to_string(), "+");
        for hour in first..=now {
            pipeline.get(keys::hour(hour)).hgetall(keys::hour_builders(hour));
        }
        let mut answers: Vec<redis::Value> = self.pipeline("read statistics", &pipeline).await?;
        let corrupt = |error: redis::ParsingError| QueueError::corrupt("statistics", error);
        let of_hours = answers.split_off(1);
        let samples: StreamRangeReply =
            redis::from_redis_value(answers.pop().unwrap_or(redis::Value::Nil)).map_err(corrupt)?;
        let mut statistics = Statistics {
            samples: samples
                .ids
                .iter()
                .filter_map(|entry| sample(&entry.id, &entry.get::<String>("s")?))
                .collect(),
            hours: Vec::new(),
        };
        for (hour, answers) in (first..=now).zip(of_hours.chunks_exact(2)) {
            let answers = redis::Value::Array(answers.to_vec());
            let (counters, builders): (Option<Vec<u8>>, HashMap<String, String>) =
                redis::from_redis_value(answers).map_err(corrupt)?;
            let counters = counters.unwrap_or_default();
            statistics
                .hours
                .push(hour_statistics(hour * HOUR_MS, &counters, &builders));
        }
        Ok(statistics)
    }
}

fn hour_statistics(
    hour_start_ms: u64,
    counters: &[u8],
    builders: &HashMap<String, String>,
) -> HourStatistics {
    let mut counters = counters.chunks_exact(COUNTER).map(|bytes| {
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    });
    let mut take = |count| counters.by_ref().take(count).collect::<Vec<u64>>();
    let ended = ENDED.into_iter().zip(take(ENDED.len()));
    let (waits, builds) = (take(PLACES), take(PLACES));
    let builders = builders.iter().filter_map(|(name, line)| {
        let [builds, failures, busy_seconds] = numbers(line)[..] else {
            return None;
        };
        let sums = BuilderHour {
            builds,
            failures,
            busy_seconds,
        };
        Some((name.clone(), sums))
    });
    HourStatistics {
        hour_start_ms,
        ended: ended.filter(|(_, count)| *count > 0).collect(),
        waits: Histogram::of(waits),
        builds: Histogram::of(builds),
        builders: builders.collect(),
    }
}

fn sample(id: &str, line: &str) -> Option<QueueSample> {
    let numbers = numbers(line);
    let [waiting, ready, blocked, held, backoff, building, slots_total, ..] = numbers[..] else {
        return None;
    };
    Some(QueueSample {
        at: id.split('-').next()?.parse().ok()?,
        waiting,
        ready,
        blocked,
        held,
        backoff,
        building,
        slots_total,
    })
}

/// A line of numbers; what is none counts as 0, since these are no data that anything depends on.
fn numbers(line: &str) -> Vec<u64> {
    line.split(' ')
        .map(|number| number.parse().unwrap_or_default())
        .collect()
}

/// What the scripts need to know of the above.
pub(super) fn lua_constants() -> String {
    let bounds: Vec<String> = HISTOGRAM_BOUNDS.iter().map(ToString::to_string).collect();
    let set = |states: &[JobState]| {
        let states = states.iter().enumerate();
        let entries: Vec<String> = states
            .map(|(place, state)| format!("['{state}'] = {place}"))
            .collect();
        format!("{{ {} }}", entries.join(", "))
    };
    format!(
        "local HISTOGRAM_BOUNDS, WAITS_AT, BUILDS_AT = {{ {} }}, {WAITS_AT}, {BUILDS_AT}\n\
         local ENDED, BUILT, BUILDER_FAILED = {}, {}, {}",
        bounds.join(", "),
        set(&ENDED),
        set(&BUILT),
        set(&BUILDER_FAILED)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(durations: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &seconds in durations {
            histogram.record(seconds);
        }
        histogram
    }

    #[test]
    fn percentiles_lie_where_the_durations_do() {
        assert_eq!(histogram(&[]).percentile(0.5), None);
        for &seconds in &[0, 1, 2, 3, 59, 100, 3600, 36_000, 302_400] {
            let found = histogram(&[seconds; 10]).percentile(0.99).unwrap();
            let place = HISTOGRAM_BOUNDS.partition_point(|bound| *bound < seconds);
            let lower = place.checked_sub(1).map_or(0, |place| HISTOGRAM_BOUNDS[place]);
            assert!(
                (lower..=HISTOGRAM_BOUNDS[place]).contains(&found),
                "{seconds}: {found}"
            );
        }
        let even: Vec<u64> = (1..=900).collect();
        let even = histogram(&even);
        for (p, expected) in [(0.0, 0), (0.5, 450), (0.9, 810), (1.0, 900)] {
            let found = even.percentile(p).unwrap();
            assert!(found.abs_diff(expected) <= 5, "{p}: {found}");
        }
        assert_eq!(histogram(&[1_000_000]).percentile(0.5), Some(302_400));
    }

    #[test]
    fn merged_histograms_count_together() {
        let (short, long) = (histogram(&[1, 2, 3]), histogram(&[5000, 1_000_000]));
        let mut merged = short.clone();
        merged.merge(&long);
        assert_eq!(merged, histogram(&[1, 2, 3, 5000, 1_000_000]));
        let mut other = long;
        other.merge(&short);
        assert_eq!(other, merged);
        assert_eq!(merged.count(), 5);
    }

    #[test]
    fn bounds_grow_and_every_final_state_is_counted() {
        assert!(HISTOGRAM_BOUNDS.windows(2).all(|pair| pair[0] < pair[1]));
        for state in JobState::ALL {
            assert_eq!(ENDED.contains(&state), state.is_final(), "{state}");
        }
    }

    #[test]
    fn a_builder_without_builds_has_no_success_rate() {
        let hour = BuilderHour {
            builds: 4,
            failures: 1,
            busy_seconds: 10,
        };
        assert_eq!(hour.success_rate(), Some(0.75));
        assert_eq!(BuilderHour::default().success_rate(), None);
    }
}
