//! Keeps the landing zone free of what nobody will publish any more: uploads that broke off, and those whose removal
//! was cut short by a crash.

use std::path::Path;

use caur_core::model::{Job, JobId};
use caur_core::queue::{Queue, QueueError};

/// Removes the uploads of attempts that are over. What belongs to no known job is left alone, as nobody can tell why
/// it is there.
///
/// # Errors
/// When Redis is out of reach.
pub async fn tidy(queue: &Queue, landing_zone: &Path) -> Result<(), QueueError> {
    for name in entries(landing_zone).await {
        let Some((id, attempt)) = parse(&name) else {
            continue;
        };
        if !queue.job(id).await?.is_some_and(|job| is_over(&job, attempt)) {
            continue;
        }
        tracing::info!(job = %id, attempt, "removing the upload {name}, whose attempt is over");
        remove_folder(&landing_zone.join(&name)).await;
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
