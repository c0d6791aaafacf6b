//! The repositories below one root, and publishing to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::database::{Index, Listed, read_index};
use super::disk::Disk;
use super::intake::take_in;
use super::intent::Intent;
use super::layout::{DatabaseKind, Layout, PRIVATE, architectures, repositories};
use super::package::Package;
use super::recovery::{Recovered, recover};
use super::sign::signature_path;
use super::transaction::{self, Place, hash_file};
use super::verify::{Rules, Verified, verify};
use super::{
    PublishReport, Refusal, RepoError, RepositoryOptions, Signing, SnapshotId, Upload, UploadOutcome,
};
use crate::model::{JobId, Manifest, Pkgbase, Pkgname, PublishedPackage, Target, TargetRepo};

/// The repositories below one root. One process at a time has it open; targets are published in parallel.
pub struct Repository {
    options: RepositoryOptions,
    disk: Disk,
    recovered: Vec<Recovered>,
    /// Lists are shared by the architectures of a target, so the target is what is locked.
    locks: Mutex<BTreeMap<TargetRepo, Arc<Mutex<()>>>>,
    /// Held, not read.
    _lock: RootLock,
}

impl Repository {
    /// Opens the repositories below a root, takes its lock and settles what an earlier process left unfinished.
    ///
    /// # Errors
    /// When the root is missing, not writable or in use, packages cannot be signed, or recovery fails.
    pub fn open(options: RepositoryOptions) -> Result<Self, RepoError> {
        Self::open_on(options, Disk::default())
    }

    pub(super) fn open_on(options: RepositoryOptions, disk: Disk) -> Result<Self, RepoError> {
        options.signing.check()?;
        let root = options.root.clone();
        fs::read_dir(&root).map_err(|error| RepoError::io("open the repository root", &root, error))?;
        disk.private_folder(&root.join(PRIVATE))?;
        let lock = RootLock::take(&root)?;
        let mut repository = Self {
            options,
            disk,
            recovered: Vec::new(),
            locks: Mutex::default(),
            _lock: lock,
        };
        let list = |error| RepoError::io("list", &root, error);
        for repo in repositories(&root).map_err(list)? {
            for target in architectures(&root, &repo, Layout::private).map_err(list)? {
                repository.recover(target)?;
            }
        }
        Ok(repository)
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
        let lock = self.lock_of(&target.repo);
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.prepare(target)
    }

    /// Publishes `uploads` in one transaction: each is accepted or refused as a whole and on its own.
    ///
    /// Calling it again with the same uploads is harmless. (Uploads of one pkgbase supersede each other, so each
    /// but the first of a pkgbase goes into a transaction of its own.)
    ///
    /// # Errors
    /// When disk, database or gpg fail. Nothing is half-published then, and the call can be repeated.
    pub fn publish(&self, target: &Target, uploads: &[Upload]) -> Result<PublishReport, RepoError> {
        let lock = self.lock_of(&target.repo);
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.prepare(target)?;
        let mut outcomes = Vec::new();
        let mut rest = uploads;
        while !rest.is_empty() {
            let mut seen = BTreeSet::new();
            let count = rest
                .iter()
                .take_while(|upload| seen.insert(&upload.manifest.pkgbase))
                .count();
            match self.publish_round(target, &rest[..count]) {
                Ok(round) => outcomes.extend(round),
                Err(error) => {
                    self.tidy_up(target);
                    return Err(error);
                }
            }
            rest = &rest[count..];
        }
        let layout = Layout::new(&self.options.root, target);
        let snapshot = SnapshotId(hash_file(&layout.database(DatabaseKind::Packages))?);
        Ok(PublishReport { outcomes, snapshot })
    }

    /// Every package that the database of `target` lists; none where there is no such target.
    ///
    /// # Errors
    /// When the database cannot be relied on.
    pub fn packages(&self, target: &Target) -> Result<Vec<PublishedPackage>, RepoError> {
        let index = Self::index(&Layout::new(&self.options.root, target))?;
        Ok(index
            .into_iter()
            .filter_map(|(name, listed)| {
                let published = published(&name, listed);
                if published.is_none() {
                    tracing::warn!(%target, package = name, "the database lists a package with an invalid name");
                }
                published
            })
            .collect())
    }

