//! `job cancel`, `retry`, `release`, `hold`, `unhold`, `priority`: each job by itself, and what came of each.

use std::process::ExitCode;

use caur_core::model::{Job, JobId, JobState};
use caur_core::queue::{Queue, QueueError};
use color_eyre::eyre::{Report, Result};
use serde_json::{Value, json};

use super::find::Finder;
use crate::asker::Requester;
use crate::causes;
use crate::stdout;
use crate::table::{printable, table};

/// What to do to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Cancel,
    Retry { rebuild: bool },
    Release,
    Hold,
    Unhold,
    Priority(i32),
}

/// What came of one job.
struct Outcome {
    /// What the command line says.
    asked: String,
    result: std::result::Result<Changed, String>,
}

struct Changed {
    job: JobId,
    key: String,
    state: JobState,
}

/// Does it to each of `jobs` and says what came of each. The status tells whether all of it was done.
///
/// # Errors
/// When Redis is out of reach; what was done before that is printed.
pub async fn run(
    queue: &Queue,
    change: Change,
    jobs: &[String],
    requester: &Requester,
    as_json: bool,
) -> Result<ExitCode> {
    let mut finder = Finder::new(queue);
    let mut outcomes = Vec::with_capacity(jobs.len());
    let mut broken_off = None;
    for asked in jobs {
        let result = match finder.find_only(asked).await {
            Ok(job) => apply(queue, change, &job, requester).await,
            Err(error) => Err(error),
        };
        let result = match result {
            // Every further one would fail the same way, each after a while.
            Err(error) if is_outage(&error) => {
                broken_off = Some(error);
                break;
            }
            other => other.map_err(|error| causes::chain(&*error)),
        };
        outcomes.push(Outcome {
            asked: asked.clone(),
            result,
        });
    }
    print(change, &outcomes, as_json)?;
    if let Some(error) = broken_off {
        return Err(error);
    }
    Ok(if outcomes.iter().all(|outcome| outcome.result.is_ok()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn apply(queue: &Queue, change: Change, job: &Job, requester: &Requester) -> Result<Changed> {
    let (id, asker) = (job.id, requester.asker());
    let state = match change {
        Change::Cancel => queue.cancel(id, asker).await?,
        Change::Retry { rebuild } => queue.retry(id, rebuild, asker).await?.state,
        Change::Release => queue.release(id, asker).await?,
        Change::Hold => queue.hold(id, asker).await?,
        Change::Unhold => queue.unhold(id, asker).await?,
        Change::Priority(priority) => queue.set_priority(id, priority, asker).await?,
    };
    Ok(Changed {
        job: id,
        key: job.request.key(),
        state,
    })
}

fn is_outage(error: &Report) -> bool {
    matches!(error.downcast_ref(), Some(QueueError::Link { .. }))
}

fn print(change: Change, outcomes: &[Outcome], as_json: bool) -> Result<()> {
    if as_json {
        let outcomes: Vec<Value> = outcomes
            .iter()
            .map(|outcome| match &outcome.result {
                Ok(changed) => json!({
                    "asked": outcome.asked, "job": changed.job, "package": changed.key, "state": changed.state,
                    "result": result(change, changed.state),
                }),
                Err(reason) => json!({ "asked": outcome.asked, "error": reason }),
            })
            .collect();
        return stdout::json(&outcomes);
    }
    let rows: Vec<[String; 3]> = outcomes
        .iter()
        .filter_map(|outcome| outcome.result.as_ref().ok())
        .map(|changed| {
            [
                changed.key.clone(),
                changed.job.to_string(),
                result(change, changed.state),
            ]
        })
        .collect();
    if !rows.is_empty() {
        stdout::text(&table(["PACKAGE", "JOB", "RESULT"], &rows))?;
    }
    for reason in outcomes
        .iter()
        .filter_map(|outcome| outcome.result.as_ref().err())
    {
        eprintln!("error: {}", printable(reason));
    }
    Ok(())
}

fn result(change: Change, state: JobState) -> String {
    match change {
        Change::Cancel if state == JobState::Canceled => "canceled".to_owned(),
        Change::Cancel => format!("{state}, and being stopped"),
        Change::Retry { .. } => format!("{state} again"),
        Change::Release => format!("released, {state}"),
        Change::Hold => state.to_string(),
        Change::Unhold => format!("let go, {state}"),
        Change::Priority(priority) => format!("priority {priority}, {state}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_say_what_was_done_and_where_the_job_stands() {
        let cases = [
            (Change::Cancel, JobState::Canceled, "canceled"),
            (Change::Cancel, JobState::Building, "building, and being stopped"),
            (Change::Retry { rebuild: true }, JobState::Ready, "ready again"),
            (Change::Release, JobState::Ready, "released, ready"),
            (Change::Hold, JobState::Held, "held"),
            (Change::Unhold, JobState::Waiting, "let go, waiting"),
            (Change::Priority(-3), JobState::Ready, "priority -3, ready"),
        ];
        for (change, state, expected) in cases {
            assert_eq!(result(change, state), expected);
        }
    }
}
