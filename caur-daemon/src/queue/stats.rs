//! `queue stats`: how much there is to do, who does it, and when it may be done.

use std::collections::{BTreeMap, HashMap};

use caur_core::model::{BuilderStatus, Job, JobId, JobState};
use caur_core::queue::simulate::Span;
use caur_core::queue::{JobFilter, Pause, Queue, QueueSize};
use color_eyre::eyre::Result;
use serde::Serialize;

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
    let paused = queue.paused().await?;
    let forecast = queue.forecast().await?;
    let stats = Stats::of(&jobs, &builders, &forecast, paused, queue.size().await?, now);
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
    /// Expected seconds until all jobs are done whose end can be told; none where it can of no job.
    expected_end: Option<u64>,
    /// Unfinished jobs whose end cannot be told: something stands in their way.
    endless: u64,
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
        forecast: &HashMap<JobId, Span>,
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
        let ends: Vec<u64> = jobs
            .iter()
            .filter_map(|job| Some(forecast.get(&job.id)?.end))
            .collect();
        Self {
            jobs: states,
            ready,
            remaining,
            remaining_per_slot: (slots > 0).then(|| u64::div_ceil(remaining, slots)),
            expected_end: ends
                .iter()
                .max()
                .map(|end| end.saturating_sub(now).div_ceil(1000)),
            endless: count(jobs.len() - ends.len()),
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
        let end = match (self.expected_end, self.endless) {
            (None, 0) => "nothing is left to do".to_owned(),
            (None, _) if self.paused.is_some() => "not while the queue is paused".to_owned(),
            (None, _) => "not in sight: `job show` says what each job waits for".to_owned(),
            (Some(seconds), 0) => format!("in {}", duration(seconds)),
            (Some(seconds), count) => format!(
                "in {}, but for {count} whose end is not in sight: `job show` says what each waits for",
                duration(seconds)
            ),
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

    /// As the queue tells of [`jobs`] with one builder.
    fn forecast() -> HashMap<JobId, Span> {
        let span = |start, end| Span {
            start: NOW + start,
            end: NOW + end,
        };
        [
            (JobId(7), span(0, 30_000)),
            (JobId(8), span(30_000, 129_500)),
            (JobId(9), span(0, 60_000)),
        ]
        .into()
    }

    #[test]
    fn an_end_is_told_as_far_as_it_is_known() {
        let builders = [builder("big", "a")];
        let stats = Stats::of(&jobs(), &builders, &forecast(), None, KEPT, NOW);
        assert_eq!(stats.remaining, 30 + 100 + 60);
        assert_eq!(
            (stats.remaining_per_slot, stats.expected_end),
            (Some(64), Some(130))
        );
        let end = |stats: &Stats| {
            let rows = stats.rows(NOW);
            rows.into_iter().find(|(name, _)| *name == "End").unwrap().1
        };
        assert!(end(&stats).starts_with("in 2m10s, but for 1 whose end is not in sight"));
        let stats = Stats::of(&jobs(), &[], &HashMap::new(), None, KEPT, NOW);
        assert_eq!((stats.remaining_per_slot, stats.expected_end), (None, None));
        assert!(end(&stats).starts_with("not in sight"));
        let idle = Stats::of(&[], &builders, &HashMap::new(), None, KEPT, NOW);
        assert_eq!(end(&idle), "nothing is left to do");

        let pause = Pause {
            reason: "paused by ada".to_owned(),
            by: "ada".to_owned(),
            since: NOW - 5000,
            until: None,
        };
        let stats = Stats::of(&jobs(), &builders, &HashMap::new(), Some(pause), KEPT, NOW);
        assert_eq!(end(&stats), "not while the queue is paused");
        let shown = listing(&stats.rows(NOW));
        assert!(shown.starts_with("Paused     for 5s: paused by ada\n"), "{shown}");
    }

    #[test]
    fn the_numbers_read_well() {
        let mut stopped = builder("small", "b");
        stopped.paused = Some("p".to_owned());
        let builders = [builder("big", "a"), stopped];
        let stats = Stats::of(&jobs()[..3], &builders, &forecast(), None, KEPT, NOW);
        assert_eq!(
            listing(&stats.rows(NOW)),
            "Jobs       1 building, 1 ready, 1 waiting\n\
             Ready      1 of class 1\n\
             Remaining  3m10s, 1m04s for each slot\n\
             End        in 2m10s\n\
             Builders   1 with 3 slots; 1 more take no jobs now: see `builders list`\n\
             Finished   12 jobs\n\
             Events     345\n\
             Logs       3.0M live, 5.0G kept\n"
        );
    }
}
