//! Charts of what the farm did.

mod charts;
mod columns;
mod compact;
pub mod draw;
mod grid;
mod lines;
mod series;
#[cfg(test)]
mod snapshots;
mod usage;

pub use series::of_builders;

use caur_core::queue::Statistics;
use ratatui::layout::Rect;

use self::grid::Grid;

/// Hours of the short period.
const DAY: u32 = 24;
/// Hours of the long period.
const WEEK: u32 = 7 * DAY;

/// The state of the statistics view.
#[derive(Debug)]
pub struct StatisticsScreen {
    hours: u32,
    /// The first row of charts that is shown.
    first: u16,
    statistics: Option<Statistics>,
}

impl Default for StatisticsScreen {
    fn default() -> Self {
        Self {
            hours: DAY,
            first: 0,
            statistics: None,
        }
    }
}

impl StatisticsScreen {
    /// Takes what the farm did.
    pub fn replace(&mut self, statistics: Statistics) {
        self.statistics = Some(statistics);
    }

    /// What the farm did; none before it is known.
    pub fn statistics(&self) -> Option<&Statistics> {
        self.statistics.as_ref()
    }

    /// How many hours are shown.
    pub fn hours(&self) -> u32 {
        self.hours
    }

    /// Shows a day, or a week.
    pub fn toggle_period(&mut self) {
        self.hours = if self.hours == DAY { WEEK } else { DAY };
    }

    /// Scrolls by one row of charts, down where `lines` is positive.
    pub fn scroll(&mut self, lines: isize) {
        let rows = i16::try_from(lines.signum()).unwrap_or(0);
        self.first = self.first.saturating_add_signed(rows);
    }

    /// The first row of charts that is shown.
    pub fn first(&self) -> u16 {
        self.first
    }

    /// Scrolls no further than to the last charts.
    pub fn settle(&mut self, body: Rect) {
        let grid = Grid::new(body.width, body.height);
        self.first = self.first.min(grid.rows - grid.visible);
    }
}
