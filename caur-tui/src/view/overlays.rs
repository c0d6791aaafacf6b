//! What lies over a view.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{help, put, put_lines, window, wrapped};
use crate::app::App;
use crate::operation::Standing;
use crate::overlay::asked::Asked;
use crate::overlay::confirm::{Confirm, Danger};
use crate::overlay::palette::Palette;
use crate::overlay::prompt::{Prompt, Purpose};
use crate::overlay::{Overlay, Tree};
use crate::printable::{cut, one_line};
use crate::question::Question;
use crate::screen::repository;
use crate::theme::{self, Theme};

const WIDTH: u16 = 72;
/// Completions that are listed above a prompt.
const COMPLETIONS: usize = 8;

/// Draws every overlay, the topmost last.
pub fn draw(app: &App, screen: Rect, footer: Rect, buffer: &mut Buffer) {
    for overlay in app.overlays() {
        match overlay {
            Overlay::Help(scroll) => help::draw(app, *scroll, screen, buffer),
            Overlay::Prompt(prompt) => draw_completions(app, prompt, footer, screen, buffer),
            Overlay::Confirm(confirm) => draw_confirm(app.theme(), confirm, screen, buffer),
            Overlay::Palette(palette) => draw_palette(app, palette, screen, buffer),
            Overlay::Asked(asked) => draw_asked(app.theme(), asked, screen, buffer),
            Overlay::Operations(scroll) => draw_operations(app, *scroll, screen, buffer),
            Overlay::Tree(tree) => draw_tree(app, tree, screen, buffer),
            Overlay::Repository(overlay) => repository::overlays::draw(app, overlay, screen, buffer),
        }
    }
}

/// The lines of a question and how many of them are seen at a time.
fn confirm_lines(confirm: &Confirm, screen: Rect) -> (Vec<String>, usize) {
    let width = usize::from(WIDTH.min(screen.width).saturating_sub(4));
    let lines: Vec<String> = confirm
        .lines
        .iter()
        .flat_map(|line| wrapped(&one_line(line), width))
        .collect();
    let height = (lines.len() + 4).min(usize::from(screen.height));
    (lines, height.saturating_sub(4))
}

/// How far the topmost overlay can be scrolled; none where it is not scrolled by lines.
pub fn last_scroll(app: &App, screen: Rect) -> Option<usize> {
    match app.overlays().last()? {
        Overlay::Help(_) => Some(help::last_scroll(app, screen)),
        Overlay::Operations(_) => {
            let seen = usize::from(screen.height.saturating_sub(2));
            Some(app.count_asked().saturating_sub(seen))
        }
        Overlay::Confirm(confirm) => {
            let (lines, seen) = confirm_lines(confirm, screen);
            Some(lines.len().saturating_sub(seen))
        }
        Overlay::Prompt(_)
        | Overlay::Palette(_)
        | Overlay::Asked(_)
        | Overlay::Tree(_)
        | Overlay::Repository(_) => None,
    }
}

fn draw_confirm(theme: Theme, confirm: &Confirm, screen: Rect, buffer: &mut Buffer) {
    let width = usize::from(WIDTH.min(screen.width).saturating_sub(4));
    let (lines, seen) = confirm_lines(confirm, screen);
    let height = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX);
    let inner = window(&cut(&confirm.title, width), WIDTH, height, screen, buffer);
    let text = Rect {
        x: inner.x + 1,
        width: inner.width.saturating_sub(2),
        height: inner.height.saturating_sub(2),
        ..inner
    };
    let below = lines.len().saturating_sub(confirm.scroll + seen);
    let shown = lines.into_iter().skip(confirm.scroll).map(Line::raw);
    put_lines(shown, text, buffer);
    if below > 0 {
        let more = Rect {
            y: text.bottom(),
            height: 1.min(inner.height),
            ..text
        };
        put(
            &Line::styled(format!("{below} more lines: ↓"), theme.warning()),
            more,
            buffer,
        );
    }
    let bottom = Rect {
        y: inner.bottom().saturating_sub(1),
        height: 1.min(inner.height),
        ..text
    };
    let line = match &confirm.danger {
        Danger::Confirm => buttons(theme, confirm.yes, " yes (y) "),
        Danger::Type(word) => Line::from(vec![
            Span::styled(format!("type {word} to do it: "), theme.warning()),
            Span::raw(confirm.typed.text().to_owned()),
            Span::styled(" ", theme.selection()),
        ]),
    };
    put(&line, bottom, buffer);
}

