//! From the sums of hours to what charts show: hours taken together, shares, percentiles, utilisation.

use std::collections::BTreeMap;

use caur_core::model::{BuilderStatus, JobState};
use caur_core::queue::{BuilderHour, Histogram, HourStatistics, QueueSample, Statistics};

use crate::view::bar::percent;

/// Hours that may be taken together.
const STEPS: [usize; 8] = [1, 2, 3, 4, 6, 8, 12, 24];
const HOUR_MS: u64 = 3_600_000;

/// Jobs that ended, told apart as far as charts do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Failed, ran out of time or memory, or were failed by the farm.
    pub failed: u64,
    /// Succeeded.
    pub built: u64,
    /// Were built already, asked to be skipped, or were canceled.
    pub other: u64,
}

impl Ended {
    /// Counts jobs by the states in which they ended.
    pub fn of(states: &BTreeMap<JobState, u64>) -> Self {
        let mut ended = Self::default();
        for (state, count) in states {
            let place = match state {
                JobState::Failed
                | JobState::TimedOut
                | JobState::OutOfMemory
                | JobState::InfrastructureFailed => &mut ended.failed,
                JobState::Succeeded => &mut ended.built,
                JobState::AlreadyBuilt | JobState::Skipped | JobState::Canceled => &mut ended.other,
                JobState::Waiting
                | JobState::Ready
                | JobState::Backoff
                | JobState::Blocked
                | JobState::Held
                | JobState::Building
                | JobState::Uploaded
                | JobState::Publishing => continue,
            };
            *place += count;
        }
        ended
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.failed + self.built + self.other
    }

    /// Of those that were to be built, how many failed, in percent; none where there were none.
    pub fn failure_rate(self) -> Option<u64> {
        percent(self.failed, self.failed + self.built)
    }
}

/// Some hours taken together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bucket {
    /// Milliseconds since 1970 at which the first of them began.
    pub start: u64,
    /// How many there are.
    pub hours: usize,
    /// Jobs that ended.
    pub ended: Ended,
    /// How long jobs waited.
    pub waits: Histogram,
    /// How long builds took.
    pub builds: Histogram,
}

impl Bucket {
    /// These hours together.
    pub fn of(hours: &[HourStatistics]) -> Self {
        let mut bucket = Self {
            start: hours.first().map_or(0, |hour| hour.hour_start_ms),
            hours: hours.len(),
            ..Self::default()
        };
        for hour in hours {
            let ended = Ended::of(&hour.ended);
            bucket.ended.failed += ended.failed;
            bucket.ended.built += ended.built;
            bucket.ended.other += ended.other;
            bucket.waits.merge(&hour.waits);
            bucket.builds.merge(&hour.builds);
        }
        bucket
    }

    /// Milliseconds since 1970 of its middle.
    pub fn middle(&self) -> u64 {
        self.start + self.hours as u64 * HOUR_MS / 2
    }
}

/// How many hours have to be taken together so that `hours` of them become at most `most`.
pub fn step(hours: usize, most: usize) -> usize {
    let fits = |step: &&usize| hours.div_ceil(**step) <= most.max(1);
    STEPS.iter().find(fits).copied().unwrap_or(24)
}

/// The hours taken together `step` by `step`, oldest first; only the first of them may be of fewer.
pub fn buckets(hours: &[HourStatistics], step: usize) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = hours.rchunks(step.max(1)).map(Bucket::of).collect();
    buckets.reverse();
    buckets
}

/// What each builder did in all of these hours.
pub fn of_builders(hours: &[HourStatistics]) -> BTreeMap<String, BuilderHour> {
    let mut sums: BTreeMap<String, BuilderHour> = BTreeMap::new();
    for (name, hour) in hours.iter().flat_map(|hour| &hour.builders) {
        let sum = sums.entry(name.clone()).or_default();
        sum.builds += hour.builds;
        sum.failures += hour.failures;
        sum.busy_seconds += hour.busy_seconds;
    }
    sums
}

/// How much a builder was made use of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utilisation {
    /// Its name.
    pub name: String,
    /// Seconds for which its slots held jobs.
    pub busy: u64,
    /// Seconds that its slots had in all; none where it is gone and nobody knows how many it had.
    pub capacity: Option<u64>,
    /// What it built.
    pub sum: BuilderHour,
}

impl Utilisation {
    /// The share of its slots' time that was used, in percent.
    pub fn percent(&self) -> Option<u64> {
        percent(self.busy.min(self.capacity?), self.capacity?)
    }
}

