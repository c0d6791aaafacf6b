//! How the queue is drawn.

use caur_core::model::{Job, JobState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::row::{JobRow, commit};
use crate::app::App;
use crate::printable::{cut, one_line};
use crate::view::list::{Cell, Column, Empty, column, number};
use crate::view::{list, put_lines, words, wrapped};
use crate::{span, theme};

/// Characters of a commit that are shown.
const COMMIT: usize = 10;

/// The columns of tables of jobs.
pub const COLUMNS: &[Column<JobRow>] = &[
    column("state", 0, theme::WORD_WIDTH + 2, 2, |app, row| {
        let state = row.job.state;
        Cell::styled(
            format!("{} {}", theme::symbol(state), theme::word(state)),
            app.theme().state(state),
        )
    }),
    Column {
        share: 11,
        ..column("package", 0, 0, 1, |app, row| {
            let watched = if app.is_watched(row.job.id) { "◉ " } else { "" };
            Cell::plain(format!("{watched}{}", row.job.request.pkgbase))
        })
    },
    column("target", 118, 18, 3, |app, row| {
        of(app, row, row.job.request.target.to_string())
    }),
    column("class", 96, 7, 4, |app, row| {
        of(app, row, row.job.request.class.to_string())
    }),
    column("builder", 56, 9, 5, |app, row| {
        of(app, row, one_line(row.job.builder.as_deref().unwrap_or_default()))
    }),
    number("try", 64, 3, 6, |app, row| {
        let attempt = row.job.attempt;
        of(
            app,
            row,
            if attempt == 0 {
                String::new()
            } else {
                attempt.to_string()
            },
        )
    }),
    number("age", 34, 6, 7, |app, row| {
        of(app, row, span::seconds(age(app, &row.job)))
    }),
    number("eta", 46, 6, 8, |app, row| of(app, row, eta(app, &row.job))),
    column("commit", 132, 10, 10, |app, row| {
        of(app, row, cut(commit(&row.job).unwrap_or_default(), COMMIT))
    }),
    column("by", 110, 10, 9, |app, row| {
        of(app, row, one_line(&row.job.requested_by))
    }),
    Column {
        share: 9,
        ..column("why", 76, 0, 0, |app, row| of(app, row, why(app, &row.job)))
    },
];

fn of(app: &App, row: &JobRow, text: String) -> Cell {
    let style = if row.job.state.is_final() {
        app.theme().faint()
    } else {
        Style::new()
    };
    Cell::styled(text, style)
}

/// Draws the queue.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let empty = Empty {
        loading: "reading the queue …",
        nothing: "the queue is empty",
        loaded: app.known().has_data() && !app.known().partial,
    };
    list::draw(app, &app.queue().table, COLUMNS, empty, area, buffer);
}

/// Draws what the table has no room for about the selected job: why it stands where it does, then what it is.
pub fn draw_detail(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(job) = app.selected_job() else { return };
    let theme = app.theme();
    let width = usize::from(area.width);
    let state = format!("{} {}", theme::symbol(job.state), job.state);
    let why = match words::why(app, job) {
        why if why.is_empty() => state.clone(),
        why => format!("{state} · {why}"),
    };
    let mut lines: Vec<Line<'static>> = wrapped(&why, width)
        .into_iter()
        .enumerate()
        .map(|(at, line)| match line.strip_prefix(&state).filter(|_| at == 0) {
            Some(rest) => Line::from(vec![
                Span::styled(state.clone(), theme.state(job.state)),
                Span::raw(rest.to_owned()),
            ]),
            None => Line::raw(line),
        })
        .collect();
    let about = words::about(app, job).join(" · ");
    let room = usize::from(area.height).saturating_sub(lines.len()).max(1);
    let mut about = wrapped(&about, width);
    if about.len() > room {
        about.truncate(room);
        let last = about.pop().unwrap_or_default();
        about.push(cut(&format!("{last} …"), width));
    }
    lines.extend(about.into_iter().map(|line| Line::styled(line, theme.faint())));
    put_lines(lines, area, buffer);
}

/// Seconds that the build has run, or else that the job has been in its state.
fn age(app: &App, job: &Job) -> u64 {
    let from = match job.state {
        JobState::Building => job.started.unwrap_or(job.since),
        JobState::Succeeded
        | JobState::AlreadyBuilt
        | JobState::Skipped
        | JobState::Failed
        | JobState::TimedOut
        | JobState::OutOfMemory
        | JobState::Canceled
        | JobState::InfrastructureFailed => job.finished.unwrap_or(job.since),
        JobState::Waiting
        | JobState::Ready
        | JobState::Backoff
        | JobState::Blocked
        | JobState::Held
        | JobState::Uploaded
        | JobState::Publishing => job.since,
    };
    app.queue_now().saturating_sub(from) / 1000
}

/// When it is likely to be done: from the forecast, else from what its build is expected to take.
pub fn eta(app: &App, job: &Job) -> String {
    let now = app.queue_now();
    let end = match (job.state, app.known().forecast.get(&job.id)) {
        _ if job.state.is_final() => return String::new(),
        (JobState::Building, forecast) => {
            let known = job.started.filter(|_| job.expected > 0);
            let expected = known.map(|started| started + job.expected * 1000);
            let Some(end) = expected.or(forecast.map(|span| span.end)) else {
                return String::new();
            };
            if end < now {
                return format!("+{}", span::seconds((now - end) / 1000));
            }
            end
        }
        (_, Some(span)) => span.end,
        (_, None) => return String::new(),
    };
    span::seconds(end.saturating_sub(now) / 1000)
}

/// The reason in a few words, else what it waits for, else what its builder is doing.
fn why(app: &App, job: &Job) -> String {
    if let Some(reason) = &job.canceling {
        return format!("stopping: {}", one_line(reason));
    }
    if let Some(reason) = &job.reason {
        return one_line(reason);
    }
    match (job.state, job.waits_for.as_slice()) {
        (JobState::Waiting, [only]) => match app.job(*only) {
            Some(other) => format!("waits for {}", other.request.pkgbase),
            None => "waits for 1".to_owned(),
        },
        (JobState::Waiting, [_, ..]) => format!("waits for {}", job.waits_for.len()),
        (JobState::Building, _) => one_line(job.phase.as_deref().unwrap_or_default()),
        _ => String::new(),
    }
}
