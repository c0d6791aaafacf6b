//! The repositories below one root, and all that can be done to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::by_hand::{AddOptions, AddReport, add};
use super::check::{CheckReport, CheckRequest, Finding, check};
use super::database::{Index, read_index};
use super::disk::Disk;
use super::history::{self, Difference, Origin, Record};
use super::layout::{DatabaseKind, Layout, architectures, repositories};
use super::mend::{MendReport, mend};
use super::publish::{Circumstances, publish, published};
use super::recovery::{Recovered, recover, recover_reported};
use super::remove::{ChangeOptions, Removal, Selection, remove};
use super::rollback::{Rollback, rollback};
use super::state::State;
use super::store::Store;
use super::tidy::{TidyReport, tidy};
use super::transaction::hash_file;
use super::{PublishReport, RepoError, RepositoryOptions, SnapshotId, Upload};
use crate::model::{Pkgbase, Pkgname, PublishedPackage, Target};

/// The repositories below one root. Any number of processes may have it open: who changes a target holds its lock.
pub struct Repository {
    options: RepositoryOptions,
    disk: Disk,
    recovered: Vec<Recovered>,
}

impl Repository {
    /// Opens the repositories below a root, and settles what an earlier process left unfinished.
    ///
    /// # Errors
    /// When the root is missing or not writable, packages cannot be signed, or recovery fails.
    pub fn open(options: RepositoryOptions) -> Result<Self, RepoError> {
        Self::open_on(options, Disk::default())
    }

    pub(super) fn open_on(options: RepositoryOptions, disk: Disk) -> Result<Self, RepoError> {
        options.signing.check()?;
        let root = &options.root;
        fs::read_dir(root).map_err(|error| RepoError::io("open the repository root", root, error))?;
        let list = |error| RepoError::io("list", root, error);
        let mut recovered = Vec::new();
        for repo in repositories(root).map_err(list)? {
            for target in architectures(root, &repo, unfinished).map_err(list)? {
                match recover_reported(&disk, &options, &target) {
                    Ok(found) => recovered.extend(found),
                    // Whoever works on it settles it; and one that is broken is no reason to leave the others alone.
                    Err(RepoError::Locked { .. }) => {}
                    Err(error) => {
                        tracing::error!(%target, "an unfinished change could not be settled: {error}");
                    }
                }
            }
        }
        Ok(Self {
            options,
            disk,
            recovered,
        })
    }

    /// What was found unfinished when the repository was opened.
    #[must_use]
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    /// Makes sure that `target` exists, with empty databases, so that `pacman -Sy` works before the first package.
    ///
    /// # Errors
    /// When folders or databases cannot be created, or lie on several file systems.
    pub fn ensure_target(&self, target: &Target) -> Result<(), RepoError> {
        self.open_target(target)?.complete()
    }

    /// Publishes `uploads` in one transaction: each is accepted or refused as a whole and on its own.
    ///
    /// Calling it again with the same uploads is harmless. (Uploads of one pkgbase supersede each other, so each
    /// but the first of a pkgbase goes into a transaction of its own.)
    ///
    /// # Errors
    /// When disk, database or gpg fail. Nothing is half-published then, and the call can be repeated.
    pub fn publish(
        &self,
        target: &Target,
        uploads: &[Upload],
        circumstances: &Circumstances,
    ) -> Result<PublishReport, RepoError> {
        let store = self.open_target(target)?;
        store.complete()?;
        let mut outcomes = Vec::new();
        let mut rest = uploads;
        while !rest.is_empty() {
            let mut seen = BTreeSet::new();
            let count = rest
                .iter()
                .take_while(|upload| seen.insert(&upload.manifest.pkgbase))
                .count();
            let round = clean_after(&store, publish(&store, &rest[..count], circumstances));
            outcomes.extend(round?);
            rest = &rest[count..];
        }
        let snapshot = SnapshotId(hash_file(&store.layout.database(DatabaseKind::Packages))?);
        Ok(PublishReport { outcomes, snapshot })
    }

    /// Adds the packages in `files` to a target, which is made where it is missing: all or none.
    ///
    /// # Errors
    /// When a file breaks a rule, or disk, database or gpg fail. Nothing was changed then.
    pub fn add(
        &self,
        target: &Target,
        files: &[PathBuf],
        options: AddOptions,
        origin: &Origin,
    ) -> Result<AddReport, RepoError> {
        let store = self.open_target(target)?;
        store.complete()?;
        clean_after(&store, add(&store, files, options, origin))
    }

    /// Removes the packages that `selection` says. Their files stay for the time of grace.
    ///
    /// # Errors
    /// When names are not listed, more than a tenth would go without force, the target has changed since it was
    /// looked at, or disk or database fail. Nothing was changed then.
    pub fn remove(
        &self,
        target: &Target,
        selection: &Selection,
        options: &ChangeOptions,
        origin: &Origin,
    ) -> Result<Removal, RepoError> {
        let store = self.open_existing(target)?;
        clean_after(&store, remove(&store, selection, options, origin))
    }

    /// Restores an earlier state of a target, as its history numbers them.
    ///
    /// # Errors
    /// When the snapshot or files that it lists are not kept any more, the target has changed since it was looked at,
    /// or disk or database fail. Nothing was changed then.
    pub fn rollback(
        &self,
        target: &Target,
        to: u64,
        options: &ChangeOptions,
        origin: &Origin,
    ) -> Result<Rollback, RepoError> {
        let store = self.open_existing(target)?;
        clean_after(&store, rollback(&store, to, options, origin))
    }

