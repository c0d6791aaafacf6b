//! The lines of one build log, made from its raw bytes.
//!
//! Promises: whatever the bytes are, the lines hold safe text (see [`crate::printable`]) and SGR styling
//! only; a progress line that rewrites itself with carriage returns is kept in its last state; memory is
//! bounded, the oldest lines go first, and a line keeps its number however many went before it.

use std::collections::VecDeque;

use ratatui::style::Style;

use crate::ansi::{Parser, Piece};
use crate::printable::Printer;
use crate::sgr;

/// Bytes of text kept of one line.
const MAX_LINE: usize = 8 << 10;
const TAB: usize = 8;
/// What a kept line costs beside its text, roughly.
const LINE_COST: usize = 64;

/// How much of a log is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Lines.
    pub lines: usize,
    /// Bytes of memory, roughly.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lines: 200_000,
            bytes: 32 << 20,
        }
    }
}

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogLine {
    /// Its safe text.
    pub text: String,
    /// Styles by the byte at which they begin, ascending; none before the first.
    pub styles: Vec<(usize, Style)>,
    /// Whether Caur wrote it and not the build.
    pub is_mark: bool,
}

impl LogLine {
    fn cost(&self) -> usize {
        LINE_COST + self.text.len() + self.styles.len() * size_of::<(usize, Style)>()
    }
}

/// A log as far as it has arrived.
#[derive(Debug, Default)]
pub struct LogModel {
    limits: Limits,
    parser: Parser,
    lines: VecDeque<LogLine>,
    dropped: u64,
    cost: usize,
    open: OpenLine,
}

/// The line that is still being written.
#[derive(Debug, Default)]
struct OpenLine {
    line: LogLine,
    printer: Printer,
    style: Style,
    column: usize,
    cut: usize,
    /// A carriage return was seen: what comes next takes the place of what is there.
    rewrite: bool,
}

impl LogModel {
    /// An empty log that keeps at most `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes the next bytes of the log.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut parser = std::mem::take(&mut self.parser);
        parser.feed(bytes, |piece| self.piece(&piece));
        self.parser = parser;
    }

    /// Takes the log's end.
    pub fn finish(&mut self) {
        let mut parser = std::mem::take(&mut self.parser);
        parser.finish(|piece| self.piece(&piece));
        self.parser = parser;
    }

    /// Adds a line of Caur's own.
    pub fn push_mark(&mut self, text: String) {
        self.finish();
        if !self.open.line.text.is_empty() {
            self.close_line();
        }
        self.keep(LogLine {
            text,
            styles: Vec::new(),
            is_mark: true,
        });
    }

    /// The number of the oldest line that is kept; so many were dropped.
    pub fn first(&self) -> u64 {
        self.dropped
    }

    /// The number after that of the newest line.
    pub fn end(&self) -> u64 {
        let open = u64::from(!self.open.line.text.is_empty());
        self.dropped + self.lines.len() as u64 + open
    }

    /// The line of this number.
    pub fn line(&self, number: u64) -> Option<&LogLine> {
        let index = usize::try_from(number.checked_sub(self.dropped)?).ok()?;
        match index.cmp(&self.lines.len()) {
            std::cmp::Ordering::Less => self.lines.get(index),
            std::cmp::Ordering::Equal if !self.open.line.text.is_empty() => Some(&self.open.line),
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => None,
        }
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Text(text) => text.chars().for_each(|c| self.open.push(c)),
            Piece::Tab => self.open.push_tab(),
            Piece::Control(byte) => self.open.push(char::from(*byte)),
            Piece::CarriageReturn => self.open.rewrite = true,
            Piece::Sgr(parameters) => self.open.style = sgr::apply(self.open.style, parameters),
            Piece::NewLine => self.close_line(),
        }
    }

    fn close_line(&mut self) {
        let line = self.open.take();
        self.keep(line);
    }

    fn keep(&mut self, line: LogLine) {
        self.cost += line.cost();
        self.lines.push_back(line);
        while self.lines.len() > self.limits.lines || self.cost > self.limits.bytes {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.cost -= oldest.cost();
            self.dropped += 1;
        }
    }
}

impl OpenLine {
    fn push(&mut self, c: char) {
        self.begin();
        if self.line.text.len() >= MAX_LINE {
            self.cut += 1;
            return;
        }
        self.column += self.printer.push(c, &mut self.line.text);
    }

    fn push_tab(&mut self) {
        self.begin();
        for _ in 0..TAB - self.column % TAB {
            self.push(' ');
        }
    }

    /// Starts over after a carriage return, and notes the style of what follows where it changed.
    fn begin(&mut self) {
        if self.rewrite {
            self.rewrite = false;
            self.reset();
        }
        let current = self.line.styles.last().map_or(Style::new(), |(_, style)| *style);
        if current == self.style || self.line.text.len() >= MAX_LINE {
            return;
        }
        let at = self.line.text.len();
        self.line.styles.pop_if(|(start, _)| *start == at);
        self.line.styles.push((at, self.style));
    }

