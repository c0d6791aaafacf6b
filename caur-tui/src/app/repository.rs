//! The repository view: what its own keys do.

use super::App;
use crate::keymap::Action;
use crate::msg::Effect;

impl App {
    /// An action of the repository view.
    pub(super) fn repository_action(&mut self, _action: Action, _argument: Option<&str>) -> Vec<Effect> {
        Vec::new()
    }
}
