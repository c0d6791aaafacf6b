//! The help: every key and every symbol, written from the keymap and the theme.

use caur_core::model::JobState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use super::put;
use crate::app::App;
use crate::keymap;
use crate::theme::{self, Theme};

const WIDTH: u16 = 60;
const KEY_WIDTH: usize = 14;

/// Draws the help over the screen.
pub fn draw(app: &App, scroll: u16, screen: Rect, buffer: &mut Buffer) {
    let outer = area(screen);
    Clear.render(outer, buffer);
    let block = Block::bordered().title(" help · Esc closes ");
    let block = if max_scroll(screen) > scroll {
        block.title_bottom(" more: ↓ ")
    } else {
        block
    };
    let inner = block.inner(outer);
    block.render(outer, buffer);
    let lines = lines(app.setup().theme);
    for (y, line) in (inner.top()..inner.bottom()).zip(lines.iter().skip(usize::from(scroll))) {
        put(
            line,
            Rect {
                y,
                height: 1,
                ..inner
            },
            buffer,
        );
    }
}

/// How far the help can be scrolled on a screen of this size.
pub fn max_scroll(screen: Rect) -> u16 {
    let lines = u16::try_from(lines(Theme::Mono).len()).unwrap_or(u16::MAX);
    lines.saturating_sub(area(screen).height.saturating_sub(2))
}

fn area(screen: Rect) -> Rect {
    let width = screen.width.min(WIDTH);
    let height = screen
        .height
        .min(u16::try_from(lines(Theme::Mono).len() + 2).unwrap_or(u16::MAX));
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    }
}

fn lines(theme: Theme) -> Vec<Line<'static>> {
    let entry = |key: &str, help: &str| {
        Line::from(vec![
            Span::styled(
                format!(" {key:<KEY_WIDTH$} "),
                Style::new().add_modifier(Modifier::BOLD),
            ),
            Span::raw(help.to_owned()),
        ])
    };
    let mut lines: Vec<Line<'static>> = keymap::BINDINGS
        .iter()
        .map(|binding| entry(&keymap::labels(binding), binding.help))
        .collect();
    lines.push(Line::styled(" while a filter is typed", theme.title(false)));
    lines.extend(keymap::FILTER_KEYS.iter().map(|(key, help)| entry(key, help)));
    lines.push(Line::styled(" states", theme.title(false)));
    for pair in JobState::ALL.chunks(2) {
        let spans = pair.iter().map(|&state| {
            let text = format!(" {} {:<15}", theme::symbol(state), state.as_str());
            Span::styled(text, theme.state(state))
        });
        lines.push(spans.collect());
    }
    lines
}
