//! The log of the selected job, under a title that says how it stands and a line about the job.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar;

use super::columns::why;
use super::{centered, put};
use crate::app::App;
use crate::layout::{Areas, Pane};
use crate::log_model::LogLine;
use crate::log_pane::LogStage;
use crate::printable::{cut, one_line};
use crate::span;
use crate::theme::{self, Theme};

/// Columns of an abbreviated commit.
const COMMIT_WIDTH: usize = 11;

/// Draws title, details and lines.
pub fn draw(app: &App, areas: &Areas, buffer: &mut Buffer) {
    if areas.log_title.height == 0 {
        return;
    }
    draw_title(app, areas, buffer);
    draw_details(app, areas.details, buffer);
    draw_lines(app, areas.log, buffer);
}

fn draw_title(app: &App, areas: &Areas, buffer: &mut Buffer) {
    let theme = app.setup().theme;
    let area = areas.log_title;
    let name = match app.selected_job() {
        Some(job) => format!(" log of {} ", job.request.pkgbase),
        None => " log ".to_owned(),
    };
    let style = theme.title(app.focus() == Pane::Log);
    let (state, state_style) = state(app, u64::from(areas.log.height));
    let state = format!(" {state} ");
    let rule = "─".repeat(usize::from(area.width));
    put(&Line::styled(rule, theme.faint()), area, buffer);
    let room = usize::from(area.width).saturating_sub(state.chars().count() + 4);
    let line = Line::from(vec![
        Span::styled("── ", theme.faint()),
        Span::styled(cut(name.trim(), room.saturating_sub(1)), style),
        Span::raw(" "),
    ]);
    put(&line, area, buffer);
    let width = u16::try_from(state.chars().count())
        .unwrap_or(area.width)
        .min(area.width);
    let right = Rect {
        x: area.right() - width,
        width,
        ..area
    };
    put(&Line::styled(state, state_style), right, buffer);
}

/// Whether the log grows, and where in it the view is.
fn state(app: &App, height: u64) -> (String, Style) {
    let theme = app.setup().theme;
    let log = app.log();
    let shift = if log.left() > 0 {
        format!("→{} ", log.left())
    } else {
        String::new()
    };
    let dropped = if log.dropped() > 0 {
        format!("first {} lines dropped ", log.dropped())
    } else {
        String::new()
    };
    let (text, style) = if log.is_paused() {
        let last = (log.top(height) + height).min(log.lines());
        let below = log.lines() - last;
        (
            format!("PAUSED at {last}, {below} below, G follows"),
            theme.warning(),
        )
    } else {
        match log.stage() {
            LogStage::Opening if log.job().is_none() => (String::new(), theme.faint()),
            LogStage::Opening => ("opening".to_owned(), theme.faint()),
            LogStage::Live if app.stale_for().is_some() => {
                (format!("stale, {} lines", log.lines()), theme.warning())
            }
            LogStage::Live => (format!("live, {} lines", log.lines()), theme.good()),
            LogStage::Ended => (format!("complete, {} lines", log.lines()), theme.faint()),
            LogStage::Missing => ("none".to_owned(), theme.faint()),
        }
    };
    (format!("{shift}{dropped}{text}"), style)
}

/// What the table has no room for.
fn draw_details(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(job) = app.selected_job() else { return };
    let theme = app.setup().theme;
    let mut parts = vec![
        job.request.target.to_string(),
        format!("class {}", job.request.class),
    ];
    if let Some(attempt) = app.log().attempt().filter(|attempt| *attempt > 0) {
        parts.push(format!("attempt {attempt}"));
    }
    parts.push(format!("by {}", one_line(&job.requested_by)));
    if let Some(commit) = &job.built_commit {
        parts.push(format!("commit {}", cut(commit.as_str(), COMMIT_WIDTH)));
    }
    if let Some(builder) = &job.builder {
        parts.push(format!("on {}", one_line(builder)));
    }
    if !job.state.is_final() {
        parts.push(format!("expected {}", span::seconds(job.expected)));
    }
    let mut line = Line::from(vec![Span::styled(
        format!("{} {} ", theme::symbol(job.state), job.state),
        theme.state(job.state),
    )]);
    let why = why(app, job);
    if !why.is_empty() {
        line.push_span(Span::raw(format!("· {why} ")));
    }
    line.push_span(Span::styled(format!("· {}", parts.join(" · ")), theme.faint()));
    put(&line, area, buffer);
}

fn draw_lines(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.setup().theme;
    let log = app.log();
    if log.lines() == 0 {
        let text = match (log.job(), log.stage()) {
            (None, _) => "",
            (Some(_), LogStage::Opening) => "opening the log …",
            (Some(_), LogStage::Live) => "nothing was written yet",
            (Some(_), LogStage::Ended) => "the log is empty",
            (Some(_), LogStage::Missing) => match app.selected_job() {
                Some(job) if job.state.is_final() => "the queue keeps no log of this job",
                _ => "it was not built yet, so there is no log",
            },
        };
        centered(text, theme.faint(), area, buffer);
        return;
    }
    let visible = log.visible(u64::from(area.height));
    for (y, line) in (area.top()..area.bottom()).zip(visible) {
        let row = Rect { y, height: 1, ..area };
        let (line, goes_on) = window(line, usize::from(log.left()), usize::from(area.width), theme);
        put(&line, row, buffer);
        if goes_on && area.width > 0 {
            buffer.set_string(area.right() - 1, y, "›", theme.warning());
        }
    }
}

/// The part of a line from column `left` on, `width` columns wide, and whether it goes on to the right.
fn window(line: &LogLine, left: usize, width: usize, theme: Theme) -> (Line<'_>, bool) {
    if line.is_mark {
        return (Line::styled(line.text.as_str(), theme.warning()), false);
    }
    let start = byte_at_column(&line.text, left);
    let end = start + byte_at_column(&line.text[start..], width);
    let mut out = Line::default();
    let starts = std::iter::once((0, Style::new())).chain(line.styles.iter().copied());
    let ends = line.styles.iter().map(|(at, _)| *at).chain([line.text.len()]);
    for ((from, style), to) in starts.zip(ends) {
        let (from, to) = (from.max(start), to.min(end));
        if from < to {
            out.push_span(Span::styled(&line.text[from..to], theme.log(style)));
        }
    }
    (out, end < line.text.len())
}

/// The byte at which so many columns are full.
fn byte_at_column(text: &str, column: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > column {
            return at;
        }
    }
    text.len()
}
