//! The charts over time, and their legends: symbols with names and numbers, so that they can be read without colours.

use caur_core::queue::{Histogram, QueueSample, Statistics};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::columns::{Columns, widths};
use super::lines::{self, Scale, Series, float};
use super::series::{Bucket, queued, stuck};
use crate::app::App;
use crate::printable::cut;
use crate::span;
use crate::theme::Meaning;
use crate::view::put;

/// Columns of the labels at the left of a chart, and the axis.
pub(super) const LABELS: u16 = 7;
const HOUR_MS: u64 = 3_600_000;

fn key(symbol: &str, text: String, style: Style) -> Span<'static> {
    Span::styled(format!("{symbol} {text}  "), style)
}

/// The parts of the throughput, from the bottom: a symbol and a style.
fn ends(app: &App) -> [(&'static str, Style); 3] {
    let theme = app.theme();
    [
        ("x", theme.style(Meaning::Error)),
        ("█", theme.style(Meaning::Good)),
        ("░", theme.style(Meaning::Faint)),
    ]
}

pub(super) fn throughput_legend(app: &App, statistics: &Statistics) -> Vec<Span<'static>> {
    let ended = Bucket::of(&statistics.hours).ended;
    let counts = [
        ("failed", ended.failed),
        ("succeeded", ended.built),
        ("other", ended.other),
    ];
    ends(app)
        .into_iter()
        .zip(counts)
        .map(|((symbol, style), (word, count))| key(symbol, format!("{count} {word}"), style))
        .collect()
}

pub(super) fn draw_throughput(app: &App, buckets: &[Bucket], area: Rect, buffer: &mut Buffer) {
    let columns: Vec<[u64; 3]> = buckets
        .iter()
        .map(|bucket| [bucket.ended.failed, bucket.ended.built, bucket.ended.other])
        .collect();
    draw_columns(app, &columns, ends(app), 1, "", buckets, area, buffer);
}

pub(super) fn draw_failures(app: &App, buckets: &[Bucket], area: Rect, buffer: &mut Buffer) {
    let columns: Vec<[u64; 1]> = buckets
        .iter()
        .map(|bucket| [bucket.ended.failure_rate().unwrap_or(0)])
        .collect();
    let parts = [("x", app.theme().style(Meaning::Error))];
    draw_columns(app, &columns, parts, 10, "%", buckets, area, buffer);
}

