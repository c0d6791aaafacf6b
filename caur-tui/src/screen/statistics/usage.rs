//! How much builders were made use of.

use caur_core::model::JobState;
use caur_core::queue::Statistics;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::series::{Utilisation, utilisation};
use crate::app::App;
use crate::printable::{cut, one_line};
use crate::span;
use crate::theme::Meaning;
use crate::view::bar::bar;
use crate::view::{centered, put_lines};

/// Columns of a builder's line that are not its bar.
const BESIDE_BAR: usize = 52;

/// How much each builder was made use of, by what is known of it now.
pub(super) fn uses(app: &App, statistics: &Statistics) -> Vec<Utilisation> {
    let jobs = app.queue().table.rows().map(|row| &row.job);
    let running: Vec<(String, u64)> = jobs
        .filter(|job| job.state == JobState::Building)
        .filter_map(|job| Some((job.builder.clone()?, job.started?)))
        .collect();
    utilisation(statistics, &app.known().builders, &running, app.queue_now())
}

pub(super) fn draw_builders(app: &App, statistics: &Statistics, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let mut uses = uses(app, statistics);
    if uses.is_empty() {
        centered("no builder did anything", theme.faint(), area, buffer);
        return;
    }
    // Of more builders than there is room for, the busiest are shown.
    uses.sort_by_key(|it| std::cmp::Reverse(it.busy));
    let room = usize::from(area.height);
    let shown = if uses.len() > room {
        room.saturating_sub(1)
    } else {
        uses.len()
    };
    let width = usize::from(area.width);
    let mut lines: Vec<Line<'_>> = uses[..shown].iter().map(|it| use_line(app, it, width)).collect();
    if shown < uses.len() {
        let more = format!("and {} more, which did less", uses.len() - shown);
        lines.push(Line::styled(more, theme.faint()));
    }
    put_lines(lines, area, buffer);
}

fn use_line(app: &App, it: &Utilisation, width: usize) -> Line<'static> {
    let theme = app.theme();
    let name = cut(&one_line(&it.name), 12);
    let bar_width = width.saturating_sub(BESIDE_BAR).clamp(4, 60);
    let (share, bar) = match it.percent() {
        Some(percent) => (format!("{percent:>3}%"), bar(percent, 100, bar_width)),
        None => ("gone".to_owned(), " ".repeat(bar_width)),
    };
    let failed = match it.sum.failures {
        0 => String::new(),
        failures => format!(", {failures} failed"),
    };
    Line::from(vec![
        Span::raw(format!("{name:<12} ")),
        Span::styled(bar, theme.style(Meaning::Active)),
        Span::styled(format!(" {share}"), Style::new().add_modifier(Modifier::BOLD)),
        Span::styled(
            format!(
                " {:>6} busy, {} builds{failed}",
                span::seconds(it.busy),
                it.sum.builds
            ),
            theme.faint(),
        ),
    ])
}
