//! After an end at any step: a transaction whose database is the current one is finished, any other is taken back.

use std::collections::BTreeSet;
use std::time::Duration;

use super::database::read_index;
use super::disk::Disk;
use super::intent::Intent;
use super::layout::DatabaseKind;
use super::state::{Retired, State};
use super::store::{Store, now};
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
    /// Another program changed the database meanwhile: what had been placed stays for the time of grace.
    Overtaken,
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
        Some(intent) => {
            let database = current(store)?;
            Some(if database == intent.database_sha256 {
                // Links and lists go by way of the staging folder, which may be gone already.
                store.disk.private_folder(&store.layout.staging())?;
                carry_out(store, &intent, None)?;
                Recovery::Completed
            } else if intent
                .previous_sha256
                .as_ref()
                .is_none_or(|previous| *previous == database)
            {
                take_back(store, &intent)?;
                Recovery::RolledBack
            } else {
                keep_for_a_while(store, &intent)?;
                Recovery::Overtaken
            })
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
    let options = RepositoryOptions {
        patience: Duration::ZERO,
        ..options.clone()
    };
    let store = Store::locked(disk, &options, target)?;
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

/// SHA-256 of the packages database in place; empty where there is none.
fn current(store: &Store<'_>) -> Result<String, RepoError> {
    let path = store.layout.database(DatabaseKind::Packages);
    if path.exists() {
        hash_file(&path)
    } else {
        Ok(String::new())
    }
}

fn listed_files(store: &Store<'_>) -> BTreeSet<String> {
    let path = store.layout.database(DatabaseKind::Packages);
    match read_index(&path) {
        Ok(index) => index.into_values().map(|listed| listed.file_name).collect(),
        Err(source) => {
            // Nobody can ask for what it lists.
            let error = RepoError::Database { path, source };
            tracing::warn!(target = %store.target, "{error}");
            BTreeSet::new()
        }
    }
}

/// Neither the database before nor the one after it is in place. Clients may have seen the one after, so nothing is
/// removed: what was placed and is not listed has its time of grace.
fn keep_for_a_while(store: &Store<'_>, intent: &Intent) -> Result<(), RepoError> {
    let layout = &store.layout;
    let counted = intent.number > 0 && !layout.staged_database(DatabaseKind::Packages).exists();
    if counted && layout.staged_state().exists() {
        store.disk.rename(&layout.staged_state(), &layout.state())?;
    }
    if counted && layout.staged_record().exists() {
        store
            .disk
            .rename(&layout.staged_record(), &layout.record(intent.number))?;
    }
    let mut state = State::read(layout)?;
    let listed = listed_files(store);
    let known: BTreeSet<String> = state.in_grace().into_iter().map(str::to_owned).collect();
    for placement in &intent.place {
        let name = &placement.name;
        let placed =
            layout.public().join(name).exists() && !layout.staging().join(&placement.staged).exists();
        if placed && !name.ends_with(".sig") && !listed.contains(name) && !known.contains(name) {
            state.retired.push(Retired {
                name: name.clone(),
                sha256: None,
                left: 0,
                at: now(),
                archived: None,
            });
        }
    }
    store.write_state(&state)?;
    Intent::remove(store.disk, layout)
}

/// Removes what was placed. Whoever changed the database in between keeps what it lists.
fn take_back(store: &Store<'_>, intent: &Intent) -> Result<(), RepoError> {
    let listed = listed_files(store);
    for placement in &intent.place {
        let staged = store.layout.staging().join(&placement.staged);
        let package = placement.name.strip_suffix(".sig").unwrap_or(&placement.name);
        // What still lies in the staging folder was not placed; the public file is another one's.
        if !listed.contains(package) && !staged.exists() {
            store.disk.remove(&store.layout.public().join(&placement.name))?;
        }
    }
    store.disk.sync_folder(&store.layout.public())?;
    Intent::remove(store.disk, &store.layout)?;
    // Were it found again without the staging folder, everything would count as placed.
    store.disk.sync_folder(&store.layout.private())
}
