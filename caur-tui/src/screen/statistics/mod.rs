//! Charts of what the farm did.

pub mod draw;

/// The state of the statistics view.
#[derive(Debug)]
pub struct StatisticsScreen {
    hours: u32,
    scroll: u16,
}

impl Default for StatisticsScreen {
    fn default() -> Self {
        Self { hours: 24, scroll: 0 }
    }
}

impl StatisticsScreen {
    /// How many hours are shown.
    pub fn hours(&self) -> u32 {
        self.hours
    }

    /// Shows a day, or a week.
    pub fn toggle_period(&mut self) {
        self.hours = if self.hours == 24 { 7 * 24 } else { 24 };
    }

    /// Scrolls by so many lines.
    pub fn scroll(&mut self, lines: isize) {
        self.scroll = self
            .scroll
            .saturating_add_signed(i16::try_from(lines).unwrap_or(0));
    }
}
