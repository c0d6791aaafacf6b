//! The builders.

pub mod draw;
mod row;

pub use row::BuilderRow;

use caur_core::model::BuilderStatus;

use crate::table::Table;

/// The state of the builders view.
#[derive(Debug, Default)]
pub struct BuildersScreen {
    /// The builders.
    pub table: Table<BuilderRow>,
}

impl BuildersScreen {
    /// Takes the builders as they are now.
    pub fn replace(&mut self, builders: &[BuilderStatus]) {
        self.table.replace(builders.iter().cloned().map(BuilderRow::from));
    }
}
