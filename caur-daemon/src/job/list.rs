//! `job list`.

use caur_core::model::Job;
use caur_core::queue::{JobFilter, Queue};
use color_eyre::eyre::Result;

use crate::stdout;
use crate::table::{elapsed, table};

/// Prints the queue, and up to `finished` jobs that have ended.
///
/// # Errors
/// When Redis is out of reach.
pub async fn list(queue: &Queue, finished: usize, as_json: bool) -> Result<()> {
    let jobs = queue.jobs(JobFilter { finished }).await?;
    if as_json {
        return stdout::json(&jobs);
    }
    let now = queue.now().await?;
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            [
                job.state.to_string(),
                job.request.pkgbase.to_string(),
                job.request.target.to_string(),
                job.request.class.to_string(),
                job.builder.clone().unwrap_or_default(),
                job.attempt.to_string(),
                elapsed(job.since, now),
                job.id.to_string(),
                note(job),
            ]
        })
        .collect();
    let heads = [
        "STATE", "PACKAGE", "TARGET", "CLASS", "BUILDER", "TRY", "SINCE", "JOB", "WHY",
    ];
    stdout::text(&table(heads, &rows))
}

/// What the job itself tells about where it stands; `job show` looks at the rest of the queue, too.
fn note(job: &Job) -> String {
    let mut note = match (&job.canceling, &job.reason, job.waits_for.len()) {
        (Some(reason), _, _) => format!("stopping: {reason}"),
        (None, Some(reason), _) => reason.clone(),
        (None, None, 0) => job.phase.clone().unwrap_or_default(),
        (None, None, count) => format!("waits for {count}"),
    };
    if job.priority != 0 {
        let before = if note.is_empty() { "" } else { "; " };
        note = format!("{note}{before}priority {}", job.priority);
    }
    note
}
