//! A publish as one transaction: everything is prepared in the private folder and on the disk before the intent
//! record is; then files are placed, and the rename of the packages database is the moment that counts.
//!
//! The files database follows that rename: for an instant `pkgfile` searches know less than `pacman -S`, never more
//! than is there. What has to be done is found by looking, so every step may be repeated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::database::{DatabaseEntry, Index, rewrite};
use super::disk::Disk;
use super::entry;
use super::intent::{Intent, Placement};
use super::layout::{DatabaseKind, Layout};
use super::recovery::{self, Recovery};
use super::sign::{Signing, signature_path};
use super::verify::Verified;
use super::{RepoError, lists};
use crate::model::Target;

/// Where a transaction takes place.
pub struct Place<'a> {
    /// The way to the file system.
    pub disk: &'a Disk,
    /// The repositories' root.
    pub root: &'a Path,
    /// The target.
    pub target: &'a Target,
    /// The target's paths.
    pub layout: &'a Layout,
}

/// Publishes `packages`, which lie in the staging folder, over the database with the entries `old`.
///
/// # Errors
/// When nothing was published; or when it was and the rest could not be done, which the next call will do.
pub fn publish(
    place: &Place<'_>,
    signing: &Signing,
    packages: &[Verified],
    old: &Index,
) -> Result<(), RepoError> {
    let staged: Vec<PathBuf> = packages
        .iter()
        .map(|package| package.taken.staged.clone())
        .collect();
    signing.sign(&staged)?;
    let entries = packages
        .iter()
        .map(|package| entries_of(place.disk, package))
        .collect::<Result<Vec<_>, _>>()?;
    let intent = prepare(place, packages, &entries, old)?;
    if let Err(error) = intent
        .write(place.disk, place.layout)
        .and_then(|()| carry_out(place, &intent))
    {
        return match recovery::recover(place) {
            Ok(Some(Recovery::Completed)) => {
                tracing::warn!(target = %place.target, %error, "a step of a publish failed and was repeated");
                Ok(())
            }
            Ok(Some(Recovery::RolledBack) | None) => Err(error),
            Err(again) => {
                tracing::error!(target = %place.target, error = %again, "could not recover from a failed publish yet");
                Err(error)
            }
        };
    }
    Ok(())
}