    fn reset(&mut self) {
        self.line = LogLine::default();
        self.printer = Printer::default();
        self.column = 0;
        self.cut = 0;
    }

    fn take(&mut self) -> LogLine {
        if self.cut > 0 {
            self.line
                .text
                .push_str(&format!("… ({} more characters)", self.cut));
        }
        let mut line = std::mem::take(&mut self.line);
        line.text.shrink_to_fit();
        line.styles.shrink_to_fit();
        self.rewrite = false;
        self.reset();
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::Color;

    use super::*;

    fn model(chunks: &[&[u8]]) -> LogModel {
        let mut model = LogModel::default();
        for chunk in chunks {
            model.push(chunk);
        }
        model.finish();
        model
    }

    fn texts(model: &LogModel) -> Vec<String> {
        (model.first()..model.end())
            .map(|number| model.line(number).unwrap().text.clone())
            .collect()
    }

    #[test]
    fn progress_collapses_to_its_last_state() {
        let log = model(&[b"get\r\n 10%\r 50%", b"\r100%\r", b"\ndone\r"]);
        assert_eq!(texts(&log), ["get", "100%", "done"]);
    }

    #[test]
    fn tabs_and_controls_are_shown() {
        let log = model(&[b"ab\tc\td\nbell\x07 back\x08\n"]);
        assert_eq!(texts(&log), ["ab      c       d", "bell^G back^H"]);
    }

    #[test]
    fn styles_carry_over_lines_and_chunks() {
        let log = model(&[b"a\x1b[3", b"1mb\nc\x1b[0md\n"]);
        let red = Style::new().fg(Color::Red);
        assert_eq!(log.line(0).unwrap().styles, [(1, red)]);
        assert_eq!(log.line(1).unwrap().styles, [(0, red), (1, Style::new())]);
    }

    #[test]
    fn the_oldest_lines_go_and_the_others_keep_their_numbers() {
        let mut log = LogModel::new(Limits {
            lines: 3,
            bytes: 1 << 20,
        });
        log.push(b"0\n1\n2\n3\n4\nopen");
        assert_eq!((log.first(), log.end()), (2, 6));
        assert_eq!(log.line(1), None);
        assert_eq!(log.line(4).unwrap().text, "4");
        assert_eq!(log.line(5).unwrap().text, "open");
        assert_eq!(log.line(6), None);
    }

    #[test]
    fn memory_is_bounded_in_lines_and_within_a_line() {
        let mut log = LogModel::new(Limits {
            lines: usize::MAX,
            bytes: 100_000,
        });
        for _ in 0..100 {
            log.push(&vec![b'x'; 50_000]);
        }
        assert!(log.open.line.text.len() <= MAX_LINE + 8);
        log.push(b"\n");
        assert!(log.line(0).unwrap().text.ends_with("more characters)"));
        for _ in 0..10_000 {
            log.push(b"\x1b[31ma\x1b[32mb\n");
        }
        assert!(log.cost <= 100_000 && log.first() > 0);
    }

    #[test]
    fn a_mark_stands_on_its_own_line() {
        let mut log = LogModel::default();
        log.push(b"half");
        log.push_mark("left out".to_owned());
        log.push(b"rest\n");
        assert_eq!(texts(&log), ["half", "left out", "rest"]);
        assert!(log.line(1).unwrap().is_mark && !log.line(2).unwrap().is_mark);
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let spice = prop::sample::select(vec![
            b"\x1b[31m".to_vec(),
            b"\x1b]0;t\x07".to_vec(),
            b"\x1b".to_vec(),
            b"\x1b[".to_vec(),
            b"\x1bP".to_vec(),
            b"\r".to_vec(),
            b"\n".to_vec(),
            "\u{202e}\u{200b}\u{301}".as_bytes().to_vec(),
            "日本😀".as_bytes().to_vec(),
            b"\xf0\x9f".to_vec(),
        ]);
        let piece = prop_oneof![spice, prop::collection::vec(any::<u8>(), 0..12)];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_control_character_survives(bytes in hostile()) {
            let log = model(&[&bytes]);
            for text in texts(&log) {
                prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
                prop_assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}']), "{:?}", text);
            }
        }

        #[test]
        fn styles_begin_inside_their_line_in_order(bytes in hostile()) {
            let log = model(&[&bytes]);
            for number in log.first()..log.end() {
                let line = log.line(number).unwrap();
                prop_assert!(line.styles.is_sorted_by(|a, b| a.0 < b.0));
                prop_assert!(line.styles.iter().all(|(at, _)| line.text.is_char_boundary(*at)));
            }
        }

        #[test]
        fn chunks_make_no_difference(bytes in hostile(), size in 1_usize..9) {
            let whole = model(&[&bytes]);
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            let parts = model(&chunks);
            prop_assert_eq!(&whole.lines, &parts.lines);
            prop_assert_eq!(&whole.open.line, &parts.open.line);
        }
    }
}
