//! What becomes of requests to repositories: previews to confirm, lists to choose from, outcomes to tell.

use caur_core::model::RequestId;
use caur_core::queue::{RepoAction, RepoAnswer, RepoOutcome, RepoRequest};
use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::App;
use crate::msg::{Effect, RepoProgress, Request};
use crate::overlay::Overlay;
use crate::overlay::confirm::{Confirm, Danger};
use crate::overlay::repository::{RepositoryOverlay, States};
use crate::printable::one_line;
use crate::screen::repository::answer::{self, Removal, Rollback, State};

/// How long a change may wait for a database, as with the commands.
const CHANGE: Duration = Duration::from_hours(1);
/// Names of a keep-list that are shown where the repository lacks them.
const LISTED: usize = 20;
const BOUND: &str = "Nothing is done if the repository changes before that.";

impl App {
    /// A request stands elsewhere.
    pub(in crate::app) fn repository_progress(
        &mut self,
        id: &RequestId,
        progress: RepoProgress,
    ) -> Vec<Effect> {
        let Some(asked) = self.repository.take_progress(id, progress, self.now).cloned() else {
            return Vec::new();
        };
        let line = asked.line();
        let (request, answer) = match &asked.progress {
            Some(RepoProgress::Answered(answer)) => (&asked.request, answer),
            _ => {
                self.complain(line);
                return Vec::new();
            }
        };
        let is_this = |overlay: &Overlay| match overlay {
            Overlay::Repository(RepositoryOverlay::Request(open)) => open == id,
            _ => false,
        };
        let awaited = self.overlays.iter().position(is_this);
        if answer.outcome != RepoOutcome::Done {
            self.complain(line);
            let is_guarded = answer.outcome == RepoOutcome::Refused && answer::says_guarded(answer);
            if let Some(at) = awaited
                && is_guarded
                && asked.changes()
                && !request.force
            {
                self.overlays[at] = Overlay::Confirm(self.force(request, answer));
            }
            return Vec::new();
        }
        match (self.told(request, answer), awaited) {
            (Ok(Some(overlay)), Some(at)) => self.overlays[at] = overlay,
            (Ok(_), _) => self.say(line),
            (Err(problem), _) => self.complain(format!("{}: {problem}", asked.what())),
        }
        Vec::new()
    }

    /// What a request that was done leads to.
    fn told(&mut self, request: &RepoRequest, answer: &RepoAnswer) -> Result<Option<Overlay>, String> {
        let is_shown = self.repository.target() == Some(&request.target);
        Ok(match &request.action {
            RepoAction::Remove { .. } | RepoAction::RemovePkgbase { .. } | RepoAction::AutoRemove { .. }
                if request.dry_run =>
            {
                let removal: Removal = answer::read(answer)?;
                let is_empty = removal.removed.is_empty();
                (!is_empty).then(|| Overlay::Confirm(self.confirm_removal(request, &removal)))
            }
            RepoAction::Rollback { to } if request.dry_run => {
                let rollback: Rollback = answer::read(answer)?;
                let is_empty = rollback.difference.is_empty();
                (!is_empty).then(|| Overlay::Confirm(self.confirm_rollback(request, *to, &rollback)))
            }
            RepoAction::Check { .. } => {
                let checked = self.repository.take_check(&request.target, answer)?;
                (is_shown && !checked.findings.is_empty())
                    .then_some(Overlay::Repository(RepositoryOverlay::Findings(0)))
            }
            RepoAction::History { .. } => {
                let states: Vec<State> = answer::read(answer)?;
                (!states.is_empty()).then(|| {
                    let cursor = states.len().min(2) - 1;
                    let target = request.target.clone();
                    Overlay::Repository(RepositoryOverlay::States(States {
                        target,
                        states,
                        cursor,
                    }))
                })
            }
            RepoAction::Remove { .. }
            | RepoAction::RemovePkgbase { .. }
            | RepoAction::AutoRemove { .. }
            | RepoAction::Rollback { .. }
            | RepoAction::Transfer { .. }
            | RepoAction::Sonames { .. }
            | RepoAction::Difference { .. }
            | RepoAction::Tidy => None,
        })
    }

