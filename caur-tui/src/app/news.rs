//! What the backend reports.

use super::App;
use crate::msg::{BackendMsg, Effect, LinkState};
use crate::operation::{OperationId, Standing};
use crate::overlay::Overlay;
use crate::overlay::asked::Asked;

impl App {
    pub(super) fn backend(&mut self, msg: BackendMsg) -> Vec<Effect> {
        let mut effects = vec![Effect::Draw];
        match msg {
            BackendMsg::Link(state) => self.link(state),
            BackendMsg::Access { may_operate, who } => {
                self.known.may_operate = Some(may_operate);
                self.known.who = who;
            }
            BackendMsg::Jobs(snapshot) => {
                self.known.set_clock(snapshot.taken, self.now);
                self.known.partial = snapshot.partial;
                if !snapshot.partial {
                    self.known.stale_since = None;
                }
                self.repository.note_jobs(&snapshot.jobs);
                self.queue.replace(snapshot.jobs, snapshot.partial);
                if !self.known.partial {
                    effects.extend(self.look_after_watched());
                }
            }
            BackendMsg::Changed { jobs, gone, taken } => {
                self.known.set_clock(taken, self.now);
                self.known.stale_since = None;
                self.repository.note_jobs(&jobs);
                for ended in self.queue.change(jobs, &gone) {
                    effects.extend(self.ended(&ended));
                }
            }
            BackendMsg::Builders(builders, pause) => {
                self.builders.replace(&builders);
                self.known.builders = builders;
                self.known.has_builders = true;
                self.known.pause = pause;
            }
            BackendMsg::Forecast(forecast) => self.known.forecast = forecast,
            BackendMsg::Details(job, details) => self.known.details = Some((job, details)),
            BackendMsg::Farm(farm) => {
                self.repository.take_farm(&farm);
                self.known.farm = farm;
            }
            BackendMsg::Log(job, event) => {
                if !self.job.take(job, event) {
                    return Vec::new();
                }
            }
            BackendMsg::Operation(id, news) => self.operation_news(id, news.into()),
            BackendMsg::Question(id, question) => {
                // Under what is being typed: no key is an answer that was meant for something else.
                self.overlays.insert(0, Overlay::Asked(Asked::new(id, question)));
                effects.push(Effect::Notify("caur-tui asks a question".to_owned()));
            }
            BackendMsg::Repository(target, news) => self.repository.take(&target, news),
            BackendMsg::Repo(request, progress) => {
                effects.extend(self.repository_progress(&request, progress));
            }
            BackendMsg::History(jobs, complete) => {
                self.repository.note_jobs(&jobs);
                self.history.replace(jobs, complete);
            }
            BackendMsg::Activity(entries) => self.activity.replace(entries),
            BackendMsg::Statistics(statistics) => {
                self.builders.take_statistics(&statistics);
                self.statistics.replace(*statistics);
            }
        }
        effects
    }

    fn link(&mut self, state: LinkState) {
        if state != LinkState::Online {
            // A question belongs to the connection that was being made.
            self.overlays
                .retain(|overlay| !matches!(overlay, Overlay::Asked(_)));
        }
        if state == LinkState::Online {
            // What was said about the link is over.
            self.notice = None;
        }
        self.known.set_link(state, self.now);
    }

    fn operation_news(&mut self, id: OperationId, standing: Standing) {
        let Some(asked) = self.operations.iter_mut().find(|asked| asked.operation.id == id) else {
            return;
        };
        asked.standing = standing;
        let line = asked.line();
        match &asked.standing {
            Standing::Sent => {}
            Standing::Done(_) => self.say(line),
            Standing::Unknown | Standing::Refused(_) | Standing::Never(_) => self.complain(line),
        }
    }
}
