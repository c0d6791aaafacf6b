//! What reaches the application, and what it asks for in return.

use std::time::Duration;

use caur_core::model::{Job, JobId};
use crossterm::event::KeyEvent;

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// It is this many milliseconds since 1970 by this machine's clock.
    Tick(u64),
    /// The backend reports.
    Backend(BackendMsg),
}

/// What the application wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The screen has changed.
    Draw,
    /// Follow the log of this job only.
    Watch(Option<JobId>),
    /// Leave.
    Quit,
}

/// A report from the backend.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendMsg {
    /// The state of the link to the queue.
    Link(LinkState),
    /// The queue as it is now; replaces what was known.
    Jobs(Snapshot),
    /// News of the log of one job.
    Log(JobId, LogEvent),
}

/// How the console is connected to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// The first attempt is under way.
    Connecting,
    /// What is shown is live.
    Online,
    /// The link was lost.
    Reconnecting {
        /// The attempt that comes next, from 1.
        attempt: u32,
        /// How long until then.
        next_in: Duration,
        /// What went wrong.
        reason: String,
    },
    /// No further attempt is made.
    Failed {
        /// What went wrong and what to do about it.
        reason: String,
    },
}

/// The jobs of the queue at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Every current job and the latest final ones, in any order.
    pub jobs: Vec<Job>,
    /// Milliseconds since 1970 by the queue's clock.
    pub taken: u64,
}

/// A step in the life of a watched log. `Begin` comes first whenever a job is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// The log of this attempt starts from its beginning; what was shown before is void.
    Begin {
        /// The attempt, from 1.
        attempt: u32,
    },
    /// The next bytes.
    Chunk(Vec<u8>),
    /// So many bytes are missing here because of the log's size limit.
    Cut(u64),
    /// The log is complete.
    End,
    /// The queue holds no log of this job (yet, or any more).
    Missing,
}
