//! Line charts. Each line has a marker of its own, which its legend shows.

use ratatui::buffer::Buffer;
use ratatui::layout::{HorizontalAlignment, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use crate::span;
use crate::theme::Theme;

/// A line of a chart.
#[derive(Debug)]
pub struct Series {
    /// What its points look like.
    pub marker: Marker,
    /// Whether its points are joined.
    pub joined: bool,
    /// Its style.
    pub style: Style,
    /// Its points: milliseconds since 1970, and the value.
    pub points: Vec<(f64, f64)>,
}

/// How values stand on the vertical axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Counts, evenly.
    Count,
    /// Lengths of time in seconds: each step up is a multiple, so that minutes and hours are both seen.
    Time,
}

impl Scale {
    /// Where a value stands.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Self::Count => value,
            Self::Time => value.max(0.0).ln_1p(),
        }
    }

    /// What stands at a place, for a label.
    pub fn label(self, place: f64) -> String {
        match self {
            Self::Count => format!("{place:.0}"),
            Self::Time => span::seconds(whole(place.exp_m1())),
        }
    }
}

/// Draws lines over the time from `from` to `to`, which are milliseconds since 1970, with the labels of both ends.
pub fn draw(
    series: &[Series],
    scale: Scale,
    (from, to): (u64, u64),
    labels: [String; 3],
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let values = || {
        let points = series.iter().flat_map(|series| &series.points);
        points.map(|(_, value)| *value)
    };
    let top = scale.place(values().fold(1.0, f64::max));
    let bottom = match (scale, values().reduce(f64::min)) {
        // Below half of the shortest time there is nothing to see.
        (Scale::Time, Some(shortest)) => scale.place(shortest / 2.0),
        (Scale::Time, None) | (Scale::Count, _) => 0.0,
    };
    let placed: Vec<Vec<(f64, f64)>> = series
        .iter()
        .map(|series| {
            let points = series.points.iter();
            points.map(|(at, value)| (*at, scale.place(*value))).collect()
        })
        .collect();
    let datasets = series.iter().zip(&placed).map(|(series, points)| {
        Dataset::default()
            .marker(series.marker)
            .graph_type(if series.joined {
                GraphType::Line
            } else {
                GraphType::Scatter
            })
            .style(series.style)
            .data(points)
    });
    let middle = (area.height >= 7).then(|| f64::midpoint(bottom, top));
    let heights = [bottom].into_iter().chain(middle).chain([top]);
    // As wide as in every other chart, so that the times stand above each other.
    let heights = heights.map(|place| Span::raw(format!("{:>6}", scale.label(place))));
    let chart = Chart::new(datasets.collect())
        .legend_position(None)
        .x_axis(
            Axis::default()
                .style(theme.faint())
                .bounds([float(from), float(to.max(from + 1))])
                .labels(labels)
                .labels_alignment(HorizontalAlignment::Right),
        )
        .y_axis(
            Axis::default()
                .style(theme.faint())
                .bounds([bottom, top])
                .labels(heights),
        );
    chart.render(area, buffer);
}

/// A number for a chart.
#[expect(clippy::cast_precision_loss, reason = "times and counts stay far below 2^53")]
pub fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value of a chart is no less than 0 and far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_tell_what_stands_at_their_place() {
        for (seconds, expected) in [(0.0, "0s"), (60.0, "1m00s"), (7500.0, "2h05m")] {
            assert_eq!(Scale::Time.label(Scale::Time.place(seconds)), expected);
        }
        assert_eq!(Scale::Count.label(Scale::Count.place(12.0)), "12");
    }
}
