//! A request that this console made, and where it stands.

use caur_core::queue::{RepoAction, RepoOutcome, RepoRequest};

use crate::msg::RepoProgress;
use crate::theme::Meaning;

/// A request of this console.
#[derive(Debug, Clone, PartialEq)]
pub struct RepoAsked {
    /// What was asked.
    pub request: RepoRequest,
    /// Where it stands; none until the first news.
    pub progress: Option<RepoProgress>,
    /// When it was asked, in milliseconds since 1970 by this machine's clock.
    pub at: u64,
    /// Since when it stands there, likewise.
    pub since: u64,
}

impl RepoAsked {
    /// A request that is about to be sent.
    pub fn new(request: RepoRequest, now: u64) -> Self {
        Self {
            request,
            progress: None,
            at: now,
            since: now,
        }
    }

    pub(super) fn take(&mut self, progress: RepoProgress, now: u64) {
        if self.progress.as_ref() != Some(&progress) {
            self.progress = Some(progress);
            self.since = now;
        }
    }

    /// Whether its outcome is known.
    pub fn has_ended(&self) -> bool {
        match self.progress {
            None | Some(RepoProgress::Waiting | RepoProgress::Running | RepoProgress::Unknown) => false,
            Some(RepoProgress::Answered(_) | RepoProgress::Refused(_)) => true,
        }
    }

    /// Whether the repository is another one once it is done.
    pub fn changes(&self) -> bool {
        let RepoRequest { action, dry_run, .. } = &self.request;
        match action {
            RepoAction::Check { fix, .. } => *fix,
            RepoAction::Sonames { .. } | RepoAction::History { .. } | RepoAction::Difference { .. } => false,
            RepoAction::Remove { .. }
            | RepoAction::RemovePkgbase { .. }
            | RepoAction::AutoRemove { .. }
            | RepoAction::Rollback { .. }
            | RepoAction::Transfer { .. }
            | RepoAction::Tidy => !dry_run,
        }
    }

    /// What was asked, in words.
    pub fn what(&self) -> String {
        let RepoRequest {
            action,
            dry_run,
            force,
            ..
        } = &self.request;
        match (dry_run, force) {
            (true, _) => format!("preview: {action}"),
            (false, true) => format!("{action} by force"),
            (false, false) => action.to_string(),
        }
    }

    /// Where it stands, in words, and how that is to be taken.
    pub fn standing(&self) -> (String, Meaning) {
        match &self.progress {
            None => ("asked …".to_owned(), Meaning::Faint),
            Some(RepoProgress::Waiting) => ("waits for a database".to_owned(), Meaning::Ready),
            Some(RepoProgress::Running) => ("a database carries it out".to_owned(), Meaning::Active),
            Some(RepoProgress::Unknown) => (
                "the link was lost: unknown, checking …".to_owned(),
                Meaning::Warning,
            ),
            Some(RepoProgress::Refused(reason)) => (format!("could not be asked: {reason}"), Meaning::Error),
            Some(RepoProgress::Answered(answer)) => {
                let (word, meaning) = match answer.outcome {
                    RepoOutcome::Done => ("done", Meaning::Good),
                    RepoOutcome::Refused => ("refused", Meaning::Error),
                    RepoOutcome::Failed => ("failed", Meaning::Error),
                    RepoOutcome::Expired => ("expired", Meaning::Error),
                };
                let text = match answer.message.as_str() {
                    "" => word.to_owned(),
                    message => format!("{word}: {message}"),
                };
                (text, meaning)
            }
        }
    }

    /// A symbol for where it stands, one column wide.
    pub fn symbol(&self) -> &'static str {
        match &self.progress {
            None => "·",
            Some(RepoProgress::Waiting) => "○",
            Some(RepoProgress::Running) => "▶",
            Some(RepoProgress::Unknown) => "?",
            Some(RepoProgress::Refused(_)) => "✗",
            Some(RepoProgress::Answered(answer)) => match answer.outcome {
                RepoOutcome::Done => "✓",
                RepoOutcome::Refused | RepoOutcome::Failed | RepoOutcome::Expired => "✗",
            },
        }
    }

    /// One line about it.
    pub fn line(&self) -> String {
        format!("{} {}: {}", self.request.target, self.what(), self.standing().0)
    }
}
