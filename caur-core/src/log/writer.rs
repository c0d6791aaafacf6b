//! Writes a live log in batches, within its size limit, and through outages of Redis.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use redis::Script;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::LogError;
use crate::link::{LinkError, RedisLink};
use crate::model::LeaseToken;

static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("append.lua")));
static STANDS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("stands.lua")));

/// A batch is sent when it has this many bytes …
const BATCH_BYTES: usize = 64 << 10;
/// … or when its first byte is this old.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// How long after a failure the next append begins.
const RETRY: Duration = Duration::from_secs(1);
/// Bytes that wait for Redis at most; then the oldest go, and the reader sees a cut.
const BUFFER_BYTES: usize = 8 << 20;
/// Pieces of output that wait for the writer at most; then the build's output is read more slowly.
const QUEUE_LENGTH: usize = 64;

/// Entries that one look at what stands there already takes.
const STANDS_ENTRIES: usize = 1000;

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
        Self::spawn(link, token, limits, State::run)
    }

    /// Starts a writer that goes on where an earlier one of the same attempt stopped, whose process is gone: its
    /// output comes behind what is there, and the limits count both. Must run inside a tokio runtime.
    #[must_use]
    pub fn resume(link: RedisLink, token: LeaseToken, limits: LogLimits) -> Self {
        Self::spawn(link, token, limits, State::catch_up_and_run)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(
        link: RedisLink,
        token: LeaseToken,
        limits: LogLimits,
        work: impl FnOnce(State, mpsc::Receiver<Vec<u8>>) -> F,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let abandon = CancellationToken::new();
        let state = State::new(link, token, limits, abandon.clone());
        Self {
            sender,
            task: tokio::spawn(work(state, receiver)),
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

/// What an earlier writer of the same attempt left.
#[derive(Debug, Default)]
struct Standing {
    /// Offset behind its last byte.
    end: u64,
    /// Entries after the head, oldest first, with their sizes.
    tail: VecDeque<(String, u64)>,
}

/// Looks at what stands in the log, from its end back to its head; the bytes stay where they are.
async fn standing(link: RedisLink, token: LeaseToken, head: u64) -> Result<Standing, LinkError> {
    let mut standing = Standing::default();
    let mut below = "+".to_owned();
    loop {
        let mut call = STANDS.prepare_invoke();
        call.arg(token.job.0)
            .arg(token.attempt)
            .arg(&below)
            .arg(STANDS_ENTRIES);
        let entries: Vec<(String, i64, u64)> = link
            .run(|mut connection| async move { call.invoke_async(&mut connection).await })
            .await?;
        let whole = entries.len() < STANDS_ENTRIES;
        for (id, offset, length) in entries {
            below.clone_from(&id);
            let Ok(offset) = u64::try_from(offset) else {
                continue;
            };
            let end = offset + length;
            standing.end = standing.end.max(end);
            if end <= head {
                return Ok(standing);
            }
            standing.tail.push_front((id, length));
        }
        if whole {
            return Ok(standing);
        }
    }
}

/// An append that is under way.
struct Flight {
    answer: BoxFuture<'static, Result<Option<String>, LinkError>>,
    /// Offset behind its last byte.
    end: u64,
    bytes: u64,
    removes: usize,
}

struct State {
    link: RedisLink,
    token: LeaseToken,
    limits: LogLimits,
    abandon: CancellationToken,
    /// Bytes that are not in Redis yet, as far as known.
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

    /// Finds out where the log stands, and takes output meanwhile.
    async fn catch_up_and_run(mut self, mut receiver: mpsc::Receiver<Vec<u8>>) {
        let mut open = true;
        let look = |this: &Self| standing(this.link.clone(), this.token.clone(), this.limits.head).boxed();
        let mut looking = look(&self);
        loop {
            tokio::select! {
                piece = receiver.recv(), if open => match piece {
                    Some(piece) => self.take(&piece),
                    None => open = false,
                },
                answer = &mut looking => match answer {
                    Ok(standing) => {
                        // Output that was dropped meanwhile has its place, too.
                        self.offset += standing.end;
                        self.tail_bytes = standing.tail.iter().map(|(_, size)| size).sum();
                        self.tail = standing.tail;
                        break;
                    }
                    Err(error) => {
                        tracing::debug!(job = %self.token.job, %error, "the log waits for Redis");
                        let next = look(&self);
                        looking = async move {
                            tokio::time::sleep(RETRY).await;
                            next.await
                        }
                        .boxed();
                    }
                },
                () = self.abandon.cancelled() => return,
            }
        }
        self.run(receiver).await;
    }

    /// Takes output while an append is under way: a Redis that does not answer must not hold up the build.
    async fn run(mut self, mut receiver: mpsc::Receiver<Vec<u8>>) {
        let mut open = true;
        let mut flight: Option<Flight> = None;
        // When the next append may begin; none while nothing waits for one.
        let mut due: Option<Instant> = (!self.buffer.is_empty()).then(Instant::now);
        let mut not_before = Instant::now();
        loop {
            if flight.is_none() && self.buffer.is_empty() && !open {
                return;
            }
            tokio::select! {
                piece = receiver.recv(), if open => match piece {
                    Some(piece) => {
                        self.take(&piece);
                        let now = Instant::now();
                        let full = self.buffer.len() >= BATCH_BYTES;
                        let wish = if full { now } else { due.unwrap_or(now + BATCH_DELAY) };
                        due = Some(wish.max(not_before));
                    }
                    None => open = false,
                },
                answer = async { (&mut flight.as_mut().expect("checked").answer).await }, if flight.is_some() => {
                    let Some(done) = flight.take() else { continue };
                    match answer {
                        Ok(Some(id)) => {
                            self.written(&done, id);
                            due = (!self.buffer.is_empty()).then(Instant::now);
                        }
                        // The lease is lost: nobody wants this log any more.
                        Ok(None) => return,
                        Err(error) => {
                            tracing::debug!(job = %self.token.job, %error, "the log waits for Redis");
                            not_before = Instant::now() + RETRY;
                            due = Some(not_before);
                        }
                    }
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)),
                    if flight.is_none() && !self.buffer.is_empty() && due.is_some() =>
                {
                    flight = Some(self.launch());
                }
                () = self.abandon.cancelled() => return,
            }
            if !open && due.is_none() && !self.buffer.is_empty() {
                due = Some(Instant::now());
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

    /// Begins to append the next batch.
    fn launch(&self) -> Flight {
        let length = self.buffer.len().min(BATCH_BYTES);
        let bytes = self.buffer[..length].to_vec();
        let remove = self.overflow(length as u64);
        let offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
        let (link, token, retention) = (self.link.clone(), self.token.clone(), self.limits.retention);
        let removes = remove.len();
        let answer = async move { append(&link, &token, offset, &bytes, retention, &remove).await };
        Flight {
            answer: answer.boxed(),
            end: self.offset + length as u64,
            bytes: length as u64,
            removes,
        }
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

    fn written(&mut self, done: &Flight, id: String) {
        for (_, size) in self.tail.drain(..done.removes) {
            self.tail_bytes -= size;
        }
        // An id is unknown where the entry was there already; such an entry stays.
        if done.end > self.limits.head && !id.is_empty() {
            self.tail.push_back((id, done.bytes));
            self.tail_bytes += done.bytes;
        }
        // The buffer may have lost its oldest bytes meanwhile.
        let behind = done.end.saturating_sub(self.offset);
        self.buffer.drain(
            ..usize::try_from(behind)
                .unwrap_or(usize::MAX)
                .min(self.buffer.len()),
        );
        self.offset = self.offset.max(done.end);
    }
}
