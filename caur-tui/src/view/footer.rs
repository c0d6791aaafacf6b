//! The last line: the filter and the most useful keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::put;
use crate::app::App;
use crate::keymap;
use crate::printable::one_line;

/// Draws the footer.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.setup().theme;
    let filter = one_line(app.table().filter());
    let mut line = Line::default();
    if app.is_typing() {
        line.push_span(Span::raw(format!("/{filter}")));
        line.push_span(Span::styled(" ", theme.selection()));
    } else if !filter.is_empty() {
        line.push_span(Span::styled(format!("/{filter} "), theme.warning()));
    }
    if app.is_typing() || !filter.is_empty() {
        let shown = format!(" {} of {} jobs ", app.table().len(), app.table().total());
        line.push_span(Span::styled(shown, theme.faint()));
    }
    if app.is_typing() {
        for (key, help) in keymap::FILTER_KEYS.iter().skip(1) {
            line.push_span(Span::styled(
                format!(" {key}"),
                Style::new().add_modifier(Modifier::BOLD),
            ));
            line.push_span(Span::styled(format!(" {help} "), theme.faint()));
        }
    } else {
        hints(app, usize::from(area.width), &mut line);
    }
    put(&line, area, buffer);
}

/// Adds the hints that fit whole.
fn hints(app: &App, width: usize, line: &mut Line<'static>) {
    let theme = app.setup().theme;
    for binding in keymap::BINDINGS {
        let (Some(hint), Some(key)) = (binding.hint, binding.keys.first()) else {
            continue;
        };
        let key = Span::styled(keymap::label(*key), Style::new().add_modifier(Modifier::BOLD));
        let hint = Span::styled(format!(" {hint}  "), theme.faint());
        if line.width() + key.width() + hint.width() > width + 2 {
            return;
        }
        line.push_span(key);
        line.push_span(hint);
    }
}
