//! A table on the screen: the columns that there is room for, headings, rows, selection and marks.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line as TextLine, Span};
use unicode_width::UnicodeWidthStr;

use super::{centered, put};
use crate::app::App;
use crate::msg::LinkState;
use crate::printable::{cut, one_line};
use crate::table::{Line, Row, Table};

/// The marks in front of a row: selected and marked are seen without colours and without reversal.
const MARK: u16 = 2;
/// From which width the selected row's number stands beside the last heading.
const POSITION_FROM: u16 = 60;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

impl Cell {
    /// A text in the usual style.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::styled(text, Style::new())
    }

    /// A text in a style.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }
}

/// A column of a table of `R`.
pub struct Column<R> {
    /// Its heading.
    pub title: &'static str,
    /// From which width of the table it is shown.
    pub from: u16,
    /// Its width; 0: a share of what the others leave.
    pub width: u16,
    /// How much of that share, in proportion to other such columns.
    pub share: u16,
    /// Whether numbers are aligned at their right.
    pub right: bool,
    /// Which order of the rows it stands for, see [`Row::ORDERS`].
    pub order: usize,
    /// What stands in it.
    pub cell: fn(&App, &R) -> Cell,
}

/// A column of texts: its heading, from which width it is shown, its own width, its order, and what stands in it.
pub const fn column<R>(
    title: &'static str,
    from: u16,
    width: u16,
    order: usize,
    cell: fn(&App, &R) -> Cell,
) -> Column<R> {
    Column {
        title,
        from,
        width,
        share: 1,
        right: false,
        order,
        cell,
    }
}

/// A column of numbers.
pub const fn number<R>(
    title: &'static str,
    from: u16,
    width: u16,
    order: usize,
    cell: fn(&App, &R) -> Cell,
) -> Column<R> {
    Column {
        right: true,
        ..column(title, from, width, order, cell)
    }
}

/// What an empty list says.
#[derive(Debug, Clone, Copy)]
pub struct Empty {
    /// While nothing came yet.
    pub loading: &'static str,
    /// When there is nothing.
    pub nothing: &'static str,
    /// Whether anything came yet.
    pub loaded: bool,
}

/// Draws a table.
pub fn draw<R: Row>(
    app: &App,
    table: &Table<R>,
    columns: &[Column<R>],
    empty: Empty,
    area: Rect,
    buffer: &mut Buffer,
) {
    if area.height == 0 || area.width == 0 {
        return;
    }
    let theme = app.theme();
    let headings = Rect { height: 1, ..area };
    let rows = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let sized = sized(columns, area.width.saturating_sub(MARK));
    let title = theme.title(true);
    draw_cells(&sized, headings, buffer, |column| {
        let sort = table.sort();
        let arrow = match (column.order == sort.order && sort.order > 0, sort.reversed) {
            (false, _) => "",
            (true, false) => "▴",
            (true, true) => "▾",
        };
        Cell::styled(format!("{}{arrow}", column.title), title)
    });
    draw_position(table, title, headings, buffer);
    if table.is_empty() {
        draw_nothing(app, table.total() > 0, empty, rows, buffer);
        return;
    }
    for (y, line) in (rows.top()..rows.bottom()).zip(table.visible(usize::from(rows.height))) {
        let at = Rect { y, height: 1, ..rows };
        match line {
            Line::Group(title, count) => {
                let text = format!("── {title} ({count}) ");
                let rest = usize::from(area.width).saturating_sub(text.width());
                let text = format!("{text}{}", "─".repeat(rest));
                put(&TextLine::styled(text, theme.faint()), at, buffer);
            }
            Line::Row(row) => {
                let key = row.key();
                let selected = table.selected_key() == Some(&key);
                let marked = table.is_marked(&key);
                draw_cells(&sized, at, buffer, |column| (column.cell)(app, row));
                let mark = match (selected, marked) {
                    (true, true) => "»*",
                    (true, false) => ">",
                    (false, true) => " *",
                    (false, false) => "",
                };
                put(&TextLine::styled(mark, theme.marked()), at, buffer);
                if selected {
                    buffer.set_style(at, theme.selection());
                } else if marked {
                    buffer.set_style(at, Style::new().add_modifier(Modifier::BOLD));
                }
            }
        }
    }
}

