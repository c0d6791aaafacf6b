//! `queue stats`: how much there is to do, who does it, and when it may be done.

use std::collections::BTreeMap;

use caur_core::model::{BuilderStatus, Job, JobState};
use caur_core::queue::{JobFilter, Pause, Queue, QueueSize};
use color_eyre::eyre::Result;
use serde::Serialize;

use crate::builders::serves;
use crate::stdout;
use crate::table::{duration, elapsed, listing, size};

/// Prints the numbers.
///
/// # Errors
/// Redis is out of reach.
pub async fn run(queue: &Queue, as_json: bool) -> Result<()> {
    let jobs = queue.jobs(JobFilter::default()).await?;
    let builders = queue.builders().await?;
    let now = queue.now().await?;
    let stats = Stats::of(&jobs, &builders, queue.paused().await?, queue.size().await?, now);
    if as_json {
        stdout::json(&stats)
    } else {
        stdout::text(&listing(&stats.rows(now)))
    }
}

/// The queue in numbers. Times are in seconds.
#[derive(Debug, PartialEq, Serialize)]
struct Stats {
    /// Unfinished jobs in each state that occurs.
    jobs: BTreeMap<&'static str, u64>,
    /// Ready jobs of each class that occurs.
    ready: BTreeMap<String, u64>,
    /// Expected seconds of all that is not held or blocked, less what was spent on running builds.
    remaining: u64,
    /// The same for each slot that takes jobs; none without slots.
    remaining_per_slot: Option<u64>,
    /// Expected seconds until all of it is done, at best; none where something stands in its way.
    expected_end: Option<u64>,
    /// Builder processes that are there and take jobs.
    builders: u64,
    /// Their slots.
    slots: u64,
    /// Builder processes that are there and take no jobs.
    builders_stopped: u64,
    /// Why the queue is paused, where it is.
    paused: Option<Pause>,
    /// How much Redis holds.
    kept: QueueSize,
}

impl Stats {
    fn of(
        jobs: &[Job],
        builders: &[BuilderStatus],
        paused: Option<Pause>,
        kept: QueueSize,
        now: u64,
    ) -> Self {
        let mut states = BTreeMap::new();
        let mut ready = BTreeMap::new();
        for job in jobs {
            *states.entry(job.state.as_str()).or_default() += 1;
            if job.state == JobState::Ready {
                *ready.entry(job.request.class.to_string()).or_default() += 1;
            }
        }
        let taking: Vec<&BuilderStatus> = builders.iter().filter(|builder| builder.takes_jobs()).collect();
        let online = builders.iter().filter(|builder| builder.online).count();
        let slots: u64 = taking.iter().map(|builder| u64::from(builder.report.slots)).sum();
        let remaining = jobs.iter().map(|job| left(job, now)).sum();
        let per_slot = (slots > 0).then(|| u64::div_ceil(remaining, slots));
        // Neither more slots nor another order makes a chain of jobs shorter.
        let longest = jobs
            .iter()
            .filter(|job| left(job, now) > 0)
            .map(|job| job.chain.saturating_sub(spent(job, now)))
            .max()
            .unwrap_or_default();
        let unserved = |job: &&Job| {
            job.state != JobState::Building && left(job, now) > 0 && {
                !taking.iter().any(|builder| serves(builder, &job.request.class))
            }
        };
        let stuck = paused.is_some() || jobs.iter().any(|job| unserved(&job));
        Self {
            jobs: states,
            ready,
            remaining,
            remaining_per_slot: per_slot,
            expected_end: per_slot.filter(|_| !stuck).map(|per_slot| per_slot.max(longest)),
            builders: count(taking.len()),
            slots,
            builders_stopped: count(online - taking.len()),
            paused,
            kept,
        }
    }

