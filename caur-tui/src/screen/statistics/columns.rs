//! Columns of stacked parts. Each part has a symbol of its own, so that they are told apart without colours.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use crate::view::bar::filled;

/// Columns of `N` parts each, the first part at the bottom.
#[derive(Debug)]
pub struct Columns<'a, const N: usize> {
    /// The columns, from the left.
    pub values: &'a [[u64; N]],
    /// What the full height stands for.
    pub whole: u64,
    /// How each part looks.
    pub parts: [(&'static str, Style); N],
}

impl<const N: usize> Widget for Columns<'_, N> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let (width, gap) = widths(area.width, self.values.len());
        for (x, column) in (area.x..).step_by(usize::from(width + gap)).zip(self.values) {
            let place = Rect { x, width, ..area }.intersection(area);
            let heights = heights(column, self.whole, area.height);
            let mut y = area.bottom();
            for (height, (symbol, style)) in heights.into_iter().zip(self.parts) {
                for _ in 0..height {
                    y -= 1;
                    for x in place.left()..place.right() {
                        buffer[(x, y)].set_symbol(symbol).set_style(style);
                    }
                }
            }
        }
    }
}

/// The width of each of `count` columns and of the gaps between them.
pub fn widths(room: u16, count: usize) -> (u16, u16) {
    let count = u16::try_from(count).unwrap_or(u16::MAX).max(1);
    let each = (room / count).max(1);
    if each >= 3 { (each - 1, 1) } else { (each, 0) }
}

/// The lines of each part. What is there at all has a line where there is one left.
fn heights<const N: usize>(column: &[u64; N], whole: u64, height: u16) -> [u16; N] {
    let mut heights = [0; N];
    let (mut sum, mut used) = (0, 0);
    for (part, lines) in column.iter().zip(&mut heights) {
        sum += part;
        let top = filled(sum, whole, usize::from(height));
        let top = u16::try_from(top).unwrap_or(height).max(used);
        let least = if *part > 0 { (used + 1).min(height) } else { used };
        *lines = top.max(least) - used;
        used += *lines;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_their_share_and_none_is_lost() {
        let cases = [
            ([0, 0, 0], 10, [0, 0, 0]),
            ([10, 0, 0], 10, [8, 0, 0]),
            ([5, 5, 0], 10, [4, 4, 0]),
            ([1, 98, 1], 100, [1, 6, 1]),
            ([1, 1, 1], 1000, [1, 1, 1]),
            ([0, 0, 5], 10, [0, 0, 4]),
            ([20, 20, 20], 10, [8, 0, 0]),
        ];
        for (column, whole, expected) in cases {
            assert_eq!(heights(&column, whole, 8), expected, "{column:?} of {whole}");
        }
        assert_eq!(heights(&[1, 1, 1], 3, 0), [0, 0, 0]);
    }

    #[test]
    fn columns_fit_their_room() {
        for (room, count, expected) in [
            (72, 24, (2, 1)),
            (72, 28, (2, 0)),
            (10, 24, (1, 0)),
            (50, 1, (49, 1)),
        ] {
            assert_eq!(widths(room, count), expected);
        }
    }
}
