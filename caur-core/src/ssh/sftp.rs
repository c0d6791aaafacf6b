//! What an upload needs of SFTP: single requests that name what they were about when they fail, and writes
//! of which many are under way at once.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::rawsession::Limits;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::extensions;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{LocalFile, Session, UploadError};

/// Bytes in one write request. Larger ones gain nothing, as the SSH channel cuts them to this size anyway.
const CHUNK: usize = 32 * 1024;

/// Write requests under way at once: 4 MiB, more than the 2 MiB that OpenSSH takes on a channel before it has
/// answered, so that the server sets the pace.
const IN_FLIGHT: usize = 128;

/// Requests behind 4 MiB of writes wait for their turn; who watches progress decides when it is too long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the server may take to bring a file to its disk.
const SYNC_TIMEOUT: Duration = Duration::from_secs(600);

/// An SFTP conversation about one upload.
pub(super) struct Sftp<'a> {
    raw: RawSftpSession,
    target: &'a str,
    can_sync: bool,
    can_statvfs: bool,
    chunk: usize,
    limit: Duration,
    cancel: &'a CancellationToken,
}

/// What a directory holds: name and size of each entry, `.` and `..` left out.
pub(super) type Listing = Vec<(String, u64)>;

impl<'a> Sftp<'a> {
    /// Starts SFTP in `session`. An answer that takes longer than `limit`, and `cancel`, end every request.
    pub async fn start(
        session: &'a Session,
        limit: Duration,
        cancel: &'a CancellationToken,
    ) -> Result<Self, UploadError> {
        let stream = session.open_sftp().await?;
        let config = Config {
            request_timeout_secs: REQUEST_TIMEOUT.as_secs(),
            ..Config::default()
        };
        let mut sftp = Self {
            raw: RawSftpSession::new_with_config(stream, config),
            target: session.target(),
            can_sync: false,
            can_statvfs: false,
            chunk: CHUNK,
            limit,
            cancel,
        };
        let version = sftp.request("start SFTP", "", sftp.raw.init()).await?;
        let has = |name: &str| version.extensions.contains_key(name);
        sftp.can_sync = has(extensions::FSYNC);
        sftp.can_statvfs = has(extensions::STATVFS);
        if has(extensions::LIMITS) {
            let limits = Limits::from(sftp.request("ask for limits", "", sftp.raw.limits()).await?);
            let most = limits.write_len.and_then(|most| usize::try_from(most).ok());
            sftp.chunk = most.map_or(CHUNK, |most| CHUNK.min(most));
        }
        Ok(sftp)
    }

    /// The entries of a directory; none where there is nothing of that name.
    pub async fn list(&self, path: &str) -> Result<Option<Listing>, UploadError> {
        let action = "list";
        let opened = Self::optional(self.request(action, path, self.raw.opendir(path)).await)?;
        let Some(handle) = opened else {
            return Ok(None);
        };
        let mut listing = Listing::new();
        loop {
            match self
                .request(action, path, self.raw.readdir(&*handle.handle))
                .await
            {
                Ok(name) => {
                    let entries = name
                        .files
                        .into_iter()
                        .filter(|file| !matches!(&*file.filename, "." | ".."));
                    listing.extend(entries.map(|file| (file.filename, file.attrs.size.unwrap_or(0))));
                }
                Err(error) if error.status() == Some(StatusCode::Eof) => break,
                Err(error) => return Err(error),
            }
        }
        self.request(action, path, self.raw.close(handle.handle)).await?;
        Ok(Some(listing))
    }

    /// Removes a directory and the files in it; fine where there is none.
    pub async fn remove_directory(&self, path: &str) -> Result<(), UploadError> {
        for (name, _) in self.list(path).await?.unwrap_or_default() {
            let file = format!("{path}/{name}");
            Self::optional(self.request("remove", &file, self.raw.remove(&*file)).await)?;
        }
        Self::optional(self.request("remove", path, self.raw.rmdir(path)).await)?;
        Ok(())
    }

    /// Makes a directory whose parent exists.
    pub async fn make_directory(&self, path: &str) -> Result<(), UploadError> {
        let made = self.raw.mkdir(path, FileAttributes::empty());
        self.request("create the directory", path, made).await?;
        Ok(())
    }

