//! How the activity view is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::TrailRow;
use crate::app::App;
use crate::printable::{cut, one_line};
use crate::view::list::{Cell, Column, Empty, column};
use crate::view::{list, put_lines, wrapped};
use crate::{date, span};

const COLUMNS: &[Column<TrailRow>] = &[
    Column {
        right: true,
        ..column("when", 0, 6, 0, |app, row| {
            let age = app.queue_now().saturating_sub(row.at.0) / 1000;
            Cell::plain(span::seconds(age))
        })
    },
    column("at (UTC)", 100, 16, 0, |app, row| {
        Cell::styled(date::utc(row.at.0), app.theme().faint())
    }),
    column("who", 0, 10, 2, |_, row| Cell::plain(one_line(&row.entry.by))),
    column("action", 0, 10, 1, |app, row| {
        Cell::styled(one_line(&row.entry.action), app.theme().title(false))
    }),
    Column {
        share: 1,
        ..column("about", 0, 0, 3, |_, row| Cell::plain(one_line(&row.entry.about)))
    },
    Column {
        share: 1,
        ..column("why", 60, 0, 0, |app, row| {
            Cell::styled(one_line(&row.entry.why), app.theme().faint())
        })
    },
];

/// Draws the view.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let empty = Empty {
        loading: "reading the trail …",
        nothing: "nobody has changed anything yet",
        loaded: app.activity().is_loaded(),
    };
    list::draw(app, &app.activity().table, COLUMNS, empty, area, buffer);
}

/// Draws what the table has no room for about the selected entry.
pub fn draw_detail(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(row) = app.activity().table.selected() else {
        return;
    };
    let theme = app.theme();
    let entry = &row.entry;
    let mut parts = vec![
        one_line(&entry.about),
        format!("by {}", one_line(&entry.by)),
        format!("{} UTC", date::utc(row.at.0)),
    ];
    parts.push(match entry.job {
        Some(job) => format!("Enter opens job {job}"),
        None => "about no single job".to_owned(),
    });
    let width = usize::from(area.width);
    let about = Line::styled(cut(&parts.join(" · "), width), theme.faint());
    let what = match entry.why.as_str() {
        "" => one_line(&entry.action),
        why => format!("{}: {}", one_line(&entry.action), one_line(why)),
    };
    let what = wrapped(&what, width).into_iter().map(Line::raw);
    let room = usize::from(area.height).saturating_sub(1);
    let lines: Vec<Line<'_>> = what.take(room.max(1)).chain([about]).collect();
    put_lines(lines, area, buffer);
}