    fn rows(&self, now: u64) -> Vec<(&'static str, String)> {
        let counts = |counts: &mut dyn Iterator<Item = String>| {
            let text = counts.collect::<Vec<_>>().join(", ");
            if text.is_empty() { "none".to_owned() } else { text }
        };
        let per_slot = self.remaining_per_slot.map_or_else(
            || ", and no builder takes jobs".to_owned(),
            |seconds| format!(", {} for each slot", duration(seconds)),
        );
        let end = match (self.remaining, self.expected_end) {
            (0, _) => "nothing is left to do".to_owned(),
            (_, Some(seconds)) => format!("in {} at best", duration(seconds)),
            (_, None) if self.paused.is_some() => "not while the queue is paused".to_owned(),
            (_, None) => "not before a builder comes that takes what is left".to_owned(),
        };
        let stopped = match self.builders_stopped {
            0 => String::new(),
            count => format!("; {count} more take no jobs now: see `builders list`"),
        };
        let kept = &self.kept;
        vec![
            (
                "Paused",
                self.paused.as_ref().map_or_else(String::new, |pause| {
                    format!("for {}: {}", elapsed(pause.since, now), pause.reason)
                }),
            ),
            (
                "Jobs",
                counts(&mut self.jobs.iter().map(|(state, count)| format!("{count} {state}"))),
            ),
            (
                "Ready",
                counts(
                    &mut self
                        .ready
                        .iter()
                        .map(|(class, count)| format!("{count} of class {class}")),
                ),
            ),
            ("Remaining", format!("{}{per_slot}", duration(self.remaining))),
            ("End", end),
            (
                "Builders",
                format!("{} with {} slots{stopped}", self.builders, self.slots),
            ),
            ("Finished", format!("{} jobs", kept.finished)),
            ("Events", kept.events.to_string()),
            (
                "Logs",
                format!("{} live, {} kept", size(kept.log_live), size(kept.log_kept)),
            ),
        ]
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Expected seconds of building that a job still needs; none where an operator or a failure holds it up.
fn left(job: &Job, now: u64) -> u64 {
    match job.state {
        JobState::Waiting | JobState::Ready | JobState::Backoff => job.expected,
        JobState::Building => job.expected.saturating_sub(spent(job, now)),
        JobState::Blocked
        | JobState::Held
        | JobState::Uploaded
        | JobState::Publishing
        | JobState::Succeeded
        | JobState::AlreadyBuilt
        | JobState::Skipped
        | JobState::Failed
        | JobState::TimedOut
        | JobState::OutOfMemory
        | JobState::Canceled
        | JobState::InfrastructureFailed => 0,
    }
}

/// Seconds that the running build of a job has taken.
fn spent(job: &Job, now: u64) -> u64 {
    match (job.state, job.started) {
        (JobState::Building, Some(started)) => now.saturating_sub(started) / 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{NOW, builder, job};

    const KEPT: QueueSize = QueueSize {
        finished: 12,
        events: 345,
        log_live: 3 << 20,
        log_kept: 5 << 30,
    };

    /// One job that is half done, one that waits for it, a ready one, one that is held.
    fn jobs() -> Vec<Job> {
        let building = Job {
            started: Some(NOW - 30_000),
            chain: 160,
            ..job(7, "one", "a", JobState::Building)
        };
        let waiting = Job {
            expected: 100,
            chain: 100,
            ..job(8, "one", "b", JobState::Waiting)
        };
        let ready = job(9, "one", "c", JobState::Ready);
        vec![building, waiting, ready, job(10, "one", "d", JobState::Held)]
    }

    #[test]
    fn the_end_is_bounded_by_the_work_of_a_slot_and_by_the_longest_chain() {
        let builders = [builder("big", "a")];
        let stats = Stats::of(&jobs(), &builders, None, KEPT, NOW);
        assert_eq!(stats.remaining, 30 + 100 + 60);
        assert_eq!(
            (stats.remaining_per_slot, stats.expected_end),
            (Some(64), Some(130))
        );
        let mut small = builder("small", "b");
        small.report.slots = 1;
        let stats = Stats::of(&jobs(), &[small.clone()], None, KEPT, NOW);
        assert_eq!(stats.expected_end, Some(190));

        // Nobody knows the end where something stands in its way.
        small.report.class = Some(0);
        assert_eq!(Stats::of(&jobs(), &[small], None, KEPT, NOW).expected_end, None);
        assert_eq!(Stats::of(&jobs(), &[], None, KEPT, NOW).remaining_per_slot, None);
        let pause = Pause {
            reason: "paused by ada".to_owned(),
            by: "ada".to_owned(),
            since: NOW - 5000,
            until: None,
        };
        let stats = Stats::of(&jobs(), &builders, Some(pause), KEPT, NOW);
        assert_eq!(stats.expected_end, None);
        let shown = listing(&stats.rows(NOW));
        assert!(shown.starts_with("Paused     for 5s: paused by ada\n"), "{shown}");
    }

    #[test]
    fn the_numbers_read_well() {
        let mut stopped = builder("small", "b");
        stopped.paused = Some("p".to_owned());
        let builders = [builder("big", "a"), stopped];
        let stats = Stats::of(&jobs(), &builders, None, KEPT, NOW);
        assert_eq!(
            listing(&stats.rows(NOW)),
            "Jobs       1 building, 1 held, 1 ready, 1 waiting\n\
             Ready      1 of class 1\n\
             Remaining  3m10s, 1m04s for each slot\n\
             End        in 2m10s at best\n\
             Builders   1 with 3 slots; 1 more take no jobs now: see `builders list`\n\
             Finished   12 jobs\n\
             Events     345\n\
             Logs       3.0M live, 5.0G kept\n"
        );
    }
}
