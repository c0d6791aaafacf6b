//! The record of a transaction that is about to change what clients see. It is on the disk before the first
//! change and goes with the last, so that whatever lies between can be finished or taken back.

use std::io;

use serde::{Deserialize, Serialize};

use super::RepoError;
use super::disk::Disk;
use super::layout::Layout;

const FORMAT: u32 = 1;

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    format: u32,
    /// SHA-256 of the next packages database. The transaction counts from when this is the current one.
    pub database_sha256: String,
    /// Package files that are new.
    pub place: Vec<Placement>,
    /// Package files that the next database no longer lists.
    pub supersede: Vec<String>,
}

/// A package file on its way from the staging folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Its path below the staging folder.
    pub staged: String,
    /// Its public name.
    pub name: String,
    /// Whether the database lists this very file already, and only the file was lost.
    pub listed: bool,
}

impl Intent {
    /// A record in the present format.
    #[must_use]
    pub fn new(database_sha256: String, place: Vec<Placement>, supersede: Vec<String>) -> Self {
        Self {
            format: FORMAT,
            database_sha256,
            place,
            supersede,
        }
    }

    /// Reads the record of an unfinished transaction, where there is one.
    pub fn read(layout: &Layout) -> Result<Option<Self>, RepoError> {
        let path = layout.intent();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RepoError::io("read", &path, error)),
        };
        let bad = |problem: String| RepoError::Intent {
            path: path.clone(),
            problem,
        };
        let intent: Self = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if intent.format != FORMAT {
            return Err(bad(format!(
                "it has the format {}, known is {FORMAT}",
                intent.format
            )));
        }
        Ok(Some(intent))
    }

    /// Puts the record on the disk.
    pub fn write(&self, disk: &Disk, layout: &Layout) -> Result<(), RepoError> {
        let path = layout.intent();
        let text = serde_json::to_vec_pretty(self).map_err(|error| RepoError::Intent {
            path: path.clone(),
            problem: error.to_string(),
        })?;
        disk.replace(&path, &layout.staging(), &text)
    }

    /// Takes the record back: the transaction is done, or as if it had never been.
    pub fn remove(disk: &Disk, layout: &Layout) -> Result<(), RepoError> {
        disk.remove(&layout.intent())?;
        disk.sync_folder(&layout.private())
    }
}
