//! Why something cannot be done now. An action that cannot be done says so, and the palette shows it.

use caur_core::model::{Job, JobState};

use super::App;
use crate::keymap::Action;

impl App {
    /// Why the farm cannot be changed from here at all.
    pub fn why_not_change(&self) -> Option<String> {
        if self.setup.read_only {
            return Some("this console was started with --read-only".to_owned());
        }
        match (self.known.is_online(), self.known.may_operate) {
            (true, Some(true)) => None,
            (true, Some(false)) => Some("the Redis user of this console may only read".to_owned()),
            (true, None) => Some("it is not known yet whether this user may change anything".to_owned()),
            (false, _) => Some("there is no link to the queue".to_owned()),
        }
    }

    /// Whether this console changes nothing, whatever the link does: then it does not offer to.
    pub fn is_read_only(&self) -> bool {
        self.setup.read_only || self.known.may_operate == Some(false)
    }

    /// Why an action cannot be done now; none when it can.
    pub fn why_not(&self, action: Action) -> Option<String> {
        if action.definition().changes
            && let Some(reason) = self.why_not_change()
        {
            return Some(reason);
        }
        let of_jobs = matches!(
            action,
            Action::Retry
                | Action::Cancel
                | Action::Release
                | Action::Hold
                | Action::Priority
                | Action::Watch
        );
        if of_jobs {
            let jobs = self.chosen_jobs();
            if jobs.is_empty() {
                return Some("no job is selected".to_owned());
            }
            // Of many, those are left out that it does not fit.
            return match jobs.iter().find_map(|job| why_not_job(action, job)) {
                Some(reason) if jobs.iter().all(|job| why_not_job(action, job).is_some()) => Some(reason),
                _ => None,
            };
        }
        match action {
            Action::PauseBuilder | Action::ResumeBuilder | Action::DrainBuilder => {
                self.why_not_builders(action)
            }
            Action::CopyUrl if self.selected_job().is_none() => Some("no job is selected".to_owned()),
            Action::CopyUrl if self.known.farm.logs_url.is_none() => {
                Some("the farm publishes no address of its log pages (LOGS_URL)".to_owned())
            }
            _ => self.why_not_repository(action),
        }
    }
}

/// Why an action does not fit a job; the queue would say the same.
pub(super) fn why_not_job(action: Action, job: &Job) -> Option<String> {
    let state = job.state;
    match action {
        Action::Retry if !state.is_final() => Some(format!("it is {state} and has not ended")),
        Action::Cancel | Action::Watch if state.is_final() => Some(format!("it has ended already: {state}")),
        Action::Cancel if state == JobState::Publishing => {
            Some("it is being published, which is past canceling".to_owned())
        }
        Action::Release | Action::Hold | Action::Priority if !state.is_queued() => {
            Some(format!("it is {state} and not in the queue"))
        }
        Action::Release if state == JobState::Ready => {
            Some("it is ready: it waits for a builder only".to_owned())
        }
        _ => None,
    }
}
