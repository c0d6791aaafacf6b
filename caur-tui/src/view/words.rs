//! What is known about a job, in words.

use caur_core::model::{Job, JobState};
use caur_core::queue::{Dependency, Why};

use crate::app::App;
use crate::printable::{cut, one_line};
use crate::screen::queue::commit;
use crate::span;

/// Names that a line lists.
const LISTED: usize = 4;

/// Why a job is not being built, or how it ended.
pub fn why(app: &App, job: &Job) -> String {
    let now = app.queue_now();
    if let Some(reason) = &job.canceling {
        return format!("is being stopped: {}", one_line(reason));
    }
    let details = app.known().details_of(job.id).map(|details| &details.why);
    let reason = || one_line(job.reason.as_deref().unwrap_or_default());
    match details {
        Some(Why::Dependencies { on }) => format!("waits for {}", dependencies(on)),
        Some(Why::Predecessor { job, state }) => {
            format!("waits for job {job} of the same package, which is {state}")
        }
        Some(Why::Blocked { on, until }) => format!(
            "{}; needs {}; gives up {}",
            reason(),
            dependencies(on),
            when(*until, now)
        ),
        Some(Why::Backoff { until, reason }) => format!("{}; again {}", one_line(reason), when(*until, now)),
        Some(Why::Held { reason }) => one_line(reason),
        Some(Why::QueuePaused { pause }) => format!("the whole queue is {}", one_line(&pause.reason)),
        Some(Why::NoBuilder { class, online }) if online.is_empty() => {
            format!("needs class {class}, and no builder is online")
        }
        Some(Why::NoBuilder { class, online }) => {
            format!(
                "needs class {class}, and no builder that is online takes it (there: {})",
                online.join(", ")
            )
        }
        Some(Why::BuildersStopped { builders }) => {
            let each: Vec<String> = builders
                .iter()
                .take(LISTED)
                .map(|(name, reason)| format!("{name} {}", one_line(reason)))
                .collect();
            format!(
                "the builders that could take it take no jobs: {}",
                each.join("; ")
            )
        }
        Some(Why::Busy { ahead, slots }) => {
            format!("all {slots} slots that could take it are busy; {ahead} jobs are before it")
        }
        Some(Why::Next) => "a builder is about to take it".to_owned(),
        Some(Why::Nothing) | None => match (job.state, job.phase.as_deref()) {
            (JobState::Building, Some(phase)) => format!("{} on {}", one_line(phase), builder(job)),
            (JobState::Building, None) => format!("on {}", builder(job)),
            _ => reason(),
        },
    }
}

/// What a job is, in a few parts.
pub fn about(app: &App, job: &Job) -> Vec<String> {
    let now = app.queue_now();
    let mut parts = vec![
        job.request.target.to_string(),
        format!("class {}", job.request.class),
        format!("by {}", one_line(&job.requested_by)),
    ];
    if let Some(commit) = commit(job) {
        parts.push(format!("commit {}", cut(commit, 10)));
    }
    if job.attempt > 0 {
        parts.push(format!("attempt {} on {}", job.attempt, builder(job)));
    }
    if job.priority != 0 {
        parts.push(format!("priority {}", job.priority));
    }
    if let Some(span) = app
        .known()
        .forecast
        .get(&job.id)
        .filter(|_| !job.state.is_final())
    {
        if job.state.is_queued() {
            parts.push(format!("starts {}", when(span.start, now)));
        }
        parts.push(format!("done {}", when(span.end, now)));
    }
    if !job.state.is_final() {
        parts.push(format!("expected {}", span::seconds(job.expected)));
    }
    parts.push(format!("job {}", job.id));
    parts
}

/// A time to come, as seen from now.
pub fn when(time: u64, now: u64) -> String {
    if time <= now {
        "now".to_owned()
    } else {
        format!("in {}", span::seconds((time - now) / 1000))
    }
}

fn builder(job: &Job) -> String {
    one_line(job.builder.as_deref().unwrap_or("?"))
}

fn dependencies(on: &[Dependency]) -> String {
    let names: Vec<String> = on
        .iter()
        .take(LISTED)
        .map(|dependency| {
            let pkgbase = dependency.key.rsplit('/').next().unwrap_or_default();
            format!("{} ({})", one_line(pkgbase), dependency.state)
        })
        .collect();
    let more = on.len().saturating_sub(LISTED);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
