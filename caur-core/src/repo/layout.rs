//! Where things lie below a repository's root, and which private folders Caur adds.
//!
//! The private folders (`.caur`, mode 0700) lie inside the target's folder, so that they are on the file system of
//! the packages and a rename out of them is atomic.

use std::path::{Path, PathBuf};

use crate::model::{Arch, Target, TargetRepo};

/// The private folder, at the root and in each target's folder.
pub const PRIVATE: &str = ".caur";
const STATE: &str = "state.json";

/// The two databases of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// `TARGET.db`: what `pacman -Sy` reads.
    Packages,
    /// `TARGET.files`: what `pacman -Fy` reads.
    Files,
}

impl DatabaseKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Packages, Self::Files];
}

/// The paths of one target.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    target: Target,
}

impl Layout {
    /// The paths of `target` below `root`.
    #[must_use]
    pub fn new(root: &Path, target: &Target) -> Self {
        Self {
            root: root.to_owned(),
            target: target.clone(),
        }
    }

    /// `TARGET/`.
    #[must_use]
    pub fn target_folder(&self) -> PathBuf {
        self.root.join(self.target.repo.as_str())
    }

    /// `TARGET/ARCH/`: packages, signatures and databases.
    #[must_use]
    pub fn public(&self) -> PathBuf {
        self.target_folder().join(self.target.arch.as_str())
    }

    /// `TARGET/archive/`: what no database lists any more.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.target_folder().join("archive")
    }

    /// `TARGET/.caur/ARCH/`: the intent record, the staging folder and the history.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.target_folder().join(PRIVATE).join(self.target.arch.as_str())
    }

    /// Where files are prepared that nobody may see or touch yet.
    #[must_use]
    pub fn staging(&self) -> PathBuf {
        self.private().join("staging")
    }

    /// The record of a transaction that is being carried out.
    #[must_use]
    pub fn intent(&self) -> PathBuf {
        self.private().join("intent.json")
    }

    /// What is known of the target besides its database.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.private().join(STATE)
    }

    /// The next state while it is prepared.
    #[must_use]
    pub fn staged_state(&self) -> PathBuf {
        self.staging().join(STATE)
    }

    /// The file whose lock keeps others away from the target.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.private().join("lock")
    }

    /// The file whose lock keeps other architectures away from the target's lists.
    #[must_use]
    pub fn lists_lock(&self) -> PathBuf {
        self.target_folder().join(PRIVATE).join("lists.lock")
    }

    /// `TARGET/.caur/ARCH/history/`: records and snapshots.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.private().join("history")
    }

    /// The record of a transaction.
    #[must_use]
    pub fn record(&self, number: u64) -> PathBuf {
        self.history().join(format!("{number}.json"))
    }

    /// The next record while it is prepared.
    #[must_use]
    pub fn staged_record(&self) -> PathBuf {
        self.staging().join("record.json")
    }

    /// A database as a transaction left it.
    #[must_use]
    pub fn snapshot(&self, number: u64, kind: DatabaseKind) -> PathBuf {
        let kind = match kind {
            DatabaseKind::Packages => "db",
            DatabaseKind::Files => "files",
        };
        self.history().join(format!("{number}.{kind}.tar.zst"))
    }

    /// A database.
    #[must_use]
    pub fn database(&self, kind: DatabaseKind) -> PathBuf {
        self.public().join(self.database_name(kind))
    }

    /// The next database while it is prepared.
    #[must_use]
    pub fn staged_database(&self, kind: DatabaseKind) -> PathBuf {
        self.staging().join(self.database_name(kind))
    }

    /// The link that clients ask for.
    #[must_use]
    pub fn database_link(&self, kind: DatabaseKind) -> PathBuf {
        self.public().join(self.link_name(kind))
    }

    /// The name of a database's file, `TARGET.db.tar.zst`.
    #[must_use]
    pub fn database_name(&self, kind: DatabaseKind) -> String {
        format!("{}.tar.zst", self.link_name(kind))
    }

    fn link_name(&self, kind: DatabaseKind) -> String {
        match kind {
            DatabaseKind::Packages => format!("{}.db", self.target.repo),
            DatabaseKind::Files => format!("{}.files", self.target.repo),
        }
    }
}

/// The architectures for which `repo` has the folder that `marker` gives for a target.
///
/// # Errors
/// When the folder of `repo` cannot be listed; one that does not exist has none.
pub fn architectures(
    root: &Path,
    repo: &TargetRepo,
    marker: impl Fn(&Layout) -> PathBuf,
) -> std::io::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for name in names_in(&root.join(repo.as_str()))? {
        if let Ok(arch) = Arch::new(name) {
            let target = Target {
                repo: repo.clone(),
                arch,
            };
            if marker(&Layout::new(root, &target)).exists() {
                targets.push(target);
            }
        }
    }
    targets.sort_unstable();
    Ok(targets)
}

/// The target repositories that have a folder below `root`.
///
/// # Errors
/// When `root` cannot be listed.
pub fn repositories(root: &Path) -> std::io::Result<Vec<TargetRepo>> {
    let mut repos: Vec<_> = names_in(root)?
        .into_iter()
        .filter_map(|name| TargetRepo::new(name).ok())
        .collect();
    repos.sort_unstable();
    Ok(repos)
}

fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}
