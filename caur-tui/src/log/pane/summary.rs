//! What a title says about a view.

use super::LogPane;
use super::finding::Notice;
use crate::log::scan::Progress;
use crate::log::store::Item;

/// How a view stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Whether the end is followed.
    pub is_following: bool,
    /// How much of the log lies above the last visible row, in percent of its bytes.
    pub percent: u8,
    /// The number of the last visible line, where all lines before it are loaded.
    pub line: Option<u64>,
    /// How many lines the log has, where all are loaded.
    pub lines: Option<u64>,
    /// How many lines are loaded.
    pub loaded_lines: u64,
    /// How long the log is known to be, in bytes.
    pub total: u64,
    /// How much of it could be loaded and is not, in bytes.
    pub unloaded: u64,
    /// Lines that arrived since the view was paused.
    pub new_below: u64,
    /// Columns that are hidden on the left.
    pub left: usize,
    /// The search, if there is one.
    pub search: Option<SearchSummary>,
    /// The filter, if there is one.
    pub filter: Option<FilterSummary>,
    /// How many lines report errors, once they were looked for.
    pub errors: Option<u64>,
    /// How many lines are selected, while lines are.
    pub selected: Option<u64>,
    /// Whether a jump waits for more of the log to be looked at or to arrive.
    pub is_looking: bool,
    /// What there is to say about the last jump.
    pub notice: Option<Notice>,
}

/// How a search stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchSummary {
    /// What is looked for.
    pub text: String,
    /// How far it has come.
    pub progress: Progress,
    /// The number of the current line among those that match, from 1.
    pub current: Option<u64>,
    /// How many lines match.
    pub count: u64,
}

/// How a filter stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSummary {
    /// As it was typed.
    pub text: String,
    /// How far it has come.
    pub progress: Progress,
    /// How many lines pass.
    pub count: u64,
}

impl LogPane {
    /// How the view stands.
    pub fn summary(&self) -> Summary {
        let store = &self.store;
        let view = self.view();
        let spots = view.spots(view.top(self.anchor));
        let bottom = spots.last().map(|spot| spot.item);
        let loaded_lines = store.lines();
        let is_complete = store.gaps().next().is_none();
        let end = bottom.map_or(0, |item| item.end());
        let percent = (u128::from(end) * 100).checked_div(u128::from(store.total()));
        Summary {
            is_following: self.is_following(),
            percent: percent
                .and_then(|percent| u8::try_from(percent).ok())
                .unwrap_or(100),
            line: bottom.and_then(|item| match item {
                Item::Line(line) => store.line_number(line.offset),
                Item::Gap(_) => None,
            }),
            lines: is_complete.then_some(loaded_lines),
            loaded_lines,
            total: store.total(),
            unloaded: store.unloaded(0..u64::MAX),
            new_below: if self.is_following() {
                0
            } else {
                self.passing_since(self.paused_at)
            },
            left: self.left(),
            search: self.search_summary(),
            filter: self.filter.as_ref().map(|filter| FilterSummary {
                text: filter.text.clone(),
                progress: filter.scan.progress(store),
                count: filter.scan.count(store),
            }),
            errors: self.errors.as_ref().map(|errors| errors.count(store)),
            selected: self
                .selection()
                .map(|(first, last)| self.passing_since(first) - self.passing_since(last.saturating_add(1))),
            is_looking: self.jump.is_some(),
            notice: self.notice,
        }
    }

    /// How many lines that pass the filter begin at this raw offset or after it.
    fn passing_since(&self, offset: u64) -> u64 {
        let before = |offset| match &self.filter {
            Some(filter) => filter.scan.count_before(&self.store, offset),
            None => self.store.lines_before(offset),
        };
        before(u64::MAX) - before(offset)
    }

    fn search_summary(&self) -> Option<SearchSummary> {
        let search = self.search.as_ref()?;
        let current = self.current.filter(|&offset| {
            matches!(
                self.store.line_at_or_before(offset),
                Some(Item::Line(line)) if line.offset == offset && search.scan.accepts(line.text)
            )
        });
        Some(SearchSummary {
            text: search.pattern.text().to_owned(),
            progress: search.scan.progress(&self.store),
            current: current.map(|offset| search.scan.count_before(&self.store, offset) + 1),
            count: search.scan.count(&self.store),
        })
    }
}
