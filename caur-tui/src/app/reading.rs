//! The job view: reading its log.

use std::path::{Path, PathBuf};

use super::App;
use crate::keymap::Action;
use crate::log::{Direction, STEP};
use crate::msg::{Effect, FileUse};
use crate::overlay::Overlay;
use crate::overlay::prompt::{Prompt, Purpose};
use crate::screen::job::Details;

impl App {
    /// An action of the job view.
    pub(super) fn job_action(&mut self, action: Action, argument: Option<&str>) -> Vec<Effect> {
        if self.job.details == Details::Alone && self.scroll_details(action) {
            return Vec::new();
        }
        let reads = matches!(
            action,
            Action::Search
                | Action::NextMatch
                | Action::PreviousMatch
                | Action::LineFilter
                | Action::FirstError
                | Action::NextError
                | Action::PreviousError
                | Action::Percent
        );
        if reads && self.job.details == Details::Alone {
            self.job.details = Details::Beside;
        }
        let pane = self.job.pane_mut();
        match action {
            Action::LogLineUp => pane.scroll(-1),
            Action::LogLineDown => pane.scroll(1),
            Action::LogPageUp => pane.page(-1),
            Action::LogPageDown => pane.page(1),
            Action::LogHalfUp => pane.half_page(-1),
            Action::LogHalfDown => pane.half_page(1),
            Action::LogStart => pane.to_start(),
            Action::LogEnd | Action::Follow => pane.follow(),
            Action::Left | Action::Right => pane.side_step(action == Action::Right),
            Action::Wrap => pane.toggle_wrap(),
            Action::Timestamps => pane.toggle_times(),
            Action::SelectLines => pane.toggle_selection(),
            Action::NextMatch => pane.next_match(Direction::Forward),
            Action::PreviousMatch => pane.next_match(Direction::Backward),
            Action::FirstError => pane.first_error(),
            Action::NextError => pane.next_error(Direction::Forward),
            Action::PreviousError => pane.next_error(Direction::Backward),
            Action::LoadAll => pane.load_everything(),
            Action::Search => match argument {
                Some(text) => return self.search(text),
                None => {
                    self.search_from_end = pane.is_following();
                    pane.begin_search();
                    let text = String::new();
                    self.overlays
                        .push(Overlay::Prompt(Prompt::new(Purpose::Search, text)));
                }
            },
            Action::LineFilter => match argument {
                Some(text) => pane.set_filter(text.trim()),
                None => {
                    let filter = pane
                        .summary()
                        .filter
                        .map(|filter| filter.text)
                        .unwrap_or_default();
                    self.prompt(action, filter);
                }
            },
            Action::Percent => match argument.map(|text| text.trim().trim_end_matches('%').parse::<u8>()) {
                Some(Ok(percent)) if percent <= 100 => pane.to_percent(percent),
                Some(_) => self.complain("a place is a number from 0 to 100"),
                None => self.prompt(action, String::new()),
            },
            Action::Copy => {
                let text = pane.text_to_copy();
                if pane.is_selecting() {
                    pane.toggle_selection();
                }
                return self.copied(text);
            }
            Action::Save => match argument.map(str::trim) {
                Some("") => {}
                Some(path) => return self.save(path),
                None => {
                    let name = self.file_name();
                    self.prompt(action, name);
                }
            },
            Action::EarlierAttempt => self.other_attempt(-1),
            Action::LaterAttempt => self.other_attempt(1),
            Action::Details => self.job.toggle_details(self.screen.width),
            _ => {}
        }
        Vec::new()
    }

    /// Asks for an action's argument.
    pub(super) fn prompt(&mut self, action: Action, text: String) {
        self.overlays
            .push(Overlay::Prompt(Prompt::new(Purpose::Argument(action), text)));
    }

    fn scroll_details(&mut self, action: Action) -> bool {
        let page = usize::try_from(self.page()).unwrap_or(1);
        let last = self.last_detail();
        let scroll = &mut self.job.scroll;
        *scroll = match action {
            Action::LogLineUp => scroll.saturating_sub(1),
            Action::LogLineDown => *scroll + 1,
            Action::LogPageUp => scroll.saturating_sub(page),
            Action::LogPageDown => *scroll + page,
            Action::LogHalfUp => scroll.saturating_sub(page / 2),
            Action::LogHalfDown => *scroll + page / 2,
            Action::LogStart => 0,
            Action::LogEnd => last,
            _ => return false,
        }
        .min(last);
        true
    }

