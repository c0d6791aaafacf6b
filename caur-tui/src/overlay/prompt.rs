//! A line that is typed at the bottom of the screen.

use crate::input::Input;
use crate::keymap::Action;

/// What the line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A filter, which acts while it is typed.
    Filter,
    /// A search in the log, which acts while it is typed.
    Search,
    /// A command.
    Command,
    /// What an action needs to know.
    Argument(Action),
}

/// A line that is being typed.
#[derive(Debug)]
pub struct Prompt {
    /// What for.
    pub purpose: Purpose,
    /// The line.
    pub input: Input,
    /// What stood there before, for `Esc`.
    pub before: String,
    /// Completions that `Tab` walks through, and which one is shown.
    pub completions: Option<(Vec<String>, usize)>,
    /// Why what was typed was refused.
    pub problem: Option<String>,
}

impl Prompt {
    /// A line that begins with a text.
    pub fn new(purpose: Purpose, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            purpose,
            input: Input::new(text.clone()),
            before: text,
            completions: None,
            problem: None,
        }
    }

    /// What stands before the line.
    pub fn label(&self) -> String {
        match self.purpose {
            Purpose::Filter => "filter: ".to_owned(),
            Purpose::Search => "search: ".to_owned(),
            Purpose::Command => ":".to_owned(),
            Purpose::Argument(action) => {
                let definition = action.definition();
                format!("{} {}: ", definition.name, definition.argument)
            }
        }
    }
}
