//! How the builders view is drawn: the table, and below it the selected builder with its jobs.

use caur_core::model::{Job, JobId};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{BuilderRow, BuilderState, reasons};
use crate::app::App;
use crate::printable::{cut, one_line};
use crate::screen::queue::took;
use crate::view::bar::{bar, percent};
use crate::view::list::{Cell, Column, Empty, column, number};
use crate::view::{list, put_lines};
use crate::{size, span};

/// Columns of the bar of busy slots.
const SLOTS_BAR: usize = 5;
/// Load per core from which a machine has more to do than it can.
const BUSY_LOAD: f64 = 1.5;
/// Seconds without a sign of life that are worth a look.
const LATE: u64 = 30;
/// A success rate below this, in percent, is worth a look.
const LOW_SUCCESS: u64 = 70;
/// Less room than this is worth a look.
const LITTLE_DISK: u64 = 10 << 30;

const COLUMNS: &[Column<BuilderRow>] = &[
    column("state", 0, 14, 1, |app, row| {
        let state = row.state;
        Cell::styled(
            format!("{} {}", state.symbol(), state.word()),
            app.theme().style(state.meaning()),
        )
    }),
    Column {
        share: 2,
        ..column("name", 0, 0, 0, |_, row| {
            let double = if row.builder.double.is_some() { "!" } else { "" };
            Cell::plain(format!("{double}{}", one_line(row.name().as_str())))
        })
    },
    number("class", 60, 5, 2, |app, row| match row.builder.report.class {
        Some(class) => Cell::plain(class.to_string()),
        None => Cell::styled("name", app.theme().faint()),
    }),
    column("busy", 0, 11, 3, |_, row| {
        let slots = row.builder.report.slots;
        let bar = bar(row.busy(), slots.into(), SLOTS_BAR);
        Cell::plain(format!("{bar} {}/{slots}", row.busy()))
    }),
    number("good", 66, 5, 8, |app, row| match row.success() {
        Some(success) => worth(app, success < LOW_SUCCESS, format!("{success}%")),
        None => Cell::styled("–", app.theme().faint()),
    }),
    number("load", 70, 5, 4, |app, row| match row.load() {
        Some(load) => worth(app, load > BUSY_LOAD, format!("{load:.2}")),
        None => Cell::plain(""),
    }),
    // Of both memory and disk: what is left.
    number("memory", 76, 6, 5, |_, row| {
        Cell::plain(size::bytes(row.builder.report.machine.memory_free))
    }),
    number("disk", 52, 7, 6, |app, row| {
        let free = row.builder.report.machine.disk_free;
        worth(app, free < LITTLE_DISK, size::bytes(free))
    }),
    number("seen", 46, 7, 7, |app, row| {
        let age = app.queue_now().saturating_sub(row.builder.last_seen) / 1000;
        worth(app, age > LATE, span::seconds(age))
    }),
    column("version", 96, 12, 9, |_, row| {
        Cell::plain(one_line(&row.builder.report.version))
    }),
    number("started", 110, 7, 10, |app, row| {
        let age = app.queue_now().saturating_sub(row.builder.started) / 1000;
        Cell::plain(span::seconds(age))
    }),
    Column {
        share: 5,
        ..column("why", 124, 0, 1, |app, row| {
            Cell::styled(
                reasons(&row.builder).join("; "),
                app.theme().style(row.state.meaning()),
            )
        })
    },
];

/// A value that is marked where it is worth a look.
fn worth(app: &App, a_look: bool, text: String) -> Cell {
    if a_look {
        Cell::styled(format!("!{text}"), app.theme().warning())
    } else {
        Cell::plain(text)
    }
}

/// Draws the table.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let empty = Empty {
        loading: "reading the builders …",
        nothing: "no builder has registered yet: `caur-daemon builder` starts one",
        loaded: app.known().has_builders,
    };
    list::draw(app, &app.builders().table, COLUMNS, empty, area, buffer);
}

/// The lines below the table, where there are `room` for both: enough for every slot, so that the table stays where it
/// is while jobs come and go and the selection moves.
pub fn detail_height(app: &App, room: u16) -> u16 {
    let table = u16::try_from(app.builders().table.total()).unwrap_or(u16::MAX);
    if table == 0 {
        return 0;
    }
    let lines: usize = app.builders().slots().map(|slots| slots + 1).sum();
    let wanted = u16::try_from(lines + 2).unwrap_or(u16::MAX).max(3);
    // Half of the room at most, and more where the table is short.
    let most = (room / 2).max(room.saturating_sub(table.saturating_add(2)));
    wanted.min(most)
}

