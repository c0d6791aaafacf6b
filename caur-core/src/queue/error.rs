//! What can go wrong between a program and the queue.

use redis::{ErrorKind, ServerErrorKind};

use crate::link::LinkError;
use crate::model::{JobId, RequestId};

/// A queue operation that did not happen, or whose outcome is unknown.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Redis did not answer as hoped; whether a write happened is unknown.
    #[error("cannot {action}: {source}")]
    Link {
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        source: LinkError,
    },
    /// The lease is no longer the caller's: it ran out and the job was given to somebody else, or ended.
    #[error(
        "job {job} attempt {attempt} is no longer ours: its lease ran out or the job ended; nothing was written"
    )]
    Stale {
        /// The job.
        job: JobId,
        /// The attempt that lost its lease.
        attempt: u32,
    },
    /// The lease of a request to the repository is no longer the caller's.
    #[error("request {0} is no longer ours: its lease ran out or it was ended; nothing was written")]
    StaleRequest(RequestId),
    /// Redis holds something that this program cannot read.
    #[error("cannot read {what} from Redis: {problem}")]
    Corrupt {
        /// Which record.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The stored schema is newer than this program.
    #[error(
        "the queue in Redis has schema version {stored}, this program knows versions up to {known}: \
         use a newer Caur; nothing was changed"
    )]
    NewerSchema {
        /// Version found.
        stored: u32,
        /// Newest version that this program knows.
        known: u32,
    },
    /// The queue's rules forbid it.
    #[error("cannot {action}: {reason}")]
    Refused {
        /// What was asked for.
        action: String,
        /// Which rule, and what to do about it.
        reason: String,
    },
    /// It was asked what came of a marked operation before it arrived, and answered that it never would.
    #[error(
        "cannot {action}: this was given up before it reached the queue, which told so; nothing was changed, \
         ask for it anew"
    )]
    Void {
        /// What was attempted.
        action: &'static str,
    },
    /// Other submits kept changing the graph while this one was planned.
    #[error("cannot submit: other submits changed the queue {0} times while this one was planned; try again")]
    Contended(u32),
}

impl QueueError {
    /// A failed call of a script. The scripts check the schema themselves, so that a program that opened the queue
    /// before an upgrade changes nothing after it.
    pub(super) fn of_call(action: &'static str, source: LinkError) -> Self {
        match &source {
            LinkError::Command(error) if error.code() == Some("SCHEMA") => Self::NewerSchema {
                stored: error
                    .detail()
                    .and_then(|text| text.trim().parse().ok())
                    .unwrap_or_default(),
                known: super::SCHEMA_VERSION,
            },
            LinkError::Command(error) if error.code() == Some("VOID") => Self::Void { action },
            _ => Self::Link { action, source },
        }
    }

    /// Whether Redis refused it because this connection's user may not do it.
    pub(super) fn is_forbidden(&self) -> bool {
        let Self::Link {
            source: LinkError::Command(error),
            ..
        } = self
        else {
            return false;
        };
        // Within a script Redis gives the reason as text only.
        error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
            || error
                .detail()
                .is_some_and(|detail| detail.contains("ACL failure in script"))
    }

    pub(super) fn corrupt(what: impl ToString, problem: impl ToString) -> Self {
        Self::Corrupt {
            what: what.to_string(),
            problem: problem.to_string(),
        }
    }
}
