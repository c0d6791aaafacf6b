//! How packages get from a builder into the landing zone: by SFTP, or by copying on one machine.
//!
//! Either way they appear there whole, under the name `JOB.ATTEMPT`, or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use caur_core::config::{BuilderSettings, RedisSshSettings};
use caur_core::connect::ssh_target;
use caur_core::model::{FarmConfig, Manifest, UploadEndpoint};
use caur_core::ssh::{LocalFile, Session, Upload, upload_directory};
use color_eyre::eyre::{Result, WrapErr, bail, eyre};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An upload fails when the server takes nothing for this long.
const PROGRESS_TIMEOUT: Duration = Duration::from_mins(1);
/// How often an upload is begun anew before the attempt counts as failed.
const TRIES: u32 = 3;

/// A way into the landing zone.
pub enum Delivery {
    /// Builder and database share this file system.
    Local {
        /// The landing zone.
        landing_zone: PathBuf,
        /// The published repositories, which builds may install from.
        repository: PathBuf,
    },
    /// The endpoint that the database publishes, with this key and known-hosts file.
    Sftp(RedisSshSettings),
}

impl Delivery {
    /// The published repositories, where they are on this machine.
    pub fn local_repository(&self) -> Option<&PathBuf> {
        match self {
            Self::Local { repository, .. } => Some(repository),
            Self::Sftp(_) => None,
        }
    }

    /// Brings the files of `manifest`, which lie in `folder`, into the landing zone; gives a line for the log.
    ///
    /// # Errors
    /// When they did not arrive.
    pub async fn deliver(
        &self,
        manifest: &Manifest,
        folder: &Path,
        farm: &FarmConfig,
        settings: &BuilderSettings,
        cancel: &CancellationToken,
    ) -> Result<String> {
        let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
        let started = Instant::now();
        let place = match self {
            Self::Local { landing_zone, .. } => {
                let (manifest, folder, zone) = (manifest.clone(), folder.to_owned(), landing_zone.clone());
                tokio::task::spawn_blocking(move || copy(&manifest, &folder, &zone)).await??;
                landing_zone.display().to_string()
            }
            Self::Sftp(ssh) => {
                let endpoint = endpoint(farm, settings)?;
                upload(ssh, &endpoint, manifest, folder, cancel).await?;
                format!("{}@{}:{}", endpoint.user, endpoint.host, endpoint.path)
            }
        };
        let (files, seconds) = (manifest.files.len(), started.elapsed().as_secs_f64());
        Ok(format!(
            "uploaded {files} files, {bytes} bytes, to {place} in {seconds:.1} s"
        ))
    }
}

/// What the database publishes, with the builder's own settings in front.
fn endpoint(farm: &FarmConfig, settings: &BuilderSettings) -> Result<UploadEndpoint> {
    let mut endpoint = farm
        .upload
        .clone()
        .ok_or_else(|| eyre!("the database publishes no upload endpoint: set DATABASE_HOST there"))?;
    if let Some(host) = &settings.upload_host {
        endpoint.host.clone_from(host);
    }
    if let Some(port) = settings.upload_port {
        endpoint.port = port;
    }
    if let Some(user) = &settings.upload_user {
        endpoint.user.clone_from(user);
    }
    Ok(endpoint)
}

/// Writes the manifest to a new file. Never into a directory that a build could write to: it may have left a link there.
fn write_manifest(manifest: &Manifest, path: &Path) -> Result<u64> {
    let text = serde_json::to_vec_pretty(manifest).wrap_err("cannot write the manifest")?;
    File::create_new(path)
        .and_then(|mut file| file.write_all(&text))
        .wrap_err_with(|| format!("cannot write {}", path.display()))?;
    Ok(text.len() as u64)
}

