//! How the repositories below one root are kept.

use std::path::PathBuf;

use super::{ProtectedNames, Signing};

/// What becomes of `-debug` packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DebugPackages {
    /// They are published like others.
    #[default]
    Accept,
    /// An upload with one is refused.
    Refuse,
}

/// How the repositories below one root are kept.
#[derive(Debug, Clone)]
pub struct RepositoryOptions {
    /// The folder of all targets (`REPO_PATH`).
    pub root: PathBuf,
    /// How packages are signed.
    pub signing: Signing,
    /// Package names that belong to the distribution.
    pub protected_names: ProtectedNames,
    /// What becomes of debug packages.
    pub debug_packages: DebugPackages,
}
