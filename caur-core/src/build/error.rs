//! What can go wrong around a build, and whose fault it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::BuildOutcome;

/// A build that could not run its course.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No container engine answers.
    #[error(
        "no container engine: looked for {engine} at {tried}; install {package} and start it, or set container.socket (DOCKER_SOCKET)"
    )]
    NoEngine {
        /// The engine's name.
        engine: &'static str,
        /// Each socket with what was wrong with it.
        tried: String,
        /// Which packages bring the engine.
        package: &'static str,
    },
    /// The engine refused a request, or went away.
    #[error("the container engine failed while {doing}: {source}")]
    Engine {
        /// What was asked of it.
        doing: String,
        /// Its answer.
        source: bollard::errors::Error,
    },
    /// There is no image to build in.
    #[error("cannot use the build image {image:?}: {reason}")]
    Image {
        /// Its name.
        image: String,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// A setting that no build can work with.
    #[error("{0}")]
    Setting(String),
    /// A file or directory of this machine.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The `git` program failed for reasons that are not the package's.
    #[error("{doing} failed: {detail}")]
    Git {
        /// What was attempted, on what.
        doing: String,
        /// What git said, and what to do about it.
        detail: String,
    },
    /// A step before the build took too long.
    #[error("{doing} took longer than {} s; see why it is slow, or raise builder.overhead_timeout", limit.as_secs())]
    TooSlow {
        /// The step.
        doing: &'static str,
        /// How long it was given.
        limit: Duration,
    },
    /// The job asks for something that does not exist, or its build left something unusable.
    #[error("{0}")]
    Package(String),
    /// A container of an earlier process is not what it was taken for.
    #[error("cannot go on with the build of an earlier process: {0}")]
    Adoption(String),
    /// Somebody asked to stop.
    #[error("canceled")]
    Canceled,
}

impl BuildError {
    /// What this failure means for the job.
    #[must_use]
    pub fn outcome(&self) -> BuildOutcome {
        match self {
            Self::NoEngine { .. }
            | Self::Engine { .. }
            | Self::Image { .. }
            | Self::Setting(_)
            | Self::File { .. }
            | Self::Git { .. }
            | Self::TooSlow { .. }
            | Self::Adoption(_) => BuildOutcome::Infrastructure,
            Self::Package(_) => BuildOutcome::Failed,
            Self::Canceled => BuildOutcome::Canceled,
        }
    }

    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    pub(super) fn engine(doing: impl Into<String>) -> impl FnOnce(bollard::errors::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Engine { doing, source }
    }
}
