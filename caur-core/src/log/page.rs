//! Pages of a log: its end, what stands before or behind a place, and what stands at an offset.
//!
//! One round trip and one page of bytes each, by a script that only reads. A Redis user who may run no scripts gets the
//! same by plain commands: finding an offset then costs an entry for each step, and pages are shorter where entries
//! are small, since only their number can be limited.

use redis::streams::{StreamId, StreamRangeReply};
use redis::{ErrorKind, FromRedisValue, ServerErrorKind};

use super::piece::{Content, Entry};
use super::{LogCursor, LogEnd, LogError, LogPiece, LogReader, key};
use crate::link::{LinkError, RedisLink};
use crate::model::JobId;

const PAGE: &str = include_str!("page.lua");

/// Bytes of a page at most.
pub const MAX_PAGE: u64 = 1 << 20;

/// What an entry has at most.
const ENTRY_BYTES: u64 = 64 << 10;

/// Some consecutive entries of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// Oldest first. Where the offset of one is not the end of the one before, the bytes between are cut out.
    pub pieces: Vec<LogPiece>,
    /// The place in front of them.
    pub first: LogCursor,
    /// The place behind them.
    pub behind: LogCursor,
    /// Whether nothing stands in front of them.
    pub reaches_start: bool,
}

/// The end of a log, or what is its end for now.
pub struct LogTail {
    /// The last pieces.
    pub page: LogPage,
    /// Length of the whole log in bytes, with what is cut out.
    pub length: u64,
    /// How the attempt ended, if it did.
    pub end: Option<LogEnd>,
    /// Goes on behind the page.
    pub reader: LogReader,
}

impl LogTail {
    /// Whether there is no log at all: nothing was printed yet, or it is not kept any more.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.page.pieces.is_empty() && self.end.is_none()
    }
}

/// The last entries of a log, up to `max_bytes` of them, one at least.
///
/// # Errors
/// [`LogError`] when Redis is out of reach.
pub async fn tail(link: &RedisLink, job: JobId, attempt: u32, max_bytes: u64) -> Result<LogTail, LogError> {
    let found = Source { link, job, attempt }
        .read(&Way::Before(LogCursor::BEHIND_ALL), max_bytes)
        .await?;
    let (page, end) = found.page(LogCursor::START);
    let mut reader = LogReader::from(link.clone(), job, attempt, page.behind);
    if end.is_some() {
        reader = reader.at_end();
    }
    Ok(LogTail {
        length: page.behind.offset(),
        page,
        end,
        reader,
    })
}

/// The last entries in front of `cursor`, up to `max_bytes` of them, one at least; none at the start of the log.
///
/// # Errors
/// [`LogError`] when Redis is out of reach.
pub async fn page_before(
    link: &RedisLink,
    job: JobId,
    attempt: u32,
    cursor: LogCursor,
    max_bytes: u64,
) -> Result<LogPage, LogError> {
    let source = Source { link, job, attempt };
    Ok(source.read(&Way::Before(cursor), max_bytes).await?.page(cursor).0)
}

/// The first entries behind `cursor`, up to `max_bytes` of them, one at least; none at the end of the log. For going
/// on as far as there is something; [`LogReader`] waits for more.
///
/// # Errors
/// [`LogError`] when Redis is out of reach.
pub async fn page_after(
    link: &RedisLink,
    job: JobId,
    attempt: u32,
    cursor: LogCursor,
    max_bytes: u64,
) -> Result<LogPage, LogError> {
    let source = Source { link, job, attempt };
    Ok(source.read(&Way::After(cursor), max_bytes).await?.page(cursor).0)
}

/// The entries from the one on that holds the byte at `offset`, up to `max_bytes` of them, one at least. Where that
/// byte is cut out, the first is the one behind the cut; behind the end of the log it is the last one.
///
/// # Errors
/// [`LogError`] when Redis is out of reach.
pub async fn page_at(
    link: &RedisLink,
    job: JobId,
    attempt: u32,
    offset: u64,
    max_bytes: u64,
) -> Result<LogPage, LogError> {
    let source = Source { link, job, attempt };
    Ok(source
        .read(&Way::At(offset), max_bytes)
        .await?
        .page(LogCursor::START)
        .0)
}

