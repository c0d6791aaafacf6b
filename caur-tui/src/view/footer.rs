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
    let hints: Vec<(String, &str)> = if app.is_typing() {
        let keys = keymap::FILTER_KEYS.iter().skip(1);
        keys.map(|(key, help)| ((*key).to_owned(), *help)).collect()
    } else {
        let bindings = keymap::BINDINGS.iter();
        bindings
            .filter_map(|binding| Some((keymap::label(*binding.keys.first()?), binding.hint?)))
            .collect()
    };
    for (key, help) in hints {
        let key = Span::styled(key, Style::new().add_modifier(Modifier::BOLD));
        let help = Span::styled(format!(" {help}  "), theme.faint());
        // Only whole hints; the blanks behind the last one may be cut.
        if line.width() + key.width() + help.width() > usize::from(area.width) + 2 {
            break;
        }
        line.push_span(key);
        line.push_span(help);
    }
    put(&line, area, buffer);
}
