//! The repository view: what its own keys do.
//!
//! Whatever changes a repository is first asked for as a preview. What the preview answered is shown and has to be
//! confirmed by typing; the real request then names the state that was previewed, so that nothing is done if the
//! repository changed meanwhile. All of it is carried out by a `database`; the console only asks and tells.

mod answering;
mod keep_list;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use caur_core::queue::{RepoAction, RepoRequest};
use crossterm::event::{KeyCode, KeyEvent};

use super::App;
use crate::keymap::Action;
use crate::msg::{Effect, FileUse, Request};
use crate::overlay::Overlay;
use crate::overlay::prompt::{Prompt, Purpose};
use crate::overlay::repository::{RepositoryOverlay, States};
use crate::screen::repository::asked::RepoAsked;

/// How long a look may wait for a database; nobody waits longer for an answer.
const LOOK: Duration = Duration::from_mins(10);
/// States that are listed at most.
const STATES: usize = 200;

impl App {
    /// An action of the repository view.
    pub(super) fn repository_action(&mut self, action: Action, argument: Option<&str>) -> Vec<Effect> {
        let argument = argument.map(str::trim).filter(|argument| !argument.is_empty());
        match action {
            Action::NextTarget => self.repository.turn(1),
            Action::PreviousTarget => self.repository.turn(-1),
            Action::PackageJob => {
                let job = self.repository.table.selected().and_then(|row| row.job);
                return job.map_or_else(Vec::new, |job| self.show_job(job));
            }
            Action::Findings => self.lay_over(RepositoryOverlay::Findings(0)),
            Action::Check => {
                let check = RepoAction::Check {
                    fix: false,
                    hashes: false,
                    sonames: true,
                };
                return self.look(check, false);
            }
            Action::Remove => match self.removal(argument) {
                Ok(removal) => return self.look(removal, true),
                Err(problem) => self.complain(problem),
            },
            Action::AutoRemove => match argument {
                Some(path) => {
                    self.repository.expect_keep_list();
                    return vec![Effect::Read(FileUse::KeepList, PathBuf::from(path))];
                }
                None => self.ask_argument(action),
            },
            Action::Rollback => match argument.map(str::parse) {
                None => return self.look(RepoAction::History { limit: STATES }, false),
                Some(Ok(to)) => return self.look(RepoAction::Rollback { to }, true),
                Some(Err(_)) => self.complain("a state is a number, as the list of states shows it"),
            },
            _ => {}
        }
        Vec::new()
    }

    /// Why an action of the repository view cannot be done now.
    pub(super) fn why_not_repository(&self, action: Action) -> Option<String> {
        match action {
            Action::NextTarget | Action::PreviousTarget => match self.repository.targets().len() {
                0 => Some("no repository is known yet".to_owned()),
                1 => Some("it is the only repository of the farm".to_owned()),
                _ => None,
            },
            Action::PackageJob => {
                let Some(row) = self.repository.table.selected() else {
                    return Some("no package is selected".to_owned());
                };
                let name = &row.package.pkgname;
                match row.job {
                    None => Some(format!("the job that made {name} is not known, or not any more")),
                    Some(id) if self.job(id).is_none() => {
                        Some(format!("job {id}, which made {name}, is not known any more"))
                    }
                    Some(_) => None,
                }
            }
            Action::Check | Action::Remove | Action::AutoRemove | Action::Rollback
                if self.repository.target().is_none() =>
            {
                Some("no repository is known yet".to_owned())
            }
            // A look changes nothing, but a database only hears of it through a request.
            Action::Check => self
                .why_not_change()
                .map(|reason| format!("a check is a request in the queue, and {reason}")),
            Action::Findings if self.repository.checked().is_none() => {
                Some("nothing was checked in this console yet".to_owned())
            }
            _ => None,
        }
    }

    /// The names of the marked packages, or of the selected one.
    pub(super) fn chosen_packages(&self) -> Vec<String> {
        let chosen = self.repository.table.chosen();
        chosen.iter().map(|row| row.package.pkgname.to_string()).collect()
    }

    /// What is to be removed: the chosen packages, or with `pkgbase` their whole pkgbases, or a named one.
    fn removal(&self, argument: Option<&str>) -> Result<RepoAction, String> {
        let words: Vec<&str> = argument.unwrap_or_default().split_whitespace().collect();
        let chosen = self.repository.table.chosen();
        if chosen.is_empty() && words.len() < 2 {
            return Err("no package is selected".to_owned());
        }
        match words.as_slice() {
            [] => Ok(RepoAction::Remove {
                pkgnames: self.chosen_packages(),
            }),
            ["pkgbase", name] => Ok(RepoAction::RemovePkgbase {
                pkgbase: (*name).to_owned(),
            }),
            ["pkgbase"] => {
                let bases: BTreeSet<&str> = chosen.iter().map(|row| row.package.pkgbase.as_str()).collect();
                if let (Some(base), 1) = (bases.first(), bases.len()) {
                    return Ok(RepoAction::RemovePkgbase {
                        pkgbase: (*base).to_owned(),
                    });
                }
                let rows = self.repository.table.rows();
                let of_them = rows.filter(|row| bases.contains(row.package.pkgbase.as_str()));
                Ok(RepoAction::Remove {
                    pkgnames: of_them.map(|row| row.package.pkgname.to_string()).collect(),
                })
            }
            _ => Err("it is nothing, or pkgbase for whole pkgbases, or pkgbase and a name".to_owned()),
        }
    }

