//! The statistics of the demo farm, from its finished jobs.

use std::collections::BTreeMap;

use caur_core::model::{Job, JobState};
use caur_core::queue::{HourStatistics, QueueSample, Statistics};

const HOUR: u64 = 3_600_000;
/// Milliseconds from one sample to the next.
const SAMPLE: u64 = 300_000;

/// What these finished jobs amount to over the last `hours` until `now`, with `slots` in all.
pub fn of(jobs: &[&Job], hours: u32, now: u64, slots: u64) -> Statistics {
    let last = now / HOUR;
    let first = last + 1 - u64::from(hours.max(1));
    let mut sums: BTreeMap<u64, HourStatistics> = (first..=last)
        .map(|hour| {
            let sum = HourStatistics {
                hour_start_ms: hour * HOUR,
                ..HourStatistics::default()
            };
            (hour, sum)
        })
        .collect();
    for job in jobs {
        count(job, &mut sums);
    }
    Statistics {
        hours: sums.into_values().collect(),
        samples: samples(jobs, first * HOUR, now, slots),
    }
}

fn count(job: &Job, sums: &mut BTreeMap<u64, HourStatistics>) {
    let (Some(started), Some(ended)) = (job.started, job.finished) else {
        return;
    };
    if let Some(sum) = sums.get_mut(&(started / HOUR)) {
        sum.waits.record(started.saturating_sub(job.id.0) / 1000);
    }
    let builder = job.builder.clone().unwrap_or_default();
    if let Some(sum) = sums.get_mut(&(ended / HOUR)) {
        *sum.ended.entry(job.state).or_default() += 1;
        let built = job.state == JobState::Succeeded;
        let failed = !job.state.satisfies_dependants() && job.state != JobState::Canceled;
        if built || failed {
            sum.builds.record((ended - started) / 1000);
            let of_builder = sum.builders.entry(builder.clone()).or_default();
            of_builder.builds += 1;
            of_builder.failures += u64::from(failed);
        }
    }
    for hour in started / HOUR..=ended / HOUR {
        if let Some(sum) = sums.get_mut(&hour) {
            let within = ended.min((hour + 1) * HOUR) - started.max(hour * HOUR);
            sum.builders.entry(builder.clone()).or_default().busy_seconds += within / 1000;
        }
    }
}

/// How long the queue is.
pub fn sample(jobs: &[Job], now: u64, slots: u64) -> QueueSample {
    let count = |state: JobState| jobs.iter().filter(|job| job.state == state).count() as u64;
    QueueSample {
        at: now,
        waiting: count(JobState::Waiting),
        ready: count(JobState::Ready),
        blocked: count(JobState::Blocked),
        held: count(JobState::Held),
        backoff: count(JobState::Backoff),
        building: count(JobState::Building),
        slots_total: slots,
    }
}

fn samples(jobs: &[&Job], from: u64, now: u64, slots: u64) -> Vec<QueueSample> {
    let count = usize::try_from(now.saturating_sub(from) / SAMPLE).unwrap_or(0) + 1;
    // What changes at each sample; the sums of it are the lengths.
    let mut changes = vec![(0_i64, 0_i64); count + 1];
    let place = |at: u64| {
        let place = at.saturating_sub(from).div_ceil(SAMPLE);
        usize::try_from(place).unwrap_or(count).min(count)
    };
    for job in jobs {
        let (Some(started), Some(ended)) = (job.started, job.finished) else {
            continue;
        };
        changes[place(job.id.0)].0 += 1;
        changes[place(started)].0 -= 1;
        changes[place(started)].1 += 1;
        changes[place(ended)].1 -= 1;
    }
    let (mut queued, mut building) = (0, 0);
    (0..)
        .zip(&changes[..count])
        .map(|(at, (more_queued, more_building))| {
            queued += more_queued;
            building += more_building;
            let queued = u64::try_from(queued).unwrap_or(0);
            QueueSample {
                at: from + at * SAMPLE,
                waiting: queued / 3,
                ready: queued - queued / 3,
                blocked: at / 40 % 4,
                held: u64::from(at % 200 > 150),
                backoff: u64::from(at % 31 == 0),
                building: u64::try_from(building).unwrap_or(0),
                slots_total: slots,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::past::week;
    use super::*;

    #[test]
    fn every_job_of_the_period_is_counted_once() {
        let now = 1_764_000_000_000;
        let jobs = week(now).unwrap();
        let jobs: Vec<&Job> = jobs.iter().collect();
        for hours in [24, 168] {
            let statistics = of(&jobs, hours, now, 11);
            assert_eq!(statistics.hours.len(), hours as usize);
            let start = statistics.hours[0].hour_start_ms;
            let ended = |job: &&&Job| job.finished.unwrap() >= start;
            let expected = jobs.iter().filter(ended).count() as u64;
            let counted: u64 = statistics.hours.iter().flat_map(|hour| hour.ended.values()).sum();
            assert_eq!(counted, expected);
            assert!(statistics.samples.is_sorted_by_key(|sample| sample.at));
            assert!(statistics.samples.iter().all(|sample| sample.building <= 9));
            assert!(statistics.samples.iter().any(|sample| sample.building > 4));
            let day = statistics.builder("alder");
            assert!(day.builds > 10 && day.failures > 0);
            assert!(day.busy_seconds <= 3 * u64::from(hours) * 3600);
        }
    }
}
