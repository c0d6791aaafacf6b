//! Carries out what is asked of a repository, on its files: for the `database` role and for commands with `--root`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use caur_core::model::{Pkgname, Target};
use caur_core::queue::{RepoAction, RepoOutcome, RepoRequest};
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
    /// Whether something is left for later.
    pub unfinished: bool,
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
            unfinished: false,
        })
    }
}

/// Why something was not done.
struct Refused {
    outcome: RepoOutcome,
    message: String,
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
            .unwrap_or_else(|refused| Done {
                outcome: refused.outcome,
                message: refused.message,
                value: Value::Null,
                changed: false,
                unfinished: false,
            })
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
        let mut removal = self
            .repository
            .remove(target, &selection, &options(request)?, origin)?;
        if removal.number.is_some() && removal.deferred.is_empty() {
            removal.deferred = self.left_for_later(target, &selection)?;
        }
        removed(request.dry_run, &removal)
    }

    /// What a keep-list has to leave alone for now. A removal whose answer got lost is not made again, so that it does
    /// not know.
    fn left_for_later(
        &self,
        target: &Target,
        selection: &Selection,
    ) -> Result<Vec<(Entry, String)>, RepoError> {
        match selection {
            Selection::Keep { on_their_way, .. } if !on_their_way.is_empty() => {}
            Selection::Keep { .. } | Selection::Pkgnames(_) | Selection::Pkgbase(_) => return Ok(Vec::new()),
        }
        let look = ChangeOptions {
            dry_run: true,
            ..ChangeOptions::default()
        };
        let removal = self
            .repository
            .remove(target, selection, &look, &Origin::default())?;
        Ok(removal.deferred)
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

fn removed(dry_run: bool, removal: &Removal) -> Result<Done, Refused> {
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
    done.unfinished = !dry_run && !removal.deferred.is_empty();
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
mod tests {
    use caur_core::model::{Arch, TargetRepo};
    use caur_core::repo::{AddOptions, RepositoryOptions};

    use super::*;

    fn target() -> Target {
        Target {
            repo: TargetRepo::new("repo").unwrap(),
            arch: Arch::new("x86_64").unwrap(),
        }
    }

    fn carry_out(site: &Site, action: RepoAction) -> Done {
        let request = RepoRequest::new(target(), action);
        site.carry_out(&request, BTreeMap::new(), &Origin::default())
    }

    #[test]
    fn what_a_rule_forbids_is_refused_and_what_breaks_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site {
            repository: Arc::new(Repository::open(RepositoryOptions::new(folder.path().to_owned())).unwrap()),
            upstream: vec![folder.path().join("core.db")],
        };
        let done = carry_out(&site, RepoAction::Tidy);
        assert_eq!(done.outcome, RepoOutcome::Refused, "{done:?}");
        site.repository.ensure_target(&target()).unwrap();
        let refused = [
            RepoAction::Remove {
                pkgnames: vec!["a".to_owned()],
            },
            RepoAction::AutoRemove { keep: [].into() },
            RepoAction::Rollback { to: 99 },
            RepoAction::Transfer {
                pkgname: "no name".to_owned(),
                to: None,
            },
        ];
        for action in refused {
            let done = carry_out(&site, action.clone());
            assert_eq!(done.outcome, RepoOutcome::Refused, "{action}: {done:?}");
            assert!(!done.changed && !done.unfinished && !done.message.is_empty());
        }
        let mut moved = RepoRequest::new(target(), RepoAction::Tidy);
        moved.action = RepoAction::RemovePkgbase {
            pkgbase: "a".to_owned(),
        };
        moved.previewed = Some("0".repeat(64));
        let done = site.carry_out(&moved, BTreeMap::new(), &Origin::default());
        assert!(done.message.contains("has changed since"), "{done:?}");
        let failed = carry_out(&site, RepoAction::Sonames { library: None });
        assert_eq!(failed.outcome, RepoOutcome::Failed, "{failed:?}");
        let done = carry_out(&site, RepoAction::History { limit: 1 });
        assert_eq!(
            (done.outcome, done.value.as_array().unwrap().len()),
            (RepoOutcome::Done, 1)
        );
    }
    #[test]
    fn a_removal_whose_answer_got_lost_still_knows_what_it_left_for_later() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let mut files = Vec::new();
        for name in ["goes", "stays"] {
            let info = format!("pkgname = {name}\npkgbase = {name}\npkgver = 1-1\narch = any\nsize = 1\n");
            std::fs::write(folder.path().join(".PKGINFO"), info).unwrap();
            let file = folder.path().join(format!("{name}-1-1-any.pkg.tar.zst"));
            let mut tar = std::process::Command::new("tar");
            tar.current_dir(folder.path()).args(["--zstd", "-cf"]);
            assert!(tar.arg(&file).arg(".PKGINFO").status().unwrap().success());
            files.push(file);
        }
        let site = Site {
            repository: Arc::new(Repository::open(RepositoryOptions::new(root)).unwrap()),
            upstream: Vec::new(),
        };
        let added = site
            .repository
            .add(&target(), &files, AddOptions::default(), &Origin::default());
        added.unwrap();
        let mut request = RepoRequest::new(
            target(),
            RepoAction::AutoRemove {
                keep: ["other".to_owned()].into(),
            },
        );
        request.force = true;
        let origin = Origin {
            request: Some("one".to_owned()),
            ..Origin::default()
        };
        let on_their_way = BTreeMap::from([("stays".to_owned(), "on its way".to_owned())]);
        for _ in 0..2 {
            let done = site.carry_out(&request, on_their_way.clone(), &origin);
            assert!(done.changed && done.unfinished, "{done:?}");
            assert_eq!(done.value["removed"][0]["pkgname"], "goes");
            assert_eq!(done.value["deferred"][0][0]["pkgname"], "stays");
        }
        assert_eq!(site.repository.packages(&target()).unwrap().len(), 1);
    }
}
