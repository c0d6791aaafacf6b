//! Lines that are selected, and text to take away.

use std::fmt::Write as _;

use super::LogPane;
use super::view::at;
use crate::log::store::Item;

impl LogPane {
    /// Begins to select lines at the current one, or stops it. The end is not followed meanwhile.
    pub fn toggle_selection(&mut self) {
        if self.selected_from.take().is_some() {
            return;
        }
        self.interrupt();
        let view = self.view();
        let is_line = |item: &Item<'_>| matches!(item, Item::Line(_));
        let start = if self.is_following() && self.current.is_none() {
            view.last()
                .map(|spot| spot.item)
                .filter(is_line)
                .map(|item| item.offset())
        } else {
            None
        };
        let start = start.unwrap_or_else(|| self.position());
        self.pause_here();
        self.selected_from = Some(start);
        self.current = Some(start);
    }

    /// Whether lines are being selected.
    pub fn is_selecting(&self) -> bool {
        self.selected_from.is_some()
    }

    /// The raw offsets of the first and the last selected line.
    pub fn selection(&self) -> Option<(u64, u64)> {
        let fixed = self.selected_from?;
        let moving = self.current.unwrap_or(fixed);
        Some((fixed.min(moving), fixed.max(moving)))
    }

    /// Moves the end of the selection by so many lines.
    pub(super) fn move_selection(&mut self, up: bool, lines: usize) {
        let walk = self.view().walk;
        let mut offset = self.current.unwrap_or(0);
        for _ in 0..lines {
            let next = if up {
                offset.checked_sub(1).and_then(|before| at(walk.before(before)))
            } else {
                at(walk.after(offset.saturating_add(1)))
            };
            let Some(next) = next else { break };
            offset = next.offset();
        }
        self.current = Some(offset);
        let edge = if up {
            0
        } else {
            usize::from(self.height.saturating_sub(1))
        };
        self.bring(offset, 0, edge);
    }

    /// The text of the selected lines, or else of the current line; only what passes the filter.
    pub fn text_to_copy(&self) -> String {
        let (first, last) = self.selection().unwrap_or_else(|| {
            let position = self.position();
            (position, position)
        });
        self.lines_between(first, last).collect::<Vec<_>>().join("\n")
    }

    /// Every loaded line that passes the filter, and gaps as they are shown: what a file should hold.
    pub fn plain_lines(&self) -> impl Iterator<Item = String> + '_ {
        self.lines_between(0, u64::MAX)
    }

    fn lines_between(&self, first: u64, last: u64) -> impl Iterator<Item = String> + '_ {
        let walk = self.view().walk;
        std::iter::successors(at(walk.after(first)), move |item| {
            at(walk.after(item.offset().saturating_add(1)))
        })
        .take_while(move |item| item.offset() <= last)
        .map(|item| {
            let mut text = String::new();
            match item {
                Item::Line(line) => text.push_str(line.text),
                Item::Gap(gap) => write!(text, "{gap}").expect("a string takes everything"),
            }
            text
        })
    }
}
