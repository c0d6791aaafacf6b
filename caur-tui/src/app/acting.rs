//! From an action to operations of the queue: on which jobs, with which danger, and what it needs to know.

use caur_core::model::{BuildClass, Job, JobRequest, JobState};

use super::refusal::why_not_job;
use super::{App, View};
use crate::keymap::Action;
use crate::msg::{Effect, Request};
use crate::operation::{Act, Asked, Operation, OperationId, Standing};
use crate::overlay::Overlay;
use crate::overlay::confirm::{Confirm, Danger};
use crate::overlay::prompt::{Prompt, Purpose};
use crate::printable::one_line;

/// More jobs than this are canceled only when the number is typed.
const MANY: usize = 10;
/// Names that a question lists.
const LISTED: usize = 200;

impl App {
    /// The jobs that an action is about: the marked ones, or the selected one.
    pub(super) fn chosen_jobs(&self) -> Vec<&Job> {
        match self.view {
            View::Queue => self
                .queue
                .table
                .chosen()
                .into_iter()
                .map(|row| &row.job)
                .collect(),
            View::History => self
                .history
                .table
                .chosen()
                .into_iter()
                .map(|row| &row.job)
                .collect(),
            View::Job => self.selected_job().into_iter().collect(),
            View::Builders | View::Repository | View::Activity | View::Statistics => Vec::new(),
        }
    }

    /// Acts on the chosen jobs.
    pub(super) fn act_on_jobs(&mut self, action: Action, argument: Option<&str>) -> Vec<Effect> {
        let argument = argument.map(str::trim).filter(|argument| !argument.is_empty());
        let priority = match (action, argument) {
            (Action::Priority, None) => {
                self.prompt(action, String::new());
                return Vec::new();
            }
            (Action::Priority, Some(text)) => match text.parse() {
                Ok(priority) => priority,
                Err(_) => {
                    self.complain(format!("{text:?} is no whole number"));
                    return Vec::new();
                }
            },
            _ => 0,
        };
        let rebuild = argument == Some("rebuild");
        // Of held ones and others together the others are meant.
        let lets_go = self.chosen_jobs().iter().all(|job| job.state == JobState::Held);
        let fits = |job: &Job| {
            let holds_held = action == Action::Hold && !lets_go && job.state == JobState::Held;
            why_not_job(action, job).is_none() && !holds_held
        };
        let acts: Vec<(Act, String, JobState)> = self
            .chosen_jobs()
            .into_iter()
            .filter(|job| fits(job))
            .map(|job| {
                let act = match action {
                    Action::Retry => Act::Retry(job.id, rebuild),
                    Action::Cancel => Act::Cancel(job.id),
                    Action::Release => Act::Release(job.id),
                    Action::Hold if lets_go => Act::Unhold(job.id),
                    Action::Hold => Act::Hold(job.id),
                    _ => Act::Priority(job.id, priority),
                };
                (act, job.request.pkgbase.to_string(), job.state)
            })
            .collect();
        let count = acts.len();
        let left_out = self.chosen_jobs().len() - count;
        let lines: Vec<String> = acts
            .iter()
            .take(LISTED)
            .map(|(_, about, state)| format!("{about} ({state})"))
            .chain((count > LISTED).then(|| format!("… and {} more", count - LISTED)))
            .chain((left_out > 0).then(|| format!("{left_out} others are left out: it does not fit them")))
            .collect();
        let verb = acts.first().map_or("act on", |(act, ..)| act.verb());
        let to = if action == Action::Priority {
            format!(" to {priority}")
        } else {
            String::new()
        };
        let title = match acts.as_slice() {
            [(_, about, _)] => format!("{verb} {about}{to}?"),
            _ => format!("{verb} {count} jobs{to}?"),
        };
        let requests = self.requests(acts.into_iter().map(|(act, about, _)| (act, about)), "");
        match action {
            Action::Cancel if count > MANY => {
                let danger = Danger::Type(count.to_string());
                self.ask(Confirm::new(title, lines, danger, requests))
            }
            // A release overrides what a job waits for, and there is no way back.
            Action::Cancel | Action::Release => {
                self.ask(Confirm::new(title, lines, Danger::Confirm, requests))
            }
            _ if count > 1 => self.ask(Confirm::new(title, lines, Danger::Confirm, requests)),
            _ => self.send(requests),
        }
    }

