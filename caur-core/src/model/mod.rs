//! The vocabulary that every other module shares: identifiers, jobs, packages, builders and what the
//! farm publishes about itself.
//!
//! Plain data without I/O. A value of these types has been checked where it entered the program, so the
//! rest of the code does not check again.

mod builder;
mod farm;
mod ids;
mod job;
mod manifest;

pub use builder::{BuilderReport, BuilderStatus, Machine};
pub use farm::{ExtraRepo, FarmConfig, PublishedPackage, SourceSettings, TargetSettings, UploadEndpoint};
pub use ids::{
    Arch, BuildClass, BuilderName, CommitId, IdError, InstanceId, JobId, Pkgbase, Pkgname, RequestId,
    SourceRepo, Target, TargetRepo,
};
pub use job::{
    BuildOutcome, DependencyKind, FailedDependency, Job, JobRequest, JobState, LeaseToken, Need, PastAttempt,
    Phase, UnknownState,
};
pub use manifest::{Manifest, ManifestFile};