    fn publish_round(
        &self,
        target: &Target,
        uploads: &[Upload],
    ) -> Result<Vec<(JobId, UploadOutcome)>, RepoError> {
        let layout = Layout::new(&self.options.root, target);
        self.disk.remove_folder(&layout.staging())?;
        self.disk.private_folder(&layout.staging())?;
        let old = Self::index(&layout)?;
        let mut new = old.clone();
        let mut outcomes = Vec::new();
        let mut accepted = Vec::new();
        for (number, upload) in uploads.iter().enumerate() {
            let staging = layout.staging().join(number.to_string());
            let outcome = match self.accept(target, &layout, upload, &staging, &new)? {
                // An upload is removed when it is published; the news of that can get lost after it.
                Err(Refusal::NoFolder(_)) if is_published(&layout, &upload.manifest, &new) => {
                    UploadOutcome::AlreadyPublished
                }
                Err(refusal) => UploadOutcome::Refused(refusal),
                Ok(packages)
                    if packages
                        .iter()
                        .all(|package| is_complete(&self.options, &layout, package)) =>
                {
                    UploadOutcome::AlreadyPublished
                }
                Ok(packages) => {
                    let mut published_packages = Vec::new();
                    for package in packages {
                        let listed = listed(&package);
                        published_packages.extend(published(package.pkgname.as_str(), listed.clone()));
                        new.insert(package.pkgname.to_string(), listed);
                        if !is_complete(&self.options, &layout, &package) {
                            accepted.push(package);
                        }
                    }
                    UploadOutcome::Published {
                        packages: published_packages,
                    }
                }
            };
            outcomes.push((upload.manifest.job, outcome));
        }
        if accepted.is_empty() {
            self.disk.remove_folder(&layout.staging())?;
        } else {
            let place = Place {
                disk: &self.disk,
                root: &self.options.root,
                target,
                layout: &layout,
            };
            transaction::publish(&place, &self.options.signing, &accepted, &old)?;
        }
        Ok(outcomes)
    }

    fn accept(
        &self,
        target: &Target,
        layout: &Layout,
        upload: &Upload,
        staging: &Path,
        index: &Index,
    ) -> Result<Result<Vec<Verified>, Refusal>, RepoError> {
        let taken = match take_in(&self.disk, upload, target, &self.options.policy, staging)? {
            Ok(taken) => taken,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let rules = Rules {
            protected: &self.options.protected_names,
            policy: &self.options.policy,
        };
        let same_content = |listed: &Listed, package: &Package| {
            let hash = listed.sha256.clone();
            let hash = hash.or_else(|| hash_file(&layout.public().join(&listed.file_name)).ok());
            hash.as_ref() == Some(&package.sha256)
        };
        let may_move = |_: &Pkgname, _: &str| false;
        Ok(verify(
            &upload.manifest,
            taken,
            index,
            rules,
            may_move,
            same_content,
        ))
    }

    /// Creates what is missing of a target, after settling what is unfinished.
    fn prepare(&self, target: &Target) -> Result<(), RepoError> {
        let layout = Layout::new(&self.options.root, target);
        for folder in [layout.target_folder(), layout.public(), layout.archive()] {
            self.disk.public_folder(&folder)?;
        }
        for folder in [layout.target_folder().join(PRIVATE), layout.private()] {
            self.disk.private_folder(&folder)?;
        }
        one_file_system(&layout)?;
        let place = Place {
            disk: &self.disk,
            root: &self.options.root,
            target,
            layout: &layout,
        };
        recover(&place)?;
        let complete = |kind| layout.database(kind).exists() && layout.database_link(kind).exists();
        if !DatabaseKind::ALL.into_iter().all(complete) {
            self.disk.private_folder(&layout.staging())?;
            transaction::publish(&place, &Signing::Off, &[], &Index::new())?;
        }
        Ok(())
    }

    /// After a failure: frees what the attempt took on the disk. Whatever fails now is done by the next call.
    fn tidy_up(&self, target: &Target) {
        let layout = Layout::new(&self.options.root, target);
        let place = Place {
            disk: &self.disk,
            root: &self.options.root,
            target,
            layout: &layout,
        };
        if let Err(error) = recover(&place) {
            tracing::error!(%target, %error, "could not clean up after a failed publish yet");
        }
    }

    fn recover(&mut self, target: Target) -> Result<(), RepoError> {
        let layout = Layout::new(&self.options.root, &target);
        let files = Intent::read(&layout)?.map(|intent| intent.place.into_iter().map(|p| p.name).collect());
        let place = Place {
            disk: &self.disk,
            root: &self.options.root,
            target: &target,
            layout: &layout,
        };
        if let (Some(recovery), Some(files)) = (recover(&place)?, files) {
            tracing::info!(%target, ?recovery, ?files, "settled a publish that was not finished");
            self.recovered.push(Recovered {
                target,
                recovery,
                files,
            });
        }
        Ok(())
    }

    fn index(layout: &Layout) -> Result<Index, RepoError> {
        let path = layout.database(DatabaseKind::Packages);
        read_index(&path).map_err(|source| RepoError::Database { path, source })
    }

    fn lock_of(&self, repo: &TargetRepo) -> Arc<Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(repo.clone()).or_default())
    }
}

