//! Waiting for news without asking all the time.

use std::time::Duration;

use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{Cmd, FromRedisValue, Pipeline};

use super::{Queue, QueueError, keys};
use crate::link::{Dedicated, MAX_BLOCK};
use crate::model::{JobId, RequestId};

/// Something that happened in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A job of this group may be claimed.
    Ready,
    /// Somebody wants this running job stopped.
    Cancel(JobId),
    /// A builder of this name, or every one (`*`), was paused, resumed or drained.
    Mode(String),
    /// An upload waits for a publisher.
    Uploaded,
    /// Somebody asks something of a repository, or asked and is to be looked after again.
    Asked,
    /// A request to a repository was answered.
    Answered(RequestId),
}

/// Waits for signals over a connection of its own, which it keeps. What happens between two waits is not missed.
pub struct Waiter {
    queue: Queue,
    stream: &'static str,
    tail: Tail,
    /// The last signal that was seen; none before the first look.
    mark: Option<String>,
}

impl Queue {
    /// Waits for what concerns builders.
    #[must_use]
    pub fn builder_signals(&self) -> Waiter {
        self.waiter(keys::WAKE)
    }

    /// Waits for what concerns publishers.
    #[must_use]
    pub fn publisher_signals(&self) -> Waiter {
        self.waiter(keys::WAKE_PUBLISHER)
    }

    /// Waits for requests to the repositories and for their answers.
    #[must_use]
    pub fn repository_signals(&self) -> Waiter {
        self.waiter(keys::WAKE_REPOSITORY)
    }

    fn waiter(&self, stream: &'static str) -> Waiter {
        Waiter {
            queue: self.clone(),
            stream,
            tail: Tail::new(self),
            mark: None,
        }
    }
}

impl Waiter {
    /// Notes where the signals stand: what comes later is told by [`Waiter::wait`]. Begin with this, then look at the
    /// queue, then wait.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn begin(&mut self) -> Result<(), QueueError> {
        if self.mark.is_none() {
            self.mark = Some(self.queue.newest(self.stream).await?);
        }
        Ok(())
    }

    /// The signals since the last call, waiting up to `wait` (half a minute at most) for the first; none when nothing
    /// happened. May be given up at any time: nothing is lost.
    ///
    /// # Errors
    /// [`QueueError::Link`]; the place is kept.
    pub async fn wait(&mut self, wait: Duration) -> Result<Vec<Signal>, QueueError> {
        self.begin().await?;
        let mark = self.mark.clone().unwrap_or_default();
        let mut pipeline = Pipeline::new();
        pipeline.add_command(read_after(self.stream, &mark, 1000, wait));
        let (reply,): (Option<StreamReadReply>,) = self.tail.run(&pipeline).await?;
        let entries = reply
            .unwrap_or_default()
            .keys
            .into_iter()
            .flat_map(|stream| stream.ids);
        let mut signals = Vec::new();
        for entry in entries {
            signals.extend(signal(&entry));
            self.mark = Some(entry.id);
        }
        Ok(signals)
    }
}

/// A connection of its own for reads that wait, which is kept from one to the next.
pub(super) struct Tail {
    queue: Queue,
    connection: Option<Dedicated>,
}

impl Tail {
    pub(super) fn new(queue: &Queue) -> Self {
        Self {
            queue: queue.clone(),
            connection: None,
        }
    }

    /// Whether the next read goes over the connection of the last one.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Runs commands of which the last may wait.
    pub(super) async fn run<T: FromRedisValue>(&mut self, pipeline: &Pipeline) -> Result<T, QueueError> {
        let link = |source| QueueError::Link {
            action: "wait for the queue",
            source,
        };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.queue.link.dedicated().await.map_err(link)?,
        };
        match pipeline.query_async(&mut connection).await {
            // The connection is put back only after an answer: one that was given up may still receive an old one.
            Ok(reply) => {
                self.connection = Some(connection);
                Ok(reply)
            }
            Err(error) => Err(link(self.queue.link.report(error).await)),
        }
    }
}

/// Reads what a stream holds after the entry `after`, waiting up to `wait` (half a minute at most) for the first.
pub(super) fn read_after(stream: &str, after: &str, limit: usize, wait: Duration) -> Cmd {
    // BLOCK 0 would wait for ever.
    let millis = usize::try_from(wait.min(MAX_BLOCK).as_millis()).unwrap_or(usize::MAX);
    let options = StreamReadOptions::default().count(limit).block(millis.max(1));
    Cmd::xread_options(&[stream], &[after], &options)
}

fn signal(entry: &redis::streams::StreamId) -> Option<Signal> {
    let text = |name: &str| entry.get::<String>(name);
    if let Some(id) = text("cancel") {
        return id.parse().ok().map(Signal::Cancel);
    }
    if let Some(name) = text("mode") {
        return Some(Signal::Mode(name));
    }
    if text("uploaded").is_some() {
        return Some(Signal::Uploaded);
    }
    if let Some(id) = text("answered") {
        return RequestId::new(id).ok().map(Signal::Answered);
    }
    if text("asked").is_some() {
        return Some(Signal::Asked);
    }
    text("ready").map(|_| Signal::Ready)
}
