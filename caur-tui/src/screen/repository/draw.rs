//! How the repository view is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::findings::{Mark, Severity};
use super::{PackageRow, RepositoryScreen};
use crate::app::App;
use crate::printable::{cut, one_line};
use crate::size::{bytes, grouped};
use crate::span;
use crate::table::Row;
use crate::theme::Theme;
use crate::view::list::{Cell, Column, Empty, column, number};
use crate::view::{list, put, put_lines};

/// Seconds for which the outcome of a request stands in the place of everything else where there is one line only.
const NEWS: u64 = 20;

/// The columns of tables of packages.
const COLUMNS: &[Column<PackageRow>] = &[
    column("", 0, 1, 5, |app, row| {
        let mark = row.marks.first();
        mark.map_or(Cell::plain(""), |mark| {
            Cell::styled(mark.symbol(), style(app.theme(), *mark))
        })
    }),
    Column {
        share: 10,
        ..column("package", 0, 0, 0, |_, row| {
            Cell::plain(one_line(row.package.pkgname.as_str()))
        })
    },
    Column {
        share: 6,
        ..column("version", 0, 0, 2, |_, row| {
            Cell::plain(one_line(&row.package.version))
        })
    },
    number("size", 50, 6, 3, |_, row| Cell::plain(bytes(row.package.size))),
    number("age", 30, 6, 4, |app, row| {
        let age = row.age(app.queue_now());
        Cell::plain(age.map_or("?".to_owned(), span::seconds))
    }),
    column("built", 116, 10, 4, |app, row| {
        Cell::styled(row.day().unwrap_or_default(), app.theme().faint())
    }),
    column("mark", 56, 13, 5, |app, row| match row.marks.as_slice() {
        [] => Cell::plain(""),
        [only] => Cell::styled(only.kind.word(), style(app.theme(), *only)),
        [worst, rest @ ..] => Cell::styled(
            format!("{} +{}", worst.kind.word(), rest.len()),
            style(app.theme(), *worst),
        ),
    }),
    column("job", 96, 13, 6, |app, row| {
        let job = row.job.map(|job| job.to_string()).unwrap_or_default();
        Cell::styled(job, app.theme().faint())
    }),
    Column {
        share: 6,
        ..column("base", 132, 0, 1, |app, row| {
            let base = one_line(row.package.pkgbase.as_str());
            let same = row.package.pkgbase.as_str() == row.package.pkgname.as_str();
            Cell::styled(base, if same { app.theme().faint() } else { Style::new() })
        })
    },
];

/// How a mark looks.
pub fn style(theme: Theme, mark: Mark) -> Style {
    match mark.severity {
        Severity::Error => theme.error(),
        Severity::Warning => theme.warning(),
    }
}

/// Draws the packages.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let screen = app.repository();
    let empty = if screen.target().is_some() {
        Empty {
            loading: "reading what the repository lists …",
            nothing: "the repository lists no package",
            loaded: screen.is_loaded(),
        }
    } else {
        Empty {
            loading: "the farm has not told its repositories yet …",
            nothing: "",
            loaded: false,
        }
    };
    list::draw(app, &screen.table, COLUMNS, empty, area, buffer);
}

/// Draws what is known of the whole repository, of the selected package, and of requests; where there is one line only,
/// what is under way comes first.
pub fn draw_detail(app: &App, area: Rect, buffer: &mut Buffer) {
    match area.height {
        0 => {}
        1 => {
            let line = requests(app, NEWS).unwrap_or_else(|| totals(app));
            put(&line, area, buffer);
        }
        _ => {
            let quiet = || Line::styled("no request is under way", app.theme().faint());
            let requests = requests(app, u64::MAX).unwrap_or_else(quiet);
            let lines = [totals(app), selected(app), requests];
            put_lines(lines, area, buffer);
        }
    }
}

/// Which repository it is, how much it holds, and what its check said.
fn totals(app: &App) -> Line<'static> {
    let (screen, theme) = (app.repository(), app.theme());
    let Some(target) = screen.target() else {
        return Line::styled("no repository is known yet", theme.faint());
    };
    let mut line = Line::from(Span::styled(target.to_string(), theme.title(false)));
    let count = screen.targets().len();
    if count > 1
        && let Some(at) = screen.targets().iter().position(|other| other == target)
    {
        line.push_span(Span::styled(format!(" {}/{count}", at + 1), theme.faint()));
    }
    if !screen.is_loaded() {
        return line;
    }
    let total = screen.table.total();
    line.push_span(format!(" · {}", amount(total, screen.bytes())));
    let (text, style) = match screen.checked() {
        None => ("not checked (c)".to_owned(), theme.faint()),
        Some(checked) => {
            let age = app.queue_now().saturating_sub(checked.at) / 1000;
            let style = match (checked.errors, checked.warnings) {
                (0, 0) => theme.good(),
                (0, _) => theme.warning(),
                _ => theme.error(),
            };
            (format!("{}, {} ago", checked.counts(), span::seconds(age)), style)
        }
    };
    line.push_span(" · ");
    line.push_span(Span::styled(text, style));
    line
}

