//! Where the charts stand: as many beside and above each other as can be read, the others by scrolling.

use ratatui::layout::Rect;

use super::draw::Panel;

/// From which width there are two charts beside each other.
const TWO_FROM: u16 = 110;
/// The least lines of a chart that tells more than a line.
const LEAST: u16 = 6;
/// The lines that a chart should have.
const GOOD: u16 = 9;
/// From which width there are charts at all.
const CHARTS_FROM: u16 = 30;

/// The places of the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Charts beside each other.
    pub columns: u16,
    /// Rows of charts.
    pub rows: u16,
    /// Rows that are seen at a time.
    pub visible: u16,
    /// Whether there is room for one line of each only.
    pub compact: bool,
}

impl Grid {
    /// The places in so much room.
    pub fn new(width: u16, height: u16) -> Self {
        let panels = u16::try_from(Panel::ALL.len()).unwrap_or(u16::MAX);
        let compact = height < LEAST || width < CHARTS_FROM;
        let columns = if compact || width < TWO_FROM { 1 } else { 2 };
        let rows = panels.div_ceil(columns);
        let fitting = if compact { height } else { height / GOOD };
        Self {
            columns,
            rows,
            visible: fitting.clamp(1, rows),
            compact,
        }
    }

    /// The visible charts with their places, from the row `first` on.
    pub fn places(self, first: u16, area: Rect) -> Vec<(Panel, Rect)> {
        let panels = Panel::ALL.chunks(usize::from(self.columns));
        let mut places = Vec::new();
        let height = if self.compact {
            1
        } else {
            area.height / self.visible
        };
        let rest = if self.compact {
            0
        } else {
            area.height % self.visible
        };
        let mut y = area.y;
        for (at, row) in (0..self.visible).zip(panels.skip(usize::from(first))) {
            // The first rows take what is left over.
            let height = (height + u16::from(at < rest)).min(area.bottom() - y);
            let gap = 2 * (self.columns - 1);
            let width = (area.width - gap.min(area.width)) / self.columns;
            let mut x = area.x;
            for panel in row {
                places.push((*panel, Rect { x, y, width, height }));
                x += width + 2;
            }
            y += height;
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_charts_on_a_small_terminal_and_all_on_a_large_one() {
        let cases = [
            ((80, 20), (1, 6, 2, false)),
            ((160, 46), (2, 3, 3, false)),
            ((40, 7), (1, 6, 1, false)),
            ((40, 4), (1, 6, 4, true)),
            ((20, 20), (1, 6, 6, true)),
            ((80, 0), (1, 6, 1, true)),
        ];
        for ((width, height), expected) in cases {
            let grid = Grid::new(width, height);
            let found = (grid.columns, grid.rows, grid.visible, grid.compact);
            assert_eq!(found, expected, "{width}x{height}");
        }
    }

    #[test]
    fn places_lie_within_the_area_and_do_not_overlap() {
        for width in 1..200 {
            for height in 0..60 {
                let area = Rect::new(3, 2, width, height);
                let grid = Grid::new(width, height);
                for first in 0..=grid.rows - grid.visible {
                    let places = grid.places(first, area);
                    for (at, (_, place)) in places.iter().enumerate() {
                        assert_eq!(place.intersection(area).area(), place.area(), "{area} {place}");
                        let others = places[at + 1..].iter();
                        assert!(others.clone().all(|(_, other)| !other.intersects(*place)));
                    }
                }
            }
        }
    }
}
