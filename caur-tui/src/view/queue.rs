//! The queue table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::columns::{Column, Sized, columns};
use super::{centered, put};
use crate::app::App;
use crate::layout::Pane;
use crate::msg::LinkState;
use crate::printable::{cut, one_line};

/// The mark in front of the selected row: it is seen without colours and without reversal.
const MARK: u16 = 2;

/// From which width there is room beside the last heading.
const POSITION_FROM: u16 = 76;

/// Draws headings and rows.
pub fn draw(app: &App, headings: Rect, rows: Rect, buffer: &mut Buffer) {
    if headings.height == 0 {
        return;
    }
    let theme = app.setup().theme;
    let columns = columns(headings.width.saturating_sub(MARK));
    let title = theme.title(app.focus() == Pane::Queue);
    draw_row(&columns, headings, buffer, |column| {
        (column.heading().to_owned(), title)
    });
    draw_position(app, title, headings, buffer);
    if app.table().len() == 0 {
        draw_nothing(app, rows, buffer);
        return;
    }
    for (y, job) in (rows.top()..rows.bottom()).zip(app.table().visible(usize::from(rows.height))) {
        let row = Rect { y, height: 1, ..rows };
        let faint = job.state.is_final();
        draw_row(&columns, row, buffer, |column| {
            let style = match column {
                Column::State => theme.state(job.state),
                Column::Package => Style::new(),
                Column::Target
                | Column::Class
                | Column::Builder
                | Column::Attempt
                | Column::Time
                | Column::Expected
                | Column::Why => {
                    if faint {
                        theme.faint()
                    } else {
                        Style::new()
                    }
                }
            };
            (column.text(app, job), style)
        });
        if app.table().selected() == Some(job.id) {
            put(&Line::raw(">"), row, buffer);
            buffer.set_style(row, theme.selection());
        }
    }
}

/// Which row of how many is selected, at the right of the headings.
fn draw_position(app: &App, style: Style, area: Rect, buffer: &mut Buffer) {
    let Some(row) = app.table().selected_row() else {
        return;
    };
    let text = format!("{}/{}", row + 1, app.table().len());
    let width = u16::try_from(text.len()).unwrap_or(area.width);
    if area.width >= POSITION_FROM {
        let right = Rect {
            x: area.right() - width,
            width,
            ..area
        };
        put(&Line::styled(text, style), right, buffer);
    }
}

fn draw_row(columns: &[Sized], area: Rect, buffer: &mut Buffer, text: impl Fn(Column) -> (String, Style)) {
    let mut x = area.x + MARK;
    for &(column, width) in columns {
        let (text, style) = text(column);
        let text = cut(&text, usize::from(width));
        let indent = if column.is_right_aligned() {
            width.saturating_sub(u16::try_from(text.width()).unwrap_or(width))
        } else {
            0
        };
        let cell = Rect {
            x: x + indent,
            width: width - indent,
            ..area
        };
        put(
            &Line::from(Span::styled(text, style)),
            cell.intersection(area),
            buffer,
        );
        x += width + 1;
    }
}

fn draw_nothing(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.setup().theme;
    let (text, style) = if app.has_data() {
        if app.table().total() == 0 {
            ("the queue is empty".to_owned(), theme.faint())
        } else {
            (
                "no job matches the filter; Esc drops it".to_owned(),
                theme.faint(),
            )
        }
    } else {
        match app.link() {
            LinkState::Connecting => ("connecting to the queue …".to_owned(), theme.faint()),
            LinkState::Online => ("reading the queue …".to_owned(), theme.faint()),
            LinkState::Reconnecting { reason, .. } | LinkState::Failed { reason } => {
                (one_line(reason), theme.error())
            }
        }
    };
    centered(&text, style, area, buffer);
}
