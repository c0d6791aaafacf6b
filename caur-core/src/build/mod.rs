//! One build: from an order to package files in a local directory.
//!
//! Promises: what is built is exactly the recorded commit, never what an earlier fetch left behind; every
//! ending has an outcome that says whose fault it was, and a container that vanished is never a success;
//! no output of the container is lost; nothing that a PKGBUILD names reaches a shell of this machine.
//!
//! Claiming, heartbeats and uploads happen elsewhere: an order comes in, a report goes out.

mod adopt;
mod analysis;
mod builder;
mod classify;
mod collect;
mod container;
mod downloads;
mod engine;
mod error;
mod filler;
mod folder;
mod git;
mod image;
mod journal;
mod labels;
mod orphan;
mod ownership;
mod rebuild;
mod record;
mod resources;
mod source;
mod spec;
mod workspace;

use std::path::PathBuf;

pub use adopt::{Adoptable, Refused, Survivors};
pub use builder::Builder;
pub use error::BuildError;
pub use orphan::LabelledContainer;
pub use resources::{Resources, ResourcesError};

use crate::model::{
    BuildOutcome, CommitId, JobRequest, LeaseToken, ManifestFile, PublishedPackage, SourceSettings,
    TargetSettings,
};

/// Everything that one attempt at one job needs to know.
#[derive(Debug, Clone)]
pub struct BuildOrder {
    /// The lease under which it is built.
    pub token: LeaseToken,
    /// What was asked for.
    pub request: JobRequest,
    /// Where the package folders come from.
    pub source: SourceSettings,
    /// What the build container may install from.
    pub target: TargetSettings,
    /// What the target repository lists.
    pub published: Vec<PublishedPackage>,
    /// The build image; a builder that is configured with its own uses that one.
    pub image: String,
    /// The published repositories where this machine holds them itself (`REPO_PATH`): the container then
    /// installs from these files and no web server is needed. The path is the same for this process and
    /// for the container engine.
    pub local_repository: Option<PathBuf>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildReport {
    /// What happens next depends on this.
    pub outcome: BuildOutcome,
    /// The outcome in words for a maintainer; none when it was built.
    pub reason: Option<String>,
    /// The commit that was built, as soon as it was known.
    pub commit: Option<CommitId>,
    /// The image that it was built in, as the engine identifies it (`sha256:…`).
    pub image: Option<String>,
    /// The package files, by name; empty unless built.
    pub packages: Vec<ManifestFile>,
    /// Where they lie until [`Builder::cleanup`].
    pub package_dir: PathBuf,
    /// What namcap said about the built packages, where the image has it: the first 100 lines.
    pub namcap: Vec<String>,
    /// Seconds that the attempt took.
    pub seconds: u64,
}
