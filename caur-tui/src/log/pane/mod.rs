//! The view of one log: which part is seen, what was looked for in it, and what should be fetched next.
//!
//! A log is followed to its end until somebody moves. From then on the view is paused: what is seen stays where it
//! is, whatever arrives in front of it or behind, until it is told to follow again.

mod finding;
mod motion;
mod rows;
mod selection;
mod summary;
mod view;
mod wishes;

use std::collections::BTreeMap;
use std::ops::Range;

pub use finding::Notice;
pub use rows::{Body, Row};
pub use summary::{FilterSummary, SearchSummary, Summary};
pub use wishes::PageWish;

use self::finding::{Filter, Jump, Search, Stand};
use self::view::{Anchor, View};
use super::scan::{Direction, Scan};
use super::store::{DEFAULT_BUDGET, LogPiece, LogStore};
use super::walk::Walk;

/// Columns of a time and the space after it: `12:34:56.789 `.
pub(super) const TIME_WIDTH: u16 = 13;
/// Columns of a sign and the space after it.
const SIGN_WIDTH: u16 = 2;

/// What a view of a log depends on.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// Whether there is a column for signs: errors, places that were marked, the current line.
    pub signs: bool,
    /// Bytes of memory that the log may take.
    pub budget: usize,
    /// Tells a line that reports an error.
    pub is_error: fn(&str) -> bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            utc_offset_minutes: 0,
            signs: true,
            budget: DEFAULT_BUDGET,
            is_error: |_| false,
        }
    }
}

/// A view of one log.
#[derive(Debug)]
pub struct LogPane {
    settings: Settings,
    store: LogStore,
    width: u16,
    height: u16,
    wrap: bool,
    times: bool,
    /// Columns that are hidden on the left.
    left: usize,
    /// Where a paused view stays; none: the end is followed.
    anchor: Option<Anchor>,
    /// How long the log was when the view was paused.
    paused_at: u64,
    /// The line that was jumped to last, or the moving end of a selection.
    current: Option<u64>,
    /// The fixed end of a selection.
    selected_from: Option<u64>,
    marks: BTreeMap<char, u64>,
    search: Option<Search>,
    filter: Option<Filter>,
    errors: Option<Scan>,
    jump: Option<Jump>,
    notice: Option<Notice>,
    before_search: Option<Stand>,
    /// A place that was jumped to and is not loaded.
    target: Option<u64>,
    wants_everything: bool,
    asked: Vec<PageWish>,
}

impl LogPane {
    /// A view of a log of which nothing is known yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            store: LogStore::new(settings.budget),
            width: 80,
            height: 24,
            wrap: false,
            times: false,
            left: 0,
            anchor: None,
            paused_at: 0,
            current: None,
            selected_from: None,
            marks: BTreeMap::new(),
            search: None,
            filter: None,
            errors: None,
            jump: None,
            notice: None,
            before_search: None,
            target: None,
            wants_everything: false,
            asked: Vec::new(),
        }
    }

    /// What was fetched of the log.
    pub fn store(&self) -> &LogStore {
        &self.store
    }

    /// Takes a piece of the log, from anywhere in it.
    pub fn push(&mut self, piece: LogPiece<'_>) {
        self.before_change();
        self.store.push(piece);
        self.after_change();
    }

    /// Notes that the size limit left this part of the log out.
    pub fn mark_cut(&mut self, range: Range<u64>) {
        self.before_change();
        self.store.mark_cut(range);
        self.after_change();
    }

    /// Notes that the log is at least so long.
    pub fn set_total(&mut self, total: u64) {
        self.before_change();
        self.store.set_total(total);
        self.after_change();
    }

    /// Notes that nothing more comes at the log's end.
    pub fn finish(&mut self) {
        self.store.finish();
    }

    /// The view has so many columns and rows.
    pub fn resize(&mut self, width: u16, height: u16) {
        if (self.width, self.height) != (width, height) {
            (self.width, self.height) = (width, height);
            self.settle();
        }
    }

    /// Goes on with the filter, the search or whatever else is under way, for about `budget` bytes of text; tells
    /// whether there is more to do. To be called after every change and again as long as there is, with keys and
    /// drawing in between.
    pub fn step(&mut self, budget: usize) -> bool {
        let more = self.step_scans(budget);
        self.resolve_jump();
        more
    }

    /// Goes on with the first scan that is not done, so that one step never takes as long as three.
    fn step_scans(&mut self, budget: usize) -> bool {
        let (from, direction) = self.scan_order();
        let store = &self.store;
        let filter = self.filter.as_mut().map(|filter| &mut filter.scan);
        let search = self.search.as_mut().map(|search| &mut search.scan);
        let scans = [filter, search, self.errors.as_mut()].into_iter().flatten();
        let mut open = scans.filter(|scan| !scan.progress(store).is_done());
        let Some(scan) = open.next() else {
            return false;
        };
        let progress = scan.step(store, budget, from, direction);
        !progress.is_done() || open.next().is_some()
    }

    /// Where searches should look first.
    fn scan_order(&self) -> (u64, Direction) {
        match &self.jump {
            Some(jump) => (jump.from, jump.direction),
            None => (self.position(), Direction::Backward),
        }
    }

    fn before_change(&mut self) {
        let is_filtered = self
            .filter
            .as_ref()
            .is_none_or(|filter| filter.scan.progress(&self.store).is_done());
        if is_filtered {
            self.settle();
        }
        let seen = self.seen();
        self.store.protect(seen);
    }

    fn after_change(&mut self) {
        if let Some(target) = self.target
            && self.store.unloaded(target..target + 1) == 0
        {
            self.target = None;
            self.settle();
        }
    }

    /// The raw range that a paused view shows.
    fn seen(&self) -> Range<u64> {
        if self.anchor.is_none() {
            return 0..0;
        }
        let view = self.view();
        let spots = view.spots(view.top(self.anchor));
        match (spots.first(), spots.last()) {
            (Some(first), Some(last)) => first.item.offset()..last.item.end(),
            _ => 0..0,
        }
    }

    fn view(&self) -> View<'_> {
        self.view_of(self.width, self.height)
    }

    fn view_of(&self, width: u16, height: u16) -> View<'_> {
        View {
            walk: Walk::filtered(&self.store, self.filter.as_ref().map(|filter| &filter.scan)),
            width: usize::from(width.saturating_sub(self.gutter())).max(1),
            height: usize::from(height),
            wrap: self.wrap,
        }
    }

    /// Columns in front of the text.
    pub fn gutter(&self) -> u16 {
        let times = if self.times { TIME_WIDTH } else { 0 };
        let signs = if self.settings.signs { SIGN_WIDTH } else { 0 };
        times + signs
    }
}
