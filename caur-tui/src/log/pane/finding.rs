//! Searches, the line filter and errors: what was asked for and where it leads.

use std::fmt;

use super::LogPane;
use super::view::{Anchor, View, at};
use crate::log::pattern::Pattern;
use crate::log::scan::{Direction, Found, Matcher, Scan};
use crate::size::bytes as size;

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) pattern: Pattern,
    pub(super) scan: Scan,
}

/// A filter in force.
#[derive(Debug)]
pub(super) struct Filter {
    /// As it was typed, `!` included.
    pub(super) text: String,
    pub(super) scan: Scan,
}

/// A way to go as soon as it is known where it leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jump {
    to: Goal,
    pub(super) from: u64,
    pub(super) direction: Direction,
    /// Whether it goes on at the other end of the log.
    wraps: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Match,
    Error,
}

/// Where the view was when a search was begun.
#[derive(Debug)]
pub(super) struct Stand {
    anchor: Option<Anchor>,
    current: Option<u64>,
    left: usize,
    paused_at: u64,
    /// Whether another search took the place of the one before.
    has_searched: bool,
    search: Option<Search>,
}

/// What there is to say about a jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It went on at the other end of the log.
    Wrapped(Direction),
    /// It passed over so many bytes that are not loaded.
    Skipped(u64),
    /// There is no such line in what is loaded; so many bytes are not.
    NotFound(u64),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Wrapped(Direction::Forward) => write!(f, "went on at the beginning"),
            Self::Wrapped(Direction::Backward) => write!(f, "went on at the end"),
            Self::Skipped(bytes) => write!(f, "passed over {} that are not loaded", size(bytes)),
            Self::NotFound(0) => write!(f, "not found"),
            Self::NotFound(bytes) => write!(f, "not found; {} are not loaded", size(bytes)),
        }
    }
}

impl LogPane {
    /// Remembers where the view is, so that a search can be tried out while it is typed.
    pub fn begin_search(&mut self) {
        self.before_search = Some(Stand {
            anchor: self.anchor,
            current: self.current,
            left: self.left,
            paused_at: self.paused_at,
            has_searched: false,
            search: None,
        });
    }

    /// Keeps what was typed.
    pub fn accept_search(&mut self) {
        self.before_search = None;
    }

    /// Goes back to where the search was begun, and to what was looked for before.
    pub fn cancel_search(&mut self) {
        self.jump = None;
        self.notice = None;
        self.back_to_begin();
        if let Some(stand) = self.before_search.take().filter(|stand| stand.has_searched) {
            self.search = stand.search;
        }
    }

    /// Looks for a text, from what is seen on; an empty one ends the search.
    pub fn search(&mut self, text: &str, direction: Direction) {
        self.back_to_begin();
        self.notice = None;
        self.jump = None;
        let search = Pattern::new(text).map(|pattern| Search {
            scan: Scan::new(Matcher::With(pattern.clone())),
            pattern,
        });
        let searches = search.is_some();
        let before = std::mem::replace(&mut self.search, search);
        if let Some(stand) = self.before_search.as_mut().filter(|stand| !stand.has_searched) {
            stand.has_searched = true;
            stand.search = before;
        }
        if searches {
            let from = self.edge(direction);
            self.set_out(Goal::Match, from, direction);
        }
    }

    /// Goes to the next line with the text that is looked for.
    pub fn next_match(&mut self, direction: Direction) {
        if self.search.is_some() {
            let from = self.beyond(direction);
            self.set_out(Goal::Match, from, direction);
        }
    }

    /// Goes to the next line that reports an error.
    pub fn next_error(&mut self, direction: Direction) {
        self.look_for_errors();
        let from = self.beyond(direction);
        self.set_out(Goal::Error, from, direction);
    }

    /// Goes to the first line that reports an error.
    pub fn first_error(&mut self) {
        self.look_for_errors();
        self.set_out(Goal::Error, Some(0), Direction::Forward);
    }

    /// Counts the lines that report an error.
    pub fn look_for_errors(&mut self) {
        let matcher = Matcher::Told(self.settings.is_error);
        self.errors.get_or_insert_with(|| Scan::new(matcher));
    }

    /// Shows only lines with a text or, after `!`, only those without it; an empty text shows all again.
    pub fn set_filter(&mut self, text: &str) {
        self.hold_current();
        let (inverted, literal) = match text.strip_prefix('!') {
            Some(literal) => (true, literal),
            None => (false, text),
        };
        self.filter = Pattern::new(literal).map(|pattern| Filter {
            text: text.to_owned(),
            scan: Scan::new(if inverted {
                Matcher::Without(pattern)
            } else {
                Matcher::With(pattern)
            }),
        });
    }

