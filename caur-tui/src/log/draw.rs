//! Puts the visible part of a log into terminal cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::palette::Run;
use super::pane::{Body, LogPane, Row};
use crate::theme::Theme;

/// Draws the visible rows of a log.
pub fn draw(pane: &LogPane, area: Rect, theme: Theme, buffer: &mut Buffer) {
    let rows = pane.visible_rows(area.width, area.height);
    for (y, row) in (area.top()..area.bottom()).zip(&rows) {
        let place = Rect { y, height: 1, ..area };
        let line = content(pane, row, theme);
        buffer.set_line(place.x, y, &line, place.width);
        if let Body::Line { goes_on: true, .. } = row.body
            && area.width > 0
        {
            buffer.set_string(area.right() - 1, y, "›", theme.warning());
        }
        if row.is_selected {
            buffer.set_style(place, theme.selection());
        }
    }
}

fn content<'a>(pane: &LogPane, row: &'a Row<'a>, theme: Theme) -> Line<'a> {
    let mut out = Line::default();
    let is_first = !matches!(
        row.body,
        Body::Line {
            is_continuation: true,
            ..
        }
    );
    if pane.shows_signs() {
        let (sign, style) = if is_first {
            sign(row, theme)
        } else {
            (' ', Style::new())
        };
        out.push_span(Span::styled(format!("{sign} "), style));
    }
    match &row.body {
        Body::Gap(gap) => {
            if pane.shows_times() {
                out.push_span(" ".repeat(usize::from(super::pane::TIME_WIDTH)));
            }
            out.push_span(Span::styled(gap.to_string(), theme.warning()));
        }
        Body::Line {
            line,
            bytes,
            indent,
            matches,
            ..
        } => {
            if pane.shows_times() {
                let time = if is_first {
                    clock(line.at, pane.utc_offset_minutes())
                } else {
                    " ".repeat(12)
                };
                out.push_span(Span::styled(time + " ", theme.faint()));
            }
            out.push_span(" ".repeat(*indent));
            let mut at = bytes.start;
            while at < bytes.end {
                let run = run_at(line.runs, at);
                let found = matches.partition_point(|found| found.end <= at);
                let found = matches.get(found);
                let is_match = found.is_some_and(|found| found.start <= at);
                let border = found.map_or(usize::MAX, |found| if is_match { found.end } else { found.start });
                let next_run = line
                    .runs
                    .iter()
                    .map(|run| usize::from(run.at))
                    .find(|start| *start > at);
                let end = bytes.end.min(border).min(next_run.unwrap_or(usize::MAX));
                let style = theme.log(run.map_or(Style::new(), |run| pane.store().style(run)));
                let style = match (is_match, row.is_current) {
                    (false, _) => style,
                    (true, false) => highlight(style, theme.selection()),
                    (true, true) => highlight(style, theme.warning().patch(theme.selection())),
                };
                out.push_span(Span::styled(&line.text[at..end], style));
                at = end;
            }
        }
    }
    out
}

/// The style of text that is looked for; it stands out from reversed text as well.
fn highlight(style: Style, over: Style) -> Style {
    if style.add_modifier.contains(Modifier::REVERSED) {
        let over = over.remove_modifier(Modifier::REVERSED);
        style.patch(over).add_modifier(Modifier::UNDERLINED)
    } else {
        style.patch(over)
    }
}

/// The sign in front of a line.
fn sign(row: &Row<'_>, theme: Theme) -> (char, Style) {
    let is_error = matches!(row.body, Body::Line { is_error: true, .. });
    match row.mark {
        Some(letter) => (letter, theme.warning()),
        None if is_error => ('!', theme.error()),
        None if row.is_current => ('▸', theme.warning()),
        None => (' ', Style::new()),
    }
}

/// The run that a byte of a line belongs to.
fn run_at(runs: &[Run], byte: usize) -> Option<Run> {
    let after = runs.partition_point(|run| usize::from(run.at) <= byte);
    after.checked_sub(1).map(|index| runs[index])
}

/// A time of day, to the millisecond.
fn clock(at: u64, utc_offset_minutes: i32) -> String {
    let local = i128::from(at) + i128::from(utc_offset_minutes) * 60_000;
    let day = local.rem_euclid(86_400_000);
    let (seconds, millis) = (day / 1000, day % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!("{:02}:{:02}:{seconds:02}.{millis:03}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local() {
        assert_eq!(clock(0, 0), "00:00:00.000");
        assert_eq!(clock(1_764_000_000_123, 0), "16:00:00.123");
        assert_eq!(clock(1_764_000_000_123, 540), "01:00:00.123");
        assert_eq!(clock(0, -90), "22:30:00.000");
    }
}
