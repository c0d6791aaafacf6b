//! The first line: the link, how old the data is, and how many jobs are in which state.

use caur_core::model::JobState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::put;
use crate::app::App;
use crate::msg::LinkState;
use crate::printable::{cut, one_line};
use crate::span;
use crate::theme;

/// Draws the header.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.setup().theme;
    let mut left = vec![Span::styled("caur ", Style::new().add_modifier(Modifier::BOLD))];
    if area.width >= 100 {
        left.push(Span::styled(
            format!("{} ", one_line(&app.setup().title)),
            theme.faint(),
        ));
        if app.setup().read_only {
            left.push(Span::styled("read-only ", theme.faint()));
        }
    }
    left.push(link(app));
    if let Some(age) = app.stale_for() {
        left.push(Span::styled(
            format!(" stale {}", span::seconds(age)),
            theme.warning(),
        ));
    }
    let mut line = Line::from(left);
    let room = usize::from(area.width).saturating_sub(line.width() + 2);
    for counts in [counts(app, true), counts(app, false)] {
        if counts.width() <= room || app.stale_for().is_none() && area.width < 60 {
            line.push_span(Span::raw("  "));
            line.extend(counts.spans);
            break;
        }
    }
    put(&line, area, buffer);
}

/// Draws what is wrong with the link while older data is on screen.
pub fn draw_notice(app: &App, area: Rect, buffer: &mut Buffer) {
    let text = match app.link() {
        LinkState::Connecting | LinkState::Online => return,
        LinkState::Reconnecting { reason, .. } | LinkState::Failed { reason } => one_line(reason),
    };
    let line = Line::styled(cut(&text, usize::from(area.width)), app.setup().theme.error());
    put(&line, area, buffer);
}

fn link(app: &App) -> Span<'static> {
    let theme = app.setup().theme;
    match app.link() {
        LinkState::Connecting => Span::styled("◌ connecting", theme.warning()),
        LinkState::Online => Span::styled("● online", theme.good()),
        LinkState::Reconnecting { attempt, next_in, .. } => {
            let left = next_in.as_secs().saturating_sub(app.link_age());
            let when = if left == 0 {
                "now".to_owned()
            } else {
                format!("in {}", span::seconds(left))
            };
            Span::styled(format!("↻ reconnecting #{attempt} {when}"), theme.warning())
        }
        LinkState::Failed { .. } => Span::styled("✗ link failed", theme.error()),
    }
}

/// The counts of all states that occur; with their words or with their symbols only.
fn counts(app: &App, words: bool) -> Line<'static> {
    let theme = app.setup().theme;
    let mut spans = Vec::new();
    let counts = app.table().counts();
    for state in JobState::ALL {
        let Some(count) = counts.get(&state) else { continue };
        let text = if words {
            format!("{}{count} {} ", theme::symbol(state), theme::word(state))
        } else {
            format!("{}{count} ", theme::symbol(state))
        };
        spans.push(Span::styled(text, theme.state(state)));
    }
    Line::from(spans)
}