    /// Pauses the queue, or resumes it; with a reason it only pauses.
    pub(super) fn pause_queue(&mut self, argument: Option<&str>) -> Vec<Effect> {
        let Some(why) = argument else {
            if self.known.pause.is_some() {
                let requests = self.requests([(Act::ResumeQueue, "the queue".to_owned())], "");
                return self.send(requests);
            }
            self.prompt(Action::PauseQueue, String::new());
            return Vec::new();
        };
        if let Some(pause) = &self.known.pause {
            let text = format!("the queue is {} already", one_line(&pause.reason));
            self.complain(text);
            return Vec::new();
        }
        let requests = self.requests([(Act::PauseQueue, "the queue".to_owned())], why.trim());
        let lines = vec![
            "No builder takes a job until it is resumed; what runs goes on.".to_owned(),
            format!(
                "Reason: {}",
                if why.trim().is_empty() {
                    "none given"
                } else {
                    why.trim()
                }
            ),
        ];
        self.ask(Confirm::new(
            "pause the whole queue?",
            lines,
            Danger::Confirm,
            requests,
        ))
    }

    /// Schedules a package: `[PKGBASE] [class=CLASS] [commit=SHA] [rebuild]`, what is not said as in its last job.
    pub(super) fn schedule(&mut self, argument: Option<&str>) -> Vec<Effect> {
        let Some(argument) = argument else {
            let text = self.selected_job().map_or(String::new(), |job| {
                format!("{} class={}", job.request.pkgbase, job.request.class)
            });
            self.overlays.push(Overlay::Prompt(Prompt::new(
                Purpose::Argument(Action::Schedule),
                text,
            )));
            return Vec::new();
        };
        match self.schedule_request(argument) {
            Ok(request) => {
                let about = request.pkgbase.to_string();
                let requests = self.requests([(Act::Schedule(Box::new(request)), about)], "");
                self.send(requests)
            }
            Err(problem) => {
                self.complain(problem);
                Vec::new()
            }
        }
    }

    fn schedule_request(&self, argument: &str) -> Result<JobRequest, String> {
        let mut pkgbase = None;
        let mut changes: Vec<(&str, &str)> = Vec::new();
        let mut rebuild = false;
        for word in argument.split_whitespace() {
            match word.split_once('=') {
                Some(change) => changes.push(change),
                None if word == "rebuild" => rebuild = true,
                None if pkgbase.is_none() => pkgbase = Some(word),
                None => return Err(format!("{word:?} is too much: one package at a time")),
            }
        }
        let selected = self.selected_job();
        let of_name = |name: &str| {
            let same = selected.filter(|job| job.request.pkgbase.as_str() == name);
            let jobs = self.queue.table.rows().map(|row| &row.job);
            same.or_else(|| {
                jobs.filter(|job| job.request.pkgbase.as_str() == name)
                    .max_by_key(|job| job.id)
            })
        };
        let job = match pkgbase {
            None => selected.ok_or("no job is selected: name a package".to_owned())?,
            Some(name) => of_name(name).ok_or(format!(
                "no job of {name} is known here; `caur-daemon schedule` takes any package of the source repository"
            ))?,
        };
        let mut request = JobRequest {
            rebuild,
            build_commit: None,
            status_commit: None,
            ..job.request.clone()
        };
        for (field, value) in changes {
            match field {
                "class" => {
                    request.class = value
                        .parse::<BuildClass>()
                        .map_err(|error| format!("class={value}: {error}"))?;
                }
                "commit" => {
                    let commit = value
                        .parse()
                        .map_err(|error| format!("commit={value}: {error}"))?;
                    request.build_commit = Some(commit);
                }
                _ => return Err(format!("{field}= is unknown; class= and commit= are there")),
            }
        }
        Ok(request)
    }

    /// Requests of operations, each with a name of its own.
    pub(super) fn requests(
        &mut self,
        acts: impl IntoIterator<Item = (Act, String)>,
        why: &str,
    ) -> Vec<Request> {
        let first = self.next_operation;
        let requests: Vec<Request> = acts
            .into_iter()
            .zip(first..)
            .map(|((act, about), number)| {
                Request::Operate(Operation {
                    id: OperationId(number),
                    mark: format!("{}-{number}", self.setup.session),
                    act,
                    about: one_line(&about),
                    why: why.to_owned(),
                })
            })
            .collect();
        self.next_operation += requests.len() as u64;
        requests
    }

    /// Has requests carried out.
    pub(super) fn send(&mut self, requests: Vec<Request>) -> Vec<Effect> {
        let mut effects = vec![Effect::Draw];
        for request in requests {
            if let Request::Operate(operation) = &request {
                self.operations.push(Asked {
                    operation: operation.clone(),
                    standing: Standing::Sent,
                    at: self.now,
                });
            }
            if let Request::Repository(request, _) = &request {
                self.repository_asked(request);
            }
            effects.push(Effect::Ask(Box::new(request)));
        }
        // A preview of a repository changes nothing yet: its view takes its marks away itself.
        if self.view != View::Repository {
            self.unmark();
        }
        effects
    }

    pub(super) fn ask(&mut self, confirm: Confirm) -> Vec<Effect> {
        self.overlays.push(Overlay::Confirm(confirm));
        vec![Effect::Draw]
    }
}