    /// How far the details can be scrolled.
    fn last_detail(&self) -> usize {
        let area = self.areas(self.screen).body;
        let details = self.job.parts(area).details;
        crate::screen::job::details::lines(self, usize::from(details.width))
            .len()
            .saturating_sub(usize::from(details.height))
    }

    pub(super) fn scroll_log(&mut self, lines: isize) {
        if self.job.details == Details::Alone {
            let last = self.last_detail();
            self.job.scroll = self.job.scroll.saturating_add_signed(lines).min(last);
        } else {
            self.job.pane_mut().scroll(i64::try_from(lines).unwrap_or(0));
        }
    }

    /// Looks for a text in the log, while it is typed as well.
    pub(super) fn search(&mut self, text: &str) -> Vec<Effect> {
        // At the end what is looked for lies above; who has gone somewhere reads on from there.
        let pane = self.job.pane_mut();
        let direction = if self.search_from_end {
            Direction::Backward
        } else {
            Direction::Forward
        };
        pane.search(text, direction);
        Vec::new()
    }

    /// What was typed is the search from now on, or the one before is.
    pub(super) fn end_search(&mut self, accepted: bool) {
        if accepted {
            self.job.pane_mut().accept_search();
        } else {
            self.job.pane_mut().cancel_search();
        }
    }

    /// One step out of what the log is in: a selection, a search, a filter, a pause.
    pub(super) fn leave_log_mode(&mut self) -> bool {
        if self.job.details == Details::Alone {
            self.job.details = Details::Beside;
            return true;
        }
        let pane = self.job.pane_mut();
        let summary = pane.summary();
        if pane.is_selecting() {
            pane.toggle_selection();
        } else if summary.search.is_some() {
            pane.search("", Direction::Forward);
        } else if summary.filter.is_some() {
            pane.set_filter("");
        } else {
            return false;
        }
        true
    }

    /// Goes on with whatever takes long.
    pub(super) fn work(&mut self) -> Vec<Effect> {
        vec![Effect::Draw]
    }

    /// Has the log fetched that the view lacks, and goes on with searches a little.
    pub(super) fn settle_log(&mut self, effects: &mut Vec<Effect>) {
        let area = self.areas(self.screen).body;
        let log = self.job.parts(area).log;
        if self.job.details != Details::Alone {
            self.job.pane_mut().resize(log.width, log.height);
        }
        if self.job.pane_mut().step(STEP) {
            effects.push(Effect::Continue);
        }
        if self.known.is_online()
            && let Some(page) = self.job.wanted_page()
        {
            effects.push(Effect::Ask(Box::new(crate::msg::Request::Page(page))));
        }
    }

    fn other_attempt(&mut self, step: i64) {
        let Some(job) = self.shown_job() else { return };
        let newest = job.attempt;
        let shown = self.job.attempt().unwrap_or(newest);
        match u32::try_from(i64::from(shown) + step) {
            Ok(attempt) if (1..=newest).contains(&attempt) => {
                self.job.open_attempt(attempt);
            }
            _ if step < 0 => self.complain("there is no earlier attempt"),
            _ => self.complain("there is no later attempt"),
        }
    }

    fn file_name(&self) -> String {
        let name = self.shown_job().map_or("log", |job| job.request.pkgbase.as_str());
        let id = self.job.job().map(|job| job.to_string()).unwrap_or_default();
        format!("{name}-{id}.{}.log", self.job.attempt().unwrap_or(1))
    }

    fn save(&mut self, path: &str) -> Vec<Effect> {
        let summary = self.job.pane().summary();
        if summary.unloaded > 0 {
            self.complain(format!(
                "{} of the log are not loaded: the file says where (a loads all of it)",
                crate::size::bytes(summary.unloaded)
            ));
        }
        let mut text = String::new();
        for line in self.job.pane().plain_lines() {
            text.push_str(&line);
            text.push('\n');
        }
        vec![Effect::Save(PathBuf::from(path), text)]
    }

    pub(super) fn saved(&mut self, path: &Path, outcome: Result<u64, String>) -> Vec<Effect> {
        match outcome {
            Ok(bytes) => self.say(format!("{} saved, {bytes} bytes", path.display())),
            Err(problem) => self.complain(format!("{}: {problem}", path.display())),
        }
        vec![Effect::Draw]
    }

    pub(super) fn read(
        &mut self,
        purpose: FileUse,
        path: &Path,
        outcome: Result<String, String>,
    ) -> Vec<Effect> {
        match (purpose, outcome) {
            (FileUse::KeepList, Ok(text)) => self.keep_list_read(path, &text),
            (FileUse::KeepList, Err(problem)) => {
                self.complain(format!("{}: {problem}", path.display()));
                vec![Effect::Draw]
            }
        }
    }
}
