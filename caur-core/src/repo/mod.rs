//! The pacman repository as a transactional store: packages are read, verified, signed and published natively.
//!
//! Promises: whatever an upload holds, only packages that follow the rules are signed, and they are signed as they
//! were verified. A publish happens as a whole or not at all, wherever the process ends; every package that the
//! database lists has its file and signature, with the listed hash. The result is what `repo-add` would have
//! written, entry by entry.
//!
//! Everything here blocks.

mod archive;
mod compression;
pub mod database;
mod disk;
pub mod entry;
mod error;
mod intake;
mod intent;
mod layout;
mod lists;
mod options;
pub mod package;
pub mod pages;
pub mod pkginfo;
mod recovery;
mod refusal;
mod repository;
mod sign;
mod signing_key;
mod transaction;
mod upload;
mod ustar;
mod vercmp;
mod verify;

#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use error::RepoError;
pub use options::{Attitude, Keeping, Policy, RepositoryOptions};
pub use recovery::{Recovered, Recovery};
pub use refusal::Refusal;
pub use repository::Repository;
pub use sign::{SignError, Signing};
pub use upload::{PublishReport, SnapshotId, Upload, UploadOutcome};
pub use vercmp::vercmp;
pub use verify::ProtectedNames;
