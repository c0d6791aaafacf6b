//! Uploads to a real OpenSSH server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::{Sshd, SshdOptions};

/// A server, a landing zone, and files to send.
struct Scene {
    sshd: Sshd,
    directory: TempDir,
    files: Vec<LocalFile>,
}

impl Scene {
    fn new(sizes: &[usize]) -> Self {
        Self::with(sizes, &SshdOptions::default())
    }

    fn with(sizes: &[usize], options: &SshdOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("zone")).unwrap();
        let files = sizes.iter().enumerate().map(|(number, size)| {
            let path = directory.path().join(format!("file-{number}"));
            fs::write(&path, contents(number, *size)).unwrap();
            LocalFile {
                path,
                name: format!("package-{number}.pkg.tar.zst"),
                size: *size as u64,
            }
        });
        Self {
            sshd: Sshd::start_with(options),
            files: files.collect(),
            directory,
        }
    }

    fn part(&self) -> PathBuf {
        self.directory.path().join("zone/7.1.part")
    }

    fn complete(&self) -> PathBuf {
        self.directory.path().join("zone/7.1")
    }

    async fn run(&self, progress: impl FnMut(u64)) -> Result<(), UploadError> {
        self.run_into(
            &self.part(),
            &self.complete(),
            progress,
            &CancellationToken::new(),
        )
        .await
    }

    async fn run_into(
        &self,
        part: &Path,
        complete: &Path,
        progress: impl FnMut(u64),
        cancel: &CancellationToken,
    ) -> Result<(), UploadError> {
        let session = Session::connect(&self.sshd.target()).await.unwrap();
        let upload = Upload {
            files: &self.files,
            part: part.to_str().unwrap(),
            complete: complete.to_str().unwrap(),
            progress_timeout: Duration::from_secs(2),
        };
        upload_directory(&session, &upload, progress, cancel).await
    }

    fn assert_complete(&self) {
        assert!(!self.part().exists());
        for file in &self.files {
            let digest = |path: &Path| Sha256::digest(fs::read(path).unwrap());
            assert_eq!(
                digest(&file.path),
                digest(&self.complete().join(&file.name)),
                "{}",
                file.name
            );
        }
        assert_eq!(fs::read_dir(self.complete()).unwrap().count(), self.files.len());
    }

    /// Lets the upload run until `bytes` have arrived, then does `what`.
    async fn disturbed(&self, bytes: u64, mut what: impl FnMut()) -> UploadError {
        let mut once = true;
        let outcome = self.run(|taken| {
            if taken > bytes && std::mem::take(&mut once) {
                what();
            }
        });
        outcome.await.expect_err("the upload was disturbed")
    }
}

/// A tmpfs of 16 MiB, for as long as the value lives.
struct SmallFileSystem(PathBuf);

impl SmallFileSystem {
    fn mount(path: &Path) -> Option<Self> {
        let options = ["-t", "tmpfs", "-o", "size=16m", "tmpfs"];
        let output = Command::new("mount").args(options).arg(path).output().ok()?;
        output.status.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "cannot unmount {}",
            self.0.display()
        );
    }
}

/// Bytes that differ from piece to piece, so that a piece at the wrong place shows.
fn contents(seed: usize, size: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let words = std::iter::from_fn(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some(state.to_be_bytes())
    });
    words.flatten().take(size).collect()
}

#[tokio::test]
async fn what_arrives_is_what_was_sent() {
    let scene = Scene::new(&[30_000_000, 0, 1, 32 * 1024, 32 * 1024 + 1]);
    let total: u64 = scene.files.iter().map(|file| file.size).sum();
    let mut reports = Vec::new();
    scene.run(|taken| reports.push(taken)).await.unwrap();
    scene.assert_complete();
    assert!(
        reports.is_sorted() && reports.len() > 900,
        "{} reports",
        reports.len()
    );
    assert_eq!(reports.last(), Some(&total));
}

#[tokio::test]
async fn an_account_that_may_do_nothing_but_sftp_is_enough() {
    let scene = Scene::with(
        &[100_000],
        &SshdOptions {
            restrictions: "restrict".into(),
            config: vec!["ForceCommand internal-sftp".into()],
            ..SshdOptions::default()
        },
    );
    scene.run(|_| {}).await.unwrap();
    scene.assert_complete();
}

#[tokio::test]
async fn a_cut_upload_leaves_only_the_part_and_a_retry_succeeds() {
    let scene = Scene::new(&[1000, 30_000_000]);
    let error = scene
        .disturbed(8_000_000, || assert!(scene.sshd.cut_sessions() > 0))
        .await;
    assert!(
        matches!(error, UploadError::Lost { .. }) && error.is_transient(),
        "{error:?}"
    );
    assert!(scene.part().exists() && !scene.complete().exists());
    // Something that the next try would not overwrite.
    fs::write(scene.part().join("stale"), "stale").unwrap();
    scene.run(|_| {}).await.unwrap();
    scene.assert_complete();
}

