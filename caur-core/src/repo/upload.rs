//! What is handed to a publish, and what comes of it.

use std::fmt;
use std::path::PathBuf;

use super::Refusal;
use crate::model::{JobId, Manifest, PublishedPackage};

/// What a builder uploaded.
#[derive(Debug, Clone)]
pub struct Upload {
    /// What it is said to hold, from a source that the uploading account cannot change.
    pub manifest: Manifest,
    /// The folder with the files.
    pub dir: PathBuf,
}

/// What became of one upload.
#[derive(Debug)]
pub enum UploadOutcome {
    /// Its packages are in the repository now.
    Published {
        /// All of them.
        packages: Vec<PublishedPackage>,
    },
    /// Its packages, the very same files, were there before.
    AlreadyPublished,
    /// It breaks a rule.
    Refused(Refusal),
}

/// What a publish did.
#[derive(Debug)]
pub struct PublishReport {
    /// Each upload's outcome, in the order of the uploads.
    pub outcomes: Vec<(JobId, UploadOutcome)>,
    /// The state of the repository afterwards.
    pub snapshot: SnapshotId,
}

/// A state of a target: the SHA-256 of its packages database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotId(pub(super) String);

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
