//! Files that no database lists any more. They stay beside the others for a time of grace, since clients with an older
//! database still ask for them; then they go to the archive, and are deleted when nobody can need them.

use std::fs;
use std::path::{Path, PathBuf};

use super::history::snapshots;
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
/// # Errors
/// When the disk fails; what was moved by then is found by the next call.
pub fn move_what_is_due(store: &Store<'_>, state: &mut State) -> Result<Moved, RepoError> {
    let mut moved = Moved::default();
    let (now, keeping) = (now(), store.options.keeping);
    if !state.retired.iter().any(|retired| is_due(retired, now, keeping)) {
        return Ok(moved);
    }
    let oldest = snapshots(&store.layout)?.first().copied().unwrap_or(u64::MAX);
    let mut kept = Vec::new();
    for mut retired in std::mem::take(&mut state.retired) {
        let outcome = handle(store, &mut retired, oldest, now, &mut moved);
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

enum Fate {
    Kept,
    Gone,
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
    oldest_snapshot: u64,
    now: u64,
    moved: &mut Moved,
) -> Result<Fate, RepoError> {
    if !is_due(retired, now, store.options.keeping) {
        return Ok(Fate::Kept);
    }
    let archive = store.layout.archive();
    if let Some(archived) = &retired.archived {
        // It was listed up to the transaction before the one that took it out.
        if retired.left > oldest_snapshot {
            return Ok(Fate::Kept);
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
    if !archive.join(name).exists() {
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

/// The places below the archive for a file with this content, the first one first. The archive is shared by the
/// architectures of a target, which may each have a package for any, and keep it for as long as they need it.
fn places(store: &Store<'_>, name: &str, sha256: &str) -> Vec<String> {
    let arch = store.target.arch.as_str();
    let short = &sha256[..sha256.len().min(12)];
    if name.contains("-any.pkg.tar") {
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
    let Some(sha256) = &retired.sha256 else {
        return Ok(archive.join(&retired.name).exists().then(|| retired.name.clone()));
    };
    let mut places = places(store, &retired.name, sha256);
    places.insert(0, retired.name.clone());
    for place in places {
        let path = archive.join(&place);
        if is_regular(&path) && hash_file(&path)? == *sha256 {
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
