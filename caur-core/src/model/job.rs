//! A job: one pkgbase to build for one target, from submission to its final state.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BuildClass, CommitId, JobId, PastAttempt, PhaseStart, Pkgbase, SourceRepo, Target};

/// What somebody asks to be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    /// Where the packages are published.
    pub target: Target,
    /// Which repository of package folders holds the PKGBUILD.
    pub source: SourceRepo,
    /// The folder and pkgbase.
    pub pkgbase: Pkgbase,
    /// Which builders may take it.
    pub class: BuildClass,
    /// Names that its packages satisfy: pkgnames and provides.
    pub names: Vec<String>,
    /// Names that must be there before it is built.
    pub needs: Vec<Need>,
    /// The commit to build; none: the head of the branch.
    pub build_commit: Option<CommitId>,
    /// The commit that gets the status, `SHA[:PIPELINE_ID]`; not what is built.
    pub status_commit: Option<String>,
    /// A pacman mirror that the build container tries first.
    pub arch_mirror: Option<String>,
    /// Whether a version that is published already is built again, with the next free `pkgrel.N`.
    #[serde(default)]
    pub rebuild: bool,
}

impl JobRequest {
    /// What at most one current job exists for, as `TARGET/ARCH/PKGBASE`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.target, self.pkgbase)
    }
}

/// What a package needs another one for, the weakest reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyKind {
    /// Its tests (`checkdepends`).
    Check,
    /// The built package runs with it (`depends`).
    Run,
    /// Its build (`makedepends`); also where the reason is not known.
    Make,
}

/// A name that a job needs, and what for.
///
/// As text, in Redis and in JSON: `NAME`, `NAME:run` or `NAME:check`; a name never holds a colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Need {
    /// A pkgname, or a name that some package provides.
    pub name: String,
    /// What for.
    pub kind: DependencyKind,
}

impl Need {
    /// A need whose reason is not known.
    #[must_use]
    pub fn make(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: DependencyKind::Make,
        }
    }
}

impl From<String> for Need {
    fn from(text: String) -> Self {
        let (name, kind) = match text.rsplit_once(':') {
            Some((name, "run")) => (name.to_owned(), DependencyKind::Run),
            Some((name, "check")) => (name.to_owned(), DependencyKind::Check),
            _ => (text, DependencyKind::Make),
        };
        Self { name, kind }
    }
}

impl From<Need> for String {
    fn from(need: Need) -> Self {
        need.to_string()
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DependencyKind::Make => f.write_str(&self.name),
            DependencyKind::Run => write!(f, "{}:run", self.name),
            DependencyKind::Check => write!(f, "{}:check", self.name),
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Its dependencies are not published yet.
    Waiting,
    /// A builder may claim it.
    Ready,
    /// An infrastructure failure struck; it is ready again after a pause.
    Backoff,
    /// A dependency failed and the target lacks its packages.
    Blocked,
    /// An operator holds it back.
    Held,
    /// A builder holds its lease.
    Building,
    /// Its packages lie in the landing zone.
    Uploaded,
    /// A database daemon holds its lease.
    Publishing,
    /// Published.
    Succeeded,
    /// The target holds this version already.
    AlreadyBuilt,
    /// The package asked not to be built now.
    Skipped,
    /// The build failed, or its packages were refused.
    Failed,
    /// The build took too long.
    TimedOut,
    /// The build needed more memory than it was given.
    OutOfMemory,
    /// Somebody, or a newer request, ended it.
    Canceled,
    /// The farm failed it: too many infrastructure failures.
    InfrastructureFailed,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 16] = [
        Self::Waiting,
        Self::Ready,
        Self::Backoff,
        Self::Blocked,
        Self::Held,
        Self::Building,
        Self::Uploaded,
        Self::Publishing,
        Self::Succeeded,
        Self::AlreadyBuilt,
        Self::Skipped,
        Self::Failed,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::Canceled,
        Self::InfrastructureFailed,
    ];

