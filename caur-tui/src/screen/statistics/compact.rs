//! Charts in one line each, where there is no room for more: a few words, a number, and the course as a sparkline.

use caur_core::queue::{Histogram, Statistics};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Sparkline, Widget};

use super::draw::Panel;
use super::series::{Bucket, buckets, queued, step};
use super::usage::uses;
use crate::app::App;
use crate::span;
use crate::theme::Meaning;
use crate::view::bar::percent;
use crate::view::put;

/// Columns of the words and the number.
const WORDS: u16 = 18;

/// Draws one chart in one line.
pub(super) fn draw_compact(
    app: &App,
    statistics: &Statistics,
    panel: Panel,
    area: Rect,
    buffer: &mut Buffer,
) {
    let room = usize::from(area.width.saturating_sub(WORDS));
    let buckets = buckets(&statistics.hours, step(statistics.hours.len(), room));
    let of_times = |histogram: fn(&Bucket) -> &Histogram| {
        let values: Vec<u64> = buckets
            .iter()
            .map(|bucket| histogram(bucket).percentile(0.5).unwrap_or(0))
            .collect();
        let all = Bucket::of(&statistics.hours);
        let median = histogram(&all).percentile(0.5);
        (values, median.map_or("–".to_owned(), span::seconds))
    };
    let all = Bucket::of(&statistics.hours).ended;
    let (words, (values, number)) = match panel {
        Panel::Throughput => {
            let values = buckets.iter().map(|bucket| bucket.ended.total()).collect();
            ("ended", (values, all.total().to_string()))
        }
        Panel::Queue => {
            let samples = statistics.samples.iter().rev().take(room).rev();
            let values: Vec<u64> = samples.map(queued).collect();
            let last = values.last().map_or("–".to_owned(), u64::to_string);
            ("queued", (values, last))
        }
        Panel::Waits => ("wait p50", of_times(|bucket| &bucket.waits)),
        Panel::Builds => ("build p50", of_times(|bucket| &bucket.builds)),
        Panel::Failures => {
            let rate = |bucket: &Bucket| bucket.ended.failure_rate();
            let values = buckets.iter().map(|bucket| rate(bucket).unwrap_or(0)).collect();
            let rate = all
                .failure_rate()
                .map_or("–".to_owned(), |rate| format!("{rate}%"));
            ("failed", (values, rate))
        }
        Panel::Builders => {
            let uses = uses(app, statistics);
            let busy: u64 = uses.iter().map(|it| it.busy).sum();
            let capacity: u64 = uses.iter().filter_map(|it| it.capacity).sum();
            let values = uses.iter().map(|it| it.percent().unwrap_or(0)).collect();
            let share = percent(busy.min(capacity), capacity);
            (
                "builders",
                (values, share.map_or("–".to_owned(), |share| format!("{share}%"))),
            )
        }
    };
    put(&Line::raw(format!("{words:<10}{number:>7} ")), area, buffer);
    let left = WORDS.min(area.width);
    let line = Rect {
        x: area.x + left,
        width: area.width - left,
        ..area
    };
    let style = app.theme().style(Meaning::Accent);
    Sparkline::default()
        .data(values)
        .style(style)
        .render(line, buffer);
}
