//! The last line: what is typed, what was said in passing, or the filter and the most useful keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::put;
use crate::app::App;
use crate::keymap::ACTIONS;
use crate::overlay::Overlay;
use crate::overlay::prompt::{Prompt, Purpose};
use crate::printable::{cut, one_line};

/// Draws the footer.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    if let Some(Overlay::Prompt(prompt)) = app.overlays().last() {
        draw_prompt(app, prompt, area, buffer);
        return;
    }
    let mut line = Line::default();
    if let Some((shown, total, marks)) = app.list_counts() {
        if marks > 0 {
            line.push_span(Span::styled(format!("{marks} marked "), theme.marked()));
        }
        if let Some(filter) = app.filter_text().filter(|filter| !filter.is_empty()) {
            line.push_span(Span::styled(format!("/{} ", one_line(filter)), theme.warning()));
            line.push_span(Span::styled(format!("{shown} of {total}  "), theme.faint()));
        }
    }
    if let Some(notice) = app.notice() {
        let style = if notice.bad { theme.warning() } else { theme.good() };
        let symbol = if notice.bad { "! " } else { "✓ " };
        let room = usize::from(area.width).saturating_sub(line.width());
        let text = cut(&format!("{symbol}{}", one_line(&notice.text)), room);
        line.push_span(Span::styled(text, style));
        put(&line, area, buffer);
        return;
    }
    for (key, hint) in hints(app) {
        let key = Span::styled(key, Style::new().add_modifier(Modifier::BOLD));
        let hint = Span::styled(format!(" {hint}  "), theme.faint());
        // Only whole hints; the blanks behind the last one may be cut.
        if line.width() + key.width() + hint.width() > usize::from(area.width) + 2 {
            break;
        }
        line.push_span(key);
        line.push_span(hint);
    }
    put(&line, area, buffer);
}

/// The keys worth a word where one is, help and quit among the first.
fn hints(app: &App) -> Vec<(String, &'static str)> {
    let contexts = app.view().contexts();
    let contexts = if app.known().is_online() {
        &contexts[1..]
    } else {
        contexts
    };
    let mut hints = Vec::new();
    for vital in [true, false] {
        for context in contexts {
            let of_context = ACTIONS.iter().filter(|definition| definition.context == *context);
            for definition in of_context {
                let is_vital = matches!(definition.name, "help" | "reconnect");
                let hidden = definition.changes && app.why_not_change().is_some();
                if is_vital == vital
                    && !hidden
                    && let (Some(hint), Some(key)) =
                        (definition.hint, app.setup().keymap.label(definition.action))
                {
                    hints.push((key, hint));
                }
            }
        }
    }
    hints
}

fn draw_prompt(app: &App, prompt: &Prompt, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let label = prompt.label();
    let text = prompt.input.text();
    let mut line = Line::from(vec![
        Span::styled(label.clone(), theme.title(false)),
        Span::raw(one_line(text)),
        Span::raw(" "),
    ]);
    if prompt.purpose == Purpose::Filter
        && let Some((shown, total, _)) = app.list_counts()
    {
        line.push_span(Span::styled(format!("  {shown} of {total}"), theme.faint()));
    }
    // A line that is too long is shown from where its cursor is seen.
    let cursor = Line::raw(label).width() + prompt.input.column();
    let room = usize::from(area.width.max(1));
    let skip = (cursor + 1).saturating_sub(room);
    let shifted = Rect {
        width: area.width,
        ..area
    };
    let mut scratch = Buffer::empty(Rect::new(0, 0, u16::try_from(room + skip).unwrap_or(u16::MAX), 1));
    scratch.set_line(0, 0, &line, scratch.area.width);
    for x in 0..shifted.width.min(area.width) {
        let from = usize::from(x) + skip;
        if area.height > 0
            && let Ok(from) = u16::try_from(from)
            && from < scratch.area.width
        {
            buffer[(area.x + x, area.y)] = scratch[(from, 0)].clone();
        }
    }
    if area.height > 0 && area.width > 0 {
        let x = area.x + u16::try_from(cursor - skip).unwrap_or(0).min(area.width - 1);
        buffer.set_style(
            Rect {
                x,
                width: 1,
                height: 1,
                y: area.y,
            },
            theme.selection(),
        );
    }
}
