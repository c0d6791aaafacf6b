//! Carries out what is asked of a repository, on its files: for the `database` role and for commands with `--root`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use caur_core::model::{Pkgname, Target};
use caur_core::queue::{RepoAction, RepoOutcome, RepoRequest};
use caur_core::repo::database::Index;
use caur_core::repo::{
    ChangeOptions, Difference, Entry, Origin, Removal, RepoError, Repository, Rollback, Selection, SnapshotId,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::checking;
use crate::causes::chain;

/// Repositories on this machine.
pub struct Site {
    /// The repositories.
    pub repository: Arc<Repository>,
    /// Databases of other repositories that users have.
    pub upstream: Vec<PathBuf>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// How it ended.
    pub outcome: RepoOutcome,
    /// In words.
    pub message: String,
    /// For programs.
    pub value: Value,
    /// Whether the packages that the target lists may be others now.
    pub changed: bool,
    /// Packages that are left for later, by name, with the file that is listed.
    pub left: BTreeMap<String, String>,
}

impl Done {
    fn well(message: String, value: impl Serialize) -> Result<Self, Refused> {
        Ok(Self {
            outcome: RepoOutcome::Done,
            message,
            value: serde_json::to_value(value).map_err(|error| Refused {
                outcome: RepoOutcome::Failed,
                message: format!("it was done, but cannot be told: {error}"),
            })?,
            changed: false,
            left: BTreeMap::new(),
        })
    }
}

/// Why something was not done.
struct Refused {
    outcome: RepoOutcome,
    message: String,
}

impl From<Refused> for Done {
    fn from(refused: Refused) -> Self {
        Self {
            outcome: refused.outcome,
            message: refused.message,
            value: Value::Null,
            changed: false,
            left: BTreeMap::new(),
        }
    }
}

impl From<RepoError> for Refused {
    fn from(error: RepoError) -> Self {
        Self {
            outcome: kind(&error),
            message: chain(&error),
        }
    }
}

impl Site {
    /// Does what `request` asks. `on_their_way` are packages that queued jobs are about to publish.
    pub fn carry_out(
        &self,
        request: &RepoRequest,
        on_their_way: BTreeMap<String, String>,
        origin: &Origin,
    ) -> Done {
        self.try_to(request, on_their_way, origin)
            .unwrap_or_else(Done::from)
    }

    /// Looks again at what a keep-list had to leave alone. The list may be days old, so it says nothing about packages
    /// that came since: of `left` those go that it still does not name, with the file that was listed then, as soon as
    /// no job is about to bring them.
    pub fn look_again(
        &self,
        request: &RepoRequest,
        left: &BTreeMap<String, String>,
        on_their_way: BTreeMap<String, String>,
        origin: &Origin,
    ) -> Done {
        let RepoAction::AutoRemove { keep } = &request.action else {
            return Done::from(refused(&"only a keep-list leaves something for later"));
        };
        let selection = Selection::Keep {
            pkgbases: keep.clone(),
            on_their_way,
        };
        self.try_to_finish(request, left, &selection, origin)
            .unwrap_or_else(Done::from)
    }

    fn try_to_finish(
        &self,
        request: &RepoRequest,
        left: &BTreeMap<String, String>,
        selection: &Selection,
        origin: &Origin,
    ) -> Result<Done, Refused> {
        let target = &request.target;
        let seen = self.look(target, selection)?;
        let index = self.repository.index(target)?;
        let is_left = |entry: &Entry| {
            let listed = index.get(&entry.pkgname).map(|listed| &listed.file_name);
            listed.is_some() && listed == left.get(&entry.pkgname)
        };
        let unwanted = seen.removed.into_iter().filter(is_left);
        let unwanted = unwanted.map(|entry| entry.pkgname).collect();
        let options = ChangeOptions {
            force: request.force,
            dry_run: false,
            expect: Some(SnapshotId::from_str(&seen.snapshot).map_err(|error| refused(&error))?),
        };
        // Also where none is unwanted: then it tells what this round did before its answer got lost.
        let removal = self
            .repository
            .remove(target, &Selection::Pkgnames(unwanted), &options, origin);
        let mut removal = match removal {
            Err(RepoError::Moved { .. }) => {
                let mut done = Done::well("the target changed while it was looked at".to_owned(), ())?;
                done.left.clone_from(left);
                return Ok(done);
            }
            other => other?,
        };
        removal.deferred = seen.deferred;
        removal.deferred.retain(|(entry, _)| is_left(entry));
        removed(false, &removal, &index)
    }

    fn try_to(
        &self,
        request: &RepoRequest,
        on_their_way: BTreeMap<String, String>,
        origin: &Origin,
    ) -> Result<Done, Refused> {
        let target = &request.target;
        let selection = match &request.action {
            RepoAction::Remove { pkgnames } => Selection::Pkgnames(pkgnames.clone()),
            RepoAction::RemovePkgbase { pkgbase } => Selection::Pkgbase(pkgbase.clone()),
            RepoAction::AutoRemove { keep } => Selection::Keep {
                pkgbases: keep.clone(),
                on_their_way,
            },
            RepoAction::Rollback { to } => {
                let rollback = self
                    .repository
                    .rollback(target, *to, &options(request)?, origin)?;
                return rolled_back(*to, request.dry_run, &rollback);
            }
            RepoAction::Transfer { pkgname, to } => {
                let name = Pkgname::new(pkgname.as_str()).map_err(|error| refused(&error))?;
                self.repository.transfer(target, &name, to.as_ref())?;
                let message = match to {
                    Some(pkgbase) => format!("{pkgbase} may publish {name} next"),
                    None => format!("{name} stays with the pkgbase that publishes it"),
                };
                return Done::well(message, json!({ "pkgname": name, "to": to }));
            }
            RepoAction::Check { fix, hashes, sonames } => {
                let mend = fix.then_some(origin);
                let (message, value) = checking::check(self, target, *hashes, *sonames, mend)?;
                let mut done = Done::well(message, value)?;
                done.changed = *fix;
                return Ok(done);
            }
            RepoAction::Sonames { library } => {
                let (message, value) = checking::sonames(self, target, library.as_deref())?;
                return Done::well(message, value);
            }
            RepoAction::History { limit } => {
                let mut records = self.repository.history(target)?;
                records.truncate(*limit);
                return Done::well(format!("{} changes", records.len()), records);
            }
            RepoAction::Difference { from, to } => {
                let difference = self.repository.difference(target, *from, *to)?;
                return Done::well(counts(&difference), difference);
            }
            RepoAction::Tidy => {
                let report = self.repository.tidy(target)?;
                let message = format!(
                    "{} files archived, {} deleted, {} restored",
                    report.archived.len(),
                    report.deleted.len(),
                    report.restored.len()
                );
                return Done::well(message, report);
            }
        };
        let leaves = matches!(&selection, Selection::Keep { on_their_way, .. } if !on_their_way.is_empty());
        // What comes in from here on is not left for later.
        let index = if leaves {
            self.repository.index(target)?
        } else {
            Index::new()
        };
        let mut removal = self
            .repository
            .remove(target, &selection, &options(request)?, origin)?;
        if leaves && removal.number.is_some() && removal.deferred.is_empty() {
            // A removal whose answer got lost is not made again, so that it does not know.
            removal.deferred = self.look(target, &selection)?.deferred;
        }
        removed(request.dry_run, &removal, &index)
    }

    /// What would be removed.
    fn look(&self, target: &Target, selection: &Selection) -> Result<Removal, RepoError> {
        let look = ChangeOptions {
            dry_run: true,
            ..ChangeOptions::default()
        };
        self.repository
            .remove(target, selection, &look, &Origin::default())
    }
}

fn options(request: &RepoRequest) -> Result<ChangeOptions, Refused> {
    let expect = request.previewed.as_deref().map(SnapshotId::from_str);
    Ok(ChangeOptions {
        force: request.force,
        dry_run: request.dry_run,
        expect: expect.transpose().map_err(|error| refused(&error))?,
    })
}

/// Tells of a removal. `index` is what the target listed before.
fn removed(dry_run: bool, removal: &Removal, index: &Index) -> Result<Done, Refused> {
    let count = removal.removed.len();
    let mut message = match (count, dry_run) {
        (0, _) => format!("none of the {} packages is to be removed", removal.listed),
        (_, true) => format!("{count} of {} packages would be removed", removal.listed),
        (_, false) => format!("{count} of {} packages removed", removal.listed),
    };
    if !removal.deferred.is_empty() {
        message += &format!(
            "; {} stay until the jobs that bring them anew have ended",
            removal.deferred.len()
        );
    }
    let mut done = Done::well(message, removal)?;
    done.changed = !dry_run && count > 0;
    if !dry_run {
        let left = removal.deferred.iter().filter_map(|(entry, _)| {
            let listed = index.get(&entry.pkgname)?;
            let is_same = listed.pkgbase == entry.pkgbase && listed.version == entry.version;
            is_same.then(|| (entry.pkgname.clone(), listed.file_name.clone()))
        });
        done.left = left.collect();
    }
    Ok(done)
}

fn rolled_back(to: u64, dry_run: bool, rollback: &Rollback) -> Result<Done, Refused> {
    let message = match (rollback.difference.is_empty(), dry_run) {
        (true, _) => format!("nothing is different from {to}"),
        (false, true) => format!("{} by going back to {to}", counts(&rollback.difference)),
        (false, false) => format!("back to {to}: {}", counts(&rollback.difference)),
    };
    let mut done = Done::well(message, rollback)?;
    done.changed = !dry_run;
    Ok(done)
}

fn counts(difference: &Difference) -> String {
    format!(
        "{} packages added, {} removed, {} changed",
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len()
    )
}

fn refused(error: &dyn ToString) -> Refused {
    Refused {
        outcome: RepoOutcome::Refused,
        message: error.to_string(),
    }
}

/// Whether a rule forbids it, or it did not succeed.
fn kind(error: &RepoError) -> RepoOutcome {
    match error {
        RepoError::Refused(_)
        | RepoError::NoTarget { .. }
        | RepoError::NotListed { .. }
        | RepoError::EmptyKeepList
        | RepoError::TooMany { .. }
        | RepoError::Moved { .. }
        | RepoError::NoSnapshot { .. }
        | RepoError::OtherDatabase { .. }
        | RepoError::Taken { .. }
        | RepoError::Gone { .. } => RepoOutcome::Refused,
        RepoError::Io { .. }
        | RepoError::Locked { .. }
        | RepoError::Overtaken(_)
        | RepoError::LostDatabase { .. }
        | RepoError::TwoFileSystems { .. }
        | RepoError::Database { .. }
        | RepoError::WriteDatabase { .. }
        | RepoError::Sign(_)
        | RepoError::Intent { .. }
        | RepoError::Record { .. } => RepoOutcome::Failed,
    }
}

#[cfg(test)]
mod tests;
