//! The image that builds run in: a local one is used as it is, one from a registry is pulled where it is
//! missing or old.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::BuildError;
use super::journal::Journal;

/// Keeps images present and fresh.
#[derive(Debug, Clone)]
pub(super) struct Images {
    docker: Docker,
    /// One file for each pulled image; its age is that of the pull.
    stamps: PathBuf,
    refresh: Duration,
}

impl Images {
    pub(super) fn new(docker: Docker, stamps: PathBuf, refresh: Duration) -> Self {
        Self {
            docker,
            stamps,
            refresh,
        }
    }

    /// Makes sure that `name` is there and returns its identifier.
    ///
    /// # Errors
    /// [`BuildError::Image`] when there is no such image here and it cannot be pulled either.
    pub(super) async fn ensure(&self, name: &str, journal: &Journal) -> Result<String, BuildError> {
        if name.is_empty() {
            return Err(image_error(
                name,
                "none is configured; set database.builder_image (BUILDER_IMAGE)",
            ));
        }
        match self.inspect(name).await? {
            None => {
                journal
                    .line(&format!("image {name} is not on this machine: pulling it"))
                    .await;
                self.pull(name, journal).await.map_err(|error| {
                    image_error(
                        name,
                        &format!("it is not on this machine and pulling it failed: {error}; build it here, load it, or correct the name"),
                    )
                })?;
            }
            Some(image) if self.is_due(name, &image) => {
                journal.line(&format!("looking for a newer image {name}")).await;
                if let Err(error) = self.pull(name, journal).await {
                    journal
                        .line(&format!(
                            "pulling {name} failed ({error}); the present one is used"
                        ))
                        .await;
                }
            }
            Some(_) => {}
        }
        self.inspect(name)
            .await?
            .and_then(|image| image.id)
            .ok_or_else(|| image_error(name, "it is gone again right after it was pulled"))
    }

    async fn inspect(&self, name: &str) -> Result<Option<ImageInspect>, BuildError> {
        match self.docker.inspect_image(name).await {
            Ok(image) => Ok(Some(image)),
            Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(BuildError::engine(format!("looking for image {name}"))(error)),
        }
    }

    /// Whether the image came from a registry and was last pulled too long ago. One that is named by its
    /// digest cannot change.
    fn is_due(&self, name: &str, image: &ImageInspect) -> bool {
        let from_registry = image
            .repo_digests
            .as_ref()
            .is_some_and(|digests| !digests.is_empty());
        from_registry && !name.contains("@sha256:") && !is_fresh(&self.stamp(name), self.refresh)
    }

    async fn pull(&self, name: &str, journal: &Journal) -> Result<(), EngineError> {
        let options = CreateImageOptionsBuilder::default()
            .from_image(&with_tag(name))
            .build();
        let mut progress = std::pin::pin!(self.docker.create_image(Some(options), None, None));
        while let Some(info) = progress.next().await {
            if let Some(line) = progress_line(&info?) {
                journal.line(&line).await;
            }
        }
        // Without the stamp the image is pulled once more than necessary.
        let stamp = self.stamp(name);
        if let Err(error) = fs::create_dir_all(&self.stamps).and_then(|()| fs::write(&stamp, name)) {
            tracing::warn!(stamp = %stamp.display(), %error, "the time of an image's pull cannot be noted");
        }
        Ok(())
    }

    fn stamp(&self, name: &str) -> PathBuf {
        self.stamps.join(hex::encode(Sha256::digest(name)))
    }
}

fn is_fresh(stamp: &Path, refresh: Duration) -> bool {
    fs::metadata(stamp)
        .and_then(|stamp| stamp.modified())
        .is_ok_and(|pulled| pulled.elapsed().is_ok_and(|age| age < refresh))
}

/// A pull without a tag would bring all of them.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

/// Only what happens to a whole layer: the engine reports each of its kilobytes, too.
fn progress_line(info: &CreateImageInfo) -> Option<String> {
    let in_between = info
        .progress_detail
        .as_ref()
        .is_some_and(|detail| detail.current.is_some());
    let status = info.status.as_ref().filter(|_| !in_between)?;
    Some(match &info.id {
        Some(layer) => format!("image: {layer}: {status}"),
        None => format!("image: {status}"),
    })
}

fn image_error(image: &str, reason: &str) -> BuildError {
    BuildError::Image {
        image: image.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    #[test]
    fn a_name_without_a_tag_means_latest() {
        for (name, pulled) in [
            ("caur-builder", "caur-builder:latest"),
            ("registry.example:5000/a/b", "registry.example:5000/a/b:latest"),
            ("a/b:1", "a/b:1"),
            ("a/b@sha256:00", "a/b@sha256:00"),
        ] {
            assert_eq!(with_tag(name), pulled);
        }
    }

    #[test]
    fn only_whole_steps_of_a_pull_are_logged() {
        let mut info = CreateImageInfo {
            id: Some("abc".to_owned()),
            status: Some("Pull complete".to_owned()),
            ..CreateImageInfo::default()
        };
        assert_eq!(progress_line(&info).as_deref(), Some("image: abc: Pull complete"));
        info.progress_detail = Some(ProgressDetail {
            current: Some(1),
            total: Some(2),
        });
        assert_eq!(progress_line(&info), None);
    }

    #[test]
    fn an_image_is_fresh_for_the_configured_time() {
        let directory = tempfile::tempdir().unwrap();
        let stamp = directory.path().join("stamp");
        assert!(!is_fresh(&stamp, Duration::from_secs(60)));
        fs::write(&stamp, "").unwrap();
        assert!(is_fresh(&stamp, Duration::from_secs(60)));
        let past = std::time::SystemTime::now() - Duration::from_secs(61);
        fs::File::options()
            .write(true)
            .open(&stamp)
            .unwrap()
            .set_modified(past)
            .unwrap();
        assert!(!is_fresh(&stamp, Duration::from_secs(60)));
    }
}
