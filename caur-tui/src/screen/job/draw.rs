//! How a job and its log are drawn.

use caur_core::model::Job;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{Stage, details};
use crate::app::App;
use crate::log;
use crate::printable::{cut, one_line};
use crate::screen::queue::took;
use crate::view::{centered, put, put_lines};
use crate::{size, span, theme};

/// Draws the job view.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let screen = app.job_screen();
    let parts = screen.parts(area);
    draw_title(app, parts.title, buffer);
    if screen.job().is_none() {
        let text = "no job is selected: choose one in the queue or in the history";
        centered(text, app.theme().faint(), parts.log, buffer);
        return;
    }
    if parts.log.width > 0 {
        draw_log(app, parts.log, buffer);
    }
    if parts.details.width > 0 {
        if parts.log.width > 0 {
            for y in parts.details.top()..parts.details.bottom() {
                buffer.set_string(parts.details.x - 1, y, "│", app.theme().faint());
            }
        }
        let lines = details::lines(app, usize::from(parts.details.width));
        let last = lines.len().saturating_sub(usize::from(parts.details.height));
        put_lines(
            lines.into_iter().skip(screen.scroll.min(last)),
            parts.details,
            buffer,
        );
    }
}

fn draw_title(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let (state, state_style) = log_state(app);
    let state_width = u16::try_from(state.width()).unwrap_or(area.width).min(area.width);
    let right = Rect {
        x: area.right() - state_width,
        width: state_width,
        ..area
    };
    let left = Rect {
        width: area.width.saturating_sub(state_width + 1),
        ..area
    };
    let line = match app.shown_job() {
        Some(job) => title(app, job, usize::from(left.width)),
        None => Line::styled("job", theme.title(false)),
    };
    put(&line, left, buffer);
    put(&Line::styled(state, state_style), right, buffer);
}

fn title(app: &App, job: &Job, room: usize) -> Line<'static> {
    let theme = app.theme();
    let state = format!("{} {} ", theme::symbol(job.state), theme::word(job.state));
    let name = cut(job.request.pkgbase.as_str(), room.saturating_sub(state.width()));
    let mut line = Line::from(vec![
        Span::styled(state, theme.state(job.state)),
        Span::styled(name, Style::new().add_modifier(Modifier::BOLD)),
    ]);
    let attempt = app.job_screen().attempt().unwrap_or(job.attempt);
    let mut parts = Vec::new();
    if attempt > 0 {
        parts.push(match job.attempt {
            newest if newest > 1 => format!(" attempt {attempt}/{newest}"),
            _ => String::new(),
        });
    }
    if let Some(took) = took(job, app.queue_now()) {
        parts.push(format!(" {}", span::seconds(took)));
    }
    if let Some(builder) = &job.builder {
        parts.push(format!(" on {}", one_line(builder)));
    }
    if let Some(reason) = job.reason.as_deref().filter(|_| job.state.is_final()) {
        parts.push(format!(" · {}", one_line(reason)));
    }
    for part in parts {
        if line.width() + part.width() > room {
            break;
        }
        line.push_span(Span::styled(part, theme.faint()));
    }
    line
}

/// Whether the log grows, and where in it the view is.
fn log_state(app: &App) -> (String, Style) {
    let theme = app.theme();
    let screen = app.job_screen();
    let summary = screen.pane().summary();
    let mut parts = Vec::new();
    let mut style = theme.faint();
    if let Some(selected) = summary.selected {
        parts.push(format!("{selected} selected"));
        style = theme.marked();
    }
    if let Some(filter) = &summary.filter {
        parts.push(format!("&{} {} lines", one_line(&filter.text), filter.count));
    }
    if let Some(search) = &summary.search {
        let text = one_line(&search.text);
        parts.push(match (search.progress.is_done(), search.current) {
            (false, _) => format!("/{text} searching {} %", search.progress.percent()),
            (true, Some(current)) => format!("/{text} {current}/{}", search.count),
            (true, None) => format!("/{text} {} matches", search.count),
        });
    }
    if let Some(errors) = summary.errors {
        parts.push(match errors {
            1 => "1 error line".to_owned(),
            errors => format!("{errors} error lines"),
        });
    }
    if let Some(notice) = &summary.notice {
        parts.push(notice.to_string());
    }
    if summary.left > 0 {
        parts.push(format!("→{}", summary.left));
    }
    if screen.pane().is_loading_everything() {
        parts.push(format!("loading, {} left", size::bytes(summary.unloaded)));
    }
    if let Some(problem) = screen.problem() {
        return (cut(&one_line(problem), 60), theme.error());
    }
    let stale = app.stale_for().is_some();
    match screen.stage() {
        Stage::Opening => parts.push("opening …".to_owned()),
        Stage::Missing => parts.push("no log".to_owned()),
        Stage::Live | Stage::Ended
            if !summary.is_following && (screen.stage() == Stage::Live || summary.percent < 100) =>
        {
            let below = match summary.new_below {
                0 => String::new(),
                new => format!(", {new} new"),
            };
            parts.push(format!("PAUSED {} %{below}", summary.percent));
            style = theme.warning();
        }
        Stage::Live if stale => {
            parts.push("stale".to_owned());
            style = theme.warning();
        }
        Stage::Live => {
            parts.push("live".to_owned());
            style = theme.good();
        }
        Stage::Ended => parts.push(match summary.lines {
            Some(lines) => format!("complete, {lines} lines"),
            None => format!("complete, {}", size::bytes(summary.total)),
        }),
    }
    (parts.join(" · "), style)
}

fn draw_log(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let screen = app.job_screen();
    if screen.pane().store().first().is_none() {
        if let Some(problem) = screen.problem() {
            centered(&one_line(problem), theme.error(), area, buffer);
            return;
        }
        let text = match screen.stage() {
            Stage::Opening => "opening the log …",
            Stage::Live => "nothing was written yet",
            Stage::Ended => "the log is empty",
            Stage::Missing => match app.shown_job() {
                Some(job) if job.state.is_final() || job.attempt > 0 => {
                    "the queue keeps no log of this attempt"
                }
                _ => "it was not built yet, so there is no log",
            },
        };
        centered(text, theme.faint(), area, buffer);
        return;
    }
    log::draw(screen.pane(), area, theme, buffer);
}
