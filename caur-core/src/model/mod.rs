//! The vocabulary that every other module shares: identifiers, jobs, packages, builders and what the
//! farm publishes about itself.
//!
//! Plain data without I/O. A value of these types has been checked where it entered the program, so the
//! rest of the code does not check again.

mod attempt;
mod builder;
mod farm;
mod ids;
mod job;
mod manifest;

pub use attempt::{BuildOutcome, LeaseToken, PastAttempt, PastBuild, Phase, PhaseStart};
pub use builder::{BuilderReport, BuilderStatus, Machine};
pub use farm::{ExtraRepo, FarmConfig, PublishedPackage, SourceSettings, TargetSettings, UploadEndpoint};
pub use ids::{
    Arch, BuildClass, BuilderName, CommitId, IdError, InstanceId, JobId, OperationMark, Pkgbase, Pkgname,
    RequestId, SourceRepo, Target, TargetRepo,
};
pub use job::{DependencyKind, FailedDependency, Job, JobRequest, JobState, Need, UnknownState};
pub use manifest::{Manifest, ManifestFile};
