//! What reaches the application, and what it asks for in return.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use caur_core::log::LogPiece;
use caur_core::model::{BuilderStatus, Job, JobId, Manifest, PastBuild, PublishedPackage, RequestId, Target};
use caur_core::queue::simulate::Span;
use caur_core::queue::{Pause, RepoAnswer, RepoRequest, Statistics, TrailEntry, WaitingRequest, Why};
use crossterm::event::{KeyEvent, MouseEvent};

use crate::log::PageWish;
use crate::operation::{Operation, OperationId};
use crate::question::{Answer, Question};

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// It is this many milliseconds since 1970 by this machine's clock.
    Tick(u64),
    /// What [`Effect::Continue`] asked for: a piece of a long search.
    Work,
    /// The backend reports.
    Backend(Box<BackendMsg>),
    /// A file was written.
    Saved(PathBuf, Result<u64, String>),
    /// A file was read.
    Read(FileUse, PathBuf, Result<String, String>),
}

impl From<BackendMsg> for Msg {
    fn from(msg: BackendMsg) -> Self {
        Self::Backend(Box::new(msg))
    }
}

/// What the application wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The screen has changed.
    Draw,
    /// Draw the whole screen, whatever the terminal shows.
    Redraw,
    /// Send [`Msg::Work`] when no key waits.
    Continue,
    /// From now on this is what has to be kept up to date.
    Want(Box<Interest>),
    /// Have the backend do something once.
    Ask(Box<Request>),
    /// Put a text on the clipboard of the terminal.
    Copy(String),
    /// Write a file that does not exist yet.
    Save(PathBuf, String),
    /// Read a file.
    Read(FileUse, PathBuf),
    /// Ring the bell, and tell the desktop where the terminal can.
    Notify(String),
    /// Take the mouse, or give it back to the terminal.
    Mouse(bool),
    /// Suspend the process.
    Suspend,
    /// Leave.
    Quit,
}

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    /// Its lines are the pkgbases that stay in a repository.
    KeepList,
}

/// What is on the screen and has to be kept up to date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interest {
    /// The job whose log is followed, and which attempt; none: its newest.
    pub log: Option<(JobId, Option<u32>)>,
    /// The job whose details are shown.
    pub details: Option<JobId>,
    /// Whether the builders are looked at, and not only counted.
    pub builders: bool,
    /// The repository that is shown.
    pub repository: Option<Target>,
    /// How many finished jobs are shown at least.
    pub history: usize,
    /// How many entries of the trail are shown; none while it is not.
    pub activity: usize,
    /// Hours of statistics that are shown; none while they are not.
    pub statistics: u32,
}

/// What the backend is to do once.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Change something; answered by [`BackendMsg::Operation`].
    Operate(Operation),
    /// Ask something of a repository, and why; answered by [`BackendMsg::Repo`].
    Repository(RepoRequest, String),
    /// Fetch a part of a log; answered by [`BackendMsg::Log`].
    Page(WantedPage),
    /// Connect now and not at the end of the pause.
    Reconnect,
    /// The answer to a question of the backend.
    Answer(u64, Answer),
}

/// A part of a job's log that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedPage {
    /// Whose log.
    pub job: JobId,
    /// Which attempt.
    pub attempt: u32,
    /// Which part.
    pub wish: PageWish,
}

/// A report from the backend.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendMsg {
    /// The state of the link to the queue.
    Link(LinkState),
    /// Whether this user may change the farm.
    Access {
        /// Whether it may.
        may_operate: bool,
        /// Its name, as the trail will show it.
        who: String,
    },
    /// The queue as it is now; replaces what was known.
    Jobs(Snapshot),
    /// Jobs that changed, and such that are gone.
    Changed {
        /// As they are now.
        jobs: Vec<Job>,
        /// Not there any more.
        gone: Vec<JobId>,
        /// Milliseconds since 1970 by the queue's clock.
        taken: u64,
    },
    /// The builders, and whether the whole queue is paused.
    Builders(Vec<BuilderStatus>, Option<Pause>),
    /// When jobs are likely to start and to end.
    Forecast(HashMap<JobId, Span>),
    /// More about one job.
    Details(JobId, Box<JobDetails>),
    /// News of the log of one job.
    Log(JobId, LogEvent),
    /// The repositories of the farm, and its log pages.
    Farm(FarmNews),
    /// What a repository lists, and what is asked of it at the moment.
    Repository(Target, RepositoryNews),
    /// Where a request to a repository stands.
    Repo(RequestId, RepoProgress),
    /// The newest finished jobs, newest first, and whether there are no older ones.
    History(Vec<Job>, bool),
    /// The newest entries of the trail, newest first.
    Activity(Vec<TrailEntry>),
    /// What the farm did over the hours that are shown.
    Statistics(Box<Statistics>),
    /// What became of an operation.
    Operation(OperationId, OperationNews),
    /// Something that only a person can answer.
    Question(u64, Question),
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
    /// Whether more of the queue is still on its way.
    pub partial: bool,
}

/// What is known of one job besides itself.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDetails {
    /// The job itself, which may have ended too long ago for the queue's list.
    pub job: Job,
    /// Why it is not being built.
    pub why: Why,
    /// What it uploaded; none while it is only listed.
    pub manifest: Option<Manifest>,
    /// Earlier builds of the package, newest first; none while it is only listed.
    pub past: Vec<PastBuild>,
}

/// What the farm is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FarmNews {
    /// Its repositories.
    pub targets: Vec<Target>,
    /// The address of the log page, as in `LOGS_URL`.
    pub logs_url: Option<String>,
}

/// What a repository lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RepositoryNews {
    /// Its packages; none where they have not changed since the last report.
    pub packages: Option<Vec<PublishedPackage>>,
    /// Requests that have not ended.
    pub requests: Vec<WaitingRequest>,
}

/// Where a request to a repository stands.
#[derive(Debug, Clone, PartialEq)]
pub enum RepoProgress {
    /// It waits for a database.
    Waiting,
    /// A database carries it out.
    Running,
    /// The link was lost; it is not known whether it was asked.
    Unknown,
    /// It ended.
    Answered(RepoAnswer),
    /// It could not be asked.
    Refused(String),
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationNews {
    /// It was done; what the queue says.
    Done(String),
    /// The queue refused it; nothing was changed.
    Refused(String),
    /// The link was lost; whether it was done is being found out.
    Unknown,
    /// It was not done, and never will be.
    Never(String),
}

/// A step in the life of a watched log. `Begin` comes first whenever a job is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// The log of this attempt begins; what was shown of another one is void.
    Begin {
        /// The attempt, from 1.
        attempt: u32,
        /// Bytes that it has so far.
        total: u64,
    },
    /// Parts of it from anywhere, and what was cut out by the log's size limit.
    Pieces(Vec<LogPiece>, Vec<Range<u64>>),
    /// The log is complete.
    End,
    /// The queue holds no log of this job (yet, or any more).
    Missing,
}
