//! Jobs whose end somebody wants to be told.

use caur_core::model::{Job, JobId};

use super::App;
use crate::msg::Effect;

impl App {
    /// Watches the chosen jobs, or no longer where all of them are watched.
    pub(super) fn toggle_watch(&mut self) {
        let jobs: Vec<(JobId, String)> = self
            .chosen_jobs()
            .iter()
            .filter(|job| !job.state.is_final())
            .map(|job| (job.id, job.request.pkgbase.to_string()))
            .collect();
        if jobs.is_empty() {
            self.complain("it has ended already: there is nothing to wait for");
        } else if jobs.iter().all(|(id, _)| self.watched.contains_key(id)) {
            for (id, _) in jobs {
                self.watched.remove(&id);
            }
            self.say("no longer watched");
        } else {
            let count = jobs.len();
            self.watched.extend(jobs);
            self.say(match count {
                1 => "watched: you will be told when it ends".to_owned(),
                count => format!("{count} jobs watched: you will be told when each ends"),
            });
        }
    }

    /// Watched jobs that ended while nobody could see it; some of them may be listed no more.
    pub(super) fn look_after_watched(&mut self) -> Vec<Effect> {
        let watched: Vec<(JobId, String)> = self.watched.clone().into_iter().collect();
        let mut effects = Vec::new();
        for (id, name) in watched {
            match self.job(id).cloned() {
                Some(job) if job.state.is_final() => effects.extend(self.ended(&job)),
                Some(_) => {}
                None => {
                    self.watched.remove(&id);
                    let text = format!("{name} has ended meanwhile");
                    self.say(text.clone());
                    effects.push(Effect::Notify(text));
                }
            }
        }
        effects
    }

    /// A job has ended.
    pub(super) fn ended(&mut self, job: &Job) -> Vec<Effect> {
        if self.watched.remove(&job.id).is_none() {
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