/// The lock that keeps other processes away from a root.
struct RootLock(File);

impl RootLock {
    fn take(root: &Path) -> Result<Self, RepoError> {
        let path = root.join(PRIVATE).join("lock");
        let failed = |error| RepoError::io("lock", &path, error);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(RepoError::Locked(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for RootLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has just forked holds the file until it executes.
        let _ = self.0.unlock();
    }
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

/// Whether the database lists this very file, and file and signature are where they belong.
fn is_complete(options: &RepositoryOptions, layout: &Layout, package: &Verified) -> bool {
    let public = layout.public().join(&package.taken.file_name);
    let signed = match options.signing {
        Signing::Off => true,
        Signing::Gpg { .. } => signature_path(&public).is_file(),
    };
    package.listed && signed && fs::metadata(&public).is_ok_and(|m| m.len() == package.taken.package.size)
}

fn listed(package: &Verified) -> Listed {
    let content = &package.taken.package;
    let info = &content.info;
    let number = |key| info.one(key).parse().unwrap_or_default();
    Listed {
        pkgbase: info.pkgbase().to_owned(),
        version: info.version().to_owned(),
        file_name: package.taken.file_name.clone(),
        sha256: Some(content.sha256.clone()),
        arch: info.arch().to_owned(),
        description: info.one("pkgdesc").to_owned(),
        size: content.size,
        installed_size: number("size"),
        build_date: number("builddate"),
        provides: info.all("provides").map(str::to_owned).collect(),
        depends: info.all("depend").map(str::to_owned).collect(),
    }
}

/// Whether the database lists the very files of `manifest`.
fn is_published(layout: &Layout, manifest: &Manifest, index: &Index) -> bool {
    !manifest.files.is_empty()
        && manifest.files.iter().all(|file| {
            let listed = index.values().any(|listed| listed.file_name == file.name);
            listed && hash_file(&layout.public().join(&file.name)).is_ok_and(|hash| hash == file.sha256)
        })
}

fn published(name: &str, listed: Listed) -> Option<PublishedPackage> {
    Some(PublishedPackage {
        pkgname: Pkgname::new(name).ok()?,
        pkgbase: Pkgbase::new(listed.pkgbase).ok()?,
        version: listed.version,
        file_name: listed.file_name,
        size: listed.size,
        build_date: listed.build_date,
        provides: listed
            .provides
            .iter()
            .map(|provided| {
                provided
                    .split(['<', '>', '='])
                    .next()
                    .unwrap_or(provided)
                    .to_owned()
            })
            .collect(),
    })
}
