//! The first line: the link, how old the data is, and how many jobs are in which state.

use caur_core::model::JobState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use unicode_width::UnicodeWidthStr;

use super::put;
use crate::app::App;
use crate::msg::LinkState;
use crate::printable::{cut, one_line};
use crate::queue_table;
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
            format!(" stale for {}", span::seconds(age)),
            theme.warning(),
        ));
    }
    let mut line = Line::from(left);
    line.push_span(Span::raw("  "));
    let room = usize::from(area.width).saturating_sub(line.width());
    line.extend(counts(app, room).spans);
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

/// The counts of all states that occur, in the order of the table; the first ones with their words as far as
/// there is room for all of them.
fn counts(app: &App, room: usize) -> Line<'static> {
    let theme = app.setup().theme;
    let counts = app.table().counts();
    let mut states: Vec<JobState> = counts.keys().copied().collect();
    states.sort_by_key(|state| queue_table::rank(*state));
    let short = |state: &JobState| format!("{}{} ", theme::symbol(*state), counts[state]);
    let mut texts: Vec<String> = states.iter().map(short).collect();
    let mut used: usize = texts.iter().map(|text| text.width()).sum();
    for (text, state) in texts.iter_mut().zip(&states) {
        let word = theme::word(*state);
        used += word.len() + 1;
        if used > room {
            break;
        }
        text.push_str(word);
        text.push(' ');
    }
    texts
        .into_iter()
        .zip(states)
        .map(|(text, state)| Span::styled(text, theme.state(state)))
        .collect()
}
