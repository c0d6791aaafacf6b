//! What can go wrong with the repository itself; what is wrong with an upload is a [`super::Refusal`].

use std::io;
use std::path::{Path, PathBuf};

use super::database::DatabaseError;
use super::sign::SignError;

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
    /// The root is in use.
    #[error(
        "another process uses the repositories in {}; stop it (`fuser {}` names it) or give this one another root",
        .0.display(), .0.join(".caur/lock").display()
    )]
    Locked(PathBuf),
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
        "the database {} cannot be relied on: {source}; restore it from a backup, or remove it and add the packages again",
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