async fn upload(
    ssh: &RedisSshSettings,
    endpoint: &UploadEndpoint,
    manifest: &Manifest,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<()> {
    let own = tempfile::tempdir().wrap_err("cannot make a temporary directory for the manifest")?;
    let manifest_path = own.path().join(Manifest::FILE_NAME);
    let manifest_size = write_manifest(manifest, &manifest_path)?;
    let mut files: Vec<LocalFile> = manifest
        .files
        .iter()
        .map(|file| LocalFile {
            path: folder.join(&file.name),
            name: file.name.clone(),
            size: file.size,
        })
        .collect();
    files.push(LocalFile {
        path: manifest_path,
        name: Manifest::FILE_NAME.to_owned(),
        size: manifest_size,
    });
    let complete = format!("{}/{}", endpoint.path.trim_end_matches('/'), manifest.directory());
    let part = format!("{complete}.part");
    let upload = Upload {
        files: &files,
        part: &part,
        complete: &complete,
        progress_timeout: PROGRESS_TIMEOUT,
    };
    let target = ssh_target(
        ssh,
        &endpoint.host,
        endpoint.port,
        &endpoint.user,
        &endpoint.host_keys,
    )
    .await?;
    for attempt in 1.. {
        let result = async {
            let session = Session::connect(&target).await?;
            upload_directory(&session, &upload, |_| (), cancel).await
        };
        match result.await {
            Ok(()) => break,
            Err(error) if attempt < TRIES && error.is_transient() && !cancel.is_cancelled() => {
                tracing::warn!(job = %manifest.job, "upload: {error}; trying again");
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(2) * attempt) => {}
                    () = cancel.cancelled() => bail!("the upload was canceled"),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Copies into `JOB.ATTEMPT.part`, brings everything to the disk and renames it.
fn copy(manifest: &Manifest, folder: &Path, landing_zone: &Path) -> Result<()> {
    let complete = landing_zone.join(manifest.directory());
    let part = landing_zone.join(format!("{}.part", manifest.directory()));
    let context = |path: &Path| format!("cannot write {}", path.display());
    for stale in [&part, &complete] {
        match fs::remove_dir_all(stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).wrap_err_with(|| format!("cannot remove {}", stale.display()));
            }
            _ => {}
        }
    }
    fs::create_dir(&part).wrap_err_with(|| context(&part))?;
    for file in &manifest.files {
        let to = part.join(&file.name);
        fs::copy(folder.join(&file.name), &to).wrap_err_with(|| context(&to))?;
    }
    write_manifest(manifest, &part.join(Manifest::FILE_NAME))?;
    let names = manifest.files.iter().map(|file| file.name.as_str());
    for name in names.chain([Manifest::FILE_NAME]) {
        let to = part.join(name);
        File::open(&to)
            .and_then(|file| file.sync_all())
            .wrap_err_with(|| context(&to))?;
    }
    let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all());
    sync(&part).wrap_err_with(|| context(&part))?;
    fs::rename(&part, &complete).wrap_err_with(|| context(&complete))?;
    sync(landing_zone).wrap_err_with(|| context(landing_zone))
}

#[cfg(test)]
mod tests {
    use caur_core::model::ManifestFile;

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            job: "1795490353292".parse().unwrap(),
            attempt: 2,
            pkgbase: "foo".parse().unwrap(),
            target: caur_core::model::Target {
                repo: "repo".parse().unwrap(),
                arch: "x86_64".parse().unwrap(),
            },
            commit: "0123456789012345678901234567890123456789".parse().unwrap(),
            builder: "builder".parse().unwrap(),
            image: "sha256:1".into(),
            namcap: Vec::new(),
            files: vec![ManifestFile {
                name: "foo-1-1-any.pkg.tar.zst".into(),
                size: 7,
                sha256: String::new(),
            }],
        }
    }

    #[test]
    fn an_upload_appears_whole_and_replaces_what_an_earlier_try_left() {
        let here = tempfile::tempdir().unwrap();
        let (folder, zone) = (here.path().join("pkgout"), here.path().join("zone"));
        for path in [&folder, &zone, &zone.join("1795490353292.2.part")] {
            fs::create_dir(path).unwrap();
        }
        assert!(
            copy(&manifest(), &folder, &zone).is_err(),
            "the package is not there"
        );
        assert!(!zone.join("1795490353292.2").exists());
        fs::write(folder.join("foo-1-1-any.pkg.tar.zst"), "package").unwrap();
        for _ in 0..2 {
            copy(&manifest(), &folder, &zone).unwrap();
            let names: Vec<_> = fs::read_dir(&zone)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            assert_eq!(names, ["1795490353292.2"]);
            let text = fs::read(zone.join("1795490353292.2/manifest.json")).unwrap();
            assert_eq!(serde_json::from_slice::<Manifest>(&text).unwrap(), manifest());
        }
    }

    #[test]
    fn a_link_that_a_build_left_is_not_written_through() {
        let here = tempfile::tempdir().unwrap();
        let (folder, zone) = (here.path().join("pkgout"), here.path().join("zone"));
        for path in [&folder, &zone] {
            fs::create_dir(path).unwrap();
        }
        let precious = here.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, folder.join(Manifest::FILE_NAME)).unwrap();
        fs::write(folder.join("foo-1-1-any.pkg.tar.zst"), "package").unwrap();
        copy(&manifest(), &folder, &zone).unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
    }
}
