//! What a log consists of: entries of a stream, read as pieces of bytes or as the end, and places between them.

use redis::Value;
use redis::streams::StreamId;

/// Some bytes of a log that were written at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPiece {
    /// Offset of the first byte.
    pub offset: u64,
    /// When they reached Redis, in milliseconds since 1970 by Redis' clock.
    pub at: u64,
    /// The bytes; a line may go on in the next piece, and so may a character.
    pub bytes: Vec<u8>,
}

impl LogPiece {
    /// Offset behind the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// The state that the job entered, such as `failed`.
    pub state: String,
    /// Why, in words.
    pub reason: String,
    /// When, in milliseconds since 1970 by Redis' clock.
    pub at: u64,
}

/// A place between two entries of a log. It stays valid while the log grows, and when entries around it are cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogCursor {
    /// Entries up to and with this id are in front of the place.
    id: EntryId,
    offset: u64,
}

impl LogCursor {
    /// In front of everything.
    pub const START: Self = Self {
        id: EntryId { millis: 0, number: 0 },
        offset: 0,
    };

    /// Behind everything that there is and will be.
    pub(super) const BEHIND_ALL: Self = Self {
        id: EntryId {
            millis: u64::MAX,
            number: u64::MAX,
        },
        offset: u64::MAX,
    };

    /// Offset of the byte behind the place.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The id as Redis writes it.
    pub(super) fn id(&self) -> String {
        self.id.to_string()
    }
}

/// The id of an entry: a millisecond and a number within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryId {
    pub millis: u64,
    pub number: u64,
}

impl EntryId {
    /// Redis writes every id as `MILLIS-NUMBER`; what it would not write is 0.
    pub fn parse(text: &str) -> Self {
        let (millis, number) = text.split_once('-').unwrap_or((text, "0"));
        Self {
            millis: millis.parse().unwrap_or_default(),
            number: number.parse().unwrap_or_default(),
        }
    }

    fn predecessor(self) -> Self {
        match (self.millis, self.number) {
            (0, 0) => self,
            (millis, 0) => Self {
                millis: millis - 1,
                number: u64::MAX,
            },
            (millis, number) => Self {
                millis,
                number: number - 1,
            },
        }
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

/// An entry of a log's stream.
#[derive(Debug)]
pub(super) struct Entry {
    pub id: EntryId,
    pub content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Bytes(LogPiece),
    End(LogEnd),
}

impl Entry {
    /// Reads an entry. One without an offset stands at `expected`.
    pub fn read(mut entry: StreamId, expected: u64) -> Self {
        let id = EntryId::parse(&entry.id);
        let at = id.millis;
        let content = if let Some(state) = entry.get::<String>("end") {
            let reason = entry.get("reason").unwrap_or_default();
            Content::End(LogEnd { state, reason, at })
        } else {
            Content::Bytes(LogPiece {
                offset: entry.get("o").unwrap_or(expected),
                at,
                bytes: match entry.map.remove("d") {
                    Some(Value::BulkString(bytes)) => bytes,
                    _ => Vec::new(),
                },
            })
        };
        Self { id, content }
    }

    /// The place in front of it, where its first byte is `offset`.
    pub fn front(&self, offset: u64) -> LogCursor {
        LogCursor {
            id: self.id.predecessor(),
            offset,
        }
    }

    /// The place behind it, where the next byte is `offset`.
    pub fn back(&self, offset: u64) -> LogCursor {
        LogCursor { id: self.id, offset }
    }
}
