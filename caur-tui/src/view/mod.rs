//! Draws the console. Reads the application and changes nothing; only what is visible is touched.

pub mod columns;
pub mod footer;
pub mod header;
pub mod help;
pub mod log;
pub mod queue;

#[cfg(test)]
mod snapshots;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use crate::app::App;

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let screen = frame.area();
    let areas = app.areas(screen);
    let buffer = frame.buffer_mut();
    header::draw(app, areas.header, buffer);
    header::draw_notice(app, areas.notice, buffer);
    queue::draw(app, areas.headings, areas.rows, buffer);
    log::draw(app, &areas, buffer);
    footer::draw(app, areas.footer, buffer);
    if let Some(scroll) = app.help() {
        help::draw(app, scroll, screen, buffer);
    }
}

/// Writes one line at the top of `area`, cut at its right edge.
fn put(line: &Line<'_>, area: Rect, buffer: &mut Buffer) {
    if area.height > 0 {
        buffer.set_line(area.x, area.y, line, area.width);
    }
}

/// Writes `text` in the middle of `area`, broken between words.
fn centered(text: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width.saturating_sub(4).clamp(1, 72));
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = crate::printable::cut(word, width);
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(&word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let top = area.y + (area.height - height) / 2;
    for (y, line) in (top..top + height).zip(&lines) {
        let indent = area
            .width
            .saturating_sub(u16::try_from(line.width()).unwrap_or(u16::MAX))
            / 2;
        buffer.set_stringn(area.x + indent, y, line, usize::from(area.width - indent), style);
    }
}