/// Draws the selected builder: why it takes no jobs, what it is, what it builds; then what the others build.
pub fn draw_detail(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(row) = app.builders().table.selected() else {
        return;
    };
    let theme = app.theme();
    let width = usize::from(area.width);
    let mut lines = vec![
        heading(app, row, width),
        standing(app, row, width),
        Line::styled(cut(&machine(app, row).join(" · "), width), theme.faint()),
    ];
    let room = usize::from(area.height).saturating_sub(lines.len());
    let jobs = &row.builder.jobs;
    let shown = if jobs.len() > room {
        room.saturating_sub(1)
    } else {
        jobs.len()
    };
    lines.extend(jobs[..shown].iter().map(|job| job_line(app, *job, width)));
    if shown < jobs.len() {
        let more = format!("  and {} more: Enter lists them", jobs.len() - shown);
        lines.push(Line::styled(more, theme.faint()));
    }
    for other in app.builders().table.shown() {
        let jobs = &other.builder.jobs;
        // One that is cut off in its middle would seem to have less to do than it has.
        let fits = lines.len() + jobs.len() < usize::from(area.height);
        if other.builder.report.instance != row.builder.report.instance && !jobs.is_empty() && fits {
            lines.push(heading(app, other, width));
            lines.extend(jobs.iter().map(|job| job_line(app, *job, width)));
        }
    }
    put_lines(lines, area, buffer);
}

fn heading(app: &App, row: &BuilderRow, width: usize) -> Line<'static> {
    let name = format!("── {} ", one_line(row.name().as_str()));
    let rule = "─".repeat(width.saturating_sub(name.width()));
    Line::styled(format!("{name}{rule}"), app.theme().faint())
}

fn standing(app: &App, row: &BuilderRow, width: usize) -> Line<'static> {
    let reasons = reasons(&row.builder);
    let state = row.state;
    let text = match (state, row.builder.report.class) {
        (BuilderState::Online, class) => {
            let takes = match class {
                Some(class) => format!("takes jobs up to class {class}"),
                None => "takes only jobs for its name".to_owned(),
            };
            [vec![takes], reasons].concat().join("; ")
        }
        (_, _) => reasons.join("; "),
    };
    let text = format!("{} {} · {text}", state.symbol(), state.word());
    Line::styled(cut(&text, width), app.theme().style(state.meaning()))
}

/// What a builder is, in a few parts.
fn machine(app: &App, row: &BuilderRow) -> Vec<String> {
    let report = &row.builder.report;
    let machine = &report.machine;
    let mut parts = Vec::new();
    if !machine.engine.is_empty() {
        parts.push(one_line(&machine.engine));
    }
    parts.push(format!("{} cores, load {:.1}", machine.cores, machine.load));
    if let Some(free) = percent(machine.memory_free, machine.memory) {
        parts.push(format!("{free}% of {} memory free", size::bytes(machine.memory)));
    }
    parts.push(format!("{} disk left", size::bytes(machine.disk_free)));
    parts.push(match row.success() {
        Some(success) => format!("{success}% of {} builds good in 24 h", row.day.builds),
        None => "no builds in 24 h".to_owned(),
    });
    parts.push(format!("version {}", one_line(&report.version)));
    let age = app.queue_now().saturating_sub(row.builder.started) / 1000;
    parts.push(format!("started {} ago", span::seconds(age)));
    parts
}

/// A job with how far it has come.
fn job_line(app: &App, id: JobId, width: usize) -> Line<'static> {
    let theme = app.theme();
    let Some(job) = app.job(id) else {
        return Line::styled(format!("▶ job {id}, which is not known here"), theme.faint());
    };
    let name_width = (width / 3).clamp(8, 40);
    let name = cut(job.request.pkgbase.as_str(), name_width.saturating_sub(2));
    let (bar, text, late) = progress(job, app.queue_now(), (width / 4).clamp(4, 40));
    let style = if late { theme.warning() } else { Style::new() };
    let phase = one_line(job.phase.as_deref().unwrap_or_default());
    let mut line = Line::from(vec![
        Span::styled("▶ ", theme.state(job.state)),
        Span::raw(format!("{name:<pad$} ", pad = name_width.saturating_sub(2))),
        Span::styled(format!("{bar} "), style),
        Span::styled(text, style),
    ]);
    line.push_span(Span::styled(
        format!("  {phase} · {}", job.request.target),
        theme.faint(),
    ));
    line
}

/// A bar of how far a build has come, the same in words, and whether it takes longer than expected.
fn progress(job: &Job, now: u64, width: usize) -> (String, String, bool) {
    let elapsed = took(job, now).unwrap_or(0);
    let expected = job.expected;
    let over = elapsed.saturating_sub(expected);
    let words = if expected == 0 {
        span::seconds(elapsed)
    } else if over > 0 {
        format!("{} +{}", span::seconds(elapsed), span::seconds(over))
    } else {
        format!("{} of {}", span::seconds(elapsed), span::seconds(expected))
    };
    let late = expected > 0 && over > 0;
    (bar(elapsed, expected, width), words, late)
}

#[cfg(test)]
mod tests {
    use caur_core::model::JobState;

    use super::*;
    use crate::testing::{NOW, job};

    #[test]
    fn progress_tells_how_far_and_what_is_late() {
        let cases = [
            (30, 120, "█░░░", "30s of 2m00s", false),
            (120, 120, "████", "2m00s of 2m00s", false),
            (150, 120, "████", "2m30s +30s", true),
            (30, 0, "░░░░", "30s", false),
        ];
        for (elapsed, expected, bar, words, late) in cases {
            let mut job = job(1, "foo", JobState::Building);
            job.started = Some(NOW - elapsed * 1000);
            job.expected = expected;
            let told = progress(&job, NOW, 4);
            assert_eq!(told, (bar.to_owned(), words.to_owned(), late));
        }
    }
}
