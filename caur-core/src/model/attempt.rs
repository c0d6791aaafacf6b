//! One attempt to build a job: who may write about it, what it goes through, how it ends.

use serde::{Deserialize, Serialize};

use super::JobId;

/// What a builder is doing with a job it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Fetching the source repository and checking it out.
    Fetch,
    /// Preparing directories and the image.
    Prepare,
    /// The container runs.
    Build,
    /// Packages are on their way to the landing zone.
    Upload,
}

impl Phase {
    /// The phase's name in Redis, in JSON and on screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Prepare => "prepare",
            Self::Build => "build",
            Self::Upload => "upload",
        }
    }
}

/// When a phase of an attempt began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseStart {
    /// A [`Phase`] by name, or `uploaded` and `publishing`, which follow them.
    pub name: String,
    /// Milliseconds since 1970 at which it began; it lasts until the next one begins or the attempt ends.
    pub since: u64,
}

/// An attempt that was followed by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAttempt {
    /// Which one, from 1.
    pub attempt: u32,
    /// The state that it led to, or `lost`, `infrastructure` or `released`.
    pub outcome: String,
    /// Who built it.
    pub builder: String,
    /// Milliseconds since 1970 at which it was claimed.
    pub started: Option<u64>,
    /// Milliseconds since 1970 at which it ended, or at which it was given to somebody else.
    pub ended: u64,
    /// Why it ended so, in words.
    pub reason: String,
}

/// The end of one attempt to build a package, by whichever job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastBuild {
    /// The job.
    pub job: JobId,
    /// Which attempt of it, from 1.
    pub attempt: u32,
    /// The state that it led to; `infrastructure` or `released` where another attempt followed.
    pub outcome: String,
    /// Who built it.
    pub builder: String,
    /// Milliseconds since 1970 at which it was claimed.
    pub started: u64,
    /// Milliseconds since 1970 at which it ended; for a job that succeeded it had been published then.
    pub ended: u64,
    /// Seconds from the claim to the end of the build or, where something was built, of its upload.
    pub build_seconds: u64,
    /// Why it ended so, in words; the beginning of a long text.
    pub reason: String,
}

/// Proof that its holder may write about one attempt of a job; an older one is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseToken {
    /// The job.
    pub job: JobId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Random; tells this lease from one that a restored older Redis hands out again.
    pub nonce: String,
}

/// How a build ended, in the terms that decide what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildOutcome {
    /// Packages were built and uploaded.
    Built,
    /// makepkg found this version in the repository.
    AlreadyBuilt,
    /// The package asked to be skipped.
    Skipped,
    /// The package does not build.
    Failed,
    /// Time ran out.
    TimedOut,
    /// Memory ran out.
    OutOfMemory,
    /// The queue asked to stop.
    Canceled,
    /// Not the package's fault: engine, network, disk, container gone.
    Infrastructure,
    /// The builder shuts down and hands the job back.
    Released,
}

impl BuildOutcome {
    /// The outcome's name in Redis.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::AlreadyBuilt => "already-built",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::Canceled => "canceled",
            Self::Infrastructure => "infrastructure",
            Self::Released => "released",
        }
    }
}