    fn back_to_begin(&mut self) {
        if let Some(stand) = &self.before_search {
            self.anchor = stand.anchor;
            self.current = stand.current;
            self.left = stand.left;
            self.paused_at = stand.paused_at;
        }
    }

    /// The current line when it is in sight, else the visible one that is first on the way.
    fn edge(&self, direction: Direction) -> Option<u64> {
        let view = self.view();
        let spots = view.spots(view.top(self.anchor));
        let current = self
            .current
            .filter(|current| spots.iter().any(|spot| spot.item.offset() == *current));
        let visible = match direction {
            Direction::Forward => spots.first(),
            Direction::Backward => spots.last(),
        };
        current.or(visible.map(|spot| spot.item.offset()))
    }

    /// What comes after the current line, or the visible one that is first on the way. None beyond the log's beginning.
    fn beyond(&self, direction: Direction) -> Option<u64> {
        let edge = self.edge(direction)?;
        match direction {
            _ if self.current != Some(edge) => Some(edge),
            Direction::Forward => edge.checked_add(1),
            Direction::Backward => edge.checked_sub(1),
        }
    }

    fn set_out(&mut self, to: Goal, from: Option<u64>, direction: Direction) {
        self.target = None;
        self.notice = None;
        self.jump = Some(match from {
            Some(from) => Jump {
                to,
                from,
                direction,
                wraps: false,
            },
            None => Jump::from_other_end(to, direction),
        });
        self.resolve_jump();
    }

    /// Goes where a jump leads, if that is known by now.
    pub(super) fn resolve_jump(&mut self) {
        let Some(jump) = self.jump else { return };
        let scan = match jump.to {
            Goal::Match => self.search.as_ref().map(|search| &search.scan),
            Goal::Error => self.errors.as_ref(),
        };
        let Some(scan) = scan else { return };
        let filter = self.filter.as_ref().map(|filter| &filter.scan);
        match scan.find(&self.store, jump.from, jump.direction, filter) {
            Found::Unknown => {}
            // There may be a nearer one in what is on its way.
            Found::Line(offset) if self.passed(jump, offset) > 0 && self.is_loading_everything() => {}
            Found::Line(offset) => {
                self.jump = None;
                self.notice = match (jump.wraps, self.passed(jump, offset)) {
                    (true, _) => Some(Notice::Wrapped(jump.direction)),
                    (false, 0) => None,
                    (false, passed) => Some(Notice::Skipped(passed)),
                };
                self.arrive(jump, offset);
            }
            Found::Nowhere if !jump.wraps => {
                self.jump = Some(Jump::from_other_end(jump.to, jump.direction));
                self.resolve_jump();
            }
            // What is on its way may hold it.
            Found::Nowhere if self.is_loading_everything() => {}
            Found::Nowhere => {
                self.jump = None;
                self.notice = Some(Notice::NotFound(self.store.unloaded(0..u64::MAX)));
            }
        }
    }

    /// How many bytes that are not loaded a jump to a line passes over.
    fn passed(&self, jump: Jump, offset: u64) -> u64 {
        let (first, last) = (jump.from.min(offset), jump.from.max(offset));
        self.store.unloaded(first..last)
    }

    /// Shows a line that was looked for, with the place in it that matches.
    fn arrive(&mut self, jump: Jump, offset: u64) {
        let text = self.text_at(offset);
        let found = match (&self.search, jump.to) {
            (Some(search), Goal::Match) => search.pattern.find(text, 0),
            (None, Goal::Match) | (_, Goal::Error) => None,
        };
        let range = found.unwrap_or(0..0);
        let columns = [&text[..range.start], &text[..range.end]].map(unicode_width::UnicodeWidthStr::width);
        self.show(offset, range.start);
        let [first, after] = columns;
        let View { width, .. } = self.view();
        if !self.wrap && (first < self.left || after > self.left + width) {
            self.left = if after <= width {
                0
            } else {
                first.saturating_sub(width / 3)
            };
        }
    }

    fn text_at(&self, offset: u64) -> &str {
        match at(self.view().walk.before(offset)) {
            Some(crate::log::Item::Line(line)) => line.text,
            Some(crate::log::Item::Gap(_)) | None => "",
        }
    }
}

impl Jump {
    fn from_other_end(to: Goal, direction: Direction) -> Self {
        Self {
            to,
            from: match direction {
                Direction::Forward => 0,
                Direction::Backward => u64::MAX,
            },
            direction,
            wraps: true,
        }
    }
}
