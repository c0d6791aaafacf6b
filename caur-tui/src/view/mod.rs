//! Draws the console. Reads the application and changes nothing; only what is visible is touched.

pub mod bar;
pub mod footer;
pub mod header;
pub mod help;
pub mod layout;
pub mod list;
pub mod overlays;
pub mod words;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use crate::app::{App, View};
use crate::screen;

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let screen = frame.area();
    if screen.width == 0 || screen.height == 0 {
        return;
    }
    let areas = app.areas(screen);
    let buffer = frame.buffer_mut();
    header::draw_tabs(app, areas.tabs, buffer);
    header::draw_counts(app, areas.counts, buffer);
    header::draw_progress(app, areas.progress, buffer);
    header::draw_notice(app, areas.notice, buffer);
    match app.view() {
        View::Queue => {
            screen::queue::draw::draw(app, areas.body, buffer);
            screen::queue::draw::draw_detail(app, areas.detail, buffer);
        }
        View::Job => screen::job::draw::draw(app, areas.body, buffer),
        View::Builders => {
            screen::builders::draw::draw(app, areas.body, buffer);
            screen::builders::draw::draw_detail(app, areas.detail, buffer);
        }
        View::Repository => {
            screen::repository::draw::draw(app, areas.body, buffer);
            screen::repository::draw::draw_detail(app, areas.detail, buffer);
        }
        View::History => {
            screen::history::summary::draw(app, areas.summary, buffer);
            screen::history::draw::draw(app, areas.body, buffer);
            screen::queue::draw::draw_detail(app, areas.detail, buffer);
        }
        View::Activity => {
            screen::activity::draw::draw(app, areas.body, buffer);
            screen::activity::draw::draw_detail(app, areas.detail, buffer);
        }
        View::Statistics => {
            screen::statistics::draw::draw_summary(app, areas.summary, areas.body, buffer);
            screen::statistics::draw::draw(app, areas.body, buffer);
        }
    }
    footer::draw(app, areas.footer, buffer);
    overlays::draw(app, screen, areas.footer, buffer);
}

/// Writes one line at the top of `area`, cut at its right edge.
pub fn put(line: &Line<'_>, area: Rect, buffer: &mut Buffer) {
    if area.height > 0 {
        buffer.set_line(area.x, area.y, line, area.width);
    }
}

/// Writes lines from the top of `area` on, as many as there is room for.
pub fn put_lines<'a>(lines: impl IntoIterator<Item = Line<'a>>, area: Rect, buffer: &mut Buffer) {
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        buffer.set_line(area.x, y, &line, area.width);
    }
}

/// Clears a box in the middle of the screen and gives its inside.
pub fn window(title: &str, width: u16, height: u16, screen: Rect, buffer: &mut Buffer) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    let outer = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    };
    Clear.render(outer, buffer);
    let block = Block::bordered().title(format!(" {title} "));
    let inner = block.inner(outer);
    block.render(outer, buffer);
    inner
}

/// Breaks a text between words into lines of at most `width` columns.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
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
    lines
}

/// Writes `text` in the middle of `area`, broken between words.
pub fn centered(text: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    let lines = wrapped(text, usize::from(area.width.saturating_sub(4).clamp(1, 72)));
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