/// The entries of one package for both databases. Puts package and signature on the disk on the way.
fn entries_of(disk: &Disk, package: &Verified) -> Result<BTreeMap<&'static str, Vec<u8>>, RepoError> {
    let staged = &package.taken.staged;
    disk.settle(staged)?;
    let signature = signature_path(staged);
    let signature = match std::fs::read(&signature) {
        Ok(bytes) => {
            disk.settle(&signature)?;
            Some(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(RepoError::io("read", &signature, error)),
    };
    let content = &package.taken.package;
    let desc = entry::desc(content, &package.taken.file_name, signature.as_deref());
    Ok(BTreeMap::from([
        ("desc", desc.into_bytes()),
        ("files", entry::files(content).into_bytes()),
    ]))
}

fn prepare(
    place: &Place<'_>,
    packages: &[Verified],
    entries: &[BTreeMap<&'static str, Vec<u8>>],
    old: &Index,
) -> Result<Intent, RepoError> {
    let Place { disk, layout, .. } = place;
    for kind in DatabaseKind::ALL {
        let members: &[&str] = match kind {
            DatabaseKind::Packages => &["desc"],
            DatabaseKind::Files => &["desc", "files"],
        };
        let add: Vec<DatabaseEntry> = packages
            .iter()
            .zip(entries)
            .map(|(package, texts)| {
                let info = &package.taken.package.info;
                DatabaseEntry {
                    directory: format!("{}-{}", package.pkgname, info.version()),
                    members: members
                        .iter()
                        .map(|&name| (name.to_owned(), texts[name].clone()))
                        .collect(),
                    modified: info.one("builddate").parse().unwrap_or_default(),
                }
            })
            .collect();
        let path = layout.staged_database(kind);
        let out = disk.create(&path)?;
        rewrite(&layout.database(kind), &add, out).map_err(|source| RepoError::WriteDatabase {
            path: path.clone(),
            source,
        })?;
        disk.settle(&path)?;
    }
    let staging = layout.staging();
    let mut folders: Vec<&Path> = packages
        .iter()
        .filter_map(|package| package.taken.staged.parent())
        .collect();
    folders.dedup();
    folders.push(&staging);
    folders
        .into_iter()
        .try_for_each(|folder| disk.sync_folder(folder))?;

    let placements = packages.iter().map(|package| Placement {
        staged: package
            .taken
            .staged
            .strip_prefix(&staging)
            .unwrap_or(&package.taken.staged)
            .display()
            .to_string(),
        name: package.taken.file_name.clone(),
        listed: package.listed,
    });
    let new: BTreeMap<&str, &str> = packages
        .iter()
        .map(|package| (package.pkgname.as_str(), package.taken.file_name.as_str()))
        .collect();
    let supersede = old
        .iter()
        .filter(|(name, listed)| new.get(name.as_str()).is_some_and(|file| *file != listed.file_name))
        .map(|(_, listed)| listed.file_name.clone())
        // Of a database that somebody else wrote.
        .filter(|name| !name.contains('/') && !name.starts_with('.'))
        .collect();
    Ok(Intent::new(
        hash_file(&layout.staged_database(DatabaseKind::Packages))?,
        placements.collect(),
        supersede,
    ))
}

/// Does what is left to do of `intent`.
pub fn carry_out(place: &Place<'_>, intent: &Intent) -> Result<(), RepoError> {
    let Place {
        disk,
        root,
        target,
        layout,
    } = *place;
    let (public, staging) = (layout.public(), layout.staging());
    for placement in &intent.place {
        place_file(place, placement)?;
    }
    disk.sync_folder(&public)?;
    for kind in DatabaseKind::ALL {
        move_if_there(disk, &layout.staged_database(kind), &layout.database(kind))?;
        disk.sync_folder(&public)?;
    }
    for kind in DatabaseKind::ALL {
        disk.link(&layout.database_link(kind), &layout.database_name(kind), &staging)?;
    }
    lists::write(disk, root, &target.repo, layout)?;
    for name in &intent.supersede {
        archive(place, name)?;
    }
    disk.sync_folder(&layout.archive())?;
    disk.sync_folder(&public)?;
    Intent::remove(disk, layout)?;
    disk.remove_folder(&staging)
}

/// The signature goes first: a package without one cannot be installed, a signature without package does no harm.
fn place_file(place: &Place<'_>, placement: &Placement) -> Result<(), RepoError> {
    let staged = place.layout.staging().join(&placement.staged);
    if !staged.exists() {
        return Ok(());
    }
    let public = place.layout.public().join(&placement.name);
    if !placement.listed && public.exists() {
        // A stray file that no database lists; clients never asked for it, but it may be somebody's.
        archive(place, &placement.name)?;
    }
    move_if_there(place.disk, &signature_path(&staged), &signature_path(&public))?;
    place.disk.rename(&staged, &public)
}

fn archive(place: &Place<'_>, name: &str) -> Result<(), RepoError> {
    let (from, to) = (
        place.layout.public().join(name),
        place.layout.archive().join(name),
    );
    move_if_there(place.disk, &from, &to)?;
    move_if_there(place.disk, &signature_path(&from), &signature_path(&to))
}

fn move_if_there(disk: &Disk, from: &Path, to: &Path) -> Result<(), RepoError> {
    if from.exists() {
        disk.rename(from, to)
    } else {
        Ok(())
    }
}

/// The SHA-256 of a file in lower-case hexadecimal.
pub fn hash_file(path: &Path) -> Result<String, RepoError> {
    let failed = |error| RepoError::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(hash.finalize())),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}