fn buttons(theme: Theme, yes: bool, yes_label: &'static str) -> Line<'static> {
    let button = |text: &'static str, chosen: bool, style: Style| {
        let style = if chosen {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        };
        let text = if chosen {
            format!("[{text}]")
        } else {
            format!(" {text} ")
        };
        Span::styled(text, style)
    };
    Line::from(vec![
        button(" no (n) ", !yes, Style::new()),
        Span::raw("   "),
        button(yes_label, yes, theme.error()),
    ])
}

fn draw_asked(theme: Theme, asked: &Asked, screen: Rect, buffer: &mut Buffer) {
    let width = usize::from(WIDTH.min(screen.width).saturating_sub(4));
    let (title, text, answer) = match &asked.question {
        Question::TrustHost {
            host,
            key_type,
            fingerprint,
            recorded_in,
        } => (
            "is this the right server?",
            vec![
                format!("Nothing is known yet about {}.", one_line(host)),
                format!("It shows this {} key:", one_line(key_type)),
                one_line(fingerprint),
                format!(
                    "Compare it with `ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub` on the server. A yes is recorded in {}.",
                    one_line(recorded_in)
                ),
            ],
            buttons(theme, asked.yes, " yes (Tab, then Enter) "),
        ),
        Question::Passphrase { key, wrong_before } => (
            "an encrypted key",
            vec![format!(
                "{}The passphrase of {}; it is kept in memory for reconnects.",
                if *wrong_before { "That was wrong. " } else { "" },
                one_line(key)
            )],
            Line::from(vec![
                Span::raw("passphrase: "),
                Span::raw("•".repeat(asked.typed.text().chars().count())),
                Span::styled(" ", theme.selection()),
            ]),
        ),
    };
    let lines: Vec<String> = text.iter().flat_map(|line| wrapped(line, width)).collect();
    let height = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX);
    let inner = window(title, WIDTH, height, screen, buffer);
    let inside = Rect {
        x: inner.x + 1,
        width: inner.width.saturating_sub(2),
        ..inner
    };
    let text = Rect {
        height: inside.height.saturating_sub(1),
        ..inside
    };
    put_lines(lines.into_iter().map(Line::raw), text, buffer);
    let bottom = Rect {
        y: inner.bottom().saturating_sub(1),
        height: 1.min(inner.height),
        ..inside
    };
    put(&answer, bottom, buffer);
}

fn draw_palette(app: &App, palette: &Palette, screen: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let rows = palette.found.len().min(14);
    let height = u16::try_from(rows + 4).unwrap_or(u16::MAX);
    let inner = window(
        "actions · Enter does it, Esc closes",
        WIDTH,
        height.max(6),
        screen,
        buffer,
    );
    let line = Line::from(vec![
        Span::raw(format!("> {}", palette.input.text())),
        Span::styled(" ", theme.selection()),
    ]);
    put(&line, inner, buffer);
    let list = Rect {
        y: inner.y + 1,
        height: inner.height.saturating_sub(1),
        ..inner
    };
    let first = (palette.cursor + 1).saturating_sub(usize::from(list.height));
    for (y, (at, definition)) in (list.top()..list.bottom()).zip(palette.found.iter().enumerate().skip(first))
    {
        let row = Rect { y, height: 1, ..list };
        let key = app.setup().keymap.label(definition.action).unwrap_or_default();
        let refused = app.why_not(definition.action);
        let (text, style) = match &refused {
            Some(reason) => (format!("not now: {reason}"), theme.faint()),
            None => (definition.help.to_owned(), Style::new()),
        };
        let line = Line::from(vec![
            Span::styled(
                format!("{:<16} {key:>7}  ", cut(definition.name, 16)),
                style.add_modifier(Modifier::BOLD),
            ),
            Span::styled(text, style),
        ]);
        put(&line, row, buffer);
        if at == palette.cursor {
            buffer.set_style(row, theme.selection());
        }
    }
}

fn draw_completions(app: &App, prompt: &Prompt, footer: Rect, screen: Rect, buffer: &mut Buffer) {
    let of_filter = app.filter_problem().filter(|_| prompt.purpose == Purpose::Filter);
    if let Some(problem) = prompt.problem.as_deref().or(of_filter) {
        draw_problem(app, problem, footer, screen, buffer);
    }
    let Some((found, at)) = &prompt.completions else {
        return;
    };
    let first = at.saturating_sub(COMPLETIONS - 1);
    let shown: Vec<&String> = found.iter().skip(first).take(COMPLETIONS).collect();
    let height = u16::try_from(shown.len())
        .unwrap_or(0)
        .min(footer.y.saturating_sub(screen.y));
    let width = shown.iter().map(|text| text.width() + 2).max().unwrap_or(0);
    let area = Rect {
        x: footer.x,
        y: footer.y - height,
        width: u16::try_from(width).unwrap_or(u16::MAX).min(footer.width),
        height,
    };
    ratatui::widgets::Widget::render(ratatui::widgets::Clear, area, buffer);
    for (y, (index, text)) in (area.top()..area.bottom()).zip(shown.iter().enumerate()) {
        let row = Rect { y, height: 1, ..area };
        put(&Line::raw(format!(" {}", one_line(text))), row, buffer);
        if first + index == *at {
            buffer.set_style(row, app.theme().selection());
        }
    }
}

