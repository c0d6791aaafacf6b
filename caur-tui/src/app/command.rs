//! From an action, by key, command or palette, to what it does; and `:` commands with their completion.

use super::{App, View};
use crate::input::Input;
use crate::keymap::{ACTIONS, Action, Definition};
use crate::msg::{CLIPBOARD, Effect, Request};
use crate::overlay::palette::Palette;
use crate::overlay::prompt::{Prompt, Purpose};
use crate::overlay::{Overlay, Tree};
use crate::screen::queue::tree::tree;
use crate::theme::Theme;
use caur_core::model::JobId;

impl View {
    /// What shows this view.
    pub fn action(self) -> Action {
        match self {
            Self::Queue => Action::ViewQueue,
            Self::Job => Action::ViewJob,
            Self::Builders => Action::ViewBuilders,
            Self::Repository => Action::ViewRepository,
            Self::History => Action::ViewHistory,
            Self::Activity => Action::ViewActivity,
            Self::Statistics => Action::ViewStatistics,
        }
    }
}

impl App {
    /// Does what was asked for, or says why not.
    pub(super) fn run(&mut self, action: Action, argument: Option<&str>) -> Vec<Effect> {
        if let Some(reason) = self.why_not(action) {
            self.complain(format!("{}: {reason}", action.name()));
            return vec![Effect::Draw];
        }
        if let Some(effects) = self.list_action(action, argument) {
            return effects;
        }
        let mut effects = vec![Effect::Draw];
        match action {
            Action::Quit => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Reconnect => {
                effects.push(Effect::Ask(Box::new(Request::Reconnect)));
                self.say("connecting …");
            }
            Action::Help => self.overlays.push(Overlay::Help(0)),
            Action::Operations => {
                let last = self.count_asked().saturating_sub(1);
                self.overlays.push(Overlay::Operations(last));
            }
            Action::Palette => {
                let palette = Palette::new(&self.view.contexts()[1..], self.is_read_only());
                self.overlays.push(Overlay::Palette(palette));
            }
            Action::Command => self
                .overlays
                .push(Overlay::Prompt(Prompt::new(Purpose::Command, ""))),
            Action::Back => self.back(),
            Action::NextView | Action::PreviousView => {
                let at = View::ALL.iter().position(|view| *view == self.view).unwrap_or(0);
                let step = if action == Action::NextView {
                    1
                } else {
                    View::ALL.len() - 1
                };
                return self.run(View::ALL[(at + step) % View::ALL.len()].action(), None);
            }
            Action::ViewQueue => self.go_to(View::Queue),
            Action::ViewJob => {
                if let Some(job) = self.selected_job().map(|job| job.id) {
                    self.job.open(job);
                }
                self.go_to(View::Job);
            }
            Action::ViewBuilders => self.go_to(View::Builders),
            Action::ViewRepository => self.go_to(View::Repository),
            Action::ViewHistory => self.go_to(View::History),
            Action::ViewActivity => self.go_to(View::Activity),
            Action::ViewStatistics => self.go_to(View::Statistics),
            Action::Mouse => {
                self.mouse = !self.mouse;
                effects.push(Effect::Mouse(self.mouse));
                self.say(if self.mouse {
                    "the mouse is taken; Shift selects text in most terminals"
                } else {
                    "the mouse is left to the terminal"
                });
            }
            Action::Theme => self.set_theme(argument),
            Action::OpenJob | Action::OpenPast => effects.extend(self.open()),
            Action::Tree => self.open_tree(),
            Action::Group => {
                let grouped = self.queue.table.is_grouped();
                self.queue.table.set_grouped(!grouped);
            }
            Action::Filter => match argument {
                Some(text) => {
                    self.filters.remember(text);
                    self.set_filter(text);
                }
                None => {
                    let text = self.filter_text().unwrap_or_default().to_owned();
                    self.overlays
                        .push(Overlay::Prompt(Prompt::new(Purpose::Filter, text)));
                }
            },
            Action::Retry | Action::Cancel | Action::Release | Action::Hold | Action::Priority => {
                effects.extend(self.act_on_jobs(action, argument));
            }
            Action::PauseQueue => effects.extend(self.pause_queue(argument)),
            Action::Schedule => effects.extend(self.schedule(argument)),
            Action::Watch => self.toggle_watch(),
            Action::CopyUrl => effects.extend(self.copy_url()),
            Action::CopyRow => effects.extend(self.copy_names()),
            _ => effects.extend(match self.view {
                View::Queue | View::Job | View::History => self.job_action(action, argument),
                View::Builders => self.builder_action(action, argument),
                View::Repository => self.repository_action(action, argument),
                View::Activity => self.activity_action(action),
                View::Statistics => self.statistics_action(action),
            }),
        }
        effects
    }

