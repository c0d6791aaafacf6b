//! What lies over a view: help, questions, lists to choose from. The topmost one takes the keys.

pub mod asked;
pub mod confirm;
pub mod palette;
pub mod prompt;
pub mod repository;

use caur_core::model::JobId;

use self::asked::Asked;
use self::confirm::Confirm;
use self::palette::Palette;
use self::prompt::Prompt;
use self::repository::RepositoryOverlay;
use crate::screen::queue::tree::TreeLine;

/// Something over the view.
#[derive(Debug)]
pub enum Overlay {
    /// The keys of the view; the number is the first line that is shown.
    Help(usize),
    /// A line to type, at the bottom.
    Prompt(Prompt),
    /// Whether something is really wanted.
    Confirm(Confirm),
    /// Actions by their words.
    Palette(Palette),
    /// A question of the backend.
    Asked(Asked),
    /// What was asked for in this console; the number is the first line that is shown.
    Operations(usize),
    /// What a job waits for and what waits for it.
    Tree(Tree),
    /// Something over the repository view.
    Repository(RepositoryOverlay),
}

/// A dependency tree that is looked at.
#[derive(Debug)]
pub struct Tree {
    /// Whose it is.
    pub job: JobId,
    /// Its lines.
    pub lines: Vec<TreeLine>,
    /// The selected one.
    pub cursor: usize,
}
