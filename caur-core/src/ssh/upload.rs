//! Uploading a directory so that it appears under its final name whole or not at all.
//!
//! It grows under another name; every file's size is compared and, where the server can, brought to its
//! disk; one rename completes it. An upload that was cut leaves only the other name, which the next try of
//! the same attempt clears away. A try after a lost acknowledgement finds its work done and succeeds.

use std::path::PathBuf;
use std::time::Duration;

use russh_sftp::protocol::StatusCode;
use tokio_util::sync::CancellationToken;

use super::sftp::Sftp;
use super::{Session, SshError};

/// A file to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Its name in the uploaded directory.
    pub name: String,
    /// Its size in bytes, as the manifest states it.
    pub size: u64,
}

/// What to upload, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload<'a> {
    /// The files.
    pub files: &'a [LocalFile],
    /// The directory while it grows, `…/JOB.ATTEMPT.part`. Nobody else may use this name.
    pub part: &'a str,
    /// The directory when it is complete, `…/JOB.ATTEMPT`, on the same file system.
    pub complete: &'a str,
    /// The upload fails when the server takes not one piece for this long.
    pub progress_timeout: Duration,
}

/// Why an upload failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The session could not be used.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// A local file could not be read.
    #[error("cannot read {} for the upload: {source}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name that would lead out of the directory.
    #[error("{0:?} is not a file name that can be uploaded")]
    BadName(String),
    /// The landing zone does not exist.
    #[error("there is no directory {path} on {target}; create the landing zone, or correct its path")]
    NoLandingZone {
        /// `user@host:port`.
        target: String,
        /// The landing zone.
        path: String,
    },
    /// The landing zone's file system is full.
    #[error(
        "no space left for the upload to {path} on {target}: {needed} bytes are needed and {free} are free"
    )]
    NoSpace {
        /// `user@host:port`.
        target: String,
        /// The landing zone.
        path: String,
        /// Bytes of all files.
        needed: u64,
        /// Free bytes there.
        free: u64,
    },
    /// Something else has the final name.
    #[error("{path} exists already on {target} and holds something else; nothing was changed")]
    Exists {
        /// `user@host:port`.
        target: String,
        /// The directory.
        path: String,
    },
    /// The server refused a request.
    #[error("cannot {action} {path} on {target}: {}", words(*status))]
    Refused {
        /// `user@host:port`.
        target: String,
        /// What was asked for.
        action: &'static str,
        /// What it was about.
        path: String,
        /// The server's answer.
        status: StatusCode,
    },
    /// The connection broke.
    #[error("the connection to {target} was lost on the way to {action} {path}: {reason}")]
    Lost {
        /// `user@host:port`.
        target: String,
        /// What was asked for.
        action: &'static str,
        /// What it was about.
        path: String,
        /// What the SFTP library saw.
        reason: String,
    },
    /// The server stopped answering.
    #[error("{target} made no progress for {seconds} s on the way to {action} {path}")]
    Stalled {
        /// `user@host:port`.
        target: String,
        /// What was asked for.
        action: &'static str,
        /// What it was about.
        path: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A file is not as long as it should be.
    #[error(
        "{} should have {expected} bytes, {read} were read and {arrived} arrived; was it changed during the upload?",
        path.display()
    )]
    WrongSize {
        /// The local file.
        path: PathBuf,
        /// As stated.
        expected: u64,
        /// As read here.
        read: u64,
        /// As the server has it.
        arrived: u64,
    },
    /// The caller gave it up.
    #[error("the upload was canceled")]
    Canceled,
}

impl UploadError {
    /// Whether trying again may help without anyone changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Ssh(error) => !error.is_permanent(),
            Self::Lost { .. } | Self::Stalled { .. } | Self::NoSpace { .. } => true,
            Self::Local { .. }
            | Self::BadName(_)
            | Self::NoLandingZone { .. }
            | Self::Exists { .. }
            | Self::Refused { .. }
            | Self::WrongSize { .. }
            | Self::Canceled => false,
        }
    }

    pub(super) fn local(file: &LocalFile, source: std::io::Error) -> Self {
        Self::Local {
            path: file.path.clone(),
            source,
        }
    }

    /// The server's status, where it refused.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Ssh(_)
            | Self::Local { .. }
            | Self::BadName(_)
            | Self::NoLandingZone { .. }
            | Self::NoSpace { .. }
            | Self::Exists { .. }
            | Self::Lost { .. }
            | Self::Stalled { .. }
            | Self::WrongSize { .. }
            | Self::Canceled => None,
        }
    }
}

