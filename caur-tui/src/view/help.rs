//! The help: every key of the view and every symbol, written from the keymap and the theme.

use caur_core::model::JobState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{put, put_lines, window};
use crate::app::App;
use crate::filter::LANGUAGE;
use crate::keymap::ACTIONS;
use crate::theme;

const WIDTH: u16 = 78;
const KEY_WIDTH: usize = 14;

/// Draws the help over the screen.
pub fn draw(app: &App, scroll: usize, screen: Rect, buffer: &mut Buffer) {
    let lines = lines(app);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let title = format!("keys of {} · Esc closes", app.view().title().to_lowercase());
    let inner = window(&title, WIDTH, height, screen, buffer);
    let last = lines.len().saturating_sub(usize::from(inner.height));
    let scroll = scroll.min(last);
    put_lines(lines.into_iter().skip(scroll), inner, buffer);
    if scroll < last && screen.height > 2 {
        let more = Rect {
            x: inner.x + 1,
            y: inner.bottom(),
            width: inner.width,
            height: 1,
        };
        put(&Line::raw(" more: ↓ "), more.intersection(screen), buffer);
    }
}

/// How far the help can be scrolled.
pub fn last_scroll(app: &App, screen: Rect) -> usize {
    lines(app)
        .len()
        .saturating_sub(usize::from(screen.height.saturating_sub(2)))
}

fn lines(app: &App) -> Vec<Line<'static>> {
    let theme = app.theme();
    let keymap = &app.setup().keymap;
    let entry = |key: &str, text: &str| {
        let room = KEY_WIDTH.saturating_sub(key.width());
        Line::from(vec![
            Span::styled(
                format!(" {key}{} ", " ".repeat(room)),
                Style::new().add_modifier(Modifier::BOLD),
            ),
            Span::raw(text.to_owned()),
        ])
    };
    let heading = |text: &str| Line::styled(format!(" {text}"), theme.title(true));
    let mut lines = Vec::new();
    for context in &app.view().contexts()[1..] {
        let here = ACTIONS.iter().filter(|definition| {
            definition.context == *context && !(definition.changes && app.is_read_only())
        });
        lines.push(heading(context.title()));
        lines.extend(here.map(|definition| {
            let keys = match keymap.labels(definition.action) {
                keys if keys.is_empty() => format!(":{}", definition.name),
                keys => keys,
            };
            entry(&keys, definition.help)
        }));
    }
    if app.is_read_only() {
        lines.push(Line::styled(
            format!(" read-only: {}", app.why_not_change().unwrap_or_default()),
            theme.warning(),
        ));
    }
    lines.push(heading("the filter language"));
    lines.extend(LANGUAGE.iter().map(|(term, meaning)| {
        let line = entry(term, meaning);
        if term.width() > KEY_WIDTH {
            return Line::from(vec![
                Span::styled(format!(" {term}  "), Style::new().add_modifier(Modifier::BOLD)),
                Span::raw((*meaning).to_owned()),
            ]);
        }
        line
    }));
    lines.push(heading("states"));
    for pair in JobState::ALL.chunks(2) {
        let spans = pair.iter().map(|&state| {
            let text = format!(" {} {:<22}", theme::symbol(state), state.as_str());
            Span::styled(text, theme.state(state))
        });
        lines.push(spans.collect());
    }
    lines
}
