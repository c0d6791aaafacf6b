//! Moving through a log.

use super::LogPane;
use super::view::{Anchor, Spot, at};
use crate::log::store::Item;

/// Columns of a step to the side.
const SIDE_STEP: usize = 16;
/// Lines are cut off before this column.
const MAX_LEFT: usize = 8192;

impl LogPane {
    /// Whether the end is followed.
    pub fn is_following(&self) -> bool {
        self.anchor.is_none()
    }

    /// Scrolls by so many rows; up pauses the view. While lines are selected the selection's end moves instead.
    pub fn scroll(&mut self, rows: i64) {
        self.interrupt();
        let count = usize::try_from(rows.unsigned_abs()).unwrap_or(usize::MAX);
        if self.selected_from.is_some() {
            self.move_selection(rows < 0, count);
            return;
        }
        let view = self.view();
        let Some(top) = view.top(self.anchor) else {
            return;
        };
        let (top, moved) = if rows < 0 {
            view.back(top, count)
        } else {
            let (bottom, _) = view.forth(top, view.height.saturating_sub(1));
            let (_, room) = view.forth(bottom, count);
            view.forth(top, room)
        };
        if moved > 0 {
            let anchor = view.anchor(top);
            self.pause_at(anchor);
        }
    }

    /// Scrolls by so many pages, of which a row stays in sight.
    pub fn page(&mut self, pages: i64) {
        let rows = i64::from(self.height.saturating_sub(1).max(1));
        self.scroll(pages.saturating_mul(rows));
    }

    /// Scrolls by so many halves of a page.
    pub fn half_page(&mut self, halves: i64) {
        let rows = i64::from((self.height / 2).max(1));
        self.scroll(halves.saturating_mul(rows));
    }

    /// Goes to the log's beginning.
    pub fn to_start(&mut self) {
        self.to_offset(0);
    }

    /// Follows the end again or, while lines are selected, takes the selection there.
    pub fn follow(&mut self) {
        self.interrupt();
        self.anchor = None;
        self.left = 0;
        if self.selected_from.is_some() {
            let last = self.view().last();
            self.current = last.map(|spot| spot.item.offset());
            self.pause_here();
        } else {
            self.current = None;
        }
    }

    /// Goes to so many percent of the log's length.
    pub fn to_percent(&mut self, percent: u8) {
        let total = u128::from(self.store.total());
        let offset = total * u128::from(percent.min(100)) / 100;
        self.to_offset(u64::try_from(offset).unwrap_or(u64::MAX));
    }

    /// Goes to the line at a raw offset, also when it has to be fetched first.
    pub fn to_offset(&mut self, offset: u64) {
        self.interrupt();
        let fits = self.is_following() && self.fits();
        if fits {
            return;
        }
        let offset = offset.min(self.store.total().saturating_sub(1));
        if self.selected_from.is_some() {
            self.current = at(self.view().walk.before(offset)).map(|item| item.offset());
        }
        self.pause_at(Anchor {
            offset,
            byte: 0,
            row: 0,
        });
        if self.store.unloaded(offset..offset + 1) > 0 {
            self.target = Some(offset);
        } else {
            self.settle();
        }
    }

    /// Whether the screen has room for all of the log.
    fn fits(&self) -> bool {
        let view = self.view();
        let top = view.top(self.anchor);
        let first = at(view.walk.after(0));
        self.store.unloaded(0..u64::MAX) == 0 && top == first.map(|item| Spot { item, row: 0 })
    }

    /// Moves the text to the left or the right.
    pub fn side_step(&mut self, right: bool) {
        self.left = if right {
            (self.left + SIDE_STEP).min(MAX_LEFT)
        } else {
            self.left.saturating_sub(SIDE_STEP)
        };
    }

    /// Shows the lines from their first column on.
    pub fn side_home(&mut self) {
        self.left = 0;
    }