/// Uploads `upload.files`. `progress` hears how many bytes the server has taken in all.
///
/// # Errors
/// [`UploadError`]; whatever arrived until then has only the name `upload.part`.
pub async fn upload_directory(
    session: &Session,
    upload: &Upload<'_>,
    mut progress: impl FnMut(u64),
    cancel: &CancellationToken,
) -> Result<(), UploadError> {
    for file in upload.files {
        if file.name.is_empty() || file.name.contains(['/', '\0']) || matches!(&*file.name, "." | "..") {
            return Err(UploadError::BadName(file.name.clone()));
        }
    }
    let sftp = Sftp::start(session, upload.progress_timeout, cancel).await?;
    if is_complete(&sftp, upload, session.target()).await? {
        progress(total_size(upload));
        return Ok(());
    }
    sftp.remove_directory(upload.part).await?;
    make_room(&sftp, upload, session.target()).await?;

    let mut taken = 0;
    for file in upload.files {
        let remote = format!("{}/{}", upload.part, file.name);
        let sent = sftp.send(file, &remote, |bytes| {
            taken += bytes;
            progress(taken);
        });
        if let Err(error) = sent.await {
            return Err(explain(&sftp, upload, session.target(), error).await);
        }
    }
    match sftp.rename(upload.part, upload.complete).await {
        // The answer to an earlier request may have been lost with the name already given.
        Err(error) if error.status().is_some() => match is_complete(&sftp, upload, session.target()).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(error),
        },
        outcome => outcome,
    }
}

fn total_size(upload: &Upload<'_>) -> u64 {
    upload.files.iter().map(|file| file.size).sum()
}

/// The landing zone: what holds the growing directory.
fn landing_zone<'a>(upload: &Upload<'a>) -> &'a str {
    match upload.part.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
        None => ".",
    }
}

/// Whether the final name holds just what we would put there.
async fn is_complete(sftp: &Sftp<'_>, upload: &Upload<'_>, target: &str) -> Result<bool, UploadError> {
    let Some(mut found) = sftp.list(upload.complete).await? else {
        return Ok(false);
    };
    let mut expected: Vec<_> = upload
        .files
        .iter()
        .map(|file| (file.name.clone(), file.size))
        .collect();
    found.sort();
    expected.sort();
    if found == expected {
        return Ok(true);
    }
    Err(UploadError::Exists {
        target: target.to_owned(),
        path: upload.complete.to_owned(),
    })
}

/// Makes the growing directory after a look at the free space.
async fn make_room(sftp: &Sftp<'_>, upload: &Upload<'_>, target: &str) -> Result<(), UploadError> {
    let zone = landing_zone(upload);
    let missing = |error: UploadError| match error.status() {
        Some(StatusCode::NoSuchFile) => UploadError::NoLandingZone {
            target: target.to_owned(),
            path: zone.to_owned(),
        },
        _ => error,
    };
    let needed = total_size(upload);
    if let Some(free) = sftp.free_space(zone).await.map_err(missing)?
        && free < needed
    {
        return Err(UploadError::NoSpace {
            target: target.to_owned(),
            path: zone.to_owned(),
            needed,
            free,
        });
    }
    sftp.make_directory(upload.part).await.map_err(missing)
}

/// SFTP has no word for a full disk: after a bare failure the free space tells.
async fn explain(sftp: &Sftp<'_>, upload: &Upload<'_>, target: &str, error: UploadError) -> UploadError {
    if error.status() != Some(StatusCode::Failure) {
        return error;
    }
    let zone = landing_zone(upload);
    match sftp.free_space(zone).await {
        Ok(Some(free)) if free < total_size(upload) => UploadError::NoSpace {
            target: target.to_owned(),
            path: zone.to_owned(),
            needed: total_size(upload),
            free,
        },
        Ok(_) | Err(_) => error,
    }
}

fn words(status: StatusCode) -> &'static str {
    match status {
        StatusCode::Ok | StatusCode::Eof => "an answer that makes no sense here",
        StatusCode::NoSuchFile => "no such file or directory",
        StatusCode::PermissionDenied => "permission denied; does the account own the landing zone?",
        StatusCode::Failure => "the server failed without saying why; its log may know more",
        StatusCode::BadMessage => "the server did not understand the request",
        StatusCode::NoConnection | StatusCode::ConnectionLost => "the server lost its connection",
        StatusCode::OpUnsupported => "the server does not support it",
    }
}
