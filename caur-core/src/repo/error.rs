//! What can go wrong with the repository itself; what is wrong with an upload is a [`super::Refusal`].

use std::io;
use std::path::{Path, PathBuf};

use super::database::DatabaseError;
use super::layout::{DatabaseKind, Layout};
use super::sign::SignError;
use super::{Refusal, SnapshotId};
use crate::model::Target;

/// A failure of disk, database or signing. The operation did not happen, or is finished by the next one.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// The file system.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Somebody else works on the target.
    #[error("{holder} works on this repository and holds {} locked; wait for it, or look what keeps it", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// The target's private folder and its packages are on different file systems.
    #[error(
        "{} and {} are on different file systems, so files cannot be published in one step; mount the target's whole folder instead of one inside it",
        private.display(), public.display()
    )]
    TwoFileSystems {
        /// The private folder.
        private: PathBuf,
        /// The public one.
        public: PathBuf,
    },
    /// A database.
    #[error(
        "the database {} cannot be relied on: {source}; go back to a state that is kept (`repo history`, `repo rollback`), or restore it from a backup",
        path.display()
    )]
    Database {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        source: DatabaseError,
    },
    /// The new database could not be written.
    #[error("could not write the new database {}: {source}", path.display())]
    WriteDatabase {
        /// Its path.
        path: PathBuf,
        /// Why it failed.
        source: DatabaseError,
    },
    /// Signing.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The record of an unfinished transaction.
    #[error(
        "the record of an unfinished transaction {} cannot be read: {problem}; if it is of a newer version of this program run that one, else remove the record and check the repository",
        path.display()
    )]
    Intent {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The state of a target, or a record of its history.
    #[error(
        "{} cannot be read: {problem}; if it is of a newer version of this program run that one, else remove it: what it remembers is lost then, the packages are not",
        path.display()
    )]
    Record {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file that was to be added by hand.
    #[error("{0}; nothing was changed")]
    Refused(#[from] Refusal),
    /// There is no such repository.
    #[error("there is no repository {target} below {}: expected {}", root.display(), Layout::new(root, target).database(DatabaseKind::Packages).display())]
    NoTarget {
        /// The target.
        target: Target,
        /// The root.
        root: PathBuf,
    },
    /// Names that the repository does not list.
    #[error("{target} does not list {}; nothing was changed", names.join(", "))]
    NotListed {
        /// The target.
        target: Target,
        /// The names.
        names: Vec<String>,
    },
    /// An empty keep-list would remove everything.
    #[error("the list of what should remain is empty, so everything would be removed; nothing was changed")]
    EmptyKeepList,
    /// Much would be removed.
    #[error(
        "this removes {removed} of the {listed} packages of {target}, more than a tenth; nothing was changed: look at it with --dry-run, then add --force"
    )]
    TooMany {
        /// The target.
        target: Target,
        /// How many would go.
        removed: usize,
        /// How many there are.
        listed: usize,
    },
    /// The repository is not as it was when the change was decided on.
    #[error(
        "{target} has changed since this was previewed (then {expected}, now {found}); nothing was changed: look again"
    )]
    Moved {
        /// The target.
        target: Target,
        /// What it was.
        expected: SnapshotId,
        /// What it is.
        found: SnapshotId,
    },
    /// Another program changed the database at the same time.
    #[error("another program changed the database of {0} at the same time; nothing was changed: try again")]
    Overtaken(Target),
    /// The database is gone, and so is its snapshot.
    #[error(
        "the database {} is gone, and its snapshot is not kept; restore it from a backup, or remove {} to begin anew",
        database.display(), state.display()
    )]
    LostDatabase {
        /// Its path.
        database: PathBuf,
        /// The state that tells of it.
        state: PathBuf,
    },
    /// There is a database of another kind.
    #[error(
        "{} is there, but no {expected}; nothing was changed: databases are compressed with zstd here, so convert it (`zcat`, `xzcat` or `cat`, then `zstd`) and let the link lead there, or remove it",
        found.display()
    )]
    OtherDatabase {
        /// What is there.
        found: PathBuf,
        /// What is expected.
        expected: String,
    },
    /// Names that a snapshot needs mean other files now.
    #[error(
        "the snapshot {number} of {target} lists files whose names mean another content now, which clients may be about to ask for: {}; nothing was changed: remove these packages first and wait for the time of grace",
        files.join(", ")
    )]
    Taken {
        /// The target.
        target: Target,
        /// The snapshot.
        number: u64,
        /// The files.
        files: Vec<String>,
    },
    /// A state that is not kept.
    #[error("{target} has no snapshot {number}; kept are {}", kept.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))]
    NoSnapshot {
        /// The target.
        target: Target,
        /// Its number.
        number: u64,
        /// Those that are kept.
        kept: Vec<u64>,
    },
    /// Files that a state needs are lost.
    #[error(
        "the snapshot {number} of {target} lists files that are neither in the repository nor in its archive any more: {}; nothing was changed",
        files.join(", ")
    )]
    Gone {
        /// The target.
        target: Target,
        /// The snapshot.
        number: u64,
        /// The files.
        files: Vec<String>,
    },
}

impl RepoError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
