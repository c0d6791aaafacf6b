//! The record of a transaction that is about to change what clients see. It is on the disk before the first
//! change and goes with the last, so that whatever lies between can be finished or taken back.

use std::io;

use serde::{Deserialize, Serialize};

use super::RepoError;
use super::disk::Disk;
use super::layout::Layout;

const FORMAT: u32 = 2;

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    format: u32,
    /// Its number in the target's history.
    pub number: u64,
    /// SHA-256 of the next packages database. The transaction counts from when this is the current one.
    pub database_sha256: String,
    /// SHA-256 of the packages database before it, empty where there was none; not known of old records.
    pub previous_sha256: Option<String>,
    /// Whether signatures of the databases go with them.
    pub signed_databases: bool,
    /// Files that are new, in the order in which they are placed.
    pub place: Vec<Placement>,
    /// The oldest snapshot that is kept afterwards.
    pub oldest_snapshot: u64,
}

/// A file on its way from the staging folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Its path below the staging folder.
    pub staged: String,
    /// Its public name.
    pub name: String,
    /// Whether it takes the place of what has that name; else that is somebody's and goes to the archive.
    pub over: bool,
}

/// A record as the first version wrote it: each placement is a package with its signature.
#[derive(Deserialize)]
struct FirstFormat {
    database_sha256: String,
    place: Vec<FirstPlacement>,
}

#[derive(Deserialize)]
struct FirstPlacement {
    staged: String,
    name: String,
    listed: bool,
}

impl From<FirstFormat> for Intent {
    fn from(first: FirstFormat) -> Self {
        let files = first.place.into_iter().flat_map(|placement| {
            [".sig", ""].map(|suffix| Placement {
                staged: format!("{}{suffix}", placement.staged),
                name: format!("{}{suffix}", placement.name),
                over: placement.listed,
            })
        });
        Self {
            number: 0,
            signed_databases: false,
            place: files.collect(),
            ..Self::new(first.database_sha256)
        }
    }
}

impl Intent {
    /// A record that places nothing yet.
    #[must_use]
    pub fn new(database_sha256: String) -> Self {
        Self {
            format: FORMAT,
            number: 0,
            database_sha256,
            previous_sha256: None,
            signed_databases: false,
            place: Vec::new(),
            oldest_snapshot: 0,
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
        Self::parse(&text)
            .map(Some)
            .map_err(|problem| RepoError::Intent { path, problem })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let said = |error: serde_json::Error| error.to_string();
        let Format { format } = serde_json::from_slice(text).map_err(said)?;
        match format {
            1 => serde_json::from_slice::<FirstFormat>(text)
                .map(Self::from)
                .map_err(said),
            FORMAT => serde_json::from_slice(text).map_err(said),
            other => Err(format!("it has the format {other}, known is {FORMAT}")),
        }
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

    /// Takes the record back: the transaction is done, or as if it had never been. Finding it again after a loss of
    /// power does no harm, so nothing waits for the disk.
    pub fn remove(disk: &Disk, layout: &Layout) -> Result<(), RepoError> {
        disk.remove(&layout.intent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_first_version_is_understood() {
        let text = br#"{"format":1,"database_sha256":"5e","place":[{"staged":"0/a","name":"a","listed":false}],"supersede":["b"]}"#;
        let intent = Intent::parse(text).unwrap();
        let names: Vec<_> = intent
            .place
            .iter()
            .map(|file| (&*file.staged, &*file.name))
            .collect();
        assert_eq!(
            (&*intent.database_sha256, &*names),
            ("5e", &[("0/a.sig", "a.sig"), ("0/a", "a")][..])
        );
        let error = Intent::parse(br#"{"format":9}"#).unwrap_err();
        assert!(error.contains("format 9"), "{error}");
    }
}
