//! Housekeeping: what lies in a target's folders is compared with what is known, and what can be mended without a
//! doubt is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::database::Listed;
use super::layout::{Layout, architectures};
use super::retired::{self, is_regular};
use super::sign::signature_path;
use super::state::{Archived, Retired, State};
use super::store::{Known, Store, is_plain, now};
use super::transaction::hash_file;
use super::{RepoError, lists};

/// What housekeeping found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TidyReport {
    /// Package files that no database is known to have listed; they go to the archive after the time of grace.
    pub orphans: Vec<String>,
    /// Signatures without a package, removed.
    pub lone_signatures: Vec<String>,
    /// Files of listed packages that were lost and came back from the archive.
    pub restored: Vec<String>,
    /// Files of listed packages that are lost.
    pub missing: Vec<String>,
    /// Files that went to the archive.
    pub archived: Vec<String>,
    /// Files that were deleted from the archive.
    pub deleted: Vec<String>,
}

impl TidyReport {
    /// Whether nothing was found and nothing done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Does the housekeeping of a target.
pub fn tidy(store: &Store<'_>) -> Result<TidyReport, RepoError> {
    // What another program did is noted first, as signatures of databases go with that.
    let noted = State::read(&store.layout)?.number;
    store.begin()?;
    store.complete()?;
    let mut known = store.begin()?;
    if known.state.number != noted {
        store.disk.private_folder(&store.layout.staging())?;
        lists::write(store, Some(&known.index))?;
    }
    let before = known.state.clone();
    let mut report = TidyReport::default();
    restore_lost_files(store, &mut known, &mut report)?;
    adopt_orphans(store, &mut known, &mut report)?;
    adopt_archived(store, &mut known)?;
    if known.state != before {
        store.write_state(&known.state)?;
        store.disk.remove_folder(&store.layout.staging())?;
    }
    let moved = retired::move_what_is_due(store, &mut known.state, Duration::ZERO)?;
    report.archived = moved.archived;
    report.deleted = moved.deleted;
    Ok(report)
}

fn restore_lost_files(
    store: &Store<'_>,
    known: &mut Known,
    report: &mut TidyReport,
) -> Result<(), RepoError> {
    let archive = store.layout.archive();
    let public = store.layout.public();
    let lost = |listed: &&Listed| is_plain(&listed.file_name) && !public.join(&listed.file_name).exists();
    let Known { index, state, .. } = known;
    for listed in index.values().filter(lost) {
        let (name, sha256) = (&listed.file_name, listed.sha256.as_deref());
        // Without a hash nobody can say that it is the same file.
        let found = match sha256 {
            Some(_) => retired::find(store, state, name, sha256)?,
            None => None,
        };
        let Some(found) = found else {
            report.missing.push(name.clone());
            continue;
        };
        let (signature, to) = (signature_path(&found), public.join(name));
        if signature.exists() {
            store.disk.rename(&signature, &signature_path(&to))?;
        }
        store.disk.rename(&found, &to)?;
        state.retired.retain(|retired| {
            let archived = retired
                .archived
                .as_ref()
                .map(|archived| archive.join(&archived.path));
            archived.as_ref() != Some(&found)
        });
        report.restored.push(name.clone());
    }
    if report.restored.is_empty() {
        return Ok(());
    }
    store.disk.sync_folder(&public)
}

fn adopt_orphans(store: &Store<'_>, known: &mut Known, report: &mut TidyReport) -> Result<(), RepoError> {
    let public = store.layout.public();
    let names = names_in(&public)?;
    let listed: BTreeSet<&str> = known.index.values().map(|listed| &*listed.file_name).collect();
    let in_grace: BTreeSet<String> = known.state.in_grace().into_iter().map(str::to_owned).collect();
    for name in names.iter().filter(|name| is_package(name)) {
        if !listed.contains(name.as_str()) && !in_grace.contains(name) && is_regular(&public.join(name)) {
            known.state.retired.push(unknown_since_now(name, None));
            report.orphans.push(name.clone());
        }
    }
    for name in &names {
        let package = name.strip_suffix(".sig").filter(|package| is_package(package));
        // Somebody may be copying a package here, signature first.
        let settled = |path: &Path| {
            let age = fs::metadata(path).and_then(|metadata| metadata.modified());
            age.is_ok_and(|modified| {
                modified
                    .elapsed()
                    .is_ok_and(|age| age > store.options.keeping.grace)
            })
        };
        let lone = |package: &str| !names.contains(package) && !listed.contains(package);
        if package.is_some_and(lone) && settled(&public.join(name)) {
            store.disk.remove(&public.join(name))?;
            report.lone_signatures.push(name.clone());
        }
    }
    Ok(())
}

/// Files that other programs put into the archive are kept for the retention time from now on.
fn adopt_archived(store: &Store<'_>, known: &mut Known) -> Result<(), RepoError> {
    let archive = store.layout.archive();
    let mut places: Vec<(Option<String>, String)> = Vec::new();
    for name in names_in(&archive)? {
        if archive.join(&name).is_dir() {
            let inside = names_in(&archive.join(&name))?;
            places.extend(inside.into_iter().map(|file| (Some(name.clone()), file)));
        } else {
            places.push((None, name));
        }
    }
    for retired in &mut known.state.retired {
        let public = store.layout.public().join(&retired.name);
        if retired.archived.is_none() && !public.exists() {
            // The process ended after the move.
            let path = retired::archived_unnoted(store, retired)?;
            retired.archived = path.map(|path| Archived { path, at: now() });
        }
    }
    let tracked: BTreeSet<String> = known
        .state
        .retired
        .iter()
        .filter_map(|retired| Some(retired.archived.as_ref()?.path.clone()))
        .collect();
    for (folder, name) in places.iter().filter(|(_, name)| is_package(name)) {
        let place = folder
            .as_ref()
            .map_or_else(|| name.clone(), |folder| format!("{folder}/{name}"));
        let path = archive.join(&place);
        if tracked.contains(&place) || !is_regular(&path) || !is_ours(store, folder.as_deref(), name)? {
            continue;
        }
        let public = store.layout.public().join(name);
        if is_regular(&public) && hash_file(&public)? == hash_file(&path)? {
            // It came back with a rollback.
            store.disk.remove(&signature_path(&path))?;
            store.disk.remove(&path)?;
        } else {
            let place = Archived {
                path: place,
                at: now(),
            };
            known.state.retired.push(unknown_since_now(name, Some(place)));
        }
    }
    Ok(())
}

/// The archive is shared by the architectures of a target; folders in it say whose their files are. Packages for any that
/// another program put there belong to the first architecture.
fn is_ours(store: &Store<'_>, folder: Option<&str>, name: &str) -> Result<bool, RepoError> {
    let own = store.target.arch.as_str();
    let stem = name.split(".pkg.tar").next();
    let arch = stem.and_then(|stem| stem.rsplit('-').next());
    if arch != Some("any") {
        return Ok(arch == Some(own));
    }
    if let Some(folder) = folder {
        let ours = folder.strip_prefix(own);
        return Ok(ours.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')));
    }
    let root = &store.options.root;
    let targets = architectures(root, &store.target.repo, Layout::private)
        .map_err(|error| RepoError::io("list", &store.layout.target_folder(), error))?;
    Ok(targets.first() == Some(store.target))
}

fn unknown_since_now(name: &str, archived: Option<Archived>) -> Retired {
    Retired {
        name: name.to_owned(),
        sha256: None,
        left: 0,
        at: now(),
        archived,
    }
}

fn is_package(name: &str) -> bool {
    is_plain(name) && name.contains(".pkg.tar") && !name.ends_with(".sig") && !name.ends_with(".part")
}

fn names_in(folder: &Path) -> Result<BTreeSet<String>, RepoError> {
    let failed = |error| RepoError::io("list", folder, error);
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}