    /// Renames a directory to a name that must be free.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), UploadError> {
        self.request("rename to its final name", from, self.raw.rename(from, to))
            .await?;
        Ok(())
    }

    /// Free bytes of the file system that holds `path`; none where the server cannot tell.
    pub async fn free_space(&self, path: &str) -> Result<Option<u64>, UploadError> {
        if !self.can_statvfs {
            return Ok(None);
        }
        let stat = self
            .request("look at the free space of", path, self.raw.statvfs(path))
            .await?;
        Ok(Some(stat.blocks_avail.saturating_mul(stat.fragment_size)))
    }

    /// Sends a file to a new remote one, brings it to the server's disk and compares its size.
    /// `acknowledged` hears of each piece that the server has taken.
    pub async fn send(
        &self,
        local: &LocalFile,
        remote: &str,
        mut acknowledged: impl FnMut(u64),
    ) -> Result<(), UploadError> {
        let mut source = File::open(&local.path)
            .await
            .map_err(|error| UploadError::local(local, error))?;
        let flags = OpenFlags::CREATE | OpenFlags::WRITE | OpenFlags::EXCLUDE;
        let opened = self.raw.open(remote, flags, FileAttributes::empty());
        let handle = self.request("create", remote, opened).await?.handle;

        let mut writes = FuturesUnordered::new();
        let mut offset = 0;
        let mut at_end = false;
        let mut deadline = Instant::now() + self.limit;
        loop {
            while !at_end && writes.len() < IN_FLIGHT {
                let piece = read_piece(&mut source, self.chunk).await;
                let piece = piece.map_err(|error| UploadError::local(local, error))?;
                at_end = piece.is_empty();
                if !at_end {
                    let length = piece.len() as u64;
                    let write = self.raw.write(&*handle, offset, piece);
                    writes.push(async move { write.await.map(|_| length) });
                    offset += length;
                }
            }
            let written = tokio::select! {
                written = writes.next() => written,
                () = sleep_until(deadline) => return Err(self.stalled("write", remote)),
                () = self.cancel.cancelled() => return Err(UploadError::Canceled),
            };
            match written {
                Some(Ok(length)) => {
                    deadline = Instant::now() + self.limit;
                    acknowledged(length);
                }
                Some(Err(error)) => return Err(self.failed("write", remote, error)),
                None => break,
            }
        }
        if self.can_sync {
            let limit = SYNC_TIMEOUT.max(self.limit);
            let synced = self.raw.fsync(&*handle);
            self.request_within(limit, "bring to disk", remote, synced)
                .await?;
        }
        let stat = self.request("look at", remote, self.raw.fstat(&*handle)).await?;
        self.request("close", remote, self.raw.close(&*handle)).await?;
        let arrived = stat.attrs.size.unwrap_or(offset);
        if offset != local.size || arrived != local.size {
            return Err(UploadError::WrongSize {
                path: local.path.clone(),
                expected: local.size,
                read: offset,
                arrived,
            });
        }
        Ok(())
    }

    async fn request<T>(
        &self,
        action: &'static str,
        path: &str,
        answer: impl Future<Output = Result<T, SftpError>>,
    ) -> Result<T, UploadError> {
        self.request_within(self.limit, action, path, answer).await
    }

    async fn request_within<T>(
        &self,
        limit: Duration,
        action: &'static str,
        path: &str,
        answer: impl Future<Output = Result<T, SftpError>>,
    ) -> Result<T, UploadError> {
        tokio::select! {
            answer = answer => answer.map_err(|error| self.failed(action, path, error)),
            () = tokio::time::sleep(limit) => Err(self.stalled(action, path)),
            () = self.cancel.cancelled() => Err(UploadError::Canceled),
        }
    }

    /// Takes "no such file" for an answer.
    fn optional<T>(outcome: Result<T, UploadError>) -> Result<Option<T>, UploadError> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.status() == Some(StatusCode::NoSuchFile) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn failed(&self, action: &'static str, path: &str, error: SftpError) -> UploadError {
        let (target, path) = (self.target.to_owned(), path.to_owned());
        match error {
            SftpError::Status(status) => UploadError::Refused {
                target,
                action,
                path,
                status: status.status_code,
            },
            error @ (SftpError::IO(_)
            | SftpError::Timeout
            | SftpError::Limited(_)
            | SftpError::UnexpectedPacket
            | SftpError::UnexpectedBehavior(_)) => UploadError::Lost {
                target,
                action,
                path,
                reason: error.to_string(),
            },
        }
    }

    fn stalled(&self, action: &'static str, path: &str) -> UploadError {
        UploadError::Stalled {
            target: self.target.to_owned(),
            action,
            path: path.to_owned(),
            seconds: self.limit.as_secs(),
        }
    }
}

/// The next piece of a file, of full length except at its end, where it is empty.
async fn read_piece(source: &mut File, length: usize) -> std::io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(length);
    let mut rest = source.take(length as u64);
    rest.read_to_end(&mut piece).await?;
    Ok(piece)
}
