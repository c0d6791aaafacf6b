//! Live build logs in Redis.
//!
//! Each attempt of a job has one stream. Entries carry the offset of their first byte, so that a reader resumes where
//! it was and sees by itself where the middle of an overlong log was cut. The script that ends an attempt writes the
//! stream's last entry, so following a log always comes to an end. A log can be read from its start ([`LogReader`]),
//! from its end ([`tail`]) and from any place ([`page_at`]); a page never costs more than about 1 MiB, however long
//! the log is. What a build prints is not trusted: [`Sanitizer`] stands between it and any terminal.

pub mod errors;
mod page;
mod piece;
mod reader;
mod sanitize;
#[cfg(test)]
mod tests;
mod writer;

pub use page::{LogPage, LogTail, MAX_PAGE, page_after, page_at, page_before, tail};
pub use piece::{LogCursor, LogEnd, LogPiece};
pub use reader::{LogChunk, LogReader};
pub use sanitize::Sanitizer;
pub use writer::{LogLimits, LogWriter};

use crate::link::LinkError;
use crate::model::JobId;

/// A log that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Redis is out of reach.
    #[error("cannot {action} the log of job {job}: {source}")]
    Link {
        /// `read` or `write`.
        action: &'static str,
        /// Whose log.
        job: JobId,
        /// Why.
        source: LinkError,
    },
}

fn key(job: JobId, attempt: u32) -> String {
    format!("{{caur}}:build:log:{job}.{attempt}")
}
