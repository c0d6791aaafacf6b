//! What lies over the repository view: a request and what becomes of it, states to go back to, what a check found.

use caur_core::model::{RequestId, Target};

use crate::screen::repository::answer::State;

/// Something over the repository view.
#[derive(Debug)]
pub enum RepositoryOverlay {
    /// A request of this console, from the question to its answer. Closing it ends nothing.
    Request(RequestId),
    /// The states that a target was in.
    States(States),
    /// What the last check of the target found; the number is the selected finding.
    Findings(usize),
}

/// States of a target, to choose one to go back to.
#[derive(Debug)]
pub struct States {
    /// The target.
    pub target: Target,
    /// Its states, the newest first. The first is the present one.
    pub states: Vec<State>,
    /// The selected one.
    pub cursor: usize,
}

impl RepositoryOverlay {
    /// Scrolls by so many lines. How many findings there are is known where they are shown.
    pub fn scroll(&mut self, lines: isize) {
        match self {
            Self::Request(_) => {}
            Self::States(states) => {
                let last = states.states.len().saturating_sub(1);
                states.cursor = states.cursor.saturating_add_signed(lines).min(last);
            }
            Self::Findings(cursor) => *cursor = cursor.saturating_add_signed(lines),
        }
    }
}
