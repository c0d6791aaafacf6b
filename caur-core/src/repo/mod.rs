//! The pacman repository as a transactional store: packages are read, verified, signed and published natively.
//!
//! Promises: whatever an upload holds, only packages that follow the rules are signed, and they are signed as they
//! were verified. A publish happens as a whole or not at all, wherever the process ends; every package that the
//! database lists has its file and signature, with the listed hash. The result is what `repo-add` would have
//! written, entry by entry.
//!
//! Everything here blocks.

mod adding;
mod archive;
mod by_hand;
pub mod check;
mod compression;
pub mod database;
mod disk;
pub mod entry;
mod error;
mod history;
mod intake;
mod intent;
mod layout;
mod lists;
mod lock;
mod mend;
mod options;
pub mod package;
pub mod pkginfo;
mod publish;
mod recovery;
mod refusal;
mod remove;
mod repository;
mod retired;
mod rollback;
mod sign;
mod signing_key;
mod state;
mod store;
mod tidy;
mod transaction;
mod upload;
mod ustar;
mod vercmp;
mod verify;

#[cfg(test)]
mod tests;

pub use by_hand::{AddOptions, AddReport};
pub use compression::Compression;
pub use error::RepoError;
pub use history::{Change, Difference, Entry, Kind, Origin, Record};
pub use mend::MendReport;
pub use options::{Attitude, Keeping, Policy, RepositoryOptions};
pub use publish::Circumstances;
pub use recovery::{Recovered, Recovery};
pub use refusal::Refusal;
pub use remove::{ChangeOptions, Removal, Selection};
pub use repository::Repository;
pub use rollback::Rollback;
pub use sign::{SignError, Signing};
pub use tidy::TidyReport;
pub use upload::{PublishReport, SnapshotId, Upload, UploadOutcome};
pub use vercmp::vercmp;
pub use verify::ProtectedNames;
