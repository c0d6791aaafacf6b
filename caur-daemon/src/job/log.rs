//! `job log`.

use std::io::Write;
use std::time::Duration;

use caur_core::log::{LogChunk, LogReader, Sanitizer};
use caur_core::model::{Job, JobId};
use caur_core::queue::Queue;
use color_eyre::eyre::{Result, WrapErr, eyre};
use serde_json::json;

use super::find::Finder;
use crate::table::{plain, printable};

/// How long one read of a log waits.
const WAIT: Duration = Duration::from_secs(20);

/// Prints the log of the job that `name` means.
///
/// # Errors
/// The job or its log does not exist, or Redis is out of reach.
pub async fn log(queue: &Queue, name: &str, follow: bool, attempt: Option<u32>, as_json: bool) -> Result<()> {
    let mut job = Finder::new(queue).find(name).await?;
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
        LogChunk::Data { bytes, .. } => sanitizer.feed(bytes),
        LogChunk::Cut(bytes) => format!("\n==> [caur] {bytes} bytes of the log are cut out here\n"),
        LogChunk::End { state, reason } if reason.is_empty() => format!("==> [caur] {}\n", plain(state)),
        // Whatever the log left unfinished does not touch the last line.
        LogChunk::End { state, reason } => format!("==> [caur] {}: {}\n", plain(state), printable(reason)),
    }
}

fn line_of(chunk: &LogChunk, sanitizer: &mut Sanitizer) -> String {
    let value = match chunk {
        LogChunk::Data { bytes, .. } => json!({ "data": sanitizer.feed(bytes) }),
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