/// The columns for a table of this width with their widths, a gap of one column between them.
fn sized<R>(columns: &[Column<R>], width: u16) -> Vec<(&Column<R>, u16)> {
    let shown: Vec<&Column<R>> = columns.iter().filter(|column| width >= column.from).collect();
    let gaps = u16::try_from(shown.len()).unwrap_or(u16::MAX).saturating_sub(1);
    let fixed: u16 = shown.iter().map(|column| column.width).sum();
    let shares: u32 = shown
        .iter()
        .filter(|column| column.width == 0)
        .map(|column| u32::from(column.share))
        .sum();
    let mut free = width.saturating_sub(fixed + gaps);
    let mut shares_left = shares;
    shown
        .into_iter()
        .map(|column| {
            if column.width > 0 {
                return (column, column.width);
            }
            let part = u32::from(free) * u32::from(column.share) / shares_left.max(1);
            let part = u16::try_from(part).unwrap_or(free);
            free -= part;
            shares_left -= u32::from(column.share);
            (column, part)
        })
        .collect()
}

fn draw_cells<R>(
    columns: &[(&Column<R>, u16)],
    area: Rect,
    buffer: &mut Buffer,
    cell: impl Fn(&Column<R>) -> Cell,
) {
    let mut x = area.x + MARK;
    for &(column, width) in columns {
        let Cell { text, style } = cell(column);
        let text: Cow<'_, str> = if text.width() > usize::from(width) {
            cut(&text, usize::from(width)).into()
        } else {
            text.into()
        };
        let indent = if column.right {
            width.saturating_sub(u16::try_from(text.width()).unwrap_or(width))
        } else {
            0
        };
        let at = Rect {
            x: x + indent,
            width: width - indent,
            ..area
        };
        put(
            &TextLine::from(Span::styled(text, style)),
            at.intersection(area),
            buffer,
        );
        x += width + 1;
    }
}

/// Which row of how many is selected, at the right of the headings.
fn draw_position<R: Row>(table: &Table<R>, style: Style, area: Rect, buffer: &mut Buffer) {
    if table.is_empty() || area.width < POSITION_FROM {
        return;
    }
    let text = format!(" {}/{}", table.cursor() + 1, table.len());
    let width = u16::try_from(text.len()).unwrap_or(area.width).min(area.width);
    let right = Rect {
        x: area.right() - width,
        width,
        ..area
    };
    put(&TextLine::styled(text, style), right, buffer);
}

/// Says in the middle of a list why there is nothing in it.
pub fn draw_nothing(app: &App, filtered: bool, empty: Empty, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    if filtered {
        centered(
            "nothing matches the filter; Esc drops it",
            theme.faint(),
            area,
            buffer,
        );
        return;
    }
    if empty.loaded {
        centered(empty.nothing, theme.faint(), area, buffer);
        return;
    }
    let (text, style) = match &app.known().link.state {
        LinkState::Connecting => ("connecting to the queue …".to_owned(), theme.faint()),
        LinkState::Online => (empty.loading.to_owned(), theme.faint()),
        LinkState::Reconnecting { reason, .. } | LinkState::Failed { reason } => {
            (one_line(reason), theme.error())
        }
    };
    centered(&text, style, area, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::queue::draw::COLUMNS;

    #[test]
    fn columns_fill_every_width_exactly() {
        for width in 20..300 {
            let columns = sized(COLUMNS, width);
            let total: u16 = columns.iter().map(|(_, size)| size + 1).sum();
            assert!(total - 1 <= width, "{width}");
            assert!(width < 40 || total - 1 == width, "{width}");
            assert!(columns.iter().all(|(_, size)| *size > 0), "{width}");
        }
    }
}
