//! How overlays of the repository view are drawn.

use caur_core::model::RequestId;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::answer::State;
use super::draw::style;
use crate::app::App;
use crate::overlay::repository::{RepositoryOverlay, States};
use crate::printable::{cut, one_line};
use crate::size::grouped;
use crate::span;
use crate::view::{put, put_lines, window, wrapped};

const WIDTH: u16 = 72;
const WIDE: u16 = 110;
/// Lines in which the selected row is told in full.
const TOLD: u16 = 3;

/// Draws an overlay.
pub fn draw(app: &App, overlay: &RepositoryOverlay, screen: Rect, buffer: &mut Buffer) {
    match overlay {
        RepositoryOverlay::Request(id) => draw_request(app, id, screen, buffer),
        RepositoryOverlay::States(states) => draw_states(app, states, screen, buffer),
        RepositoryOverlay::Findings(cursor) => draw_findings(app, *cursor, screen, buffer),
    }
}

fn draw_request(app: &App, id: &RequestId, screen: Rect, buffer: &mut Buffer) {
    let Some(asked) = app.repository().asked(id) else {
        return;
    };
    let theme = app.theme();
    let width = usize::from(WIDTH.min(screen.width).saturating_sub(4));
    let (standing, meaning) = asked.standing();
    let until = if asked.has_ended() { asked.since } else { app.now() };
    let elapsed = span::seconds(until.saturating_sub(asked.at) / 1000);
    let mut lines: Vec<Line<'_>> = wrapped(&one_line(&asked.what()), width)
        .into_iter()
        .map(Line::raw)
        .collect();
    let text = format!("{} {standing} ({elapsed})", asked.symbol());
    lines.extend(
        wrapped(&one_line(&text), width)
            .into_iter()
            .map(|line| Line::styled(line, theme.style(meaning))),
    );
    let hint = match (asked.has_ended(), asked.changes()) {
        (true, _) => "Esc closes this",
        (false, true) => "Esc closes this; the request goes on, and its outcome is told",
        (false, false) => "nothing is changed by it; Esc leaves it",
    };
    lines.extend(
        wrapped(hint, width)
            .into_iter()
            .map(|line| Line::styled(line, theme.faint())),
    );
    let title = if asked.request.dry_run {
        format!("asking for a preview · {}", asked.request.target)
    } else {
        asked.request.target.to_string()
    };
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let inner = window(&cut(&title, width), WIDTH, height, screen, buffer);
    put_lines(lines, inset(inner), buffer);
}

fn draw_states(app: &App, states: &States, screen: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let title = format!("{}: Enter shows what going back changes", states.target);
    let (list, told) = list_window(&title, states.states.len() + 1, screen, buffer);
    let headings = format!(
        " {:>6}  {:>6}  {:<4}  {:<11}  {:<12}  {:>7}  changes",
        "state", "age", "", "by way of", "by", "holds"
    );
    put(&Line::styled(headings, theme.title(true)), list, buffer);
    let list = Rect {
        y: list.y + list.height.min(1),
        height: list.height.saturating_sub(1),
        ..list
    };
    let now = app.queue_now() / 1000;
    let lines = states.states.iter().enumerate().map(|(at, state)| {
        let style = if state.kept { Style::new() } else { theme.faint() };
        Line::styled(state_line(state, at == 0, now), style)
    });
    draw_lines(app, lines, states.cursor, list, buffer);
    if let Some(state) = states.states.get(states.cursor) {
        let why = match state.reason.as_str() {
            "" => String::new(),
            reason => format!(" because: {}", one_line(reason)),
        };
        let mut text = format!(
            "{} by {}{why}; it changed {}",
            one_line(&state.kind),
            one_line(&state.who),
            state.difference.counts()
        );
        let changed = state.difference.lines();
        if !changed.is_empty() {
            text += &format!(": {}", one_line(&changed.join(", ")));
        }
        tell(&text, theme.faint(), told, buffer);
    }
}

fn state_line(state: &State, is_present: bool, now: u64) -> String {
    let kept = match (is_present, state.kept) {
        (true, _) => "now",
        (false, true) => "",
        (false, false) => "gone",
    };
    format!(
        " {:>6}  {:>6}  {kept:<4}  {:<11}  {:<12}  {:>7}  {}",
        state.number,
        span::seconds(now.saturating_sub(state.at)),
        cut(&one_line(&state.kind), 11),
        cut(&one_line(&state.who), 12),
        grouped(state.packages),
        state.difference.counts(),
    )
}

fn draw_findings(app: &App, cursor: usize, screen: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let Some(checked) = app.repository().checked() else {
        return;
    };
    let target = app
        .repository()
        .target()
        .map(ToString::to_string)
        .unwrap_or_default();
    let cursor = cursor.min(checked.findings.len().saturating_sub(1));
    let age = span::seconds(app.queue_now().saturating_sub(checked.at) / 1000);
    let title = format!("{target}: {}, {age} ago", checked.counts());
    let (list, told) = list_window(&title, checked.findings.len().max(1), screen, buffer);
    if checked.findings.is_empty() {
        put(&Line::styled(" nothing was found", theme.good()), list, buffer);
        return;
    }
    let lines = checked.findings.iter().map(|finding| {
        let mark = finding.mark;
        Line::from(vec![
            Span::styled(
                format!(" {} {:<10} ", mark.symbol(), mark.kind.word()),
                style(theme, mark),
            ),
            Span::raw(one_line(&finding.text)),
        ])
    });
    draw_lines(app, lines, cursor, list, buffer);
    if let Some(finding) = checked.findings.get(cursor) {
        tell(&one_line(&finding.text), theme.faint(), told, buffer);
    }
}

/// A window for so many lines, of which the selected one is told in full below.
fn list_window(title: &str, lines: usize, screen: Rect, buffer: &mut Buffer) -> (Rect, Rect) {
    let told = if screen.height >= 16 { TOLD } else { 0 };
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).saturating_add(told);
    let width = usize::from(WIDE.min(screen.width).saturating_sub(4));
    let inner = window(&cut(title, width), WIDE, height, screen, buffer);
    let told = told.min(inner.height.saturating_sub(1));
    let list = Rect {
        height: inner.height - told,
        ..inner
    };
    let below = Rect {
        y: list.bottom(),
        height: told,
        ..inner
    };
    (list, inset(below))
}

fn draw_lines<'a>(
    app: &App,
    lines: impl Iterator<Item = Line<'a>>,
    cursor: usize,
    area: Rect,
    buffer: &mut Buffer,
) {
    let first = (cursor + 1).saturating_sub(usize::from(area.height));
    for (y, (at, line)) in (area.top()..area.bottom()).zip(lines.enumerate().skip(first)) {
        let row = Rect { y, height: 1, ..area };
        put(&line, row, buffer);
        if at == cursor {
            put(&Line::raw(">"), row, buffer);
            buffer.set_style(row, app.theme().selection());
        }
    }
}

fn tell(text: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    let lines = wrapped(text, usize::from(area.width));
    put_lines(
        lines.into_iter().map(|line| Line::styled(line, style)),
        area,
        buffer,
    );
}

fn inset(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    }
}
