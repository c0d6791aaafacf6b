//! Logs in terminal cells.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::log::{Direction, LogPane, Settings, draw};
use crate::theme::Theme;

fn drawn(pane: &LogPane, width: u16, height: u16, theme: Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(pane, frame.area(), theme, frame.buffer_mut()))
        .unwrap();
    terminal.backend().buffer().clone()
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    buffer
        .content
        .chunks(width)
        .map(|row| {
            let mut text = String::new();
            let mut cells = row.iter();
            while let Some(cell) = cells.next() {
                text.push_str(cell.symbol());
                if cell.symbol().width() == 2 {
                    cells.next();
                }
            }
            text
        })
        .map(|row| row.trim_end().to_owned())
        .collect()
}

fn pane() -> LogPane {
    let mut pane = LogPane::new(Settings {
        utc_offset_minutes: 60,
        is_error: |line| line.contains("error:"),
        ..Settings::default()
    });
    pane.resize(40, 8);
    let text = b"==> Making package\n\x1b[32mgreen\x1b[0m and \x1b[7mreversed\x1b[0m\nmain.c:1: error: no\n";
    pane.push(LogPiece {
        offset: 5000,
        at: 1_764_000_000_123,
        bytes: text,
    });
    let end = 5000 + text.len() as u64;
    pane.mark_cut(end..end + 3_100_000);
    pane.push(LogPiece {
        offset: end + 3_100_000,
        at: 1_764_000_060_456,
        bytes: "a line that is too long for the screen 日本語日本語\nlast".as_bytes(),
    });
    pane
}

#[test]
fn signs_gaps_and_lines_that_go_on() {
    let pane = pane();
    let buffer = drawn(&pane, 40, 8, Theme::Dark);
    assert_eq!(
        rows(&buffer),
        [
            "  ··· 5.0 kB not loaded ···",
            "  ==> Making package",
            "  green and reversed",
            "! main.c:1: error: no",
            "  ··· 3.1 MB left out by the size limit",
            "  a line that is too long for the scree›",
            "  last",
            ""
        ]
    );
    assert_eq!(buffer[(2, 2)].fg, Color::Green);
    assert_eq!(buffer[(8, 2)].fg, Color::Reset);
    assert_eq!(drawn(&pane, 40, 8, Theme::Mono)[(2, 2)].fg, Color::Reset);
    assert!(buffer[(12, 2)].modifier.contains(Modifier::REVERSED));
}

#[test]
fn times_and_broken_lines() {
    let mut pane = pane();
    pane.toggle_times();
    pane.toggle_wrap();
    pane.resize(40, 10);
    assert_eq!(
        rows(&drawn(&pane, 40, 10, Theme::Dark)),
        [
            "               ··· 5.0 kB not loaded ···",
            "  17:00:00.123 ==> Making package",
            "  17:00:00.123 green and reversed",
            "! 17:00:00.123 main.c:1: error: no",
            "               ··· 3.1 MB left out by th",
            "  17:01:00.456 a line that is too long f",
            "               or the screen 日本語日本",
            "               語",
            "  17:01:00.456 last",
            ""
        ]
    );
}

#[test]
fn matches_and_selected_lines_stand_out_without_colours() {
    let mut pane = pane();
    pane.search("re", Direction::Forward);
    while pane.step(1) {}
    let buffer = drawn(&pane, 40, 8, Theme::Mono);
    let modifiers = |x: u16, y: u16| buffer[(x, y)].modifier;
    assert_eq!(rows(&buffer)[2], "▸ green and reversed", "the current line");
    assert!(modifiers(3, 2).contains(Modifier::REVERSED), "gREen");
    assert!(!modifiers(2, 2).contains(Modifier::REVERSED));
    assert!(
        modifiers(12, 2).contains(Modifier::UNDERLINED),
        "REversed is reversed by itself"
    );
    assert!(!modifiers(12, 2).contains(Modifier::REVERSED));
    pane.toggle_selection();
    pane.scroll(1);
    let buffer = drawn(&pane, 40, 8, Theme::Mono);
    for (row, is_selected) in [(1, false), (2, true), (3, true), (4, false)] {
        let is_reversed = buffer[(39, row)].modifier.contains(Modifier::REVERSED);
        assert_eq!(is_reversed, is_selected, "row {row}");
    }
}

#[test]
fn columns_on_the_left_go_out_of_sight() {
    let mut pane = pane();
    pane.side_step(true);
    let rows = rows(&drawn(&pane, 40, 8, Theme::Dark));
    assert_eq!(rows[1], "  ge");
    assert_eq!(rows[5], "  oo long for the screen 日本語日本語");
}

#[test]
fn the_smallest_screens_are_drawn() {
    let mut pane = pane();
    for (width, height) in [(1, 1), (2, 1), (3, 2), (20, 5)] {
        pane.resize(width, height);
        drawn(&pane, width, height, Theme::Dark);
        pane.toggle_wrap();
        pane.toggle_times();
        drawn(&pane, width, height, Theme::Dark);
    }
}
