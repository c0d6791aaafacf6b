//! Builders, history, activity and statistics: what their own keys do.

use super::App;
use crate::keymap::Action;
use crate::msg::Effect;

impl App {
    /// An action of the builders view.
    pub(super) fn builder_action(&mut self, _action: Action, _argument: Option<&str>) -> Vec<Effect> {
        Vec::new()
    }

    /// An action of the activity view.
    pub(super) fn activity_action(&mut self, _action: Action) -> Vec<Effect> {
        Vec::new()
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
}