    /// Runs a typed command.
    pub(super) fn command(&mut self, text: &str) -> Vec<Effect> {
        let text = text.trim();
        if text.is_empty() {
            return Vec::new();
        }
        let (name, argument) = match text.split_once(char::is_whitespace) {
            Some((name, rest)) => (name, Some(rest.trim())),
            None => (text, None),
        };
        match self.named(name) {
            Ok(definition) => self.run(definition.action, argument),
            Err(problem) => {
                self.complain(problem);
                Vec::new()
            }
        }
    }

    /// The action of a typed name, or of the beginning of one.
    fn named(&self, name: &str) -> Result<&'static Definition, String> {
        let here = self.commands_here();
        if let Some(definition) = here.iter().find(|definition| definition.name == name) {
            return Ok(definition);
        }
        let matching: Vec<&&Definition> = here
            .iter()
            .filter(|definition| definition.name.starts_with(name))
            .collect();
        match matching.as_slice() {
            [definition] => Ok(definition),
            [] => Err(match Action::named(name) {
                Some(action) => format!(
                    ":{name} belongs to another place: {}",
                    action.definition().context.title()
                ),
                None => format!("there is no command :{name}; Tab shows those that are there"),
            }),
            several => {
                let names: Vec<&str> = several.iter().map(|definition| definition.name).collect();
                Err(format!(":{name} could be {}", names.join(", ")))
            }
        }
    }

    fn commands_here(&self) -> Vec<&'static Definition> {
        let contexts = &self.view.contexts()[1..];
        let read_only = self.is_read_only();
        ACTIONS
            .iter()
            .filter(|definition| contexts.contains(&definition.context) && !(read_only && definition.changes))
            .collect()
    }

    /// Completes what is typed; again: the next completion.
    pub(super) fn complete(&mut self, prompt: &mut Prompt, step: isize) {
        if prompt.completions.is_none() {
            let found = self.completions(prompt);
            prompt.completions = (!found.is_empty()).then_some((found, usize::MAX));
        }
        if let Some((found, at)) = &mut prompt.completions {
            let count = found.len();
            *at = match (*at, step) {
                (usize::MAX, 1) => 0,
                (usize::MAX, _) => count - 1,
                (at, step) => (at + count).wrapping_add_signed(step) % count,
            };
            prompt.input = Input::new(found[*at].clone());
        }
    }

    fn completions(&mut self, prompt: &Prompt) -> Vec<String> {
        let typed = prompt.input.text();
        let (action, before, word) = match prompt.purpose {
            Purpose::Command => match typed.split_once(' ') {
                None => {
                    let names = self.commands_here().into_iter().map(|definition| definition.name);
                    return names
                        .filter(|name| name.starts_with(typed))
                        .map(str::to_owned)
                        .collect();
                }
                Some((name, rest)) => match self.named(name) {
                    Ok(definition) => (definition.action, format!("{name} "), rest),
                    Err(_) => return Vec::new(),
                },
            },
            Purpose::Argument(action) => (action, String::new(), typed),
            Purpose::Filter => (Action::Filter, String::new(), typed),
            Purpose::Search => return Vec::new(),
        };
        let start = word.rfind(' ').map_or(0, |at| at + 1);
        let (kept, last) = word.split_at(start);
        self.words(action, kept)
            .into_iter()
            .filter(|word| word.starts_with(last))
            .map(|word| format!("{before}{kept}{word}"))
            .collect()
    }

    /// Words that may stand in an action's argument behind `kept`.
    fn words(&mut self, action: Action, kept: &str) -> Vec<String> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match action {
            Action::Theme => Theme::ALL.iter().map(|theme| theme.name().to_owned()).collect(),
            Action::Sort => own(self.orders()),
            Action::Retry => own(&["rebuild"]),
            Action::Filter => self.fields().iter().map(|field| format!("{field}:")).collect(),
            Action::Schedule if kept.is_empty() => {
                let mut names: Vec<String> = self
                    .queue
                    .table
                    .rows()
                    .map(|row| row.job.request.pkgbase.to_string())
                    .collect();
                names.sort_unstable();
                names.dedup();
                names
            }
            Action::Schedule => own(&["class=", "commit=", "rebuild"]),
            _ => Vec::new(),
        }
    }

    fn set_theme(&mut self, name: Option<&str>) {
        let next = match name {
            Some(name) => Theme::named(name.trim()),
            None => {
                let at = Theme::ALL
                    .iter()
                    .position(|theme| *theme == self.setup.theme)
                    .unwrap_or(0);
                Some(Theme::ALL[(at + 1) % Theme::ALL.len()])
            }
        };
        match next {
            Some(theme) => {
                self.setup.theme = theme;
                self.say(format!("theme {}", theme.name()));
            }
            None => {
                let names: Vec<&str> = Theme::ALL.iter().map(|theme| theme.name()).collect();
                self.complain(format!("there is no such theme; there are {}", names.join(", ")));
            }
        }
    }

    /// One step out: marks, filter, then the view before.
    fn back(&mut self) {
        if self.list_counts().is_some_and(|(.., marks)| marks > 0) {
            self.list_action(Action::Unmark, None);
        } else if self.filter_text().is_some_and(|filter| !filter.is_empty()) {
            self.set_filter("");
        } else if self.view == View::Job && self.leave_log_mode() {
        } else if let Some(view) = self.trail.pop() {
            self.view = view;
        } else {
            self.notice = None;
        }
    }

    /// Opens what is selected.
    pub(super) fn open(&mut self) -> Vec<Effect> {
        match self.selected_job().map(|job| job.id) {
            Some(job) => self.show_job(job),
            None if self.view == View::Repository => self.run(Action::PackageJob, None),
            None if self.view == View::Builders => self.run(Action::BuilderJobs, None),
            None if self.view == View::Activity => self.run(Action::ActivityJob, None),
            None => vec![Effect::Draw],
        }
    }

    /// Shows one job.
    pub(super) fn show_job(&mut self, job: JobId) -> Vec<Effect> {
        self.job.open(job);
        self.go_to(View::Job);
        vec![Effect::Draw]
    }

    fn open_tree(&mut self) {
        let Some(job) = self.selected_job().map(|job| job.id) else {
            return;
        };
        let lines = tree(&self.queue, job);
        let cursor = lines.iter().position(|line| line.depth == 0).unwrap_or(0);
        self.overlays.push(Overlay::Tree(Tree { job, lines, cursor }));
    }

    fn copy_names(&mut self) -> Vec<Effect> {
        if self.view == View::Repository {
            return self.copied(self.chosen_packages().join("\n"));
        }
        let names: Vec<String> = self
            .chosen_jobs()
            .iter()
            .map(|job| job.request.pkgbase.to_string())
            .chain(self.fleet_names())
            .collect();
        self.copied(names.join("\n"))
    }

    fn copy_url(&mut self) -> Vec<Effect> {
        let url = self
            .selected_job()
            .zip(self.known.farm.logs_url.as_deref())
            .map(|(job, base)| {
                let id: String =
                    form_urlencoded::byte_serialize(job.request.pkgbase.as_str().as_bytes()).collect();
                format!("{base}?timestamp={}&id={id}", job.id)
            });
        url.map_or_else(Vec::new, |url| self.copied(url))
    }

    /// Copies a text, as much of it as a terminal takes, and says so.
    pub(super) fn copied(&mut self, mut text: String) -> Vec<Effect> {
        if text.is_empty() {
            return Vec::new();
        }
        let all = text.lines().count();
        if text.len() > CLIPBOARD {
            let end = text.floor_char_boundary(CLIPBOARD);
            let end = text[..end].rfind('\n').unwrap_or(end);
            text.truncate(end);
            let copied = text.lines().count();
            self.complain(format!(
                "{copied} of {all} lines copied: terminals take no more; s saves all of it"
            ));
            return vec![Effect::Copy(text)];
        }
        self.say(match all {
            0 | 1 => "copied".to_owned(),
            lines => format!("{lines} lines copied"),
        });
        vec![Effect::Copy(text)]
    }
}
