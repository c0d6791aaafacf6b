//! Where lines come to stand on the screen.

use unicode_width::UnicodeWidthChar;

use crate::log::store::Item;
use crate::log::walk::{Reach, Walk};

/// What a paused view holds on to: a line, and the row of the screen that it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The raw offset of the line.
    pub(super) offset: u64,
    /// A byte of its text, on the row that is meant where the line takes several.
    pub(super) byte: usize,
    pub(super) row: usize,
}

/// One row of a line or gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot<'a> {
    pub(super) item: Item<'a>,
    /// From 0; only wrapped lines have more than one.
    pub(super) row: usize,
}

/// A screen on a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) walk: Walk<'a>,
    /// Columns of text.
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) wrap: bool,
}

impl<'a> View<'a> {
    /// The first visible row of a view that stays at an anchor or, without one, follows the end.
    pub(super) fn top(&self, anchor: Option<Anchor>) -> Option<Spot<'a>> {
        let last_row = self.height.saturating_sub(1);
        let Some(anchor) = anchor else {
            let (top, _) = self.back(self.last()?, last_row);
            return Some(top);
        };
        let (top, _) = self.back(self.spot(anchor)?, anchor.row.min(last_row));
        let (_, below) = self.forth(top, last_row);
        let (top, _) = self.back(top, last_row - below);
        Some(top)
    }

    /// The row of the line that an anchor means, or of the one nearest to it.
    fn spot(&self, anchor: Anchor) -> Option<Spot<'a>> {
        let item = at(self.walk.before(anchor.offset)).or_else(|| at(self.walk.after(anchor.offset)))?;
        let row = match item {
            Item::Line(line) if line.offset == anchor.offset => self.row_of_byte(line.text, anchor.byte),
            Item::Line(_) | Item::Gap(_) => 0,
        };
        Some(Spot { item, row })
    }

    /// The last row of the log.
    pub(super) fn last(&self) -> Option<Spot<'a>> {
        let item = at(self.walk.before(u64::MAX))?;
        Some(Spot {
            item,
            row: self.rows_of(&item) - 1,
        })
    }

    /// So many rows further down, and how many there were.
    pub(super) fn forth(&self, from: Spot<'a>, rows: usize) -> (Spot<'a>, usize) {
        let mut spot = from;
        let mut left = rows;
        loop {
            let rest = self.rows_of(&spot.item) - 1 - spot.row;
            if left <= rest {
                spot.row += left;
                return (spot, rows);
            }
            let Some(item) = at(self.walk.after(spot.item.offset().saturating_add(1))) else {
                spot.row += rest;
                return (spot, rows - (left - rest));
            };
            left -= rest + 1;
            spot = Spot { item, row: 0 };
        }
    }

    /// So many rows further up, and how many there were.
    pub(super) fn back(&self, from: Spot<'a>, rows: usize) -> (Spot<'a>, usize) {
        let mut spot = from;
        let mut left = rows;
        loop {
            if left <= spot.row {
                spot.row -= left;
                return (spot, rows);
            }
            let before = spot.item.offset().checked_sub(1);
            let Some(item) = before.and_then(|offset| at(self.walk.before(offset))) else {
                left -= spot.row;
                spot.row = 0;
                return (spot, rows - left);
            };
            left -= spot.row + 1;
            spot = Spot {
                item,
                row: self.rows_of(&item) - 1,
            };
        }
    }

    /// The rows from `top` on that the screen has room for.
    pub(super) fn spots(&self, top: Option<Spot<'a>>) -> Vec<Spot<'a>> {
        std::iter::successors(top, |spot| match self.forth(*spot, 1) {
            (next, 1) => Some(next),
            _ => None,
        })
        .take(self.height)
        .collect()
    }

    /// What to hold on to so that a view with this top does not move.
    ///
    /// Gaps change when they are filled. With one on the upper half of the screen, where somebody who scrolls up sees
    /// it, what is below it stays; further down, what is above.
    pub(super) fn anchor(&self, top: Spot<'a>) -> Anchor {
        let spots = self.spots(Some(top));
        let upper = &spots[..spots.len().min(self.height / 2 + 1)];
        let gap = upper.iter().rposition(|spot| matches!(spot.item, Item::Gap(_)));
        let row = gap.map_or(0, |gap| gap + 1);
        let row = if row < spots.len() { row } else { 0 };
        let spot = spots.get(row).unwrap_or(&top);
        let byte = match spot.item {
            Item::Line(line) => self.row_starts(line.text)[spot.row],
            Item::Gap(_) => 0,
        };
        Anchor {
            offset: spot.item.offset(),
            byte,
            row,
        }
    }

    fn rows_of(&self, item: &Item<'_>) -> usize {
        match item {
            Item::Line(line) if self.wrap => {
                if line.text.is_ascii() {
                    line.text.len().div_ceil(self.width).max(1)
                } else {
                    self.row_starts(line.text).len()
                }
            }
            Item::Line(_) | Item::Gap(_) => 1,
        }
    }

    /// The bytes at which the rows of a text begin.
    pub(super) fn row_starts(&self, text: &str) -> Vec<usize> {
        let mut starts = vec![0];
        if !self.wrap {
            return starts;
        }
        let mut used = 0;
        for (byte, c) in text.char_indices() {
            let width = c.width().unwrap_or(0);
            if used + width > self.width && used > 0 {
                starts.push(byte);
                used = 0;
            }
            used += width;
        }
        starts
    }

    /// The row of a text that this byte is on.
    pub(super) fn row_of_byte(&self, text: &str, byte: usize) -> usize {
        self.row_starts(text).partition_point(|start| *start <= byte) - 1
    }
}

/// A stop on the way, if there is one.
pub(super) fn at(reach: Reach<'_>) -> Option<Item<'_>> {
    match reach {
        Reach::At(item) => Some(item),
        Reach::Unscanned | Reach::End => None,
    }
}
