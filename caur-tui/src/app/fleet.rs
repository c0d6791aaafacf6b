//! Builders, history, activity and statistics: what their own keys do.

use caur_core::model::BuilderName;

use super::{App, View};
use crate::keymap::Action;
use crate::msg::Effect;
use crate::operation::Act;
use crate::overlay::Overlay;
use crate::overlay::confirm::{Confirm, Danger};
use crate::overlay::prompt::{Prompt, Purpose};
use crate::printable::one_line;
use crate::screen::builders::{BuilderRow, BuilderState};

impl App {
    /// An action of the builders view.
    pub(super) fn builder_action(&mut self, action: Action, argument: Option<&str>) -> Vec<Effect> {
        match action {
            Action::BuilderJobs => self.show_builder_jobs(),
            Action::PauseBuilder | Action::DrainBuilder => match argument {
                Some(why) => self.stop_builders(action, why.trim()),
                None => {
                    let prompt = Prompt::new(Purpose::Argument(action), "");
                    self.overlays.push(Overlay::Prompt(prompt));
                    Vec::new()
                }
            },
            Action::ResumeBuilder => self.resume_builders(),
            _ => Vec::new(),
        }
    }

    /// Why an action does not fit the chosen builders; none where it fits one of them.
    pub(super) fn why_not_builders(&self, action: Action) -> Option<String> {
        let rows = self.builders.table.chosen();
        if rows.is_empty() {
            return Some("no builder is selected".to_owned());
        }
        let reasons: Vec<String> = rows
            .iter()
            .filter_map(|row| why_not_builder(action, row))
            .collect();
        (reasons.len() == rows.len())
            .then(|| reasons.into_iter().next())
            .flatten()
    }

    /// The chosen builders that an action fits, each name once, with how many jobs they hold.
    fn fitting_builders(&self, action: Action) -> Vec<(BuilderName, u64)> {
        let mut builders: Vec<(BuilderName, u64)> = Vec::new();
        let chosen = self.builders.table.chosen().into_iter();
        for row in chosen.filter(|row| why_not_builder(action, row).is_none()) {
            match builders.iter_mut().find(|(name, _)| name == row.name()) {
                Some((_, jobs)) => *jobs += row.busy(),
                None => builders.push((row.name().clone(), row.busy())),
            }
        }
        builders
    }

    fn stop_builders(&mut self, action: Action, why: &str) -> Vec<Effect> {
        let builders = self.fitting_builders(action);
        let drains = action == Action::DrainBuilder;
        let act = if drains {
            Act::DrainBuilder
        } else {
            Act::PauseBuilder
        };
        let verb = if drains { "drain" } else { "pause" };
        let mut lines: Vec<String> = builders
            .iter()
            .map(|(name, jobs)| match (drains, jobs) {
                (true, 0) => format!("{name} has no jobs and ends at once"),
                (true, jobs) => format!("{name} ends once its {jobs} jobs have"),
                (false, 0) => format!("{name} takes no more jobs; it has none"),
                (false, jobs) => format!("{name} takes no more jobs; its {jobs} go on"),
            })
            .collect();
        lines.push(format!(
            "Reason: {}",
            if why.is_empty() { "none given" } else { why }
        ));
        self.ask_about_builders(verb, builders, lines, act, why)
    }

    fn resume_builders(&mut self) -> Vec<Effect> {
        let builders = self.fitting_builders(Action::ResumeBuilder);
        if let [(name, _)] = builders.as_slice() {
            let act = (Act::ResumeBuilder(name.clone()), name.to_string());
            let requests = self.requests([act], "");
            return self.send(requests);
        }
        let lines = builders.iter().map(|(name, _)| name.to_string()).collect();
        self.ask_about_builders("resume", builders, lines, Act::ResumeBuilder, "")
    }

    fn ask_about_builders(
        &mut self,
        verb: &str,
        builders: Vec<(BuilderName, u64)>,
        lines: Vec<String>,
        act: fn(BuilderName) -> Act,
        why: &str,
    ) -> Vec<Effect> {
        let title = match builders.as_slice() {
            [(name, _)] => format!("{verb} builder {name}?"),
            several => format!("{verb} {} builders?", several.len()),
        };
        let acts = builders.into_iter().map(|(name, _)| {
            let about = name.to_string();
            (act(name), about)
        });
        let requests = self.requests(acts, why);
        self.ask(Confirm::new(title, lines, Danger::Confirm, requests))
    }

    /// The queue with nothing in it but the jobs of the selected builder.
    fn show_builder_jobs(&mut self) -> Vec<Effect> {
        let Some(name) = self.builders.table.selected().map(|row| row.name().clone()) else {
            self.complain("no builder is selected");
            return Vec::new();
        };
        self.go_to(View::Queue);
        self.queue.table.set_filter(&format!("builder:={name}"));
        vec![Effect::Draw]
    }

    /// An action of the activity view.
    pub(super) fn activity_action(&mut self, action: Action) -> Vec<Effect> {
        if action != Action::ActivityJob {
            return Vec::new();
        }
        match self.activity.table.selected().map(|row| row.entry.job) {
            None => {
                self.complain("no entry is selected");
                Vec::new()
            }
            Some(None) => {
                self.complain("that was about no single job");
                Vec::new()
            }
            Some(Some(job)) => self.show_job(job),
        }
    }

    /// An action of the statistics view.
    pub(super) fn statistics_action(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Period => self.statistics.toggle_period(),
            Action::ChartUp => self.statistics.scroll(-1),
            Action::ChartDown => self.statistics.scroll(1),
            _ => {}
        }
        Vec::new()
    }

    /// The names of what is chosen in one of these views.
    pub(super) fn fleet_names(&self) -> Vec<String> {
        match self.view {
            View::Builders => {
                let rows = self.builders.table.chosen().into_iter();
                rows.map(|row| row.name().to_string()).collect()
            }
            View::Activity => {
                let rows = self.activity.table.chosen().into_iter();
                rows.map(|row| one_line(&row.entry.about)).collect()
            }
            View::Queue | View::Job | View::Repository | View::History | View::Statistics => Vec::new(),
        }
    }
}

/// Why an action does not fit a builder; the queue would say the same, or do nothing.
fn why_not_builder(action: Action, row: &BuilderRow) -> Option<String> {
    let builder = &row.builder;
    match action {
        Action::PauseBuilder => builder
            .paused
            .as_ref()
            .map(|reason| format!("it is paused already: {}", one_line(reason))),
        Action::ResumeBuilder if builder.paused.is_none() && builder.draining.is_none() => {
            Some("it is neither paused nor draining".to_owned())
        }
        Action::DrainBuilder if row.state == BuilderState::Lost => {
            Some("no process of it is there that could end".to_owned())
        }
        Action::DrainBuilder => builder
            .draining
            .as_ref()
            .map(|reason| format!("it is draining already: {}", one_line(reason))),
        _ => None,
    }
}