    /// A keep-list was read.
    pub(super) fn keep_list_read(&mut self, path: &Path, text: &str) -> Vec<Effect> {
        let expected = self.repository.take_expected_keep_list();
        let problem = match keep_list::parse(text) {
            Err(problem) => Some(format!("{}: {problem}; nothing was asked", path.display())),
            Ok(_) if expected.as_ref() != self.repository.target() => {
                Some("another repository is looked at by now; nothing was asked".to_owned())
            }
            Ok(keep) => match self.why_not_change() {
                None => return self.look(RepoAction::AutoRemove { keep }, true),
                reason => reason,
            },
        };
        if let Some(problem) = problem {
            self.complain(problem);
        }
        vec![Effect::Draw]
    }

    /// Asks for something that changes nothing: a preview, a list, a check. What is on its way already is not asked
    /// for again, but shown.
    fn look(&mut self, action: RepoAction, dry_run: bool) -> Vec<Effect> {
        let Some(target) = self.repository.target().cloned() else {
            return Vec::new();
        };
        let request = RepoRequest {
            id: self.repository.name_request(&self.setup.session),
            target,
            action,
            force: false,
            dry_run,
            previewed: None,
            patience: LOOK,
        };
        if let Some(asked) = self.repository.under_way(&request) {
            let id = asked.request.id.clone();
            self.lay_over(RepositoryOverlay::Request(id));
            return vec![Effect::Draw];
        }
        self.send(vec![Request::Repository(request, String::new())])
    }

    /// How much was asked for in this console: of the queue and of repositories.
    pub(super) fn count_asked(&self) -> usize {
        self.operations.len() + self.repository.all_asked().len()
    }

    /// A request is about to be sent.
    pub(super) fn repository_asked(&mut self, request: &RepoRequest) {
        self.repository.remember(request.clone(), self.now);
        let asked = self.repository.asked(&request.id);
        let changes = asked.is_some_and(RepoAsked::changes);
        if changes {
            self.repository.table.unmark_all();
            let states =
                |overlay: &Overlay| matches!(overlay, Overlay::Repository(RepositoryOverlay::States(_)));
            self.overlays.retain(|overlay| !states(overlay));
        }
        self.lay_over(RepositoryOverlay::Request(request.id.clone()));
    }

    /// A key while something of this view lies over it.
    pub(super) fn repository_overlay_key(
        &mut self,
        overlay: RepositoryOverlay,
        event: KeyEvent,
    ) -> Vec<Effect> {
        let is_enter = event.code == KeyCode::Enter;
        match overlay {
            RepositoryOverlay::Request(id) => {
                if !is_enter && self.scrolled(0, event).is_some() {
                    self.lay_over(RepositoryOverlay::Request(id));
                }
            }
            RepositoryOverlay::States(mut states) => {
                if is_enter {
                    return self.choose_state(states);
                }
                if let Some(cursor) = self.scrolled(states.cursor, event) {
                    states.cursor = cursor.min(states.states.len().saturating_sub(1));
                    self.lay_over(RepositoryOverlay::States(states));
                }
            }
            RepositoryOverlay::Findings(cursor) => {
                let findings = self
                    .repository
                    .checked()
                    .map_or(&[][..], |checked| &checked.findings);
                let cursor = cursor.min(findings.len().saturating_sub(1));
                if is_enter {
                    let package = findings.get(cursor).and_then(|finding| finding.package.clone());
                    if let Some(package) = package {
                        self.select_package(&package);
                    }
                } else if let Some(next) = self.scrolled(cursor, event) {
                    let next = next.min(findings.len().saturating_sub(1));
                    self.lay_over(RepositoryOverlay::Findings(next));
                }
            }
        }
        vec![Effect::Draw]
    }

    /// Asks what going back to the selected state would change. The list stays beneath, for another choice.
    fn choose_state(&mut self, states: States) -> Vec<Effect> {
        let choice = states
            .states
            .get(states.cursor)
            .map(|state| (state.number, state.kept));
        let is_present = states.cursor == 0;
        self.lay_over(RepositoryOverlay::States(states));
        let refusal = match choice {
            None => return vec![Effect::Draw],
            Some((number, _)) if is_present => Some(format!("{number} is the present state")),
            Some((number, false)) => Some(format!("the databases of {number} are not kept any more")),
            Some((number, true)) => match self.why_not_change() {
                None => return self.look(RepoAction::Rollback { to: number }, true),
                reason => reason,
            },
        };
        if let Some(refusal) = refusal {
            self.complain(refusal);
        }
        vec![Effect::Draw]
    }

    /// Selects a package, also one that the filter hides.
    fn select_package(&mut self, pkgname: &str) {
        let key = pkgname.to_owned();
        let table = &mut self.repository.table;
        if !table.select(&key) {
            table.set_filter("");
            table.select(&key);
        }
    }

    fn ask_argument(&mut self, action: Action) {
        let prompt = Prompt::new(Purpose::Argument(action), "");
        self.overlays.push(Overlay::Prompt(prompt));
    }

    fn lay_over(&mut self, overlay: RepositoryOverlay) {
        self.overlays.push(Overlay::Repository(overlay));
    }
}