    /// The state's name in Redis, in JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Backoff => "backoff",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Building => "building",
            Self::Uploaded => "uploaded",
            Self::Publishing => "publishing",
            Self::Succeeded => "succeeded",
            Self::AlreadyBuilt => "already-built",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::Canceled => "canceled",
            Self::InfrastructureFailed => "infrastructure-failed",
        }
    }

    /// Whether nothing happens to the job any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Waiting
            | Self::Ready
            | Self::Backoff
            | Self::Blocked
            | Self::Held
            | Self::Building
            | Self::Uploaded
            | Self::Publishing => false,
            Self::Succeeded
            | Self::AlreadyBuilt
            | Self::Skipped
            | Self::Failed
            | Self::TimedOut
            | Self::OutOfMemory
            | Self::Canceled
            | Self::InfrastructureFailed => true,
        }
    }

    /// The states that may follow this one, as `docs/ARCHITECTURE.md` draws them. A new job begins as waiting.
    #[must_use]
    pub fn successors(self) -> &'static [Self] {
        use JobState as S;
        match self {
            S::Waiting => &[S::Ready, S::Blocked, S::Held, S::Canceled],
            S::Ready => &[S::Building, S::Waiting, S::Held, S::Canceled],
            S::Backoff => &[S::Ready, S::Waiting, S::Held, S::Canceled],
            S::Blocked => &[S::Ready, S::Waiting, S::Held, S::Failed, S::Canceled],
            S::Held => &[S::Ready, S::Waiting, S::Blocked, S::Canceled],
            S::Building => &[
                S::Uploaded,
                S::AlreadyBuilt,
                S::Skipped,
                S::Failed,
                S::TimedOut,
                S::OutOfMemory,
                S::Backoff,
                S::InfrastructureFailed,
                S::Ready,
                S::Canceled,
            ],
            S::Uploaded => &[S::Publishing, S::Canceled],
            S::Publishing => &[S::Succeeded, S::Failed, S::Uploaded, S::InfrastructureFailed],
            S::Succeeded
            | S::AlreadyBuilt
            | S::Skipped
            | S::Failed
            | S::TimedOut
            | S::OutOfMemory
            | S::Canceled
            | S::InfrastructureFailed => &[S::Waiting],
        }
    }

    /// Whether a dependant may go on after this final state.
    #[must_use]
    pub fn satisfies_dependants(self) -> bool {
        matches!(self, Self::Succeeded | Self::AlreadyBuilt | Self::Skipped)
    }

    /// Whether the job is still in the queue: nobody holds it, and a newer request changes it in place.
    #[must_use]
    pub fn is_queued(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::Ready | Self::Backoff | Self::Blocked | Self::Held
        )
    }

    /// Whether somebody holds a lease on it.
    #[must_use]
    pub fn is_leased(self) -> bool {
        matches!(self, Self::Building | Self::Publishing)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no job state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown job state {0:?}")]
pub struct UnknownState(pub String);

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A job as the queue holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its identifier, also the timestamp of its log.
    pub id: JobId,
    /// What was asked for.
    #[serde(flatten)]
    pub request: JobRequest,
    /// Where it stands.
    pub state: JobState,
    /// How many times it was claimed for building.
    pub attempt: u32,
    /// Who holds it, or built it last.
    pub builder: Option<String>,
    /// Which process of that builder holds it.
    pub instance: Option<String>,
    /// What the builder is doing.
    pub phase: Option<String>,
    /// Why it is in this state, in words.
    pub reason: Option<String>,
    /// Why it is being stopped, while it still runs.
    pub canceling: Option<String>,
    /// Who asked for it.
    pub requested_by: String,
    /// Jobs that it waits for.
    pub waits_for: Vec<JobId>,
    /// Packages that it needs and does not wait for, as they need it too.
    pub broken: Vec<String>,
    /// Whether an operator let it start whatever it waits for.
    pub released: bool,
    /// What an operator gave it; higher first, 0 for most.
    pub priority: i32,
    /// Expected seconds of its own build.
    pub expected: u64,
    /// Expected seconds of the longest chain of jobs that starts with it.
    pub chain: u64,
    /// Seconds by which jobs that became ready later may be started before it.
    pub delay: u64,
    /// Milliseconds since 1970 at which it first became ready, while it is in the queue.
    pub ready_at: Option<u64>,
    /// The commit that was built.
    pub built_commit: Option<CommitId>,
    /// Files that were published.
    pub packages: Vec<String>,
    /// Milliseconds since 1970 at which it entered its state.
    pub since: u64,
    /// Milliseconds since 1970 at which the last attempt was claimed.
    pub started: Option<u64>,
    /// Milliseconds since 1970 at which it became final.
    pub finished: Option<u64>,
    /// Attempts before the last one, oldest first.
    pub history: Vec<PastAttempt>,
    /// What was done in the last attempt and from when on, in that order; a phase that is entered again counts once.
    #[serde(default)]
    pub phases: Vec<PhaseStart>,
}

/// What becomes of a job whose dependency failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailedDependency {
    /// It goes on where its target lists what it needs already, and is blocked elsewhere.
    #[default]
    Published,
    /// It is blocked.
    Block,
    /// It goes on.
    Ignore,
}
