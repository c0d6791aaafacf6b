//! The line that is being written: bytes in, safe text and runs of styles out.
//!
//! Promises: whatever the bytes are, the text is safe (see [`crate::printable`]) and of bounded length; what a
//! carriage return rewrites is kept in its last state; how the bytes are cut into pieces makes no difference.

use super::ansi::{Parser, Piece, is_plain};
use super::palette::{PLAIN, Palette, Run, StyleId};
use crate::printable::Printer;

/// Bytes of text kept of one line. With the note about what was left out it fits a `u16`.
pub(super) const MAX_LINE: usize = 8 << 10;
const TAB: usize = 8;

/// A line under construction.
#[derive(Debug, Default)]
pub(super) struct OpenLine {
    parser: Parser,
    ink: Ink,
    sealed: bool,
}

/// What was written of it.
#[derive(Debug, Default)]
struct Ink {
    text: String,
    runs: Vec<Run>,
    pen: StyleId,
    printer: Printer,
    column: usize,
    /// Characters beyond [`MAX_LINE`].
    cut: usize,
    /// A carriage return was seen: what comes next takes the place of what is there.
    rewrite: bool,
}

impl OpenLine {
    /// Takes the next bytes of the line, none of them a line feed.
    pub(super) fn feed(&mut self, bytes: &[u8], palette: &mut Palette) {
        let Self { parser, ink, .. } = self;
        parser.feed(bytes, |piece| ink.take(&piece, palette));
    }

    /// Takes the line's end.
    pub(super) fn seal(&mut self, palette: &mut Palette) {
        let Self { parser, ink, sealed } = self;
        parser.finish(|piece| ink.take(&piece, palette));
        if ink.cut > 0 && !*sealed {
            ink.text.push_str(&format!("… ({} more characters)", ink.cut));
        }
        *sealed = true;
    }

    /// Makes room for the next line, which begins in the style in which this one ended.
    pub(super) fn clear(&mut self) {
        self.sealed = false;
        self.ink.rewrite = false;
        self.ink.reset();
    }

    /// The text so far.
    pub(super) fn text(&self) -> &str {
        &self.ink.text
    }

    /// The styles so far.
    pub(super) fn runs(&self) -> &[Run] {
        &self.ink.runs
    }

    /// The style of what comes next.
    pub(super) fn pen(&self) -> StyleId {
        self.ink.pen
    }

    /// Goes on in this style.
    pub(super) fn set_pen(&mut self, pen: StyleId) {
        self.ink.pen = pen;
    }

    /// The text of a whole line, when nothing was fed before it and it needs no work: the way of most lines.
    pub(super) fn plain_text<'a>(&self, line: &'a [u8]) -> Option<&'a str> {
        let fresh =
            self.parser.is_idle() && self.ink.text.is_empty() && !self.ink.rewrite && self.ink.cut == 0;
        if !fresh || line.len() > MAX_LINE {
            return None;
        }
        let mut line = line;
        while let Some(shorter) = line.strip_suffix(b"\r") {
            line = shorter;
        }
        // No early exit, so that the compiler can look at many bytes at once.
        let plain = line.iter().fold(true, |plain, &byte| plain & is_plain(byte));
        plain.then(|| std::str::from_utf8(line).expect("plain bytes are ASCII"))
    }

    /// The only run of a line from [`Self::plain_text`].
    pub(super) fn plain_run(&self, text: &str) -> Option<Run> {
        (self.ink.pen != PLAIN && !text.is_empty()).then_some(Run {
            at: 0,
            style: self.ink.pen,
        })
    }
}

impl Ink {
    fn take(&mut self, piece: &Piece<'_>, palette: &mut Palette) {
        match piece {
            Piece::Text(text) if text.is_ascii() => self.push_plain(text),
            Piece::Text(text) => text.chars().for_each(|c| self.push(c)),
            Piece::Tab => self.push_tab(),
            Piece::Control(byte) => self.push(char::from(*byte)),
            Piece::CarriageReturn => self.rewrite = true,
            Piece::Sgr(parameters) => self.pen = palette.apply(self.pen, parameters),
            Piece::NewLine => unreachable!("lines are fed without their ends"),
        }
    }

    fn push_plain(&mut self, text: &str) {
        self.begin();
        let room = MAX_LINE.saturating_sub(self.text.len()).min(text.len());
        self.text.push_str(&text[..room]);
        self.column += room;
        self.cut += text.len() - room;
        self.printer = Printer::default();
    }

    fn push(&mut self, c: char) {
        self.begin();
        if self.text.len() >= MAX_LINE {
            self.cut += 1;
            return;
        }
        self.column += self.printer.push(c, &mut self.text);
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
        let current = self.runs.last().map_or(PLAIN, |run| run.style);
        if current == self.pen || self.text.len() >= MAX_LINE {
            return;
        }
        let at = u16::try_from(self.text.len()).expect("a line's text is shorter than 64 KiB");
        self.runs.pop_if(|run| run.at == at);
        self.runs.push(Run { at, style: self.pen });
    }

    fn reset(&mut self) {
        self.text.clear();
        self.runs.clear();
        self.printer = Printer::default();
        self.column = 0;
        self.cut = 0;
    }
}