/// Draws columns with the labels of both axes; the full height stands for `least` or for more.
#[expect(clippy::too_many_arguments, reason = "what two charts have in common")]
fn draw_columns<const N: usize>(
    app: &App,
    columns: &[[u64; N]],
    parts: [(&'static str, Style); N],
    least: u64,
    unit: &str,
    buckets: &[Bucket],
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme();
    let tallest = columns.iter().map(|column| column.iter().sum()).max();
    let whole = tallest.unwrap_or(0).max(least);
    let graph = Rect {
        x: area.x + LABELS,
        width: area.width - LABELS,
        height: area.height - 1,
        ..area
    };
    let label = |text: String, y: u16, buffer: &mut Buffer| {
        let at = Rect { y, height: 1, ..area };
        put(&Line::styled(format!("{text:>6}│"), theme.faint()), at, buffer);
    };
    for y in graph.top()..graph.bottom() {
        let text = if y == graph.top() {
            format!("{whole}{unit}")
        } else if y + 1 == graph.bottom() {
            format!("0{unit}")
        } else {
            String::new()
        };
        label(text, y, buffer);
    }
    let (width, gap) = widths(graph.width, columns.len());
    let used = (width + gap) * u16::try_from(columns.len()).unwrap_or(u16::MAX) - gap;
    Columns {
        values: columns,
        whole,
        parts,
    }
    .render(graph, buffer);
    let labels = times(buckets.iter().map(|bucket| bucket.hours).sum());
    let axis = Rect {
        y: graph.bottom(),
        width: used.min(graph.width),
        height: 1,
        ..graph
    };
    draw_axis(&labels, theme.faint(), axis, buffer);
}

/// Writes the labels of the time below a chart: at its left, in its middle, at its right.
fn draw_axis(labels: &[String; 3], style: Style, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let [left, middle, right] = labels;
    let all = left.len() + middle.len() + right.len() + 4;
    let text = if width >= all {
        let gap = width - left.len() - right.len();
        format!("{left}{middle:^gap$}{right}")
    } else {
        format!("{left}{right:>rest$}", rest = width.saturating_sub(left.len()))
    };
    put(&Line::styled(cut(&text, width), style), area, buffer);
}

/// The labels of a time axis over so many hours until now.
fn times(hours: usize) -> [String; 3] {
    let ago = |hours: usize| match hours {
        hours if hours > 48 => format!("{:.1}d ago", float(hours as u64) / 24.0).replace(".0d", "d"),
        hours => format!("{hours}h ago"),
    };
    [ago(hours), ago(hours / 2), "now".to_owned()]
}

/// The time that the charts are about.
fn bounds(app: &App, statistics: &Statistics) -> (u64, u64) {
    let now = app.queue_now();
    let from = statistics.hours.first().map_or(now, |hour| hour.hour_start_ms);
    (from, now.max(from + HOUR_MS))
}

/// The lines of the queue's length: their markers, symbols in the legend, names and meanings.
const QUEUE: [(Marker, &str, &str, Meaning); 3] = [
    (Marker::Braille, "⠤", "queued", Meaning::Ready),
    (Marker::Custom('•'), "•", "building", Meaning::Active),
    (Marker::Custom('x'), "x", "stuck", Meaning::Warning),
];

/// The lengths in a sample, in the order of [`QUEUE`].
fn lengths(sample: &QueueSample) -> [u64; 3] {
    [queued(sample), sample.building, stuck(sample)]
}

pub(super) fn queue_legend(app: &App, statistics: &Statistics) -> Vec<Span<'static>> {
    let Some(last) = statistics.samples.last() else {
        return vec![Span::styled("no samples yet", app.theme().faint())];
    };
    let mut legend: Vec<Span<'static>> = QUEUE
        .into_iter()
        .zip(lengths(last))
        .map(|((_, symbol, name, meaning), value)| {
            key(symbol, format!("{value} {name}"), app.theme().style(meaning))
        })
        .collect();
    legend.push(Span::styled(
        format!("of {} slots", last.slots_total),
        app.theme().faint(),
    ));
    legend
}

pub(super) fn draw_queue(app: &App, statistics: &Statistics, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let series: Vec<Series> = QUEUE
        .into_iter()
        .enumerate()
        .rev()
        .map(|(at, (marker, _, name, meaning))| {
            let samples = statistics.samples.iter();
            let points = samples.map(|sample| (float(sample.at), float(lengths(sample)[at])));
            let is_stuck = name == "stuck";
            Series {
                marker,
                joined: !is_stuck,
                style: theme.style(meaning),
                // What is stuck is seldom much: its zeros would only cover the other lines.
                points: points.filter(|(_, value)| !is_stuck || *value > 0.0).collect(),
            }
        })
        .collect();
    let labels = times(statistics.hours.len());
    let bounds = bounds(app, statistics);
    lines::draw(&series, Scale::Count, bounds, labels, theme, area, buffer);
}

/// The lines of percentiles: which, their markers, symbols in the legend, names and meanings.
const PERCENTILES: [(f64, Marker, &str, &str, Meaning); 3] = [
    (0.5, Marker::Braille, "⠤", "p50", Meaning::Good),
    (0.9, Marker::Custom('+'), "+", "p90", Meaning::Ready),
    (0.99, Marker::Custom('^'), "^", "p99", Meaning::Warning),
];

pub(super) fn times_legend(app: &App, all: &Histogram) -> Vec<Span<'static>> {
    if all.count() == 0 {
        return vec![Span::styled("none", app.theme().faint())];
    }
    PERCENTILES
        .into_iter()
        .map(|(p, _, symbol, name, meaning)| {
            let seconds = all.percentile(p).unwrap_or(0);
            let text = format!("{name} {}", span::seconds(seconds));
            key(symbol, text, app.theme().style(meaning))
        })
        .collect()
}

pub(super) fn draw_times(
    app: &App,
    statistics: &Statistics,
    buckets: &[Bucket],
    histogram: fn(&Bucket) -> &Histogram,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme();
    let bounds = bounds(app, statistics);
    let series: Vec<Series> = PERCENTILES
        .into_iter()
        .map(|(p, marker, _, name, meaning)| Series {
            marker,
            joined: name == "p50",
            style: theme.style(meaning),
            points: buckets
                .iter()
                .filter_map(|bucket| {
                    let seconds = histogram(bucket).percentile(p)?;
                    // The last hour is not over yet.
                    Some((float(bucket.middle().min(bounds.1)), float(seconds)))
                })
                .collect(),
        })
        .collect();
    let labels = times(statistics.hours.len());
    lines::draw(&series, Scale::Time, bounds, labels, theme, area, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_axis_tells_how_long_ago() {
        let cases = [
            (24, ["24h ago", "12h ago", "now"]),
            (168, ["7d ago", "3.5d ago", "now"]),
            (1, ["1h ago", "0h ago", "now"]),
        ];
        for (hours, expected) in cases {
            assert_eq!(times(hours), expected);
        }
    }
}
