//! How the statistics are drawn: a line about the whole period, and charts below it.

use caur_core::queue::{Histogram, Statistics};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::charts::{self, LABELS};
use super::compact::draw_compact;
use super::grid::Grid;
use super::series::{Bucket, buckets, step};
use super::usage::draw_builders;
use super::{DAY, WEEK};
use crate::app::App;
use crate::span;
use crate::view::list::{self, Empty};
use crate::view::put;

/// Columns that tell which of the charts are seen.
const SEEN: usize = 12;

/// A chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// Jobs that ended.
    Throughput,
    /// How long the queue was.
    Queue,
    /// How long jobs waited for a builder.
    Waits,
    /// How long builds took.
    Builds,
    /// How many of the builds failed.
    Failures,
    /// How much builders were made use of.
    Builders,
}

impl Panel {
    /// Every chart, the most telling first.
    pub const ALL: [Self; 6] = [
        Self::Throughput,
        Self::Queue,
        Self::Waits,
        Self::Builds,
        Self::Failures,
        Self::Builders,
    ];
}

/// Draws the line about the whole period, and which of the charts are seen in `body`.
pub fn draw_summary(app: &App, area: Rect, body: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let screen = app.statistics();
    let period = |hours: u32, text: &'static str| {
        if screen.hours() == hours {
            Span::styled(format!("[{text}]"), theme.title(false))
        } else {
            Span::styled(format!(" {text} "), theme.faint())
        }
    };
    let mut line = Line::from(vec![period(DAY, "24 h"), period(WEEK, "7 d"), Span::raw(" ")]);
    if let Some(statistics) = screen.statistics() {
        if statistics.hours.len() < screen.hours() as usize {
            line.push_span(Span::styled("reading … ", theme.warning()));
        }
        // Only whole parts; the last columns tell which charts are seen.
        let room = usize::from(area.width).saturating_sub(SEEN);
        for (at, part) in summary(statistics).into_iter().enumerate() {
            let part = Span::raw(if at == 0 { part } else { format!(" · {part}") });
            if line.width() + part.width() > room {
                break;
            }
            line.push_span(part);
        }
    }
    put(&line, area, buffer);
    let grid = Grid::new(body.width, body.height);
    if grid.visible < grid.rows {
        let first = usize::from(screen.first() * grid.columns);
        let last = (first + usize::from(grid.visible * grid.columns)).min(Panel::ALL.len());
        let text = format!(" {}–{last} of {} ↕", first + 1, Panel::ALL.len());
        let width = u16::try_from(Line::raw(text.as_str()).width()).unwrap_or(area.width);
        let right = Rect {
            x: area.right() - width.min(area.width),
            width: width.min(area.width),
            ..area
        };
        put(&Line::styled(text, theme.faint()), right, buffer);
    }
}

/// The whole period in a few parts.
fn summary(statistics: &Statistics) -> Vec<String> {
    let all = Bucket::of(&statistics.hours);
    let mut parts = vec![format!("{} ended", all.ended.total())];
    if let Some(rate) = all.ended.failure_rate() {
        parts.push(format!("{rate}% failed"));
    }
    let median = |name, histogram: &Histogram| {
        let median = histogram.percentile(0.5)?;
        Some(format!("{name} {}", span::seconds(median)))
    };
    let medians: Vec<String> = [median("wait", &all.waits), median("build", &all.builds)]
        .into_iter()
        .flatten()
        .collect();
    if !medians.is_empty() {
        parts.push(format!("p50 {}", medians.join(", ")));
    }
    parts
}

/// Draws the charts.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 || area.width == 0 {
        return;
    }
    let Some(statistics) = app.statistics().statistics() else {
        let empty = Empty {
            loading: "reading the statistics …",
            nothing: "",
            loaded: false,
        };
        list::draw_nothing(app, false, empty, area, buffer);
        return;
    };
    let grid = Grid::new(area.width, area.height);
    for (panel, place) in grid.places(app.statistics().first(), area) {
        if grid.compact {
            draw_compact(app, statistics, panel, place, buffer);
        } else {
            draw_panel(app, statistics, panel, place, buffer);
        }
    }
}

fn draw_panel(app: &App, statistics: &Statistics, panel: Panel, area: Rect, buffer: &mut Buffer) {
    let title = Rect { height: 1, ..area };
    let body = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let room = usize::from(area.width.saturating_sub(LABELS));
    let step = step(statistics.hours.len(), room);
    let buckets = buckets(&statistics.hours, step);
    let heading = |text: &str, legend: Vec<Span<'static>>| {
        let mut line = Line::styled(format!("{text}  "), Style::new());
        line.spans[0].style = app.theme().title(false);
        line.spans.extend(legend);
        line
    };
    let per = match step {
        1 => "hour".to_owned(),
        hours => format!("{hours} h"),
    };
    let heading = match panel {
        Panel::Throughput => {
            charts::draw_throughput(app, &buckets, body, buffer);
            heading(
                &format!("ended per {per}"),
                charts::throughput_legend(app, statistics),
            )
        }
        Panel::Queue => {
            charts::draw_queue(app, statistics, body, buffer);
            heading("queue", charts::queue_legend(app, statistics))
        }
        Panel::Waits => {
            charts::draw_times(app, statistics, &buckets, |bucket| &bucket.waits, body, buffer);
            let all = Bucket::of(&statistics.hours).waits;
            heading("wait for a builder", charts::times_legend(app, &all))
        }
        Panel::Builds => {
            charts::draw_times(app, statistics, &buckets, |bucket| &bucket.builds, body, buffer);
            let all = Bucket::of(&statistics.hours).builds;
            heading("build time", charts::times_legend(app, &all))
        }
        Panel::Failures => {
            charts::draw_failures(app, &buckets, body, buffer);
            let rate = Bucket::of(&statistics.hours).ended.failure_rate();
            let rate = rate.map_or("no builds".to_owned(), |rate| format!("{rate}% of all"));
            heading(
                &format!("failed, in percent per {per}"),
                vec![Span::styled(rate, app.theme().error())],
            )
        }
        Panel::Builders => {
            draw_builders(app, statistics, body, buffer);
            heading(
                "use of builders' slots",
                vec![Span::styled("and their builds", app.theme().faint())],
            )
        }
    };
    put(&heading, title, buffer);
}
