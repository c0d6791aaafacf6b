//! Removing packages: the databases forget them in one transaction, their files stay for the time of grace.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::database::{Index, Listed};
use super::history::{self, Entry, Kind};
use super::store::{Known, Store};
use super::transaction::{Change, commit};
use super::{Origin, RepoError, SnapshotId, vercmp};

/// Which packages are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These; all have to be listed.
    Pkgnames(Vec<String>),
    /// Those of one pkgbase, at least one.
    Pkgbase(String),
    /// Everything but what these pkgbases produce: also what they no longer produce.
    Keep {
        /// What remains.
        pkgbases: BTreeSet<String>,
        /// Packages that a queued job is about to take over, with what to say about it. They are left alone for now.
        on_their_way: BTreeMap<String, String>,
    },
}

/// How a change is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeOptions {
    /// Whether more than a tenth of the packages may go.
    pub force: bool,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
    /// The state that the change was decided on; in any other it is refused.
    pub expect: Option<SnapshotId>,
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// Packages that go.
    pub removed: Vec<Entry>,
    /// Packages that stay for now, with the reason.
    pub deferred: Vec<(Entry, String)>,
    /// How many packages there were.
    pub listed: usize,
    /// The transaction; none where nothing was changed.
    pub number: Option<u64>,
    /// The state that was looked at.
    pub snapshot: String,
}

/// Removes what `selection` says.
pub fn remove(
    store: &Store<'_>,
    selection: &Selection,
    options: &ChangeOptions,
    origin: &Origin,
) -> Result<Removal, RepoError> {
    let mut known = store.begin()?;
    if let Some(done) = done_before(store, &known, origin)? {
        return Ok(done);
    }
    expect(store, &known, options)?;
    let (selected, deferred) = select(store, &known.index, selection)?;
    let mut removal = Removal {
        removed: selected.iter().map(|name| entry(&known.index, name)).collect(),
        deferred: deferred
            .into_iter()
            .map(|(name, why)| (entry(&known.index, &name), why))
            .collect(),
        listed: known.index.len(),
        number: None,
        snapshot: known.snapshot().to_string(),
    };
    if options.dry_run || selected.is_empty() {
        return Ok(removal);
    }
    guard(store, selected.len(), known.index.len(), options)?;
    let mut after = known.index.clone();
    after.retain(|name, _| !selected.contains(name));
    let kind = match selection {
        Selection::Pkgnames(_) | Selection::Pkgbase(_) => Kind::Remove,
        Selection::Keep { .. } => Kind::AutoRemove,
    };
    store.fresh_staging()?;
    removal.number = Some(commit(store, &mut known, Change::new(kind, origin, after))?.number);
    Ok(removal)
}

/// The outcome of a request that was carried out already and whose answer got lost.
fn done_before(store: &Store<'_>, known: &Known, origin: &Origin) -> Result<Option<Removal>, RepoError> {
    let request = origin.request.as_deref();
    let Some(number) = request.and_then(|request| known.state.transaction_of(request)) else {
        return Ok(None);
    };
    // Of a very old one only that it was done is known.
    let record = history::record(&store.layout, number).ok();
    let listed = record
        .as_ref()
        .map_or(0, |record| record.packages + record.difference.removed.len());
    Ok(Some(Removal {
        listed,
        removed: record.map(|record| record.difference.removed).unwrap_or_default(),
        deferred: Vec::new(),
        number: Some(number),
        snapshot: known.snapshot().to_string(),
    }))
}

/// Refuses a change that was decided on another state.
pub fn expect(store: &Store<'_>, known: &Known, options: &ChangeOptions) -> Result<(), RepoError> {
    let found = known.snapshot();
    match &options.expect {
        Some(expected) if *expected != found => Err(RepoError::Moved {
            target: store.target.clone(),
            expected: expected.clone(),
            found,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Refuses to remove more than a tenth by accident.
pub fn guard(
    store: &Store<'_>,
    removed: usize,
    listed: usize,
    options: &ChangeOptions,
) -> Result<(), RepoError> {
    if options.force || removed.saturating_mul(10) <= listed {
        return Ok(());
    }
    Err(RepoError::TooMany {
        target: store.target.clone(),
        removed,
        listed,
    })
}

type Selected = (BTreeSet<String>, BTreeMap<String, String>);

fn select(store: &Store<'_>, index: &Index, selection: &Selection) -> Result<Selected, RepoError> {
    let not_listed = |names: Vec<String>| RepoError::NotListed {
        target: store.target.clone(),
        names,
    };
    let selected: BTreeSet<String> = match selection {
        Selection::Pkgnames(names) => {
            let missing: Vec<String> = names
                .iter()
                .filter(|name| !index.contains_key(*name))
                .cloned()
                .collect();
            if !missing.is_empty() {
                return Err(not_listed(missing));
            }
            names.iter().cloned().collect()
        }
        Selection::Pkgbase(pkgbase) => {
            let of_base = index.iter().filter(|(_, listed)| listed.pkgbase == *pkgbase);
            let names: BTreeSet<String> = of_base.map(|(name, _)| name.clone()).collect();
            if names.is_empty() {
                return Err(not_listed(vec![format!("any package of {pkgbase}")]));
            }
            names
        }
        Selection::Keep {
            pkgbases,
            on_their_way,
        } => {
            if pkgbases.is_empty() {
                return Err(RepoError::EmptyKeepList);
            }
            let unwanted = unwanted(index, pkgbases);
            let (deferred, selected): (BTreeSet<_>, BTreeSet<_>) = unwanted
                .into_iter()
                .partition(|name| on_their_way.contains_key(name));
            let why = |name: String| {
                let why = on_their_way[&name].clone();
                (name, why)
            };
            return Ok((selected, deferred.into_iter().map(why).collect()));
        }
    };
    Ok((selected, BTreeMap::new()))
}

/// Packages that none of `pkgbases` produces.
fn unwanted(index: &Index, pkgbases: &BTreeSet<String>) -> BTreeSet<String> {
    let newest = newest_versions(index);
    let is_unwanted = |(_, listed): &(&String, &Listed)| {
        !pkgbases.contains(&listed.pkgbase)
            || vercmp(&listed.version, newest[listed.pkgbase.as_str()]).is_lt()
    };
    let unwanted = index.iter().filter(is_unwanted);
    unwanted.map(|(name, _)| name.clone()).collect()
}

/// Whether the pkgbase of a listed package does not produce it any more. All packages of one build have one version, so
/// of the packages of a pkgbase those with an older version than the newest were not in its newest build.
#[must_use]
pub fn is_left_behind(index: &Index, name: &str) -> bool {
    index.get(name).is_some_and(|listed| {
        let siblings = index.values().filter(|other| other.pkgbase == listed.pkgbase);
        siblings
            .into_iter()
            .any(|other| vercmp(&listed.version, &other.version).is_lt())
    })
}

fn newest_versions(index: &Index) -> BTreeMap<&str, &str> {
    let mut newest = BTreeMap::<&str, &str>::new();
    for listed in index.values() {
        let version = newest.entry(&listed.pkgbase).or_insert(&listed.version);
        if vercmp(&listed.version, version).is_gt() {
            *version = &listed.version;
        }
    }
    newest
}

fn entry(index: &Index, name: &str) -> Entry {
    let listed = &index[name];
    Entry {
        pkgname: name.to_owned(),
        pkgbase: listed.pkgbase.clone(),
        version: listed.version.clone(),
    }
}
