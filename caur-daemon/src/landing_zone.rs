//! Keeps the landing zone free of what nobody will publish any more: uploads that broke off, and those whose removal
//! was cut short by a crash.
//!
//! The queue decides what still belongs to somebody. Age alone never does: the upload of a live job may wait for as long
//! as it has to.

use std::path::Path;
use std::time::{Duration, SystemTime};

use caur_core::model::{Job, JobId};
use caur_core::queue::{Queue, QueueError};

/// How long the upload of a job that the queue does not know is left alone: a queue may be restored from a backup.
const UNKNOWN_FOR: Duration = Duration::from_hours(24);

/// Removes the uploads of attempts that are over, and of jobs that nobody knows if nothing was written to them for a
/// day. What is no upload is left alone.
///
/// # Errors
/// When Redis is out of reach.
pub async fn tidy(queue: &Queue, landing_zone: &Path) -> Result<(), QueueError> {
    for name in entries(landing_zone).await {
        let Some((id, attempt)) = parse(&name) else {
            continue;
        };
        let path = landing_zone.join(&name);
        let why = match queue.job(id).await? {
            Some(job) if is_over(&job, attempt) => "whose attempt is over",
            None if is_abandoned(&path).await => "whose job nobody knows",
            Some(_) | None => continue,
        };
        tracing::info!(job = %id, attempt, "removing the upload {name}, {why}");
        remove_folder(&path).await;
    }
    Ok(())
}

/// Removes the upload of one attempt.
pub async fn remove(landing_zone: &Path, job: JobId, attempt: u32) {
    remove_folder(&landing_zone.join(format!("{job}.{attempt}"))).await;
}

async fn remove_folder(path: &Path) {
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
        _ => {}
    }
}

async fn entries(landing_zone: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let listed = async {
        let mut folder = tokio::fs::read_dir(landing_zone).await?;
        while let Some(entry) = folder.next_entry().await? {
            names.extend(entry.file_name().into_string());
        }
        std::io::Result::Ok(())
    };
    if let Err(error) = listed.await {
        tracing::warn!("cannot read the landing zone {}: {error}", landing_zone.display());
    }
    names
}

/// `JOB.ATTEMPT`, or `JOB.ATTEMPT.part` of an upload that is not complete.
fn parse(name: &str) -> Option<(JobId, u32)> {
    let (id, attempt) = name.strip_suffix(".part").unwrap_or(name).split_once('.')?;
    Some((id.parse().ok()?, attempt.parse().ok()?))
}

/// Whether nobody writes or publishes this attempt's upload any more.
fn is_over(job: &Job, attempt: u32) -> bool {
    attempt < job.attempt || job.state.is_final() || job.state.is_queued()
}

/// Whether nothing was written to this upload for long. What cannot be looked at is not.
async fn is_abandoned(upload: &Path) -> bool {
    let newest = async {
        let written = |metadata: std::fs::Metadata| metadata.modified();
        let mut newest = written(tokio::fs::metadata(upload).await?)?;
        let mut folder = tokio::fs::read_dir(upload).await?;
        while let Some(entry) = folder.next_entry().await? {
            newest = newest.max(written(entry.metadata().await?)?);
        }
        std::io::Result::Ok(newest)
    };
    newest.await.is_ok_and(|newest| {
        SystemTime::now()
            .duration_since(newest)
            .is_ok_and(|age| age > UNKNOWN_FOR)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uploads_are_taken_for_uploads() {
        assert_eq!(parse("1795490363351.2.part"), Some((JobId(1_795_490_363_351), 2)));
        assert_eq!(parse("1795490363351.2"), Some((JobId(1_795_490_363_351), 2)));
        for other in ["", "x", "1.", ".1", "1.2.3", "1.2.partial", "notes.txt", "1 .2"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