    /// The transactions of a target, newest first.
    ///
    /// # Errors
    /// When there is no such target, or it cannot be read.
    pub fn history(&self, target: &Target) -> Result<Vec<Record>, RepoError> {
        let store = self.open_existing(target)?;
        store.begin_anyhow()?;
        history::records(&store.layout)
    }

    /// What is different in the state `b` of a target, the current one where none is given, from its state `a`.
    ///
    /// # Errors
    /// When a snapshot is not kept, or cannot be read.
    pub fn difference(&self, target: &Target, a: u64, b: Option<u64>) -> Result<Difference, RepoError> {
        let store = self.open_existing(target)?;
        let current = store.begin_anyhow()?.index;
        let old = history::snapshot_index(&store, a)?;
        let new = match b {
            Some(number) => history::snapshot_index(&store, number)?,
            None => current,
        };
        Ok(Difference::between(&old, &new))
    }

    /// Lets `to` publish the package `name` next, whoever owns it now; none takes that back.
    ///
    /// # Errors
    /// When the package is not listed, or the disk fails.
    pub fn transfer(&self, target: &Target, name: &Pkgname, to: Option<&Pkgbase>) -> Result<(), RepoError> {
        let store = self.open_existing(target)?;
        let mut known = store.begin()?;
        if !known.index.contains_key(name.as_str()) {
            return Err(RepoError::NotListed {
                target: target.clone(),
                names: vec![name.to_string()],
            });
        }
        match to {
            Some(pkgbase) => known.state.transfers.insert(name.clone(), pkgbase.clone()),
            None => known.state.transfers.remove(name),
        };
        store.write_state(&known.state)?;
        store.disk.remove_folder(&store.layout.staging())
    }

    /// Does the housekeeping of a target: archives and deletes what is due, finds and mends what does not fit.
    ///
    /// # Errors
    /// When there is no such target, or disk or database fail.
    pub fn tidy(&self, target: &Target) -> Result<TidyReport, RepoError> {
        let store = self.open_existing(target)?;
        tidy(&store)
    }

    /// Checks a target; see [`check`](super::check::check). Signatures are checked with the gpg home that signs, files
    /// in their time of grace are known, and what was read of libraries is remembered.
    ///
    /// # Errors
    /// When there is no such target, another repository's database cannot be read, or gpg cannot be run.
    pub fn check(&self, target: &Target, request: &CheckRequest) -> Result<CheckReport, RepoError> {
        // Who only looks needs no lock, and no right to write.
        let layout = Layout::new(&self.options.root, target);
        let state = State::read(&layout)?;
        let cache = layout.private().join("sonames.jsonl");
        let request = CheckRequest {
            signatures: self.options.signing.clone(),
            soname_cache: layout.private().is_dir().then_some(cache),
            retired: state.in_grace().into_iter().map(str::to_owned).collect(),
            ..request.clone()
        };
        check(&self.options.root, target, &request)
    }

    /// Mends of `findings` what can be mended without a doubt. Nothing is signed, and no package is given up.
    ///
    /// # Errors
    /// When there is no such target, or disk or database fail.
    pub fn mend(
        &self,
        target: &Target,
        findings: &[Finding],
        origin: &Origin,
    ) -> Result<MendReport, RepoError> {
        let store = self.open_existing(target)?;
        clean_after(&store, mend(&store, findings, origin))
    }

    /// Every package that the database of `target` lists; none where there is no such target.
    ///
    /// # Errors
    /// When the database cannot be relied on.
    pub fn packages(&self, target: &Target) -> Result<Vec<PublishedPackage>, RepoError> {
        Ok(self
            .index(target)?
            .iter()
            .filter_map(|(name, listed)| {
                let published = published(name, listed);
                if published.is_none() {
                    tracing::warn!(%target, package = name, "the database lists a package with an invalid name");
                }
                published
            })
            .collect())
    }

    /// What the database of `target` lists, by name; nothing where there is no such target.
    ///
    /// # Errors
    /// When the database cannot be relied on.
    pub fn index(&self, target: &Target) -> Result<Index, RepoError> {
        let path = Layout::new(&self.options.root, target).database(DatabaseKind::Packages);
        read_index(&path).map_err(|source| RepoError::Database { path, source })
    }

    /// Whether there is a database of `target`.
    #[must_use]
    pub fn has(&self, target: &Target) -> bool {
        let database = Layout::new(&self.options.root, target).database(DatabaseKind::Packages);
        database.exists()
    }

    /// The error of a target that is not there.
    #[must_use]
    pub fn missing(&self, target: &Target) -> RepoError {
        RepoError::NoTarget {
            target: target.clone(),
            root: self.options.root.clone(),
        }
    }

    fn open_target<'a>(&'a self, target: &'a Target) -> Result<Store<'a>, RepoError> {
        Store::open(&self.disk, &self.options, target)
    }

    fn open_existing<'a>(&'a self, target: &'a Target) -> Result<Store<'a>, RepoError> {
        Store::open_existing(&self.disk, &self.options, target)
    }
}

/// What an earlier process left, where it left something.
fn unfinished(layout: &Layout) -> PathBuf {
    let intent = layout.intent();
    if intent.exists() { intent } else { layout.staging() }
}

/// After a failure: frees what the attempt took on the disk. Whatever fails now is done by the next call.
fn clean_after<T>(store: &Store<'_>, outcome: Result<T, RepoError>) -> Result<T, RepoError> {
    if outcome.is_err()
        && let Err(error) = recover(store)
    {
        tracing::error!(target = %store.target, %error, "could not clean up after a failure yet");
    }
    outcome
}
