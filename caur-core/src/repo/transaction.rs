//! A change as one transaction: everything is prepared in the private folder and on the disk before the intent
//! record is; then files are placed, and the rename of the packages database is the moment that counts.
//!
//! The files database follows that rename: for an instant `pkgfile` searches know less than `pacman -S`, never more
//! than is there. So does its signature, which clients that insist on one then miss for an instant. What has to be
//! done is found by looking, so every step may be repeated.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::database::{DatabaseEntry, Index, rewrite};
use super::disk::Disk;
use super::history::{self, Difference, Kind, Record};
use super::intent::{Intent, Placement};
use super::layout::DatabaseKind;
use super::recovery::{self, Recovery};
use super::sign::{Signing, signature_path};
use super::state::State;
use super::store::{Known, Store, now, retire};
use super::{Origin, RepoError, lists, retired};
use crate::model::JobId;

/// How much longer than for the retention time files stay in the archive before a transaction deletes them.
const SLACK: Duration = Duration::from_hours(2);

/// What a transaction changes.
pub struct Change<'a> {
    /// What it is about.
    pub kind: Kind,
    /// Who has it done.
    pub origin: &'a Origin,
    /// What the database lists afterwards.
    pub index: Index,
    /// New entries, with members for both databases.
    pub entries: Vec<DatabaseEntry>,
    /// New files, in the order in which they are placed.
    pub files: Vec<Staged>,
    /// The snapshot whose databases are taken as they are, instead of the current ones with the new entries.
    pub restore: Option<u64>,
    /// The attempts whose uploads are published.
    pub jobs: Vec<(JobId, u32)>,
    /// Permissions to take a package over that were used.
    pub used_transfers: BTreeSet<crate::model::Pkgname>,
}

/// A file in the staging folder that is to be public.
pub struct Staged {
    /// Where it is.
    pub path: PathBuf,
    /// Its public name.
    pub name: String,
    /// Whether it takes the place of what has that name.
    pub over: bool,
}

impl<'a> Change<'a> {
    /// A change that leads to `index` and has no new files yet.
    #[must_use]
    pub fn new(kind: Kind, origin: &'a Origin, index: Index) -> Self {
        Self {
            kind,
            origin,
            index,
            entries: Vec::new(),
            files: Vec::new(),
            restore: None,
            jobs: Vec::new(),
            used_transfers: BTreeSet::new(),
        }
    }
}

/// Carries `change` out on a target whose staging folder holds its files. Afterwards `known` is up to date.
///
/// # Errors
/// When nothing was changed; or when it was and the rest could not be done, which the next call will do.
pub fn commit(store: &Store<'_>, known: &mut Known, change: Change<'_>) -> Result<Record, RepoError> {
    let (intent, record, next) = prepare(store, known, &change)?;
    let path = store.layout.database(DatabaseKind::Packages);
    if path.exists() && hash_file(&path)? != known.state.database {
        return Err(RepoError::Overtaken(store.target.clone()));
    }
    let done = intent
        .write(store.disk, &store.layout)
        .and_then(|()| carry_out(store, &intent, Some(&change.index)));
    if let Err(error) = done {
        match recovery::recover(store) {
            Ok(Some(Recovery::Completed)) => {
                tracing::warn!(target = %store.target, %error, "a step of a transaction failed and was repeated");
            }
            Ok(Some(Recovery::RolledBack | Recovery::Overtaken) | None) => return Err(error),
            Err(again) => {
                tracing::error!(target = %store.target, error = %again, "could not recover from a failed transaction yet");
                return Err(error);
            }
        }
    }
    known.index = change.index;
    known.state = next;
    if let Err(error) = retired::move_what_is_due(store, &mut known.state, SLACK) {
        tracing::warn!(target = %store.target, %error, "could not archive superseded files yet");
    }
    Ok(record)
}

fn prepare(
    store: &Store<'_>,
    known: &Known,
    change: &Change<'_>,
) -> Result<(Intent, Record, State), RepoError> {
    let Store { disk, layout, .. } = store;
    prepare_databases(store, change)?;
    let mut intent = Intent::new(hash_file(&layout.staged_database(DatabaseKind::Packages))?);
    let mut next = known.state.clone();
    next.number += 1;
    next.database.clone_from(&intent.database_sha256);
    retire(&mut next, &known.index, &change.index);
    for &(job, attempt) in &change.jobs {
        next.remember_published(job, attempt);
    }
    if let Some(request) = &change.origin.request {
        next.remember_request(request);
    }
    next.transfers
        .retain(|name, _| !change.used_transfers.contains(name));
    note_who_made(&mut next, change);
    let record = Record {
        number: next.number,
        at: now(),
        kind: change.kind,
        who: change.origin.who.clone(),
        reason: change.origin.reason.clone(),
        request: change.origin.request.clone(),
        jobs: change.jobs.clone(),
        difference: Difference::between(&known.index, &change.index),
        packages: change.index.len(),
        database: intent.database_sha256.clone(),
        snapshot: true,
    };
    let json = serde_json::to_vec(&record).expect("every key is text");
    disk.write(&layout.staged_record(), &json)?;
    disk.write(&layout.staged_state(), &next.to_json())?;

    let staging = layout.staging();
    let mut folders: BTreeSet<&Path> = change
        .files
        .iter()
        .filter_map(|file| file.path.parent())
        .collect();
    folders.insert(&staging);
    folders
        .into_iter()
        .try_for_each(|folder| disk.sync_folder(folder))?;
    intent.number = next.number;
    intent.previous_sha256 = Some(known.state.database.clone());
    intent.signed_databases = signs_databases(store);
    let placements = change.files.iter().map(|file| Placement {
        staged: file
            .path
            .strip_prefix(&staging)
            .unwrap_or(&file.path)
            .display()
            .to_string(),
        name: file.name.clone(),
        over: file.over,
    });
    intent.place = placements.collect();
    let keep = u64::try_from(store.options.keeping.snapshots.max(1)).unwrap_or(u64::MAX);
    intent.oldest_snapshot = (next.number + 1).saturating_sub(keep);
    Ok((intent, record, next))
}

