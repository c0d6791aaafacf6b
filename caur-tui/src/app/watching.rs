//! Jobs whose end somebody wants to be told.

use caur_core::model::Job;

use super::App;
use crate::msg::Effect;

impl App {
    /// Watches the chosen jobs, or no longer where all of them are watched.
    pub(super) fn toggle_watch(&mut self) {
        let jobs: Vec<_> = self
            .chosen_jobs()
            .iter()
            .map(|job| (job.id, job.state.is_final()))
            .collect();
        let open: Vec<_> = jobs
            .iter()
            .filter(|(_, ended)| !ended)
            .map(|(id, _)| *id)
            .collect();
        if open.is_empty() {
            self.complain("it has ended already: there is nothing to wait for");
        } else if open.iter().all(|id| self.watched.contains(id)) {
            self.watched.retain(|id| !open.contains(id));
            self.say("no longer watched");
        } else {
            let count = open.len();
            self.watched.extend(open);
            self.say(match count {
                1 => "watched: you will be told when it ends".to_owned(),
                count => format!("{count} jobs watched: you will be told when each ends"),
            });
        }
    }

    /// A job has ended.
    pub(super) fn ended(&mut self, job: &Job) -> Vec<Effect> {
        if !self.watched.remove(&job.id) {
            return Vec::new();
        }
        let reason = job
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let text = format!("{} {}{reason}", job.request.pkgbase, job.state);
        let bad = !job.state.satisfies_dependants();
        self.notify(text.clone(), bad);
        vec![Effect::Notify(text)]
    }
}