/// How much each builder was made use of from the first hour until `now`, by name. `running` are the builder and the
/// start of every job that is being built, which the sums do not hold yet.
pub fn utilisation(
    statistics: &Statistics,
    builders: &[BuilderStatus],
    running: &[(String, u64)],
    now: u64,
) -> Vec<Utilisation> {
    let start = statistics.hours.first().map_or(now, |hour| hour.hour_start_ms);
    let period = now.saturating_sub(start) / 1000;
    let mut sums = of_builders(&statistics.hours);
    let mut slots: BTreeMap<&str, u64> = BTreeMap::new();
    for builder in builders {
        let name = builder.report.name.as_str();
        *slots.entry(name).or_default() += u64::from(builder.report.slots);
        sums.entry(name.to_owned()).or_default();
    }
    sums.into_iter()
        .map(|(name, sum)| {
            let own = running.iter().filter(|(builder, _)| *builder == name);
            let held: u64 = own
                .map(|(_, started)| now.saturating_sub((*started).max(start)) / 1000)
                .sum();
            Utilisation {
                busy: sum.busy_seconds + held,
                capacity: slots.get(name.as_str()).map(|slots| slots * period),
                sum,
                name,
            }
        })
        .collect()
}

/// Jobs that could be built or wait for such.
pub fn queued(sample: &QueueSample) -> u64 {
    sample.waiting + sample.ready
}

/// Jobs that somebody or something keeps from being built.
pub fn stuck(sample: &QueueSample) -> u64 {
    sample.blocked + sample.held + sample.backoff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, builder};

    fn hour(at: u64, states: &[(JobState, u64)]) -> HourStatistics {
        let mut waits = Histogram::default();
        waits.record(10 * (at + 1));
        HourStatistics {
            hour_start_ms: at * HOUR_MS,
            ended: states.iter().copied().collect(),
            waits,
            ..HourStatistics::default()
        }
    }

    #[test]
    fn every_end_counts_once_and_nothing_else_does() {
        let all = JobState::ALL.into_iter().map(|state| (state, 1)).collect();
        let ended = Ended::of(&all);
        assert_eq!((ended.failed, ended.built, ended.other), (4, 1, 3));
        assert_eq!(ended.total(), 8);
        let cases = [(0, 0, None), (0, 3, Some(0)), (1, 3, Some(25)), (2, 0, Some(100))];
        for (failed, built, expected) in cases {
            let ended = Ended {
                failed,
                built,
                other: 9,
            };
            assert_eq!(ended.failure_rate(), expected);
        }
    }

    #[test]
    fn hours_are_taken_together_as_far_as_needed() {
        let cases = [
            (24, 24, 1),
            (24, 23, 2),
            (168, 168, 1),
            (168, 30, 6),
            (168, 28, 6),
            (168, 27, 8),
            (168, 1, 24),
            (0, 0, 1),
        ];
        for (hours, most, expected) in cases {
            assert_eq!(step(hours, most), expected, "{hours} {most}");
        }
        let hours: Vec<HourStatistics> = (0..5).map(|at| hour(at, &[(JobState::Failed, at)])).collect();
        let found: Vec<(u64, usize, u64, u64)> = buckets(&hours, 2)
            .iter()
            .map(|bucket| {
                (
                    bucket.start / HOUR_MS,
                    bucket.hours,
                    bucket.ended.failed,
                    bucket.waits.count(),
                )
            })
            .collect();
        assert_eq!(found, [(0, 1, 0, 1), (1, 2, 3, 2), (3, 2, 7, 2)]);
        assert_eq!(buckets(&hours, 2)[1].middle(), 2 * HOUR_MS);
        assert_eq!(buckets(&[], 2), []);
    }

    #[test]
    fn utilisation_counts_what_still_runs_and_knows_no_share_of_the_unknown() {
        let start = NOW - 10 * HOUR_MS;
        let sums = |busy_seconds| BuilderHour {
            builds: 4,
            failures: 1,
            busy_seconds,
        };
        let mut first = hour(0, &[]);
        first.hour_start_ms = start;
        first.builders = [("alder".to_owned(), sums(3600)), ("gone".to_owned(), sums(60))].into();
        let mut second = first.clone();
        second.hour_start_ms += HOUR_MS;
        let statistics = Statistics {
            hours: vec![first, second],
            samples: Vec::new(),
        };
        let mut alder = builder("alder");
        alder.report.slots = 2;
        let running = [
            ("alder".to_owned(), NOW - HOUR_MS),
            // It began before the first hour: only what lies within counts.
            ("birch".to_owned(), start - HOUR_MS),
        ];
        let found = utilisation(&statistics, &[alder, builder("birch")], &running, NOW);
        let found: Vec<(&str, u64, Option<u64>, u64)> = found
            .iter()
            .map(|it| (it.name.as_str(), it.busy, it.percent(), it.sum.builds))
            .collect();
        let all = 10 * 3600;
        assert_eq!(
            found,
            [
                ("alder", 3 * 3600, Some(15), 8),
                (
                    "birch",
                    all,
                    Some(100 / u64::from(builder("birch").report.slots)),
                    0
                ),
                ("gone", 120, None, 8)
            ]
        );
    }

    #[test]
    fn a_sample_is_queued_building_and_stuck() {
        let sample = QueueSample {
            at: NOW,
            waiting: 1,
            ready: 2,
            blocked: 4,
            held: 8,
            backoff: 16,
            building: 32,
            slots_total: 64,
        };
        assert_eq!((queued(&sample), stuck(&sample)), (3, 28));
    }
}
