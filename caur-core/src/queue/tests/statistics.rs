//! Sums per hour and samples of the queue's length.

use super::*;
use crate::queue::statistics::HISTOGRAM_BOUNDS;

const HOUR_MS: u64 = 3_600_000;

impl Fixture {
    /// As if something had happened to a job that much earlier.
    async fn set_back(&self, id: JobId, field: &str, by: Duration) {
        let then = self.queue.now().await.unwrap() - u64::try_from(by.as_millis()).unwrap();
        let mut command = redis::cmd("HSET");
        command.arg(keys::job(id)).arg(field).arg(then);
        self.queue.query::<()>("test", &command).await.unwrap();
    }

    async fn statistics(&self, hours: u32) -> Statistics {
        self.queue.statistics(hours).await.unwrap()
    }

    /// Has a builder end a build that took that long.
    async fn build(&self, pkgbase: &str, builder: &str, took: Duration, outcome: BuildOutcome) {
        self.submit(vec![request(pkgbase, &[])]).await;
        let claim = self.claim(builder, 2).await.unwrap();
        self.set_back(claim.job.id, "started", took).await;
        self.finish(&claim, outcome).await;
    }

    async fn sent(&self) -> u64 {
        let stats: String = self
            .queue
            .query("test", redis::cmd("INFO").arg("stats"))
            .await
            .unwrap();
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        line.unwrap().trim().parse().unwrap()
    }
}

/// All hours together: an hour may begin while a test runs.
fn sum(statistics: &Statistics) -> HourStatistics {
    let mut all = HourStatistics::default();
    for hour in &statistics.hours {
        all.waits.merge(&hour.waits);
        all.builds.merge(&hour.builds);
        for (state, count) in &hour.ended {
            *all.ended.entry(*state).or_default() += count;
        }
        for name in hour.builders.keys() {
            all.builders.insert(name.clone(), statistics.builder(name));
        }
    }
    all
}

#[tokio::test]
async fn an_hour_counts_what_ended_and_how_long_it_took() {
    let farm = Fixture::new().await;
    let minutes = Duration::from_mins;
    farm.build("a", "one", minutes(10), BuildOutcome::Built).await;
    farm.publish().await;
    farm.build("b", "one", minutes(20), BuildOutcome::Failed).await;
    farm.build("c", "two", minutes(30), BuildOutcome::AlreadyBuilt)
        .await;
    farm.build("d", "two", minutes(1), BuildOutcome::Infrastructure)
        .await;
    farm.build("e", "two", minutes(2), BuildOutcome::TimedOut).await;
    let never = farm.submit(vec![request("f", &[])]).await[0];
    farm.queue.cancel(never, TESTER).await.unwrap();

    let statistics = farm.statistics(3).await;
    assert_eq!(statistics.hours.len(), 3);
    let now = farm.queue.now().await.unwrap();
    for (hour, before) in statistics.hours.iter().rev().zip(0..) {
        assert_eq!(hour.hour_start_ms % HOUR_MS, 0);
        let age = now / HOUR_MS - hour.hour_start_ms / HOUR_MS;
        assert!(age == before || age == before + 1, "{hour:?}");
    }
    let all = sum(&statistics);
    let expected = [
        (JobState::Succeeded, 1),
        (JobState::AlreadyBuilt, 1),
        (JobState::Failed, 1),
        (JobState::TimedOut, 1),
        (JobState::Canceled, 1),
    ];
    assert_eq!(all.ended, expected.into());
    assert_eq!((all.waits.count(), all.builds.count()), (5, 3));
    assert!(all.waits.percentile(1.0).unwrap() <= HISTOGRAM_BOUNDS[0]);
    // Builds of 2, 10 and 20 minutes.
    let median = all.builds.percentile(0.5).unwrap();
    assert!((500..=900).contains(&median), "{median}");
    let (one, two) = (all.builders["one"], all.builders["two"]);
    assert_eq!((one.builds, one.failures, one.success_rate()), (2, 1, Some(0.5)));
    assert_eq!((two.builds, two.failures, two.success_rate()), (2, 2, Some(0.0)));
    for (builder, seconds) in [(one, 30 * 60), (two, 33 * 60)] {
        let busy = builder.busy_seconds;
        assert!((seconds..=seconds + 10).contains(&busy), "{busy} of {seconds}");
    }
    assert_eq!(statistics.builder("stranger"), BuilderHour::default());
}

#[tokio::test]
async fn a_long_build_counts_for_the_hours_in_which_it_ran() {
    let farm = Fixture::new().await;
    farm.build("a", "one", Duration::from_hours(4), BuildOutcome::Built)
        .await;
    let hours = farm.statistics(6).await.hours;
    let busy: Vec<u64> = hours
        .iter()
        .map(|hour| hour.builders.get("one").map_or(0, |builder| builder.busy_seconds))
        .collect();
    assert_eq!(
        busy.iter().filter(|seconds| **seconds == 3600).count(),
        3,
        "{busy:?}"
    );
    let all: u64 = busy.iter().sum();
    assert!((14_400..14_410).contains(&all), "{busy:?}");
    assert_eq!(hours.iter().map(|hour| hour.builds.count()).sum::<u64>(), 1);
}

