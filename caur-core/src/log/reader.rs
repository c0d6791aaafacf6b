//! Reads a log from a place in it and follows it to its end, in one motion.

use std::collections::VecDeque;
use std::time::Duration;

use redis::AsyncCommands;
use redis::streams::{StreamReadOptions, StreamReadReply};

use super::piece::{Content, Entry};
use super::{LogCursor, LogEnd, LogError, LogPiece, key};
use crate::link::{Dedicated, MAX_BLOCK, RedisLink};
use crate::model::JobId;

/// Entries that one read takes; an entry has at most 64 KiB.
const ENTRIES: usize = 16;

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogChunk {
    /// The next bytes.
    Data {
        /// Offset of the first byte.
        offset: u64,
        /// When they reached Redis, in milliseconds since 1970 by Redis' clock.
        at: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// This many bytes were cut out here.
    Cut(u64),
    /// Nothing comes any more.
    End {
        /// The state that the job entered, such as `failed`.
        state: String,
        /// Why, in words.
        reason: String,
    },
}

/// Reads one attempt's log. Remembers its position, so an error can be followed by another try.
pub struct LogReader {
    link: RedisLink,
    connection: Option<Dedicated>,
    job: JobId,
    key: String,
    /// Behind the last entry that was read.
    position: LogCursor,
    ready: VecDeque<LogChunk>,
    ended: bool,
}

impl LogReader {
    /// A reader at the start of the log of one attempt, which need not exist yet.
    #[must_use]
    pub fn new(link: RedisLink, job: JobId, attempt: u32) -> Self {
        Self::from(link, job, attempt, LogCursor::START)
    }

    /// A reader that goes on at `cursor`.
    #[must_use]
    pub fn from(link: RedisLink, job: JobId, attempt: u32, cursor: LogCursor) -> Self {
        Self {
            link,
            connection: None,
            job,
            key: key(job, attempt),
            position: cursor,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// A reader of a log that was read to its end already.
    pub(super) fn at_end(mut self) -> Self {
        self.ended = true;
        self
    }

    /// The next piece, waiting up to `wait` for it (at most half a minute); none when nothing came, or after the end.
    ///
    /// # Errors
    /// [`LogError`] when Redis is out of reach; the position is kept.
    pub async fn next(&mut self, wait: Duration) -> Result<Option<LogChunk>, LogError> {
        if self.ready.is_empty() && !self.ended {
            let reply = self.read(wait).await?;
            for entry in reply.keys.into_iter().flat_map(|stream| stream.ids) {
                self.take(Entry::read(entry, self.position.offset()));
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Whether the end was reached.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    fn take(&mut self, entry: Entry) {
        let expected = self.position.offset();
        match &entry.content {
            Content::End(_) => {
                self.position = entry.back(expected);
                self.ended = true;
            }
            Content::Bytes(piece) => {
                self.position = entry.back(piece.end());
                if piece.offset > expected {
                    self.ready.push_back(LogChunk::Cut(piece.offset - expected));
                }
            }
        }
        self.ready.push_back(match entry.content {
            Content::End(LogEnd { state, reason, .. }) => LogChunk::End { state, reason },
            Content::Bytes(LogPiece { offset, at, bytes }) => LogChunk::Data { offset, at, bytes },
        });
    }

    async fn read(&mut self, wait: Duration) -> Result<StreamReadReply, LogError> {
        let job = self.job;
        let failed = |source| LogError::Link {
            action: "read",
            job,
            source,
        };
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self
                .connection
                .insert(self.link.dedicated().await.map_err(failed)?),
        };
        let mut options = StreamReadOptions::default().count(ENTRIES);
        if !wait.is_zero() {
            let millis = usize::try_from(wait.min(MAX_BLOCK).as_millis()).unwrap_or(usize::MAX);
            options = options.block(millis.max(1));
        }
        let reply: redis::RedisResult<Option<StreamReadReply>> = connection
            .xread_options(&[&self.key], &[self.position.id()], &options)
            .await;
        match reply {
            Ok(reply) => Ok(reply.unwrap_or_default()),
            Err(error) => {
                self.connection = None;
                Err(failed(self.link.report(error).await))
            }
        }
    }
}