/// Which entries.
enum Way {
    Before(LogCursor),
    After(LogCursor),
    At(u64),
}

/// Entries, oldest first.
struct Found {
    entries: Vec<Entry>,
    reaches_start: bool,
}

impl Found {
    /// The page that they are, and the end if it is among them. Without entries the page stands at `place`.
    fn page(self, place: LogCursor) -> (LogPage, Option<LogEnd>) {
        let mut page = LogPage {
            pieces: Vec::with_capacity(self.entries.len()),
            first: place,
            behind: place,
            reaches_start: self.reaches_start,
        };
        let mut end = None;
        for entry in self.entries {
            if page.pieces.is_empty()
                && let Content::Bytes(piece) = &entry.content
            {
                page.first = entry.front(piece.offset);
            }
            match &entry.content {
                Content::Bytes(piece) => page.behind = entry.back(piece.end()),
                // Whoever goes on from here still has to meet the end.
                Content::End(_) => {}
            }
            match entry.content {
                Content::Bytes(piece) => page.pieces.push(piece),
                Content::End(ended) => end = Some(ended),
            }
        }
        (page, end)
    }
}

/// The log that is read.
struct Source<'a> {
    link: &'a RedisLink,
    job: JobId,
    attempt: u32,
}

impl Source<'_> {
    async fn read(&self, way: &Way, max_bytes: u64) -> Result<Found, LogError> {
        let max_bytes = max_bytes.min(MAX_PAGE);
        let found = match self.by_script(way, max_bytes).await {
            Err(LinkError::Command(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
                self.by_commands(way, max_bytes).await
            }
            found => found,
        };
        found.map_err(|source| LogError::Link {
            action: "read",
            job: self.job,
            source,
        })
    }

    async fn by_script(&self, way: &Way, max_bytes: u64) -> Result<Found, LinkError> {
        let mut command = redis::cmd("EVAL_RO");
        command.arg(PAGE).arg(1).arg(key(self.job, self.attempt));
        match way {
            Way::Before(place) => command.arg("before").arg(place.id()),
            Way::After(place) => command.arg("after").arg(place.id()),
            Way::At(offset) => command.arg("at").arg(*offset),
        };
        command.arg(max_bytes);
        let (reply, starts): (StreamRangeReply, bool) = self.run(command).await?;
        let mut entries = read_all(reply.ids);
        if matches!(way, Way::Before(_)) {
            entries.reverse();
        }
        Ok(Found {
            entries,
            reaches_start: starts,
        })
    }

    async fn by_commands(&self, way: &Way, max_bytes: u64) -> Result<Found, LinkError> {
        let count = (max_bytes / ENTRY_BYTES).max(1);
        match way {
            Way::Before(place) => {
                // The end of a log has no bytes, and does not count.
                let asked = count + 1;
                let mut entries = self.range("XREVRANGE", &place.id(), "-", asked).await?;
                let whole = (entries.len() as u64) < asked;
                let kept = fitting(&entries, max_bytes);
                let reaches_start = whole && kept == entries.len();
                entries.truncate(kept);
                entries.reverse();
                let reaches_start = reaches_start || begins(&entries);
                Ok(Found {
                    entries,
                    reaches_start,
                })
            }
            Way::After(place) => {
                self.forward(&format!("({}", place.id()), 0, count, max_bytes)
                    .await
            }
            Way::At(offset) => match self.find(*offset).await? {
                Some((from, offset)) => self.forward(&from, offset, count, max_bytes).await,
                None => Ok(Found {
                    entries: Vec::new(),
                    reaches_start: true,
                }),
            },
        }
    }

    /// Entries from the id `from` on, without those in front of `offset`.
    async fn forward(&self, from: &str, offset: u64, count: u64, max_bytes: u64) -> Result<Found, LinkError> {
        let mut from = from.to_owned();
        loop {
            let mut entries = self.range("XRANGE", &from, "+", count).await?;
            let last = entries.last().map(|entry| format!("({}", entry.id));
            entries.retain(|entry| !is_before(entry, offset));
            match last {
                Some(last) if entries.is_empty() => from = last,
                _ => {
                    entries.truncate(fitting(&entries, max_bytes));
                    let starts = begins(&entries);
                    return Ok(Found {
                        entries,
                        reaches_start: starts,
                    });
                }
            }
        }
    }

    /// An id shortly in front of the entry that holds `offset`, and the offset with the length of the log as its limit;
    /// none where the log is empty. Looks in turn where the offset would be if the log had grown evenly, and in the
    /// middle of the time that is left.
    async fn find(&self, offset: u64) -> Result<Option<(String, u64)>, LinkError> {
        let newest = self.range("XREVRANGE", "+", "-", 2).await?;
        let oldest = self.range("XRANGE", "-", "+", 1).await?;
        let last = newest.iter().find_map(|entry| Some((entry.id, piece_of(entry)?)));
        let first = oldest
            .first()
            .and_then(|entry| Some((entry.id, piece_of(entry)?)));
        let (Some((last_id, last)), Some((first_id, first))) = (last, first) else {
            return Ok(None);
        };
        let offset = offset.min(last.end().saturating_sub(1));
        // Nothing in front of `low` is late enough; the first entry from `high` on is.
        let (mut low, mut low_offset) = (first_id.millis, first.end());
        let (mut high, mut high_offset) = (last_id.millis, last.offset);
        let mut by_offset = true;
        while first.end() <= offset && high - low > 1 {
            let middle = if by_offset && low_offset < high_offset {
                let way = u128::from(high - low) * u128::from(offset.saturating_sub(low_offset));
                low + u64::try_from(way / u128::from(high_offset - low_offset)).unwrap_or(0)
            } else {
                low + (high - low) / 2
            };
            by_offset = !by_offset;
            let middle = middle.clamp(low + 1, high - 1);
            let entries = self.range("XRANGE", &middle.to_string(), "+", 1).await?;
            match entries
                .first()
                .and_then(|entry| Some((entry.id, piece_of(entry)?)))
            {
                Some((id, piece)) if piece.offset <= offset && offset < piece.end() => {
                    return Ok(Some((id.to_string(), offset)));
                }
                Some((id, piece)) if piece.end() <= offset => (low, low_offset) = (id.millis, piece.end()),
                Some((_, piece)) => (high, high_offset) = (middle, piece.offset),
                // Entries went away meanwhile.
                None => high = middle,
            }
        }
        Ok(Some((low.to_string(), offset)))
    }

    async fn range(&self, command: &str, from: &str, to: &str, count: u64) -> Result<Vec<Entry>, LinkError> {
        let mut command = redis::cmd(command);
        command.arg(key(self.job, self.attempt)).arg(from).arg(to);
        command.arg("COUNT").arg(count);
        let reply: StreamRangeReply = self.run(command).await?;
        Ok(read_all(reply.ids))
    }

    async fn run<T: FromRedisValue>(&self, command: redis::Cmd) -> Result<T, LinkError> {
        self.link
            .run(|mut connection| async move { command.query_async(&mut connection).await })
            .await
    }
}

fn read_all(entries: Vec<StreamId>) -> Vec<Entry> {
    entries.into_iter().map(|entry| Entry::read(entry, 0)).collect()
}

fn piece_of(entry: &Entry) -> Option<&LogPiece> {
    match &entry.content {
        Content::Bytes(piece) => Some(piece),
        Content::End(_) => None,
    }
}

/// Whether the first of them is the first of the log. Where the log's start is cut out, nobody says so.
fn begins(entries: &[Entry]) -> bool {
    entries
        .first()
        .and_then(piece_of)
        .is_some_and(|piece| piece.offset == 0)
}

fn is_before(entry: &Entry, offset: u64) -> bool {
    piece_of(entry).is_some_and(|piece| piece.end() <= offset)
}

/// How many of `entries` have `max_bytes` together, at least one with bytes.
fn fitting(entries: &[Entry], max_bytes: u64) -> usize {
    let mut sum = 0;
    entries
        .iter()
        .take_while(|entry| {
            let size = piece_of(entry).map_or(0, |piece| piece.bytes.len() as u64);
            let fits = sum == 0 || sum + size <= max_bytes;
            sum += size;
            fits
        })
        .count()
}
