//! How the repositories below one root are kept.

use std::path::PathBuf;
use std::time::Duration;

use super::{ProtectedNames, Signing};

/// Whether something that a package brings along is taken or makes its upload refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attitude {
    /// It is published like anything else.
    #[default]
    Accept,
    /// An upload with it is refused.
    Refuse,
}

/// What uploads are held to beyond the rules that nobody can turn off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Packages whose name ends with `-debug`.
    pub debug_packages: Attitude,
    /// Packages that replace others on `pacman -Syu`.
    pub replaces: Attitude,
    /// Packages in groups.
    pub groups: Attitude,
    /// Packages that conflict with others.
    pub conflicts: Attitude,
    /// Versions that pacman takes for older than the published one.
    pub downgrades: Attitude,
    /// The largest package file, in bytes.
    pub largest_package: u64,
    /// The most that the packages of one upload may take together, in bytes.
    pub largest_upload: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            debug_packages: Attitude::Accept,
            replaces: Attitude::Accept,
            groups: Attitude::Accept,
            conflicts: Attitude::Accept,
            downgrades: Attitude::Accept,
            largest_package: 8 << 30,
            largest_upload: 32 << 30,
        }
    }
}

/// How long files and states are kept that the database no longer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// How long superseded and removed files stay beside the others, for clients with an older database.
    pub grace: Duration,
    /// How long files stay in the archive after that.
    pub retention: Duration,
    /// How many states a target can be rolled back to; the archive keeps what they need, however old.
    pub snapshots: usize,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            grace: Duration::from_hours(24),
            retention: Duration::from_hours(7 * 24),
            snapshots: 20,
        }
    }
}

/// How the repositories below one root are kept.
#[derive(Debug, Clone)]
pub struct RepositoryOptions {
    /// The folder of all targets (`REPO_PATH`).
    pub root: PathBuf,
    /// How packages are signed.
    pub signing: Signing,
    /// Whether databases are signed, too.
    pub sign_databases: bool,
    /// Package names that belong to the distribution.
    pub protected_names: ProtectedNames,
    /// What uploads are held to.
    pub policy: Policy,
    /// How long things are kept.
    pub keeping: Keeping,
    /// Whether `index.html` and `packages.json` are written.
    pub pages: bool,
    /// How long to wait for another process that works on the same target.
    pub patience: Duration,
}

impl RepositoryOptions {
    /// Unsigned repositories below `root`, everything else as it usually is.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            signing: Signing::Off,
            sign_databases: false,
            protected_names: ProtectedNames::default(),
            policy: Policy::default(),
            keeping: Keeping::default(),
            pages: true,
            patience: Duration::from_mins(5),
        }
    }
}
