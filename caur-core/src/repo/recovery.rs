//! After an end at any step: a transaction whose database is the current one is finished, any other is taken back.

use super::RepoError;
use super::database::read_index;
use super::intent::Intent;
use super::layout::DatabaseKind;
use super::sign::signature_path;
use super::transaction::{Place, carry_out, hash_file};
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
    /// The package files that it was about.
    pub files: Vec<String>,
}

/// Settles the unfinished transaction of a target, where there is one, and clears the staging folder.
pub fn recover(place: &Place<'_>) -> Result<Option<Recovery>, RepoError> {
    let recovery = match Intent::read(place.layout)? {
        Some(intent) if is_current(place, &intent)? => {
            // Lists and links go by way of the staging folder, which may be gone already.
            place.disk.private_folder(&place.layout.staging())?;
            carry_out(place, &intent)?;
            Some(Recovery::Completed)
        }
        Some(intent) => {
            take_back(place, &intent)?;
            Some(Recovery::RolledBack)
        }
        None => None,
    };
    place.disk.remove_folder(&place.layout.staging())?;
    Ok(recovery)
}

fn is_current(place: &Place<'_>, intent: &Intent) -> Result<bool, RepoError> {
    let path = place.layout.database(DatabaseKind::Packages);
    Ok(path.exists() && hash_file(&path)? == intent.database_sha256)
}

/// Removes what was placed. Whoever changed the database in between keeps what it lists.
fn take_back(place: &Place<'_>, intent: &Intent) -> Result<(), RepoError> {
    let path = place.layout.database(DatabaseKind::Packages);
    let index = read_index(&path).map_err(|source| RepoError::Database { path, source })?;
    for placement in &intent.place {
        let staged = place.layout.staging().join(&placement.staged);
        let public = place.layout.public().join(&placement.name);
        if index.values().any(|listed| listed.file_name == placement.name) {
            continue;
        }
        for (staged, public) in [
            (signature_path(&staged), signature_path(&public)),
            (staged, public),
        ] {
            // What still lies in the staging folder was not placed; the public file is another one's.
            if !staged.exists() {
                place.disk.remove(&public)?;
            }
        }
    }
    place.disk.sync_folder(&place.layout.public())?;
    Intent::remove(place.disk, place.layout)
}