/// What was added by hand belongs to no collection, so that nobody may say that its owner is gone from it.
fn note_who_made(state: &mut State, change: &Change<'_>) {
    let names = change.entries.iter().map(DatabaseEntry::pkgname);
    for listed in names.filter_map(|name| change.index.get(name)) {
        match change.kind {
            Kind::Add => {
                state.by_hand.insert(listed.pkgbase.clone());
            }
            Kind::Publish => {
                state.by_hand.remove(&listed.pkgbase);
            }
            Kind::Create | Kind::Remove | Kind::AutoRemove | Kind::Rollback | Kind::Mend | Kind::Outside => {}
        }
    }
}

/// Whether databases get signatures.
pub fn signs_databases(store: &Store<'_>) -> bool {
    store.options.sign_databases && store.options.signing != Signing::Off
}

fn prepare_databases(store: &Store<'_>, change: &Change<'_>) -> Result<(), RepoError> {
    let Store { disk, layout, .. } = store;
    let write = |kind: DatabaseKind| {
        let path = layout.staged_database(kind);
        if let Some(number) = change.restore {
            disk.copy(&layout.snapshot(number, kind), &path)?;
            return Ok(());
        }
        let members: &[&str] = match kind {
            DatabaseKind::Packages => &["desc"],
            DatabaseKind::Files => &["desc", "files"],
        };
        let out = disk.create(&path)?;
        let keep = |name: &str| change.index.contains_key(name);
        rewrite(&layout.database(kind), &change.entries, keep, members, out).map_err(|source| {
            RepoError::WriteDatabase {
                path: path.clone(),
                source,
            }
        })?;
        disk.settle(&path)
    };
    // Compressing them is most of the work, and they do not need each other.
    std::thread::scope(|scope| {
        let files = scope.spawn(|| write(DatabaseKind::Files));
        let packages = write(DatabaseKind::Packages);
        packages.and(files.join().expect("writing a database does not panic"))
    })?;
    if signs_databases(store) {
        let paths = DatabaseKind::ALL.map(|kind| layout.staged_database(kind));
        store.options.signing.sign(&paths)?;
        for path in &paths {
            disk.settle(&signature_path(path))?;
        }
    }
    Ok(())
}

/// Does what is left to do of `intent`. `index` is what the database lists afterwards, where that is known.
pub fn carry_out(store: &Store<'_>, intent: &Intent, index: Option<&Index>) -> Result<(), RepoError> {
    let Store { disk, layout, .. } = store;
    let (public, staging) = (layout.public(), layout.staging());
    for placement in &intent.place {
        place_file(store, placement)?;
    }
    disk.sync_folder(&public)?;
    for kind in DatabaseKind::ALL {
        let (staged, database) = (layout.staged_database(kind), layout.database(kind));
        move_if_there(disk, &staged, &database)?;
        let (staged, signature) = (signature_path(&staged), signature_path(&database));
        if intent.signed_databases {
            move_if_there(disk, &staged, &signature)?;
        } else if signature.exists() {
            disk.remove(&signature)?;
        }
    }
    link_databases(store, intent.signed_databases)?;
    disk.sync_folder(&public)?;
    if intent.number > 0 {
        history::keep(store, intent.number)?;
        move_if_there(disk, &layout.staged_record(), &layout.record(intent.number))?;
        disk.sync_folder(&layout.history())?;
        history::forget(store, intent.oldest_snapshot, intent.number)?;
        move_if_there(disk, &layout.staged_state(), &layout.state())?;
        disk.sync_folder(&layout.private())?;
    }
    match lists::write(store, index) {
        Err(error @ RepoError::Locked { .. }) => {
            tracing::warn!(target = %store.target, %error, "the next change writes the lists");
        }
        outcome => outcome?,
    }
    Intent::remove(disk, layout)?;
    disk.remove_folder(&staging)
}

/// Makes the links that clients ask for lead where they should.
///
/// # Errors
/// When the disk fails.
pub fn link_databases(store: &Store<'_>, signed: bool) -> Result<(), RepoError> {
    let Store { disk, layout, .. } = store;
    let staging = layout.staging();
    for kind in DatabaseKind::ALL {
        let (link, name) = (layout.database_link(kind), layout.database_name(kind));
        disk.link(&link, &name, &staging)?;
        let link = signature_path(&link);
        if signed {
            disk.link(&link, &format!("{name}.sig"), &staging)?;
        } else if link.is_symlink() {
            disk.remove(&link)?;
        }
    }
    Ok(())
}

fn place_file(store: &Store<'_>, placement: &Placement) -> Result<(), RepoError> {
    let staged = store.layout.staging().join(&placement.staged);
    if !staged.exists() {
        return Ok(());
    }
    let public = store.layout.public().join(&placement.name);
    if !placement.over && public.exists() {
        // A stray file that no database lists; clients never asked for it, but it may be somebody's.
        retired::put_away(store, &placement.name)?;
    }
    store.disk.rename(&staged, &public)
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
