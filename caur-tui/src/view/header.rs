//! The first lines: the views, the link, how old the data is, how many jobs are in which state, what builders do, and
//! how far the batch has come.

use caur_core::model::{BuilderStatus, JobState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{put, put_lines, wrapped};
use crate::app::{App, View};
use crate::msg::LinkState;
use crate::printable::{cut, one_line};
use crate::screen::queue::rank;
use crate::span;
use crate::theme;

/// Draws the views and the link.
pub fn draw_tabs(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let link = link(app, area.width);
    let link_width = u16::try_from(link.width()).unwrap_or(u16::MAX);
    for (view, start, text) in tabs(app, area) {
        let style = if view == app.view() {
            theme.title(true)
        } else {
            Style::new()
        };
        let at = Rect {
            x: area.x + start,
            width: area.width - start,
            ..area
        };
        put(&Line::styled(text, style), at, buffer);
    }
    let right = Rect {
        x: area.right() - link_width.min(area.width),
        width: link_width.min(area.width),
        ..area
    };
    put(&link, right, buffer);
}

/// The view whose name stands in this column.
pub fn tab_at(app: &App, area: Rect, x: u16) -> Option<View> {
    tabs(app, area)
        .into_iter()
        .find(|(_, start, text)| {
            let start = area.x + start;
            (start..start + u16::try_from(text.width()).unwrap_or(0)).contains(&x)
        })
        .map(|(view, ..)| view)
}

/// The names of the views with the column each begins in: all in full, else numbers and the name of the present one.
fn tabs(app: &App, area: Rect) -> Vec<(View, u16, String)> {
    let room = usize::from(area.width).saturating_sub(link(app, area.width).width() + 1);
    let number = |view: View| app.setup().keymap.label(view.action()).unwrap_or_default();
    let full = |view: View| format!("{} {}", number(view), view.title());
    let short = |view: View| {
        if view == app.view() {
            full(view)
        } else {
            number(view)
        }
    };
    let width = |texts: &[String]| texts.iter().map(|text| text.width() + 2).sum::<usize>();
    let brief = |view: View| {
        if view == app.view() {
            full(view)
        } else {
            format!("{} {}", number(view), view.short_title())
        }
    };
    let choices: [Vec<String>; 4] = [
        View::ALL.into_iter().map(full).collect(),
        View::ALL.into_iter().map(brief).collect(),
        View::ALL.into_iter().map(short).collect(),
        vec![full(app.view())],
    ];
    let fitting = choices.iter().position(|texts| width(texts) <= room).unwrap_or(3);
    let views = if fitting == 3 {
        vec![app.view()]
    } else {
        View::ALL.to_vec()
    };
    let mut x = 0;
    let mut placed = Vec::new();
    for (view, text) in views.into_iter().zip(&choices[fitting]) {
        placed.push((view, x, text.clone()));
        x += u16::try_from(text.width() + 2).unwrap_or(u16::MAX);
    }
    placed
}

/// Draws how many jobs are in which state, and what each builder does.
pub fn draw_counts(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let room = usize::from(area.width);
    let builders = builders(app, room / 3);
    let counts = counts(app, room.saturating_sub(builders.width() + 2));
    put(&counts, area, buffer);
    let width = u16::try_from(builders.width())
        .unwrap_or(area.width)
        .min(area.width);
    if counts.width() + builders.width() < room {
        let right = Rect {
            x: area.right() - width,
            width,
            ..area
        };
        put(&Line::styled(builders, theme.faint()), right, buffer);
    }
}

/// Draws how far the batch has come.
pub fn draw_progress(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(batch) = app.queue().batch().filter(|_| area.height > 0) else {
        return;
    };
    let theme = app.theme();
    let end = app.known().forecast.values().map(|span| span.end).max();
    let left = end
        .filter(|end| *end > app.queue_now())
        .map_or(String::new(), |end| {
            format!(" · {} left", span::seconds((end - app.queue_now()) / 1000))
        });
    let failed = match batch.failed {
        0 => String::new(),
        failed => format!(" · {failed} failed"),
    };
    let text = format!(" {} of {} done{failed}{left}", batch.done, batch.total);
    let room = usize::from(area.width).saturating_sub(text.width() + 7);
    let full = room * batch.done / batch.total.max(1);
    let line = Line::from(vec![
        Span::styled("batch ", theme.faint()),
        Span::styled("█".repeat(full), theme.good()),
        Span::styled("░".repeat(room - full), theme.faint()),
        Span::styled(
            text,
            if batch.failed > 0 {
                theme.warning()
            } else {
                Style::new()
            },
        ),
    ]);
    put(&line, area, buffer);
}

/// Draws what is wrong with the link, or that the queue is paused.
pub fn draw_notice(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some((text, style)) = notice(app) else { return };
    let width = usize::from(area.width);
    let mut lines = wrapped(&text, width);
    if lines.len() > usize::from(area.height) {
        lines = vec![cut(&text, width * usize::from(area.height.max(1)))];
    }
    put_lines(
        lines.into_iter().map(|line| Line::styled(line, style)),
        area,
        buffer,
    );
}

/// How many lines that takes.
pub fn notice_height(app: &App, width: u16) -> usize {
    notice(app).map_or(0, |(text, _)| wrapped(&text, usize::from(width)).len())
}

fn notice(app: &App) -> Option<(String, Style)> {
    let theme = app.theme();
    match &app.known().link.state {
        LinkState::Reconnecting { reason, .. } | LinkState::Failed { reason } => {
            Some((one_line(reason), theme.error()))
        }
        LinkState::Connecting | LinkState::Online => app.known().pause.as_ref().map(|pause| {
            let age = app.queue_now().saturating_sub(pause.since) / 1000;
            let text = format!("‖ queue {}, for {}", one_line(&pause.reason), span::seconds(age));
            (text, theme.warning())
        }),
    }
}

fn link(app: &App, width: u16) -> Line<'static> {
    let theme = app.theme();
    let mut line = Line::default();
    if width >= 120 {
        line.push_span(Span::styled(
            format!("{}  ", one_line(&app.setup().title)),
            theme.faint(),
        ));
    }
    if app.is_read_only() && width >= 60 {
        line.push_span(Span::styled("read-only ", theme.warning()));
    }
    line.push_span(match &app.known().link.state {
        LinkState::Connecting => Span::styled("◌ connecting", theme.warning()),
        LinkState::Online if app.known().partial => Span::styled("◌ reading", theme.warning()),
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
    });
    if let Some(age) = app.stale_for() {
        line.push_span(Span::styled(
            format!(" stale {}", span::seconds(age)),
            theme.warning(),
        ));
    }
    line
}

