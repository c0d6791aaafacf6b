//! The builders.

pub mod draw;
mod row;
#[cfg(test)]
mod snapshots;
mod state;

pub use row::BuilderRow;
pub use state::{BuilderState, reasons};

use std::collections::HashMap;

use caur_core::model::BuilderStatus;
use caur_core::queue::{BuilderHour, Statistics};

use crate::screen::statistics::of_builders;
use crate::table::Table;

/// Hours that the success rates are about.
const RATED: usize = 24;

/// The state of the builders view.
#[derive(Debug, Default)]
pub struct BuildersScreen {
    /// The builders.
    pub table: Table<BuilderRow>,
    day: HashMap<String, BuilderHour>,
}

impl BuildersScreen {
    /// Takes the builders as they are now.
    pub fn replace(&mut self, builders: &[BuilderStatus]) {
        let rows: Vec<BuilderRow> = builders.iter().map(|builder| self.row(builder.clone())).collect();
        self.table.replace(rows);
    }

    /// Takes what the builders did.
    pub fn take_statistics(&mut self, statistics: &Statistics) {
        let first = statistics.hours.len().saturating_sub(RATED);
        self.day = of_builders(&statistics.hours[first..]).into_iter().collect();
        let rows = self.table.rows().map(|row| self.row(row.builder.clone()));
        let rows: Vec<BuilderRow> = rows.collect();
        self.table.replace(rows);
    }

    /// How many jobs each builder can have at a time that is there.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        let there = self.table.rows().filter(|row| row.state != BuilderState::Lost);
        there.map(|row| row.builder.jobs.len().max(row.builder.report.slots as usize))
    }

    fn row(&self, builder: BuilderStatus) -> BuilderRow {
        let day = self.day.get(builder.report.name.as_str());
        let day = day.copied().unwrap_or_default();
        BuilderRow::new(builder, day)
    }
}
