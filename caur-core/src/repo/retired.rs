//! Files that no database lists any more. They stay beside the others for a time of grace, since clients with an older
//! database still ask for them; then they go to the archive, and are deleted when nobody can need them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::history::{snapshot_index, snapshots};
use super::sign::signature_path;
use super::state::{Archived, Retired, State};
use super::store::{Store, now};
use super::transaction::hash_file;
use super::{Keeping, RepoError};

/// What was done about files whose time had come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Files that went to the archive.
    pub archived: Vec<String>,
    /// Files that were deleted from it.
    pub deleted: Vec<String>,
}

/// Archives what had its time of grace, and deletes what was in the archive for long enough and is needed by no
/// snapshot. The state on the disk follows.
///
/// What snapshots need takes a while to find out, so who is in a hurry deletes with some `slack` beyond the retention time
/// only, which housekeeping never lets pass.
///
/// # Errors
/// When the disk fails; what was moved by then is found by the next call.
pub fn move_what_is_due(store: &Store<'_>, state: &mut State, slack: Duration) -> Result<Moved, RepoError> {
    let mut moved = Moved::default();
    let (now, mut keeping) = (now(), store.options.keeping);
    keeping.retention += slack;
    if !state.retired.iter().any(|retired| is_due(retired, now, keeping)) {
        return Ok(moved);
    }
    let deletes = |retired: &Retired| retired.archived.is_some() && is_due(retired, now, keeping);
    let needed = if state.retired.iter().any(deletes) {
        needed_by_snapshots(store)?
    } else {
        None
    };
    let mut kept: Vec<Retired> = Vec::new();
    let mut rest = std::mem::take(&mut state.retired).into_iter();
    while let Some(mut retired) = rest.next() {
        let place = retired.archived.as_ref().map(|archived| archived.path.clone());
        let shared = place.is_some_and(|place| {
            let mut others = kept.iter().chain(rest.as_slice());
            others.any(|other| {
                other
                    .archived
                    .as_ref()
                    .is_some_and(|archived| archived.path == place)
            })
        });
        let is_needed = needed.as_ref().is_none_or(|needed| is_needed(needed, &retired));
        let keep = if shared {
            Keep::ForAnother
        } else if is_needed {
            Keep::ForSnapshot
        } else {
            Keep::No
        };
        let outcome = if is_due(&retired, now, keeping) {
            handle(store, &mut retired, keep, now, &mut moved)
        } else {
            Ok(Fate::Kept)
        };
        if !matches!(outcome, Ok(Fate::Gone)) {
            kept.push(retired);
        }
        if let Err(error) = outcome {
            tracing::warn!(target = %store.target, "{error}");
        }
    }
    state.retired = kept;
    store.disk.sync_folder(&store.layout.archive())?;
    store.disk.sync_folder(&store.layout.public())?;
    store.write_state(state)?;
    store.disk.remove_folder(&store.layout.staging())?;
    Ok(moved)
}

/// Whether the archive goes on keeping a file whose time is over.
enum Keep {
    No,
    ForSnapshot,
    ForAnother,
}

enum Fate {
    Kept,
    Gone,
}

type Needed = BTreeSet<(String, Option<String>)>;

/// The files that kept snapshots list, with their hashes where these state them. None: nobody can tell.
fn needed_by_snapshots(store: &Store<'_>) -> Result<Option<Needed>, RepoError> {
    let mut needed = BTreeSet::new();
    for number in snapshots(&store.layout)? {
        match snapshot_index(store, number) {
            Ok(index) => needed.extend(
                index
                    .into_values()
                    .map(|listed| (listed.file_name, listed.sha256)),
            ),
            Err(error) => {
                tracing::warn!(target = %store.target, %error, "nothing is deleted from the archive");
                return Ok(None);
            }
        }
    }
    Ok(Some(needed))
}

fn is_needed(needed: &Needed, retired: &Retired) -> bool {
    match &retired.sha256 {
        Some(_) => needed.contains(&(retired.name.clone(), retired.sha256.clone())),
        None => needed.iter().any(|(name, _)| *name == retired.name),
    }
}

fn is_due(retired: &Retired, now: u64, keeping: Keeping) -> bool {
    match &retired.archived {
        None => retired.at + keeping.grace.as_secs() <= now,
        Some(archived) => archived.at + keeping.retention.as_secs() <= now,
    }
}