#[tokio::test]
async fn a_wait_counts_from_the_first_time_a_job_was_ready() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    farm.set_back(id, "ready_at", Duration::from_hours(2)).await;
    farm.queue.hold(id, TESTER).await.unwrap();
    farm.queue.unhold(id, TESTER).await.unwrap();
    let claim = farm.claim("one", 2).await.unwrap();
    let waits = sum(&farm.statistics(2).await).waits;
    assert!(waits.percentile(0.5).unwrap() > 4500, "{waits:?}");
    // What follows an attempt is a wait of its own.
    farm.finish(&claim, BuildOutcome::Released).await;
    farm.claim("one", 2).await.unwrap();
    let waits = sum(&farm.statistics(2).await).waits;
    assert_eq!(waits.count(), 2);
    assert!(waits.percentile(0.4).unwrap() <= 2, "{waits:?}");
}

#[tokio::test]
async fn scripts_and_this_program_sort_durations_into_the_same_places() {
    let farm = Fixture::new().await;
    let mut expected = Histogram::default();
    let around = |bound: u64| [bound, bound + 1];
    for (number, seconds) in HISTOGRAM_BOUNDS.into_iter().flat_map(around).enumerate() {
        // In the middle of a second, so that the time of the test does not count.
        let took = Duration::from_millis(seconds * 1000 + 300);
        farm.submit(vec![request(&format!("p{number}"), &[])]).await;
        let claim = farm.claim("one", 2).await.unwrap();
        farm.set_back(claim.job.id, "started", took).await;
        let ended = attempt(&claim, BuildOutcome::Failed);
        farm.queue.finish(&claim.token, &ended).await.unwrap();
        expected.record(seconds);
    }
    assert_eq!(sum(&farm.statistics(2).await).builds, expected);
}

#[tokio::test]
async fn the_sweeper_notes_the_length_of_the_queue_every_few_minutes() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![
            request("lib", &[]),
            request("app", &["lib"]),
            request("held", &[]),
            request("ready", &[]),
            request("fails", &[]),
            request("blocked", &["fails"]),
            classed("mine", "stranger"),
        ])
        .await;
    farm.queue.hold(ids[2], TESTER).await.unwrap();
    farm.queue.set_priority(ids[4], 10, TESTER).await.unwrap();
    farm.queue.set_priority(ids[0], 5, TESTER).await.unwrap();
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    farm.claim("one", 2).await.unwrap();
    farm.register("two", Some(2)).await;
    let before = farm.queue.now().await.unwrap();
    for _ in 0..3 {
        farm.sweep().await;
    }
    let samples = farm.statistics(1).await.samples;
    let at = samples[0].at;
    assert!(at >= before, "{samples:?}");
    let expected = QueueSample {
        at,
        waiting: 1,
        ready: 2,
        blocked: 1,
        held: 1,
        backoff: 0,
        building: 1,
        slots_total: 2,
    };
    assert_eq!(samples, [expected]);

    // Five minutes later.
    let mut commands = redis::pipe();
    commands.del(keys::SAMPLES).xadd(
        keys::SAMPLES,
        format!("{}-0", at - 301_000),
        &[("s", "1 1 1 1 1 1 1")],
    );
    farm.queue.pipeline::<()>("test", &commands).await.unwrap();
    farm.queue.unhold(ids[2], TESTER).await.unwrap();
    farm.sweep().await;
    let samples = farm.statistics(2).await.samples;
    assert_eq!(samples.len(), 2);
    assert_eq!((samples[1].held, samples[1].ready), (0, 3));
}

#[tokio::test]
async fn a_queue_without_these_numbers_has_empty_ones() {
    let farm = Fixture::new().await;
    for hours in [0, 1, 24, 168, u32::MAX] {
        let statistics = farm.statistics(hours).await;
        let expected = hours.clamp(1, 192) as usize;
        assert_eq!(statistics.hours.len(), expected);
        assert_eq!(sum(&statistics), HourStatistics::default());
        assert!(statistics.samples.is_empty());
    }
    // A job that an older program began and held.
    let ids = farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    farm.queue.hold(ids[1], TESTER).await.unwrap();
    let claim = farm.claim("one", 2).await.unwrap();
    let mut commands = redis::pipe();
    commands.del(keys::HELD).hdel(keys::job(ids[0]), "started");
    farm.queue.pipeline::<()>("test", &commands).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    farm.publish().await;
    farm.queue.unhold(ids[1], TESTER).await.unwrap();
    farm.sweep().await;
    let job = farm.job(ids[0]).await;
    assert_eq!((job.state, job.phases), (JobState::Succeeded, Vec::new()));
}

#[tokio::test]
async fn a_week_is_read_with_less_than_300_kilobytes() {
    let farm = Fixture::new().await;
    // A busy farm with ten builders of two slots.
    let line = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let counters = vec![1_u8; 56 * 4];
    let now = farm.queue.now().await.unwrap();
    let mut commands = redis::pipe();
    for hour in 0..168 {
        let hour = now / HOUR_MS - hour;
        commands.set(keys::hour(hour), &counters);
        for builder in 0..10 {
            let (name, sums) = (format!("builder-{builder}"), line(&[15, 3, 7100]));
            commands.hset(keys::hour_builders(hour), name, sums);
        }
    }
    for sample in (0..168 * 12).rev() {
        let id = format!("{}-0", now - sample * 300_000);
        commands.xadd(keys::SAMPLES, id, &[("s", line(&[1234, 120, 3, 1, 0, 20, 20]))]);
    }
    farm.queue
        .pipeline::<redis::Value>("test", &commands)
        .await
        .unwrap();
    let before = farm.sent().await;
    let statistics = farm.statistics(168).await;
    let bytes = farm.sent().await - before;
    println!("{bytes} bytes for a week");
    assert!(bytes < 300_000, "{bytes} bytes");
    assert!(statistics.samples.len() > 2000);
    assert_eq!(statistics.builder("builder-9").builds, 168 * 15);
}
