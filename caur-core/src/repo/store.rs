//! One target while it is worked on: locked, with nothing unfinished, and what is known of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::adding::{self, Signatures};
use super::database::{Index, read_index};
use super::disk::Disk;
use super::history::{self, Difference, Kind, Record};
use super::layout::{DatabaseKind, Layout, PRIVATE};
use super::lock::Lock;
use super::mend::read_again;
use super::recovery::recover;
use super::sign::signature_path;
use super::state::{Retired, State};
use super::transaction::{Change, commit, hash_file, signs_databases};
use super::{Origin, RepoError, RepositoryOptions, SnapshotId};
use crate::model::Target;

/// One target while it is worked on.
pub struct Store<'a> {
    /// The way to the file system.
    pub disk: &'a Disk,
    /// How repositories are kept.
    pub options: &'a RepositoryOptions,
    /// The target.
    pub target: &'a Target,
    /// Its paths.
    pub layout: Layout,
    /// Held, not read.
    _lock: Lock,
}

/// What is known of a target when work on it begins.
pub struct Known {
    /// What the packages database lists.
    pub index: Index,
    /// Everything else.
    pub state: State,
    /// Whether the database cannot be read, and a snapshot stands in for it.
    pub damaged: bool,
}

impl Known {
    /// The state of the target, as others name it.
    #[must_use]
    pub fn snapshot(&self) -> SnapshotId {
        SnapshotId(self.state.database.clone())
    }
}

impl<'a> Store<'a> {
    /// Locks `target` and settles what is unfinished; whatever folder is missing is made.
    ///
    /// # Errors
    /// When another process keeps it locked, or the disk fails.
    pub fn open(
        disk: &'a Disk,
        options: &'a RepositoryOptions,
        target: &'a Target,
    ) -> Result<Self, RepoError> {
        let store = Self::locked(disk, options, target)?;
        recover(&store)?;
        store.restore_lost_databases()?;
        Ok(store)
    }

