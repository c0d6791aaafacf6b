//! `job list`, `job show`, `job log`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use caur_core::log::{LogChunk, LogReader, Sanitizer};
use caur_core::model::{Job, JobId};
use caur_core::queue::{JobFilter, Queue};
use color_eyre::eyre::{Result, WrapErr, eyre};
use serde_json::json;

use crate::cli::JobCommand;
use crate::table::{duration, table};

/// Finished jobs among which a package name is looked for.
const SEARCHED: usize = 10_000;
/// How long one read of a log waits.
const WAIT: Duration = Duration::from_secs(20);

/// Runs the command.
///
/// # Errors
/// When the job does not exist or Redis is out of reach.
pub async fn run(command: &JobCommand, queue: &Queue) -> Result<ExitCode> {
    match command {
        JobCommand::List { finished, json } => list(queue, *finished, *json).await?,
        JobCommand::Show { job, json } => show(queue, &find(queue, job).await?, *json).await?,
        JobCommand::Log {
            job,
            follow,
            attempt,
            json,
        } => log(queue, job, *follow, *attempt, *json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The job of this number, else the newest of this `PKGBASE` or `TARGET/ARCH/PKGBASE`.
async fn find(queue: &Queue, text: &str) -> Result<Job> {
    if let Ok(id) = text.parse::<JobId>() {
        return queue.job(id).await?.ok_or_else(|| eyre!("there is no job {id}"));
    }
    let jobs = queue.jobs(JobFilter { finished: SEARCHED }).await?;
    jobs.into_iter()
        .filter(|job| job.request.pkgbase.as_str() == text || job.request.key() == text)
        .max_by_key(|job| job.id)
        .ok_or_else(|| eyre!("there is no job for {text:?}: `job list` shows what there is"))
}

async fn list(queue: &Queue, finished: usize, as_json: bool) -> Result<()> {
    let jobs = queue.jobs(JobFilter { finished }).await?;
    if as_json {
        println!("{}", serde_json::to_string(&jobs).wrap_err("cannot write JSON")?);
        return Ok(());
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
                duration(now.saturating_sub(job.since) / 1000),
                job.id.to_string(),
                why(job),
            ]
        })
        .collect();
    let heads = [
        "STATE", "PACKAGE", "TARGET", "CLASS", "BUILDER", "TRY", "SINCE", "JOB", "WHY",
    ];
    print!("{}", table(heads, &rows));
    Ok(())
}

fn why(job: &Job) -> String {
    match (&job.reason, job.waits_for.len()) {
        (Some(reason), _) => Sanitizer::default().feed(reason.as_bytes()).replace('\n', " "),
        (None, 0) => job.phase.clone().unwrap_or_default(),
        (None, count) => format!("waits for {count}"),
    }
}

async fn show(queue: &Queue, job: &Job, as_json: bool) -> Result<()> {
    if as_json {
        println!("{}", serde_json::to_string(job).wrap_err("cannot write JSON")?);
        return Ok(());
    }
    let now = queue.now().await?;
    let request = &job.request;
    let mut rows = vec![
        ("Job", job.id.to_string()),
        ("Package", request.key()),
        (
            "State",
            format!(
                "{} since {}",
                job.state,
                duration(now.saturating_sub(job.since) / 1000)
            ),
        ),
        ("Why", why(job)),
        ("Source", request.source.to_string()),
        ("Class", request.class.to_string()),
        ("Asked by", job.requested_by.clone()),
        ("Attempt", job.attempt.to_string()),
        ("Builder", job.builder.clone().unwrap_or_default()),
        (
            "Commit",
            job.built_commit
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        ("Expected", duration(job.expected)),
    ];
    for id in &job.waits_for {
        let other = queue.job(*id).await?;
        let text = other.map_or_else(
            || id.to_string(),
            |o| format!("{} ({}, job {id})", o.request.pkgbase, o.state),
        );
        rows.push(("Waits for", text));
    }
    rows.extend(job.packages.iter().map(|file| ("Published", file.clone())));
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        println!("{name:<10} {value}");
    }
    Ok(())
}

async fn log(queue: &Queue, name: &str, follow: bool, attempt: Option<u32>, as_json: bool) -> Result<()> {
    let mut job = find(queue, name).await?;
    while follow && job.attempt == 0 && !job.state.is_final() {
        eprintln!("job {} is {}; waiting for it to start", job.id, job.state);
        let id = job.id;
        job = wait_for_start(queue, id).await?;
    }
    let attempt = attempt.unwrap_or(job.attempt);
    if attempt == 0 {
        return Err(eyre!(
            "job {} has no log: it was never started ({})",
            job.id,
            job.state
        ));
    }
    let mut reader = LogReader::new(queue.link().clone(), job.id, attempt);
    let mut sanitizer = Sanitizer::default();
    let mut out = std::io::stdout().lock();
    let mut empty = true;
    while !reader.ended() {
        let wait = if follow { WAIT } else { Duration::ZERO };
        let chunk = match reader.next(wait).await {
            Ok(chunk) => chunk,
            Err(error) if follow => {
                tracing::warn!("{error}; trying again");
                queue
                    .link()
                    .wait_until_up(&tokio_util::sync::CancellationToken::new())
                    .await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let Some(chunk) = chunk else {
            let over = !follow || is_over(queue, job.id, attempt).await?;
            if over && empty {
                return Err(eyre!(
                    "the log of job {} attempt {attempt} is not there, or not kept any more",
                    job.id
                ));
            }
            if over {
                break;
            }
            continue;
        };
        empty = false;
        let text = if as_json {
            line_of(&chunk, &mut sanitizer)
        } else {
            text_of(&chunk, &mut sanitizer)
        };
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other.wrap_err("cannot write the log")?,
        }
    }
    Ok(())
}

/// Whether nothing is added to an attempt's log any more.
async fn is_over(queue: &Queue, id: JobId, attempt: u32) -> Result<bool> {
    let job = queue.job(id).await?;
    Ok(job.is_none_or(|job| job.attempt != attempt || job.state.is_final()))
}

async fn wait_for_start(queue: &Queue, id: JobId) -> Result<Job> {
    let mut after = "$".to_owned();
    loop {
        let job = queue.job(id).await?.ok_or_else(|| eyre!("job {id} is gone"))?;
        if job.attempt > 0 || job.state.is_final() {
            return Ok(job);
        }
        // "$" can miss the event that comes between the two calls; the limit on the wait makes up for that.
        let events = queue.events_after(&after, 1000, Duration::from_secs(2)).await?;
        if let Some(last) = events.last() {
            after.clone_from(&last.id);
        }
    }
}

fn text_of(chunk: &LogChunk, sanitizer: &mut Sanitizer) -> String {
    match chunk {
        LogChunk::Data(bytes) => sanitizer.feed(bytes),
        LogChunk::Cut(bytes) => format!("\n==> [caur] {bytes} bytes of the log are cut out here\n"),
        LogChunk::End { state, reason } => {
            let reason = if reason.is_empty() {
                String::new()
            } else {
                format!(": {reason}")
            };
            format!("==> [caur] {state}{}\n", sanitizer.feed(reason.as_bytes()))
        }
    }
}

fn line_of(chunk: &LogChunk, sanitizer: &mut Sanitizer) -> String {
    let value = match chunk {
        LogChunk::Data(bytes) => json!({ "data": sanitizer.feed(bytes) }),
        LogChunk::Cut(bytes) => json!({ "cut_bytes": bytes }),
        LogChunk::End { state, reason } => json!({ "state": state, "reason": reason }),
    };
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use caur_core::model::JobState;

    use super::*;

    #[test]
    fn the_end_of_a_log_says_state_and_reason() {
        let end = LogChunk::End {
            state: JobState::Failed.to_string(),
            reason: "exit status 4".into(),
        };
        assert_eq!(
            text_of(&end, &mut Sanitizer::default()),
            "==> [caur] failed: exit status 4\n"
        );
    }
}
