//! The vocabulary that every other module shares: identifiers, jobs, packages, builders and what the
//! farm publishes about itself.
//!
//! Plain data without I/O. A value of these types has been checked where it entered the program, so the
//! rest of the code does not check again.

mod farm;
mod ids;
mod job;
mod manifest;

pub use farm::{ExtraRepo, FarmConfig, PublishedPackage, SourceSettings, TargetSettings, UploadEndpoint};
pub use ids::{
    Arch, BuildClass, BuilderName, CommitId, IdError, JobId, Pkgbase, Pkgname, SourceRepo, Target, TargetRepo,
};
pub use job::{
    BuildOutcome, BuilderStatus, DependencyKind, Job, JobRequest, JobState, LeaseToken, Need, Phase,
    UnknownState,
};
pub use manifest::{Manifest, ManifestFile};
