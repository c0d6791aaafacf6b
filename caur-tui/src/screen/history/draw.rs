//! How the history view is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::App;
use crate::printable::{cut, one_line};
use crate::screen::queue::{JobRow, commit, took, waited};
use crate::view::list;
use crate::view::list::{Cell, Column, Empty, column, number};
use crate::{date, span, theme};

/// Characters of a commit that are shown.
const COMMIT: usize = 10;

const COLUMNS: &[Column<JobRow>] = &[
    number("ended", 0, 6, 11, |app, row| {
        let age = app.queue_now().saturating_sub(ended(row)) / 1000;
        Cell::plain(span::seconds(age))
    }),
    column("at (UTC)", 112, 16, usize::MAX, |app, row| {
        Cell::styled(date::utc(ended(row)), app.theme().faint())
    }),
    column("outcome", 0, theme::WORD_WIDTH + 2, 2, |app, row| {
        let state = row.job.state;
        Cell::styled(
            format!("{} {}", theme::symbol(state), theme::word(state)),
            app.theme().state(state),
        )
    }),
    Column {
        share: 10,
        ..column("package", 0, 0, 1, |_, row| {
            Cell::plain(row.job.request.pkgbase.to_string())
        })
    },
    column("target", 136, 18, 3, |_, row| {
        Cell::plain(row.job.request.target.to_string())
    }),
    column("builder", 56, 9, 5, |_, row| {
        Cell::plain(one_line(row.job.builder.as_deref().unwrap_or_default()))
    }),
    number("took", 44, 6, 12, |app, row| {
        Cell::plain(seconds(took(&row.job, app.queue_now())))
    }),
    number("waited", 70, 6, 13, |_, row| {
        Cell::plain(seconds(waited(&row.job)))
    }),
    number("try", 64, 3, 6, |_, row| {
        Cell::plain(match row.job.attempt {
            0 => String::new(),
            attempt => attempt.to_string(),
        })
    }),
    column("commit", 150, 10, 10, |_, row| {
        Cell::plain(cut(commit(&row.job).unwrap_or_default(), COMMIT))
    }),
    column("by", 104, 10, 9, |_, row| {
        Cell::plain(one_line(&row.job.requested_by))
    }),
    Column {
        share: 9,
        ..column("reason", 90, 0, 0, |app, row| {
            let reason = one_line(row.job.reason.as_deref().unwrap_or_default());
            let failed = !row.job.state.satisfies_dependants();
            let style = if failed { Style::new() } else { app.theme().faint() };
            Cell::styled(reason, style)
        })
    },
];

fn ended(row: &JobRow) -> u64 {
    row.job.finished.unwrap_or(row.job.since)
}

fn seconds(seconds: Option<u64>) -> String {
    seconds.map_or(String::new(), span::seconds)
}

/// Draws the view.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let empty = Empty {
        loading: "reading finished jobs …",
        nothing: "no job has ended yet",
        loaded: app.history().is_loaded(),
    };
    list::draw(app, &app.history().table, COLUMNS, empty, area, buffer);
}