    /// Only locks `target`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn locked(
        disk: &'a Disk,
        options: &'a RepositoryOptions,
        target: &'a Target,
    ) -> Result<Self, RepoError> {
        let layout = Layout::new(&options.root, target);
        for folder in [layout.target_folder(), layout.public(), layout.archive()] {
            disk.public_folder(&folder)?;
        }
        let private = layout.target_folder().join(PRIVATE);
        for folder in [private, layout.private(), layout.history()] {
            disk.private_folder(&folder)?;
        }
        one_file_system(&layout)?;
        let lock = Lock::take(&layout.lock(), options.patience)?;
        Ok(Self {
            disk,
            options,
            target,
            layout,
            _lock: lock,
        })
    }

    /// Like [`Self::open`], but a target that is not there is not made.
    ///
    /// # Errors
    /// When it is not there, and as with [`Self::open`].
    pub fn open_existing(
        disk: &'a Disk,
        options: &'a RepositoryOptions,
        target: &'a Target,
    ) -> Result<Self, RepoError> {
        let layout = Layout::new(&options.root, target);
        let kept = [
            layout.database(DatabaseKind::Packages),
            layout.intent(),
            layout.state(),
        ];
        if kept.iter().any(|path| path.exists()) {
            return Self::open(disk, options, target);
        }
        Err(RepoError::NoTarget {
            target: target.clone(),
            root: options.root.clone(),
        })
    }

    /// Reads what is known, after noting in the history what another program changed.
    ///
    /// # Errors
    /// When database or state cannot be relied on.
    pub fn begin(&self) -> Result<Known, RepoError> {
        let path = self.layout.database(DatabaseKind::Packages);
        let mut known = Known {
            index: read_index(&path).map_err(|source| RepoError::Database {
                path: path.clone(),
                source,
            })?,
            state: State::read(&self.layout)?,
            damaged: false,
        };
        if known.state.number == 0 {
            // Without its state a target goes on after what its history holds.
            known.state.number = history::newest(&self.layout)?;
        }
        if path.exists() {
            let database = hash_file(&path)?;
            if database != known.state.database {
                self.note_outside(&mut known, database)?;
            }
        }
        Ok(known)
    }

    /// Like [`Self::begin`], but where the database cannot be read, what the newest snapshot lists stands in for it: enough
    /// to go back to a state that is kept.
    ///
    /// # Errors
    /// When state or disk fail.
    pub fn begin_anyhow(&self) -> Result<Known, RepoError> {
        let error = match self.begin() {
            Err(error @ RepoError::Database { .. }) => error,
            outcome => return outcome,
        };
        tracing::warn!(target = %self.target, "{error}");
        let mut state = State::read(&self.layout)?;
        let index = history::snapshot_index(self, state.number).unwrap_or_default();
        state.database = hash_file(&self.layout.database(DatabaseKind::Packages))?;
        Ok(Known {
            index,
            state,
            damaged: true,
        })
    }

    /// An empty folder for what is prepared.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn fresh_staging(&self) -> Result<(), RepoError> {
        self.disk.remove_folder(&self.layout.staging())?;
        self.disk.private_folder(&self.layout.staging())
    }

    /// Makes what is missing of databases, their links and signatures.
    ///
    /// # Errors
    /// When there are databases that are compressed in another way, or the disk fails.
    pub fn complete(&self) -> Result<(), RepoError> {
        let layout = &self.layout;
        let there = |kind| {
            let database = layout.database(kind);
            let signed = !signs_databases(self) || signature_path(&database).exists();
            database.exists() && layout.database_link(kind).exists() && signed
        };
        if DatabaseKind::ALL.into_iter().all(there) {
            return Ok(());
        }
        for kind in DatabaseKind::ALL {
            self.refuse_other_databases(kind)?;
        }
        let mut known = self.begin()?;
        self.fresh_staging()?;
        let origin = Origin {
            who: "caur".to_owned(),
            ..Origin::default()
        };
        let mut change = Change::new(Kind::Create, &origin, known.index.clone());
        if !known.index.is_empty() {
            change.kind = Kind::Mend;
            if !layout.database(DatabaseKind::Files).exists() {
                let names = known.index.keys().cloned().collect();
                let packages = read_again(self, &known, &names)?;
                adding::add(self, &packages, Signatures::Keep, &mut change)?;
            }
        }
        commit(self, &mut known, change).map(drop)
    }

    /// What this program would not see must not be replaced by an empty database.
    fn refuse_other_databases(&self, kind: DatabaseKind) -> Result<(), RepoError> {
        let expected = self.layout.database_name(kind);
        if self.layout.database(kind).exists() {
            return Ok(());
        }
        let link = self.layout.database_link(kind);
        let others = ["", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2"].map(|suffix| {
            let mut name = link.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        });
        match others.into_iter().find(|path| path.is_file()) {
            Some(found) => Err(RepoError::OtherDatabase { found, expected }),
            None => Ok(()),
        }
    }

    /// A database that was there and is gone comes back as the newest transaction left it.
    fn restore_lost_databases(&self) -> Result<(), RepoError> {
        let database = self.layout.database(DatabaseKind::Packages);
        if database.exists() {
            return Ok(());
        }
        let number = match State::read(&self.layout)?.number {
            0 => return Ok(()),
            number => number,
        };
        if !self.layout.snapshot(number, DatabaseKind::Packages).exists() {
            return Err(RepoError::LostDatabase {
                database,
                state: self.layout.state(),
            });
        }
        tracing::warn!(target = %self.target, "the database was gone and is restored as transaction {number} left it");
        self.fresh_staging()?;
        for kind in DatabaseKind::ALL {
            let (snapshot, staged) = (
                self.layout.snapshot(number, kind),
                self.layout.staged_database(kind),
            );
            if snapshot.exists() {
                self.disk.copy(&snapshot, &staged)?;
                self.disk.rename(&staged, &self.layout.database(kind))?;
            }
        }
        self.disk.sync_folder(&self.layout.public())?;
        self.disk.remove_folder(&self.layout.staging())
    }

    /// Whatever another program did becomes a transaction of its own, so that the history has no gaps and files that
    /// it took out of the database get their time of grace.
    fn note_outside(&self, known: &mut Known, database: String) -> Result<(), RepoError> {
        let before = match known.state.number {
            0 => Index::new(),
            number => history::snapshot_index(self, number).unwrap_or_else(|_| known.index.clone()),
        };
        self.fresh_staging()?;
        let Known { index, state, .. } = known;
        let difference = Difference::between(&before, index);
        if state.number > 0 {
            state
                .by_hand
                .extend(difference.added.iter().map(|entry| entry.pkgbase.clone()));
        }
        state.number += 1;
        state.database.clone_from(&database);
        retire(state, &before, index);
        let record = Record {
            number: state.number,
            at: now(),
            kind: Kind::Outside,
            who: "another program".to_owned(),
            reason: String::new(),
            request: None,
            jobs: Vec::new(),
            difference,
            packages: index.len(),
            database,
            snapshot: false,
        };
        let json = serde_json::to_vec(&record).expect("every key is text");
        let staging = self.layout.staging();
        for kind in DatabaseKind::ALL {
            // They were of the databases before; the next transaction makes new ones.
            self.disk.remove(&signature_path(&self.layout.database(kind)))?;
        }
        history::keep(self, state.number)?;
        self.disk
            .replace(&self.layout.record(state.number), &staging, &json)?;
        self.write_state(state)?;
        self.disk.remove_folder(&staging)
    }

    /// Replaces the state outside of a transaction.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write_state(&self, state: &State) -> Result<(), RepoError> {
        let staging = self.layout.staging();
        self.disk.private_folder(&staging)?;
        self.disk
            .replace(&self.layout.state(), &staging, &state.to_json())
    }
}

/// Notes in `state`, whose number is that of the change, which files no database lists any more.
pub fn retire(state: &mut State, before: &Index, after: &Index) {
    let (old, new) = (history::files(before), history::files(after));
    // Another file of the same name in the archive stays what it is.
    state.retired.retain(|retired| {
        let same = new.get(retired.name.as_str());
        same.is_none_or(|&sha256| retired.archived.is_some() && sha256 != retired.sha256.as_deref())
    });
    for (&name, &sha256) in &old {
        if !new.contains_key(name) && is_plain(name) {
            state.retired.push(Retired {
                name: name.to_owned(),
                sha256: sha256.map(str::to_owned),
                left: state.number,
                at: now(),
                archived: None,
            });
        }
    }
}

/// Whether a file name, maybe of a database that somebody else wrote, stays in its folder.
pub fn is_plain(name: &str) -> bool {
    !name.contains('/') && !name.starts_with('.') && !name.is_empty()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn one_file_system(layout: &Layout) -> Result<(), RepoError> {
    let device = |path: &Path| {
        fs::metadata(path)
            .map(|metadata| metadata.dev())
            .map_err(|error| RepoError::io("look at", path, error))
    };
    let private = layout.private();
    for public in [layout.public(), layout.archive(), layout.target_folder()] {
        if device(&public)? != device(&private)? {
            return Err(RepoError::TwoFileSystems { private, public });
        }
    }
    Ok(())
}
