//! Going back to an earlier state: its databases are restored as they were, with the files that they list.

use std::path::Path;

use serde::Serialize;

use super::database::Index;
use super::history::{self, Difference, Kind};
use super::remove::{ChangeOptions, expect, guard};
use super::sign::{Signing, signature_path};
use super::store::{Known, Store, is_plain};
use super::transaction::{Change, Staged, commit, hash_file};
use super::{Origin, RepoError, retired};

/// What a rollback changed, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// What the target listed before it, and lists afterwards.
    pub difference: Difference,
    /// The transaction; none where nothing was changed.
    pub number: Option<u64>,
    /// The state that was looked at.
    pub snapshot: String,
}

/// Restores the snapshot `to`.
pub fn rollback(
    store: &Store<'_>,
    to: u64,
    options: &ChangeOptions,
    origin: &Origin,
) -> Result<Rollback, RepoError> {
    let mut known = store.begin_anyhow()?;
    let request = origin.request.as_deref();
    if let Some(number) = request.and_then(|request| known.state.transaction_of(request)) {
        return Ok(Rollback {
            difference: history::record(&store.layout, number)
                .map(|record| record.difference)
                .unwrap_or_default(),
            number: Some(number),
            snapshot: known.snapshot().to_string(),
        });
    }
    expect(store, &known, options)?;
    let after = history::snapshot_index(store, to)?;
    let mut rollback = Rollback {
        difference: Difference::between(&known.index, &after),
        number: None,
        snapshot: known.snapshot().to_string(),
    };
    store.fresh_staging()?;
    let files = files_of(store, &known, to, &after)?;
    if options.dry_run || (rollback.difference.is_empty() && !known.damaged) {
        store.disk.remove_folder(&store.layout.staging())?;
        return Ok(rollback);
    }
    let removed = rollback.difference.removed.len();
    guard(store, removed, known.index.len(), options)?;
    let mut change = Change::new(Kind::Rollback, origin, after);
    change.files = files;
    change.restore = Some(to);
    rollback.number = Some(commit(store, &mut known, change)?.number);
    Ok(rollback)
}

/// Files that have to come back from the archive. They get a second name in the staging folder.
fn files_of(store: &Store<'_>, known: &Known, number: u64, after: &Index) -> Result<Vec<Staged>, RepoError> {
    let (staging, public) = (store.layout.staging(), store.layout.public());
    let now = history::files(&known.index);
    let in_grace = known.state.in_grace();
    let (mut files, mut gone, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for listed in after.values() {
        let (name, sha256) = (listed.file_name.as_str(), listed.sha256.as_deref());
        if !is_plain(name) || now.get(name) == Some(&sha256) {
            continue;
        }
        // Clients ask for the other content under this name, now or with a database that is a little older.
        let other = |path: &Path| path.exists() && sha256.is_some() && !is_content(path, sha256);
        if now.contains_key(name) || (in_grace.contains(name) && other(&public.join(name))) {
            taken.push(name.to_owned());
            continue;
        }
        let Some(found) = retired::find(store, &known.state, name, sha256)? else {
            gone.push(name.to_owned());
            continue;
        };
        let mut bring = |from: &Path, name: String| -> Result<(), RepoError> {
            if from != public.join(&name) {
                let path = staging.join(&name);
                store.disk.share(from, &path)?;
                store.disk.settle(&path)?;
                files.push(Staged {
                    path,
                    name,
                    over: false,
                });
            }
            Ok(())
        };
        let signature = signature_path(&found);
        if signature.is_file() {
            bring(&signature, format!("{name}.sig"))?;
        } else if store.options.signing != Signing::Off {
            gone.push(format!("{name}.sig"));
        }
        bring(&found, name.to_owned())?;
    }
    if !taken.is_empty() {
        return Err(RepoError::Taken {
            target: store.target.clone(),
            number,
            files: taken,
        });
    }
    if gone.is_empty() {
        Ok(files)
    } else {
        Err(RepoError::Gone {
            target: store.target.clone(),
            number,
            files: gone,
        })
    }
}

fn is_content(path: &Path, sha256: Option<&str>) -> bool {
    hash_file(path).is_ok_and(|hash| Some(&*hash) == sha256)
}
