//! Things that are asked of the queue, and what becomes of each.
//!
//! An operation is sent once. When the link is lost before its answer came, it is neither repeated nor given up: it is
//! unknown until the queue has said what happened (see `caur_core::queue`, "marked").

use caur_core::model::{BuilderName, JobId, JobRequest};

use crate::msg::OperationNews;

/// The number of an operation in this console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u64);

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Build again; with `true` also a version that is published already.
    Retry(JobId, bool),
    /// End it.
    Cancel(JobId),
    /// Start it whatever it waits for.
    Release(JobId),
    /// Keep it from starting.
    Hold(JobId),
    /// Let a held one go on.
    Unhold(JobId),
    /// Take it earlier or later.
    Priority(JobId, i32),
    /// Schedule a package.
    Schedule(Box<JobRequest>),
    /// Nothing more is claimed.
    PauseQueue,
    /// Jobs are claimed again.
    ResumeQueue,
    /// A builder takes no more jobs.
    PauseBuilder(BuilderName),
    /// A builder takes jobs again.
    ResumeBuilder(BuilderName),
    /// A builder ends once its jobs have.
    DrainBuilder(BuilderName),
}

impl Act {
    /// What is done, as a verb.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Retry(_, false) => "retry",
            Self::Retry(_, true) => "rebuild",
            Self::Cancel(_) => "cancel",
            Self::Release(_) => "release",
            Self::Hold(_) => "hold",
            Self::Unhold(_) => "let go on",
            Self::Priority(..) => "set the priority of",
            Self::Schedule(_) => "schedule",
            Self::PauseQueue | Self::PauseBuilder(_) => "pause",
            Self::ResumeQueue | Self::ResumeBuilder(_) => "resume",
            Self::DrainBuilder(_) => "drain",
        }
    }
}

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number in this console.
    pub id: OperationId,
    /// Its name in the queue, which tells it from all others for ever.
    pub mark: String,
    /// What is to be changed.
    pub act: Act,
    /// What it is about, for people: a package, a builder.
    pub about: String,
    /// Why; may be empty.
    pub why: String,
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was sent.
    Sent,
    /// The link was lost before its answer came: unknown, checking.
    Unknown,
    /// It was done; what the queue says.
    Done(String),
    /// The queue refused it.
    Refused(String),
    /// It was not done.
    Never(String),
}

impl Standing {
    /// Whether its outcome is known.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Sent | Self::Unknown => false,
            Self::Done(_) | Self::Refused(_) | Self::Never(_) => true,
        }
    }
}

impl From<OperationNews> for Standing {
    fn from(news: OperationNews) -> Self {
        match news {
            OperationNews::Done(text) => Self::Done(text),
            OperationNews::Refused(text) => Self::Refused(text),
            OperationNews::Unknown => Self::Unknown,
            OperationNews::Never(text) => Self::Never(text),
        }
    }
}

/// An operation of this console with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What was asked.
    pub operation: Operation,
    /// Where it stands.
    pub standing: Standing,
    /// When, in milliseconds since 1970 by this machine's clock.
    pub at: u64,
}

impl Asked {
    /// One line about it.
    pub fn line(&self) -> String {
        let Operation { act, about, .. } = &self.operation;
        let verb = act.verb();
        match &self.standing {
            Standing::Sent => format!("{verb} {about}: asked …"),
            Standing::Unknown => format!("{verb} {about}: unknown, checking …"),
            Standing::Done(text) if text.is_empty() => format!("{verb} {about}: done"),
            Standing::Done(text) => format!("{verb} {about}: done, {text}"),
            Standing::Refused(text) => format!("{verb} {about}: refused: {text}"),
            Standing::Never(text) => format!("{verb} {about}: not done: {text}"),
        }
    }
}