fn handle(
    store: &Store<'_>,
    retired: &mut Retired,
    keep: Keep,
    now: u64,
    moved: &mut Moved,
) -> Result<Fate, RepoError> {
    let archive = store.layout.archive();
    if let Some(archived) = &retired.archived {
        match keep {
            Keep::ForSnapshot => return Ok(Fate::Kept),
            // Its file is another entry's, too.
            Keep::ForAnother => return Ok(Fate::Gone),
            Keep::No => {}
        }
        let path = archive.join(&archived.path);
        store.disk.remove(&signature_path(&path))?;
        store.disk.remove(&path)?;
        moved.deleted.push(archived.path.clone());
        return Ok(Fate::Gone);
    }
    let public = store.layout.public().join(&retired.name);
    let path = if public.exists() {
        let path = free_place(store, &retired.name)?;
        // First the signature: the package is what is looked for when this is cut short.
        let signature = signature_path(&public);
        if signature.exists() {
            store
                .disk
                .rename(&signature, &signature_path(&archive.join(&path)))?;
        }
        store.disk.rename(&public, &archive.join(&path))?;
        path
    } else {
        // The process may have ended between the move and the note of it.
        match archived_unnoted(store, retired)? {
            Some(path) => path,
            None => return Ok(Fate::Gone),
        }
    };
    moved.archived.push(retired.name.clone());
    retired.archived = Some(Archived { path, at: now });
    Ok(Fate::Kept)
}

/// Moves a public file to the archive.
///
/// # Errors
/// When the disk fails.
pub fn put_away(store: &Store<'_>, name: &str) -> Result<(), RepoError> {
    let place = store.layout.archive().join(free_place(store, name)?);
    store.disk.rename(&store.layout.public().join(name), &place)
}

/// Where a public file can go below the archive without taking another one's place.
fn free_place(store: &Store<'_>, name: &str) -> Result<String, RepoError> {
    let archive = store.layout.archive();
    if !archive.join(name).exists() && !is_for_any(name) {
        return Ok(name.to_owned());
    }
    let hash = hash_file(&store.layout.public().join(name))?;
    let mut place = name.to_owned();
    for next in places(store, name, &hash) {
        place = next;
        let path = archive.join(&place);
        if let Some(folder) = path.parent() {
            store.disk.public_folder(folder)?;
        }
        if !path.exists() || hash_file(&path)? == hash {
            break;
        }
    }
    // The last place is named after the content: what else is there is damaged.
    Ok(place)
}

fn is_for_any(name: &str) -> bool {
    name.contains("-any.pkg.tar")
}

/// The places below the archive for a file with this content, the first one first. The archive is shared by the
/// architectures of a target, which may each have a package for any, and keep it for as long as they need it.
fn places(store: &Store<'_>, name: &str, sha256: &str) -> Vec<String> {
    let arch = store.target.arch.as_str();
    let short = &sha256[..sha256.len().min(12)];
    if is_for_any(name) {
        vec![format!("{arch}/{name}"), format!("{arch}-{short}/{name}")]
    } else {
        vec![name.to_owned(), format!("{short}/{name}")]
    }
}

/// Where in the archive a file is that is not noted there yet.
///
/// # Errors
/// When a file cannot be read.
pub fn archived_unnoted(store: &Store<'_>, retired: &Retired) -> Result<Option<String>, RepoError> {
    let archive = store.layout.archive();
    let sha256 = retired.sha256.as_deref();
    for place in places(store, &retired.name, sha256.unwrap_or_default()) {
        let path = archive.join(&place);
        if is_regular(&path) && (sha256.is_none() || Some(&*hash_file(&path)?) == sha256) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Where a file with this name and content is, beside the listed ones or in the archive.
///
/// # Errors
/// When a file cannot be read.
pub fn find(
    store: &Store<'_>,
    state: &State,
    name: &str,
    sha256: Option<&str>,
) -> Result<Option<PathBuf>, RepoError> {
    let archive = store.layout.archive();
    let archived = state.retired.iter().filter(|retired| retired.name == name);
    let archived = archived.filter_map(|retired| Some(archive.join(&retired.archived.as_ref()?.path)));
    let places = [store.layout.public().join(name), archive.join(name)];
    for path in places.into_iter().chain(archived) {
        if is_regular(&path) && (sha256.is_none() || Some(&*hash_file(&path)?) == sha256) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether `path` is a file, and not a link to one.
pub fn is_regular(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}