/// The counts of all states that occur, in the order of the table; the first ones with their words as far as
/// there is room for all of them.
fn counts(app: &App, room: usize) -> Line<'static> {
    let theme = app.theme();
    let counts = app.queue().counts();
    let mut states: Vec<JobState> = counts.keys().copied().collect();
    states.sort_by_key(|state| rank(*state));
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

/// Every builder with its busy and all slots, or as many as there is room for.
fn builders(app: &App, room: usize) -> String {
    let online: Vec<&BuilderStatus> = app
        .known()
        .builders
        .iter()
        .filter(|builder| builder.online)
        .collect();
    if online.is_empty() {
        return if app.known().has_builders {
            "no builder online".to_owned()
        } else {
            String::new()
        };
    }
    let each = online.iter().map(|builder| {
        let busy = builder.jobs.len();
        let stopped = if builder.takes_jobs() { "" } else { "‖" };
        format!(
            "{}{stopped} {busy}/{}",
            one_line(builder.report.name.as_str()),
            builder.report.slots
        )
    });
    let mut text = String::new();
    for (at, part) in each.enumerate() {
        if text.width() + part.width() + 2 > room && at > 0 {
            let busy: usize = online.iter().map(|builder| builder.jobs.len()).sum();
            let slots: u32 = online.iter().map(|builder| builder.report.slots).sum();
            return format!("{} builders {busy}/{slots}", online.len());
        }
        if at > 0 {
            text.push_str("  ");
        }
        text.push_str(&part);
    }
    text
}
