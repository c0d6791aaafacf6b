//! The job view: reading its log.

use std::path::Path;

use super::App;
use crate::keymap::Action;
use crate::msg::{Effect, FileUse};

impl App {
    /// An action of the job view.
    pub(super) fn job_action(&mut self, action: Action, _argument: Option<&str>) -> Vec<Effect> {
        let height = u64::from(self.areas(self.screen).body.height.saturating_sub(1));
        let page = height.saturating_sub(1).max(1).cast_signed();
        let log = self.job.log_mut();
        match action {
            Action::LogLineUp => log.scroll(-1, height),
            Action::LogLineDown => log.scroll(1, height),
            Action::LogPageUp => log.scroll(-page, height),
            Action::LogPageDown => log.scroll(page, height),
            Action::LogHalfUp => log.scroll(-page / 2, height),
            Action::LogHalfDown => log.scroll(page / 2, height),
            Action::LogStart => log.scroll_to_start(height),
            Action::LogEnd | Action::Follow => log.follow(),
            Action::Left | Action::Right => log.side_step(action == Action::Right),
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn scroll_log(&mut self, lines: isize) {
        let height = u64::from(self.areas(self.screen).body.height.saturating_sub(1));
        self.job.log_mut().scroll(lines as i64, height);
    }

    pub(super) fn search(&mut self, _text: &str) -> Vec<Effect> {
        Vec::new()
    }

    pub(super) fn leave_log_mode(&mut self) -> bool {
        false
    }

    pub(super) fn work(&mut self) -> Vec<Effect> {
        Vec::new()
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
