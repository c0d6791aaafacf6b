//! What is on each row of the screen.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::LogPane;
use super::view::{Spot, View};
use crate::log::block::LogLine;
use crate::log::gap::Gap;
use crate::log::store::Item;

/// One row of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// The raw offset of its line or gap.
    pub offset: u64,
    /// What it shows.
    pub body: Body<'a>,
    /// Whether it is selected.
    pub is_selected: bool,
    /// Whether it is the line that was jumped to last.
    pub is_current: bool,
    /// The letter under which its line was remembered.
    pub mark: Option<char>,
}

/// What a row shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// A part of a line.
    Line {
        /// The whole line.
        line: LogLine<'a>,
        /// The part, in bytes of its text.
        bytes: Range<usize>,
        /// Blank columns in front: a wide character is only half in sight.
        indent: usize,
        /// Whether it is the further row of a broken line.
        is_continuation: bool,
        /// Whether the line goes on to the right.
        goes_on: bool,
        /// What is looked for, in bytes of the line's text.
        matches: Vec<Range<usize>>,
        /// Whether the line reports an error.
        is_error: bool,
    },
    /// A part that is missing.
    Gap(Gap),
}

impl LogPane {
    /// The rows of a screen of this size, from the top; fewer where the log is shorter.
    pub fn visible_rows(&self, width: u16, height: u16) -> Vec<Row<'_>> {
        let view = self.view_of(width, height);
        let spots = view.spots(view.top(self.anchor));
        spots.iter().map(|spot| self.row(&view, *spot)).collect()
    }

    fn row<'a>(&'a self, view: &View<'a>, spot: Spot<'a>) -> Row<'a> {
        let offset = spot.item.offset();
        let selection = self.selection();
        let marks = self.marks.iter();
        Row {
            offset,
            body: match spot.item {
                Item::Gap(gap) => Body::Gap(gap),
                Item::Line(line) => self.body(view, line, spot.row),
            },
            is_selected: selection.is_some_and(|(first, last)| (first..=last).contains(&offset)),
            is_current: self.current == Some(offset),
            mark: marks
                .filter(|(_, place)| (offset..spot.item.end()).contains(place))
                .map(|(letter, _)| *letter)
                .next(),
        }
    }

    fn body<'a>(&'a self, view: &View<'a>, line: LogLine<'a>, row: usize) -> Body<'a> {
        let text = line.text;
        let (bytes, indent) = if view.wrap {
            let starts = view.row_starts(text);
            let end = starts.get(row + 1).copied().unwrap_or(text.len());
            (starts[row]..end, 0)
        } else {
            window(text, self.left, view.width)
        };
        Body::Line {
            line,
            indent,
            is_continuation: row > 0,
            goes_on: !view.wrap && bytes.end < text.len(),
            bytes,
            matches: self
                .search
                .as_ref()
                .map(|search| search.pattern.find_all(text))
                .unwrap_or_default(),
            is_error: (self.settings.is_error)(text),
        }
    }

    /// Minutes that the times shown are ahead of UTC.
    pub(in crate::log) fn utc_offset_minutes(&self) -> i32 {
        self.settings.utc_offset_minutes
    }

    /// Whether there is a column for signs.
    pub(in crate::log) fn shows_signs(&self) -> bool {
        self.settings.signs
    }
}

/// The bytes of what is between two columns, and how many columns at the beginning a character takes that is only
/// half between them.
fn window(text: &str, left: usize, width: usize) -> (Range<usize>, usize) {
    let mut column = 0;
    let mut start = None;
    for (byte, c) in text.char_indices() {
        let next = column + c.width().unwrap_or(0);
        if start.is_none() && column >= left && next > column {
            start = Some((byte, column - left));
        }
        if next > left + width {
            let (start, indent) = start.unwrap_or((byte, 0));
            return (start..byte, indent);
        }
        column = next;
    }
    let (start, indent) = start.unwrap_or((text.len(), 0));
    (start..text.len(), indent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_cuts_between_characters() {
        let text = "ab日本cd";
        let cases = [
            (0, 4, "ab日", 0),
            (0, 5, "ab日", 0),
            (0, 6, "ab日本", 0),
            (2, 4, "日本", 0),
            (3, 4, "本c", 1),
            (6, 9, "cd", 0),
            (9, 9, "", 0),
        ];
        for (left, width, expected, indent) in cases {
            let (range, before) = window(text, left, width);
            assert_eq!((&text[range], before), (expected, indent), "{left} {width}");
        }
        let (range, _) = window("e\u{301}x", 1, 5);
        assert_eq!(&"e\u{301}x"[range], "x", "a mark stays with its character");
    }
}