    fn confirm_removal(&mut self, preview: &RepoRequest, removal: &Removal) -> Confirm {
        let target = &preview.target;
        let guarded = removal.is_guarded();
        let (title, word) = match removal.removed.as_slice() {
            [only] => {
                let name = one_line(&only.pkgname);
                (format!("remove {name} from {target}?"), name)
            }
            several => (
                format!(
                    "remove {} of {} packages from {target}?",
                    several.len(),
                    removal.listed
                ),
                several.len().to_string(),
            ),
        };
        let mut lines = Vec::new();
        if guarded {
            lines.push(format!(
                "This is more than a tenth of the repository: {} of {} packages. The guard refuses it; typing the \
                 repository's name does it by force.",
                removal.removed.len(),
                removal.listed
            ));
        }
        if let RepoAction::AutoRemove { keep } = &preview.action {
            lines.extend(self.about_keep_list(preview, keep));
        }
        let gone = removal.removed.iter();
        lines.extend(gone.map(|entry| {
            let of = if entry.pkgname == entry.pkgbase {
                String::new()
            } else {
                format!(" of {}", entry.pkgbase)
            };
            format!("- {} {}{of}", entry.pkgname, entry.version)
        }));
        let later = removal.deferred.iter();
        lines.extend(
            later.map(|(entry, why)| format!("stays for now: {} {}, {why}", entry.pkgname, entry.version)),
        );
        lines.push(BOUND.to_owned());
        let danger = Danger::Type(if guarded { target.repo.to_string() } else { word });
        let request = self.real(preview, &removal.snapshot, guarded);
        Confirm::new(title, lines, danger, vec![request])
    }

    /// What a list is, so that a wrong file is noticed.
    fn about_keep_list(&self, preview: &RepoRequest, keep: &BTreeSet<String>) -> Vec<String> {
        let mut lines = vec![format!("The list keeps {} pkgbases.", keep.len())];
        if self.repository.target() != Some(&preview.target) || !self.repository.is_loaded() {
            return lines;
        }
        let rows = self.repository.table.rows();
        let there: BTreeSet<&str> = rows.map(|row| row.package.pkgbase.as_str()).collect();
        let lacking: Vec<&str> = keep
            .iter()
            .map(String::as_str)
            .filter(|name| !there.contains(name))
            .collect();
        if !lacking.is_empty() {
            let more = lacking.len().saturating_sub(LISTED);
            let shown = lacking[..lacking.len() - more].join(", ");
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            lines.push(format!("The repository has nothing of: {shown}{more}."));
        }
        lines
    }

    fn confirm_rollback(&mut self, preview: &RepoRequest, to: u64, rollback: &Rollback) -> Confirm {
        let target = &preview.target;
        let difference = &rollback.difference;
        // The answer does not say how many packages there are; where that is not known here, the database says no.
        let listed = self.repository.table.total();
        let is_known = self.repository.target() == Some(target) && self.repository.is_loaded();
        let guarded = is_known && answer::is_guarded(difference.removed.len(), listed);
        let mut lines = vec![format!("Going back changes this: {}.", difference.counts())];
        if guarded {
            lines.push(format!(
                "It takes more than a tenth of the repository away: {} of {listed} packages. The guard refuses it; \
                 typing the repository's name does it by force.",
                difference.removed.len()
            ));
        }
        lines.extend(difference.lines());
        lines.push(BOUND.to_owned());
        let word = if guarded {
            target.repo.to_string()
        } else {
            to.to_string()
        };
        let title = format!("bring state {to} of {target} back?");
        let request = self.real(preview, &rollback.snapshot, guarded);
        Confirm::new(title, lines, Danger::Type(word), vec![request])
    }

    /// What the guard refused can still be done by force.
    fn force(&mut self, refused: &RepoRequest, answer: &RepoAnswer) -> Confirm {
        let request = RepoRequest {
            id: self.repository.name_request(&self.setup.session),
            force: true,
            ..refused.clone()
        };
        let title = one_line(&format!("{} by force?", refused.action));
        let lines = vec![
            format!("The database refused: {}", answer.message),
            "Typing the repository's name does it by force.".to_owned(),
            BOUND.to_owned(),
        ];
        let danger = Danger::Type(refused.target.repo.to_string());
        Confirm::new(
            title,
            lines,
            danger,
            vec![Request::Repository(request, String::new())],
        )
    }

    /// The request that does what was previewed, and only to what was previewed.
    fn real(&mut self, preview: &RepoRequest, snapshot: &str, force: bool) -> Request {
        let request = RepoRequest {
            id: self.repository.name_request(&self.setup.session),
            force,
            dry_run: false,
            previewed: Some(snapshot.to_owned()),
            patience: CHANGE,
            ..preview.clone()
        };
        Request::Repository(request, String::new())
    }
}