fn amount(count: usize, size: u64) -> String {
    let packages = if count == 1 { "package" } else { "packages" };
    format!("{} {packages}, {}", grouped(count), bytes(size))
}

/// What the filter shows; none where there is no filter.
fn shown(app: &App) -> Option<(usize, u64)> {
    let table = &app.repository().table;
    let (filter, now) = (table.filter(), app.queue_now());
    let shown = table.rows().filter(|row| filter.shows(*row, now));
    (!filter.is_empty()).then(|| (table.len(), shown.map(|row| row.package.size).sum()))
}

fn marked(screen: &RepositoryScreen) -> Option<(usize, u64)> {
    let table = &screen.table;
    let marked = table.rows().filter(|row| table.is_marked(&row.key()));
    (table.marks() > 0).then(|| (table.marks(), marked.map(|row| row.package.size).sum()))
}

/// How much is marked and shown, and what the table has no room for about the selected package.
fn selected(app: &App) -> Line<'static> {
    let (screen, theme) = (app.repository(), app.theme());
    let mut line = Line::default();
    for (what, part, style) in [
        ("marked", marked(screen), theme.marked()),
        ("shown", shown(app), Style::new()),
    ] {
        if let Some((count, size)) = part {
            let text = format!("{what} {}, {} · ", grouped(count), bytes(size));
            line.push_span(Span::styled(text, style));
        }
    }
    if let Some(row) = screen.table.selected() {
        line.push_span(about(app, row));
    }
    line
}

fn about(app: &App, row: &PackageRow) -> Span<'static> {
    let (screen, theme) = (app.repository(), app.theme());
    let package = &row.package;
    if let Some(checked) = screen.checked().filter(|_| !row.marks.is_empty()) {
        let found: Vec<String> = checked
            .about(package.pkgname.as_str())
            .map(|finding| one_line(&finding.text))
            .collect();
        let worst = row.marks[0];
        return Span::styled(
            format!("{} {}", worst.symbol(), found.join("; ")),
            style(theme, worst),
        );
    }
    let mut parts = vec![if package.pkgbase.as_str() == package.pkgname.as_str() {
        package.pkgname.to_string()
    } else {
        format!("{} of {}", package.pkgname, package.pkgbase)
    }];
    match row.job {
        Some(job) => parts.push(format!("made by job {job}")),
        None => parts.push("its job is not known".to_owned()),
    }
    parts.extend(row.day().map(|day| format!("built on {day}")));
    parts.push(one_line(&package.file_name));
    Span::styled(parts.join(" · "), theme.faint())
}

/// What is asked of the repository: first what this console asked and is under way, then what others asked, then what
/// came of the last request of this console, if it ended at most so many seconds ago.
fn requests(app: &App, news: u64) -> Option<Line<'static>> {
    let (screen, theme) = (app.repository(), app.theme());
    let target = screen.target()?;
    let mut own = screen
        .all_asked()
        .iter()
        .filter(|asked| asked.request.target == *target);
    let under_way = own.clone().rev().find(|asked| !asked.has_ended());
    let others: Vec<_> = screen
        .requests()
        .iter()
        .filter(|request| screen.asked(&request.id).is_none())
        .collect();
    let mut line = Line::default();
    if let Some(asked) = under_way {
        let elapsed = span::seconds(app.now().saturating_sub(asked.at) / 1000);
        let (standing, meaning) = asked.standing();
        line.push_span(Span::styled(
            one_line(&format!(
                "{} {}: {standing}, {elapsed}",
                asked.symbol(),
                asked.what()
            )),
            theme.style(meaning),
        ));
    }
    if let Some(first) = others.first() {
        let age = span::seconds(app.queue_now().saturating_sub(first.asked) / 1000);
        let symbol = if first.running { "▶" } else { "○" };
        let gap = if line.spans.is_empty() { "" } else { " · " };
        let more = match others.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let (what, by) = (cut(&one_line(&first.what), 40), one_line(&first.by));
        line.push_span(format!("{gap}{symbol} {what} by {by}, {age}{more}"));
    }
    if line.spans.is_empty() {
        let asked = own.next_back()?;
        let ago = app.now().saturating_sub(asked.since) / 1000;
        if ago > news {
            return None;
        }
        let ago = span::seconds(ago);
        let (standing, meaning) = asked.standing();
        let text = format!("{} {ago} ago: {}: {standing}", asked.symbol(), asked.what());
        line.push_span(Span::styled(one_line(&text), theme.style(meaning)));
    }
    Some(line)
}