/// Why what was typed was refused, above it.
fn draw_problem(app: &App, problem: &str, footer: Rect, screen: Rect, buffer: &mut Buffer) {
    let lines = wrapped(&format!("! {}", one_line(problem)), usize::from(footer.width));
    let height = u16::try_from(lines.len())
        .unwrap_or(1)
        .min(footer.y.saturating_sub(screen.y));
    let area = Rect {
        y: footer.y - height,
        height,
        ..footer
    };
    ratatui::widgets::Widget::render(ratatui::widgets::Clear, area, buffer);
    let style = app.theme().warning();
    put_lines(
        lines.into_iter().map(|line| Line::styled(line, style)),
        area,
        buffer,
    );
}

fn draw_operations(app: &App, scroll: usize, screen: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let own = app.operations().iter().map(|asked| {
        let style = match &asked.standing {
            Standing::Sent => theme.faint(),
            Standing::Unknown => theme.warning(),
            Standing::Done(_) => theme.good(),
            Standing::Refused(_) | Standing::Never(_) => theme.error(),
        };
        (asked.at, asked.line(), style)
    });
    let requests = app.repository().all_asked().iter();
    let requests = requests.map(|asked| (asked.at, asked.line(), theme.style(asked.standing().1)));
    let mut operations: Vec<(u64, String, Style)> = own.chain(requests).collect();
    operations.sort_by_key(|(at, ..)| *at);
    let height = u16::try_from(operations.len().max(1) + 2).unwrap_or(u16::MAX);
    let inner = window(
        "asked for in this console · Esc closes",
        100,
        height,
        screen,
        buffer,
    );
    if operations.is_empty() {
        put(&Line::styled(" nothing so far", theme.faint()), inner, buffer);
        return;
    }
    let last = operations.len().saturating_sub(usize::from(inner.height));
    let shown = operations.iter().skip(scroll.min(last));
    let lines = shown.map(|(_, line, style)| Line::styled(format!(" {}", one_line(line)), *style));
    put_lines(lines, inner, buffer);
}

fn draw_tree(app: &App, tree: &Tree, screen: Rect, buffer: &mut Buffer) {
    let theme = app.theme();
    let height = u16::try_from(tree.lines.len() + 2).unwrap_or(u16::MAX);
    let name = app.job(tree.job).map_or("", |job| job.request.pkgbase.as_str());
    let title = format!("{name}: what it waits for above, what waits for it below");
    let inner = window(&title, 90, height, screen, buffer);
    let first = (tree.cursor + 1).saturating_sub(usize::from(inner.height));
    let deepest = tree.lines.iter().map(|line| -line.depth).max().unwrap_or(0);
    for (y, (at, line)) in (inner.top()..inner.bottom()).zip(tree.lines.iter().enumerate().skip(first)) {
        let row = Rect {
            y,
            height: 1,
            ..inner
        };
        let indent = usize::try_from((line.depth + deepest) * 2).unwrap_or(0).min(40);
        let mut spans = vec![Span::raw(" ".repeat(indent + 1))];
        match app.job(line.job) {
            Some(job) => {
                spans.push(Span::styled(
                    format!("{} ", theme::symbol(job.state)),
                    theme.state(job.state),
                ));
                let style = if line.depth == 0 {
                    Style::new().add_modifier(Modifier::BOLD)
                } else {
                    Style::new()
                };
                spans.push(Span::styled(job.request.pkgbase.to_string(), style));
                spans.push(Span::styled(
                    format!("  {}", theme::word(job.state)),
                    theme.state(job.state),
                ));
                if line.repeated {
                    spans.push(Span::styled("  (its branches stand elsewhere)", theme.faint()));
                }
            }
            None => spans.push(Span::styled(
                format!("job {} (not listed)", line.job),
                theme.faint(),
            )),
        }
        put(&Line::from(spans), row, buffer);
        if at == tree.cursor {
            buffer.set_style(row, theme.selection());
        }
    }
}
