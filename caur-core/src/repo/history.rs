//! The history of a target: a record of each transaction, and the databases of the newest ones as snapshots.
//!
//! A snapshot is a copy, so that nothing that happens to the current database can reach it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::database::{Index, read_index};
use super::layout::{DatabaseKind, Layout};
use super::store::Store;
use super::{RepoError, SnapshotId};
use crate::model::JobId;

/// How many records are kept.
const RECORDS: u64 = 1000;

/// What a transaction was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The target was made.
    Create,
    /// Builds were published.
    Publish,
    /// Files were added by hand.
    Add,
    /// Packages were removed by name.
    Remove,
    /// Packages were removed that are not in a list of what should remain.
    AutoRemove,
    /// An earlier state was restored.
    Rollback,
    /// Entries or files were mended.
    Mend,
    /// Another program changed the database.
    Outside,
}

/// Who has something done to a repository, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// A person or a program.
    pub who: String,
    /// Why; empty where nobody said.
    pub reason: String,
    /// The request that it was asked for with: the same one is carried out once.
    pub request: Option<String>,
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// When it was, in seconds since 1970.
    pub at: u64,
    /// What it was about.
    pub kind: Kind,
    /// Who had it done.
    pub who: String,
    /// Why; empty where nobody said.
    pub reason: String,
    /// The request that it was asked for with.
    pub request: Option<String>,
    /// The attempts whose uploads it published.
    pub jobs: Vec<(JobId, u32)>,
    /// What it changed.
    pub difference: Difference,
    /// How many packages the target lists since.
    pub packages: usize,
    /// SHA-256 of the packages database since.
    pub database: String,
    /// Whether the target can be rolled back to it.
    #[serde(skip_deserializing)]
    pub snapshot: bool,
}

/// What is different in one state of a target, seen from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Packages that are new.
    pub added: Vec<Entry>,
    /// Packages that are gone.
    pub removed: Vec<Entry>,
    /// Packages with another file.
    pub changed: Vec<Change>,
}

/// A package as a state lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub pkgname: String,
    /// Its pkgbase.
    pub pkgbase: String,
    /// Its version.
    pub version: String,
}

/// A package that two states list differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its name.
    pub pkgname: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
}

impl Difference {
    /// What leads from `old` to `new`.
    #[must_use]
    pub fn between(old: &Index, new: &Index) -> Self {
        let missing = |from: &Index, other: &Index| -> Vec<Entry> {
            let left = from.iter().filter(|(name, _)| !other.contains_key(*name));
            left.map(|(name, listed)| Entry {
                pkgname: name.clone(),
                pkgbase: listed.pkgbase.clone(),
                version: listed.version.clone(),
            })
            .collect()
        };
        let changed = new.iter().filter_map(|(name, new)| {
            let old = old.get(name)?;
            let same = old.file_name == new.file_name && old.sha256 == new.sha256;
            (!same).then(|| Change {
                pkgname: name.clone(),
                from: old.version.clone(),
                to: new.version.clone(),
            })
        });
        Self {
            added: missing(new, old),
            removed: missing(old, new),
            changed: changed.collect(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The records of a target, newest first. One that cannot be read is left out and warned about.
pub fn records(layout: &Layout) -> Result<Vec<Record>, RepoError> {
    let mut records = Vec::new();
    for number in numbers(layout, ".json")?.into_iter().rev() {
        match record(layout, number) {
            Ok(record) => records.push(record),
            Err(error) => tracing::warn!("{error}"),
        }
    }
    Ok(records)
}

/// One record.
pub fn record(layout: &Layout, number: u64) -> Result<Record, RepoError> {
    let path = layout.record(number);
    let text = std::fs::read(&path).map_err(|error| RepoError::io("read", &path, error))?;
    let mut record: Record = serde_json::from_slice(&text).map_err(|error| RepoError::Record {
        path,
        problem: error.to_string(),
    })?;
    record.snapshot = has_snapshot(layout, number);
    Ok(record)
}

/// The numbers of the snapshots that are kept, ascending.
pub fn snapshots(layout: &Layout) -> Result<Vec<u64>, RepoError> {
    let mut numbers = numbers(layout, ".db.tar.zst")?;
    numbers.retain(|&number| has_snapshot(layout, number));
    Ok(numbers)
}

/// The newest transaction that is recorded; 0 where there is none.
pub fn newest(layout: &Layout) -> Result<u64, RepoError> {
    Ok(numbers(layout, ".json")?.last().copied().unwrap_or_default())
}

/// What a snapshot lists.
pub fn snapshot_index(store: &Store<'_>, number: u64) -> Result<Index, RepoError> {
    let layout = &store.layout;
    if !has_snapshot(layout, number) {
        return Err(RepoError::NoSnapshot {
            target: store.target.clone(),
            number,
            kept: snapshots(layout)?,
        });
    }
    let path = layout.snapshot(number, DatabaseKind::Packages);
    read_index(&path).map_err(|source| RepoError::Database { path, source })
}

/// Keeps the current databases as the snapshot `number`.
pub fn keep(store: &Store<'_>, number: u64) -> Result<(), RepoError> {
    for kind in DatabaseKind::ALL {
        let database = store.layout.database(kind);
        if database.exists() {
            store.disk.copy(&database, &store.layout.snapshot(number, kind))?;
        }
    }
    Ok(())
}

/// Forgets snapshots before `oldest`, and records that are much older.
pub fn forget(store: &Store<'_>, oldest: u64, newest: u64) -> Result<(), RepoError> {
    let layout = &store.layout;
    for number in numbers(layout, ".db.tar.zst")?
        .into_iter()
        .filter(|&number| number < oldest)
    {
        for kind in DatabaseKind::ALL {
            store.disk.remove(&layout.snapshot(number, kind))?;
        }
    }
    let old = |&number: &u64| number + RECORDS <= newest;
    for number in numbers(layout, ".json")?.into_iter().filter(old) {
        store.disk.remove(&layout.record(number))?;
    }
    Ok(())
}

fn has_snapshot(layout: &Layout, number: u64) -> bool {
    let there = |kind| layout.snapshot(number, kind).is_file();
    DatabaseKind::ALL.into_iter().all(there)
}

fn numbers(layout: &Layout, suffix: &str) -> Result<Vec<u64>, RepoError> {
    let folder = layout.history();
    let failed = |error| RepoError::io("list", &folder, error);
    let mut numbers = Vec::new();
    if !folder.exists() {
        return Ok(numbers);
    }
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(suffix));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where each file of an index can be told from another of its name: the SHA-256 by file name.
pub fn files(index: &Index) -> BTreeMap<&str, Option<&str>> {
    let files = index.values();
    files
        .map(|listed| (listed.file_name.as_str(), listed.sha256.as_deref()))
        .collect()
}

impl std::str::FromStr for SnapshotId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        hex.then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("{text:?} is no snapshot: expected 64 hexadecimal digits"))
    }
}
