//! After an end at any step: a transaction whose database is the current one is finished, any other is taken back.

use super::database::read_index;
use super::disk::Disk;
use super::intent::Intent;
use super::layout::DatabaseKind;
use super::store::Store;
use super::transaction::{carry_out, hash_file};
use super::{RepoError, RepositoryOptions};
use crate::model::Target;

/// What was done about an unfinished transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// It had counted already; the rest was done.
    Completed,
    /// It had not counted yet; what it had placed was removed.
    RolledBack,
}

/// A transaction that was found unfinished when the repository was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Whose it was.
    pub target: Target,
    /// What was done about it.
    pub recovery: Recovery,
    /// The files that it was about to place.
    pub files: Vec<String>,
}

/// Settles the unfinished transaction of a target, where there is one, and clears the staging folder.
pub fn recover(store: &Store<'_>) -> Result<Option<Recovery>, RepoError> {
    let recovery = match Intent::read(&store.layout)? {
        Some(intent) if is_current(store, &intent)? => {
            // Lists and links go by way of the staging folder, which may be gone already.
            store.disk.private_folder(&store.layout.staging())?;
            carry_out(store, &intent, None)?;
            Some(Recovery::Completed)
        }
        Some(intent) => {
            take_back(store, &intent)?;
            Some(Recovery::RolledBack)
        }
        None => None,
    };
    store.disk.remove_folder(&store.layout.staging())?;
    Ok(recovery)
}

/// Settles the unfinished transaction of `target`, and says so.
pub fn recover_reported(
    disk: &Disk,
    options: &RepositoryOptions,
    target: &Target,
) -> Result<Option<Recovered>, RepoError> {
    let store = Store::locked(disk, options, target)?;
    let intent = Intent::read(&store.layout)?;
    let placements = intent.into_iter().flat_map(|intent| intent.place);
    let files: Vec<String> = placements.map(|placement| placement.name).collect();
    let Some(recovery) = recover(&store)? else {
        return Ok(None);
    };
    tracing::info!(%target, ?recovery, ?files, "settled a transaction that was not finished");
    Ok(Some(Recovered {
        target: target.clone(),
        recovery,
        files,
    }))
}

fn is_current(store: &Store<'_>, intent: &Intent) -> Result<bool, RepoError> {
    let path = store.layout.database(DatabaseKind::Packages);
    Ok(path.exists() && hash_file(&path)? == intent.database_sha256)
}

/// Removes what was placed. Whoever changed the database in between keeps what it lists.
fn take_back(store: &Store<'_>, intent: &Intent) -> Result<(), RepoError> {
    let path = store.layout.database(DatabaseKind::Packages);
    let index = read_index(&path).map_err(|source| RepoError::Database { path, source })?;
    for placement in &intent.place {
        let staged = store.layout.staging().join(&placement.staged);
        let package = placement.name.strip_suffix(".sig").unwrap_or(&placement.name);
        let listed = index.values().any(|listed| listed.file_name == package);
        // What still lies in the staging folder was not placed; the public file is another one's.
        if !listed && !staged.exists() {
            store.disk.remove(&store.layout.public().join(&placement.name))?;
        }
    }
    store.disk.sync_folder(&store.layout.public())?;
    Intent::remove(store.disk, &store.layout)
}
