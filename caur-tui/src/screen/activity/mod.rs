//! The trail: who did what.

pub mod draw;
mod row;
#[cfg(test)]
mod snapshots;

pub use row::TrailRow;

use caur_core::queue::TrailEntry;

use crate::table::Table;

/// Entries that are shown.
pub const ENTRIES: usize = 1000;

/// The state of the activity view.
#[derive(Debug, Default)]
pub struct ActivityScreen {
    /// The entries.
    pub table: Table<TrailRow>,
    loaded: bool,
}

impl ActivityScreen {
    /// Takes the newest entries.
    pub fn replace(&mut self, entries: Vec<TrailEntry>) {
        self.table.replace(entries.into_iter().map(TrailRow::from));
        self.loaded = true;
    }

    /// Whether anything came yet.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }
}