    /// How many columns are hidden on the left.
    pub fn left(&self) -> usize {
        if self.wrap { 0 } else { self.left }
    }

    /// Breaks long lines at the right edge, or lets them go on past it.
    pub fn toggle_wrap(&mut self) {
        self.hold_current();
        self.wrap = !self.wrap;
        self.settle();
    }

    /// Whether long lines are broken.
    pub fn wraps(&self) -> bool {
        self.wrap
    }

    /// Shows when each line arrived, or does not.
    pub fn toggle_times(&mut self) {
        self.times = !self.times;
        self.settle();
    }

    /// Whether it is shown when lines arrived.
    pub fn shows_times(&self) -> bool {
        self.times
    }

    /// Remembers the current line under a letter.
    pub fn set_mark(&mut self, letter: char) {
        let position = self.position();
        self.marks.insert(letter, position);
    }

    /// Goes to the line that was remembered under a letter; tells whether there is one.
    pub fn to_mark(&mut self, letter: char) -> bool {
        let Some(&offset) = self.marks.get(&letter) else {
            return false;
        };
        self.interrupt();
        self.show(offset, 0);
        true
    }

    /// The raw offset of the current line: the one that was jumped to when it is in sight, else the first visible one.
    pub fn position(&self) -> u64 {
        let view = self.view();
        let spots = view.spots(view.top(self.anchor));
        let in_sight = |offset: &u64| spots.iter().any(|spot| spot.item.offset() == *offset);
        self.current
            .filter(in_sight)
            .or_else(|| {
                let line = |spot: &&Spot<'_>| matches!(spot.item, Item::Line(_));
                spots.iter().find(line).map(|spot| spot.item.offset())
            })
            .unwrap_or(0)
    }

    /// Makes a line the current one and brings it into sight.
    pub(super) fn show(&mut self, offset: u64, byte: usize) {
        self.current = Some(offset);
        let view = self.view();
        let row = view.height / 3;
        self.bring(offset, byte, row);
    }

    /// Pauses with this byte of a line in sight: where the view is if it is there already, else on a certain row.
    pub(super) fn bring(&mut self, offset: u64, byte: usize, row: usize) {
        let view = self.view();
        let spots = view.spots(view.top(self.anchor));
        let in_sight = spots.iter().any(|spot| match spot.item {
            Item::Line(line) => line.offset == offset && view.row_of_byte(line.text, byte) == spot.row,
            Item::Gap(gap) => gap.start == offset,
        });
        if in_sight {
            self.pause_here();
        } else {
            self.pause_at(Anchor { offset, byte, row });
            self.settle();
        }
    }

    /// Stops following where the view is.
    pub(super) fn pause_here(&mut self) {
        let view = self.view();
        if let Some(top) = view.top(self.anchor) {
            let anchor = view.anchor(top);
            self.pause_at(anchor);
        }
    }

    fn pause_at(&mut self, anchor: Anchor) {
        if self.anchor.replace(anchor).is_none() {
            self.paused_at = self.store.total();
        }
    }

    /// Holds on to what is seen now. Keeps a place that still has to be fetched.
    pub(super) fn settle(&mut self) {
        if self.anchor.is_some() && self.target.is_none() {
            self.pause_here();
        }
    }

    /// Holds on to the current line when it is in sight, because what is around it will change.
    pub(super) fn hold_current(&mut self) {
        let view = self.view();
        let spots = view.spots(view.top(self.anchor));
        let row = spots
            .iter()
            .position(|spot| self.current == Some(spot.item.offset()));
        if let (Some(row), Some(offset)) = (row, self.current)
            && self.anchor.is_some()
        {
            self.anchor = Some(Anchor { offset, byte: 0, row });
        }
    }

    /// Whoever moves does not want to be moved by a search any more.
    pub(super) fn interrupt(&mut self) {
        self.jump = None;
        self.target = None;
        self.notice = None;
    }
}