#[tokio::test]
async fn a_silent_server_is_noticed_by_the_lack_of_progress() {
    let scene = Scene::new(&[30_000_000]);
    let error = scene.disturbed(8_000_000, || scene.sshd.freeze_sessions()).await;
    assert!(
        matches!(error, UploadError::Stalled { seconds: 2, .. }),
        "{error:?}"
    );
    scene.run(|_| {}).await.unwrap();
    scene.assert_complete();
}

#[tokio::test]
async fn cancel_ends_an_upload_in_the_middle() {
    let scene = Scene::new(&[30_000_000]);
    let cancel = CancellationToken::new();
    let (part, complete) = (scene.part(), scene.complete());
    let stop = |taken| {
        if taken > 1_000_000 {
            cancel.cancel();
        }
    };
    let outcome = scene.run_into(&part, &complete, stop, &cancel);
    let error = outcome.await.unwrap_err();
    assert!(matches!(error, UploadError::Canceled), "{error:?}");
    assert!(!scene.complete().exists());
}

#[tokio::test]
async fn a_repeated_upload_is_done_and_a_different_one_refused() {
    let mut scene = Scene::new(&[1000, 2000]);
    scene.run(|_| {}).await.unwrap();
    let before = fs::metadata(scene.complete()).unwrap().modified().unwrap();
    scene
        .run(|_| {})
        .await
        .expect("the acknowledgement was lost, the work is done");
    assert_eq!(
        fs::metadata(scene.complete()).unwrap().modified().unwrap(),
        before
    );

    scene.files.pop();
    let error = scene.run(|_| {}).await.unwrap_err();
    assert!(matches!(error, UploadError::Exists { .. }), "{error:?}");
    assert_eq!(fs::read_dir(scene.complete()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_missing_or_forbidden_landing_zone_is_named() {
    let scene = Scene::new(&[1000]);
    let cancel = CancellationToken::new();
    let into = |zone: &str| {
        (
            PathBuf::from(zone).join("7.1.part"),
            PathBuf::from(zone).join("7.1"),
        )
    };
    let (part, complete) = into("/nonexistent/zone");
    let error = scene
        .run_into(&part, &complete, |_| {}, &cancel)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, UploadError::NoLandingZone { path, .. } if path == "/nonexistent/zone"),
        "{error:?}"
    );
    assert!(error.to_string().contains("create the landing zone"), "{error}");

    // Nobody, not even root, can make directories there.
    let (part, complete) = into("/proc");
    let error = scene
        .run_into(&part, &complete, |_| {}, &cancel)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("/proc"), "{error}");
}

#[tokio::test]
async fn a_full_file_system_is_named_before_and_during_the_upload() {
    let mut scene = Scene::new(&[1000]);
    scene.files[0].size = 1 << 60;
    let error = scene.run(|_| {}).await.unwrap_err();
    assert!(
        matches!(error, UploadError::NoSpace { needed, .. } if needed == 1 << 60),
        "{error:?}"
    );
    assert!(!scene.part().exists());

    let scene = Scene::new(&[6_000_000, 6_000_000]);
    let zone = scene.directory.path().join("zone");
    let Some(_mount) = SmallFileSystem::mount(&zone) else {
        eprintln!("skipped: this account may not mount a small file system");
        return;
    };
    // The disk fills up although there was room when the upload began.
    let fill = || fs::write(zone.join("other"), vec![0; 6_000_000]).unwrap_or_default();
    let error = scene.disturbed(6_500_000, fill).await;
    assert!(matches!(error, UploadError::NoSpace { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_differs_from_its_manifest_is_not_completed() {
    for stated in [999, 1001] {
        let mut scene = Scene::new(&[1000]);
        scene.files[0].size = stated;
        let error = scene.run(|_| {}).await.unwrap_err();
        assert!(
            matches!(
                error,
                UploadError::WrongSize {
                    read: 1000,
                    arrived: 1000,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(!scene.complete().exists());
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_and_missing_files_are_refused() {
    let mut scene = Scene::new(&[1000]);
    for name in ["", ".", "..", "a/b", "/etc/passwd"] {
        scene.files[0].name = name.into();
        let error = scene.run(|_| {}).await.unwrap_err();
        assert!(matches!(error, UploadError::BadName(_)), "{error:?}");
    }
    scene.files[0].name = "good".into();
    scene.files[0].path = "/nonexistent/file".into();
    let error = scene.run(|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/file"), "{error}");
}

#[tokio::test]
async fn a_server_without_sftp_is_named() {
    let scene = Scene::with(
        &[1000],
        &SshdOptions {
            config: vec!["Subsystem other internal-sftp".into()],
            ..SshdOptions::default()
        },
    );
    let error = scene.run(|_| {}).await.unwrap_err();
    assert!(
        matches!(error, UploadError::Ssh(SshError::NoSftp { .. })),
        "{error:?}"
    );
}
