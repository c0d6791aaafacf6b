//! Writes a live log in batches, within its size limit, and through outages of Redis.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::LogError;
use crate::link::{LinkError, RedisLink};
use crate::model::LeaseToken;

static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("append.lua")));

/// A batch is sent when it has this many bytes …
const BATCH_BYTES: usize = 64 << 10;
/// … or when its first byte is this old.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// Bytes that wait for Redis at most; then the oldest go, and the reader sees a cut.
const BUFFER_BYTES: usize = 8 << 20;
/// Pieces of output that wait for the writer at most; then the build's output is read more slowly.
const QUEUE_LENGTH: usize = 64;

/// How much of a log is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// Bytes from its start.
    pub head: u64,
    /// Bytes from its end.
    pub tail: u64,
    /// Time after the last line.
    pub retention: Duration,
}

/// The writer of one attempt's log. It stops by itself when the lease is lost.
pub struct LogWriter {
    sender: mpsc::Sender<Vec<u8>>,
    task: JoinHandle<()>,
    abandon: CancellationToken,
}

impl LogWriter {
    /// Starts a writer for the attempt that `token` proves. Must run inside a tokio runtime.
    #[must_use]
    pub fn start(link: RedisLink, token: LeaseToken, limits: LogLimits) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let abandon = CancellationToken::new();
        let state = State::new(link, token, limits, abandon.clone());
        Self {
            sender,
            task: tokio::spawn(state.run(receiver)),
            abandon,
        }
    }

    /// Where output goes. Sending waits while the writer cannot keep up, and fails once the lease is lost.
    #[must_use]
    pub fn sender(&self) -> mpsc::Sender<Vec<u8>> {
        self.sender.clone()
    }

    /// Writes what is left and stops; other senders have to be dropped before. Gives up after `limit`.
    pub async fn close(self, limit: Duration) {
        drop(self.sender);
        if tokio::time::timeout(limit, self.task).await.is_err() {
            self.abandon.cancel();
        }
    }

    /// Appends `text` to a log that somebody else began, such as the builder's when its packages are published.
    ///
    /// # Errors
    /// [`LogError`] when Redis is out of reach. A lost lease is not an error: then nothing is written.
    pub async fn append(
        link: &RedisLink,
        token: &LeaseToken,
        text: &str,
        retention: Duration,
    ) -> Result<(), LogError> {
        append(link, token, -1, text.as_bytes(), retention, &[])
            .await
            .map(|_| ())
            .map_err(|source| LogError::Link {
                action: "write",
                job: token.job,
                source,
            })
    }
}

/// The new entry's id, empty where it was there already, none when the lease is lost.
async fn append(
    link: &RedisLink,
    token: &LeaseToken,
    offset: i64,
    bytes: &[u8],
    retention: Duration,
    remove: &[String],
) -> Result<Option<String>, LinkError> {
    let mut call = APPEND.prepare_invoke();
    call.arg(token.job.0)
        .arg(token.attempt)
        .arg(&token.nonce)
        .arg(offset)
        .arg(bytes)
        .arg(retention.as_secs())
        .arg(remove);
    link.run(|mut connection| async move { call.invoke_async(&mut connection).await })
        .await
}

struct State {
    link: RedisLink,
    token: LeaseToken,
    limits: LogLimits,
    abandon: CancellationToken,
    /// Bytes that are not in Redis yet.
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte.
    offset: u64,
    /// Entries after the head, oldest first, with their sizes.
    tail: VecDeque<(String, u64)>,
    tail_bytes: u64,
}

impl State {
    fn new(link: RedisLink, token: LeaseToken, limits: LogLimits, abandon: CancellationToken) -> Self {
        Self {
            link,
            token,
            limits,
            abandon,
            buffer: Vec::new(),
            offset: 0,
            tail: VecDeque::new(),
            tail_bytes: 0,
        }
    }

    async fn run(mut self, mut receiver: mpsc::Receiver<Vec<u8>>) {
        let mut due: Option<Instant> = None;
        loop {
            let flush_at = due.unwrap_or_else(|| Instant::now() + BATCH_DELAY);
            let piece = tokio::select! {
                piece = receiver.recv() => piece,
                () = tokio::time::sleep_until(flush_at), if due.is_some() => {
                    if !self.flush().await {
                        return;
                    }
                    due = None;
                    continue;
                }
            };
            let Some(piece) = piece else { break };
            self.take(&piece);
            if self.buffer.len() >= BATCH_BYTES {
                if !self.flush().await {
                    return;
                }
                due = None;
            } else if due.is_none() {
                due = Some(Instant::now() + BATCH_DELAY);
            }
        }
        while !self.buffer.is_empty() && self.flush().await {
            if !self.buffer.is_empty() {
                self.link.wait_until_up(&self.abandon).await;
                if self.abandon.is_cancelled() {
                    return;
                }
            }
        }
    }

    fn take(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() > BUFFER_BYTES {
            let excess = self.buffer.len() - BUFFER_BYTES;
            self.buffer.drain(..excess);
            self.offset += excess as u64;
        }
    }

    /// Sends the buffer; keeps it where Redis is out of reach. False when the lease is lost.
    async fn flush(&mut self) -> bool {
        while !self.buffer.is_empty() {
            let length = self.buffer.len().min(BATCH_BYTES);
            let remove = self.overflow(length as u64);
            let offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
            let bytes = &self.buffer[..length];
            match append(
                &self.link,
                &self.token,
                offset,
                bytes,
                self.limits.retention,
                &remove,
            )
            .await
            {
                Ok(Some(id)) => self.written(length, id, remove.len()),
                Ok(None) => return false,
                Err(error) => {
                    tracing::debug!(job = %self.token.job, %error, "log waits for Redis");
                    return true;
                }
            }
        }
        true
    }

    /// The oldest tail entries that have to go so that `more` bytes fit.
    fn overflow(&self, more: u64) -> Vec<String> {
        let mut bytes = self.tail_bytes + more;
        let mut remove = Vec::new();
        for (id, size) in &self.tail {
            if bytes <= self.limits.tail {
                break;
            }
            bytes -= size;
            remove.push(id.clone());
        }
        remove
    }

    fn written(&mut self, length: usize, id: String, removed: usize) {
        for (_, size) in self.tail.drain(..removed) {
            self.tail_bytes -= size;
        }
        let end = self.offset + length as u64;
        // An id is unknown where the entry was there already; such an entry stays.
        if end > self.limits.head && !id.is_empty() {
            self.tail.push_back((id, length as u64));
            self.tail_bytes += length as u64;
        }
        self.buffer.drain(..length);
        self.offset = end;
    }
}
