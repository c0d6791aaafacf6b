//! Splits the bytes of a build log into text, line control and colours.
//!
//! Only SGR ("select graphic rendition") survives of all escape sequences; every other one is dropped whole.
//! A line break always ends a sequence that was left open, so no sequence can swallow the lines after it,
//! and nothing of a sequence is stored but the parameters of an SGR, so none can fill the memory. How the
//! bytes are cut into chunks makes no difference.

/// Longest parameter text of an SGR sequence that is honoured, in bytes.
const MAX_PARAMETERS: usize = 128;

/// One piece of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Characters other than controls of the ASCII range; invalid UTF-8 is replaced by U+FFFD.
    Text(&'a str),
    /// Line feed.
    NewLine,
    /// Carriage return.
    CarriageReturn,
    /// Horizontal tab.
    Tab,
    /// Any other control character of the ASCII range.
    Control(u8),
    /// The parameters of an SGR sequence: digits, `;` and `:`.
    Sgr(&'a str),
}

/// The state between two chunks of one log.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    text: Vec<u8>,
    parameters: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Csi {
        honoured: bool,
    },
    /// Inside OSC, DCS, SOS, PM or APC.
    ControlString,
    ControlStringEscape,
}

impl Parser {
    /// Takes the next bytes and hands their pieces to `sink`.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Piece<'_>)) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Ground && is_plain(byte) {
                let (plain, after) = rest.split_at(plain_length(rest));
                self.flush(&mut sink);
                sink(Piece::Text(
                    std::str::from_utf8(plain).expect("plain bytes are ASCII"),
                ));
                rest = after;
            } else {
                self.byte(byte, &mut sink);
                rest = after;
            }
        }
        self.flush_complete(&mut sink);
    }

    /// Whether nothing of what was fed is still waiting for its rest.
    pub fn is_idle(&self) -> bool {
        self.state == State::Ground && self.text.is_empty()
    }

    /// Hands over a character that the log's end cut in two.
    pub fn finish(&mut self, mut sink: impl FnMut(Piece<'_>)) {
        self.flush(&mut sink);
        self.state = State::Ground;
    }

    fn byte(&mut self, byte: u8, sink: &mut impl FnMut(Piece<'_>)) {
        match self.state {
            State::Ground => self.ground(byte, sink),
            State::Escape => match byte {
                b'[' => {
                    self.parameters.clear();
                    self.state = State::Csi { honoured: true };
                }
                b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::ControlString,
                0x20..=0x2f => {}
                0x30..=0x7e => self.state = State::Ground,
                _ => self.ground(byte, sink),
            },
            State::Csi { honoured } => match byte {
                b'0'..=b'9' | b';' | b':' if self.parameters.len() < MAX_PARAMETERS => {
                    self.parameters.push(char::from(byte));
                }
                0x20..=0x3f => self.state = State::Csi { honoured: false },
                0x40..=0x7e => {
                    self.state = State::Ground;
                    if byte == b'm' && honoured {
                        sink(Piece::Sgr(&self.parameters));
                    }
                }
                _ => self.ground(byte, sink),
            },
            State::ControlString => match byte {
                0x07 => self.state = State::Ground,
                0x1b => self.state = State::ControlStringEscape,
                0x00..=0x1f => self.ground(byte, sink),
                _ => {}
            },
            State::ControlStringEscape => {
                if byte == b'\\' {
                    self.state = State::Ground;
                } else {
                    self.state = State::Escape;
                    self.byte(byte, sink);
                }
            }
        }
    }

    fn ground(&mut self, byte: u8, sink: &mut impl FnMut(Piece<'_>)) {
        self.state = State::Ground;
        if byte >= 0x20 && byte != 0x7f {
            self.text.push(byte);
            return;
        }
        self.flush(sink);
        match byte {
            0x1b => self.state = State::Escape,
            b'\n' => sink(Piece::NewLine),
            b'\r' => sink(Piece::CarriageReturn),
            b'\t' => sink(Piece::Tab),
            _ => sink(Piece::Control(byte)),
        }
    }

    fn flush(&mut self, sink: &mut impl FnMut(Piece<'_>)) {
        if !self.text.is_empty() {
            sink(Piece::Text(&String::from_utf8_lossy(&self.text)));
            self.text.clear();
        }
    }

    /// Flushes all but a last character whose other bytes may come with the next chunk.
    fn flush_complete(&mut self, sink: &mut impl FnMut(Piece<'_>)) {
        let begun = begun_character(&self.text);
        let rest = self.text.split_off(self.text.len() - begun);
        self.flush(sink);
        self.text = rest;
    }
}

/// Whether `byte` stands for itself: a character of ASCII that is no control.
pub fn is_plain(byte: u8) -> bool {
    byte.wrapping_sub(0x20) < 0x5f
}

/// How many bytes at the beginning of `bytes` are plain.
fn plain_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&byte| !is_plain(byte))
        .unwrap_or(bytes.len())
}

/// How many bytes at the end of `text` are the beginning of one valid character.
fn begun_character(text: &[u8]) -> usize {
    (1..=text.len().min(3))
        .find(|&length| {
            let tail = &text[text.len() - length..];
            std::str::from_utf8(tail).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(chunks: &[&[u8]]) -> String {
        let mut out = String::new();
        let mut parser = Parser::default();
        let mut show = |piece: Piece<'_>| match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::NewLine => out.push_str("(nl)"),
            Piece::CarriageReturn => out.push_str("(cr)"),
            Piece::Tab => out.push_str("(tab)"),
            Piece::Control(byte) => out.push_str(&format!("({byte})")),
            Piece::Sgr(parameters) => out.push_str(&format!("(sgr {parameters})")),
        };
        for chunk in chunks {
            parser.feed(chunk, &mut show);
        }
        parser.finish(&mut show);
        out
    }

    #[test]
    fn only_colours_survive() {
        let cases: &[(&[u8], &str)] = &[
            (b"a\x1b[1;31mb\x1b[mc", "a(sgr 1;31)b(sgr )c"),
            (b"a\x1b[38:2::1:2:3mb", "a(sgr 38:2::1:2:3)b"),
            (b"a\x1b[2Jb\x1b[10;20Hc\x1b[?25ld\x1b[>4;1me", "abcde"),
            (b"a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
            (b"a\x1bPq#0\x1b\\b\x1b_x\x1b\\c\x1bX\x1b\\d", "abcd"),
            (b"a\x1b(Bb\x1b7c\x1bMd\x1b=e\x1bcf", "abcdef"),
            (b"a\x07b\x08c\x7f", "a(7)b(8)c(127)"),
            (b"a\tb\r\nc", "a(tab)b(cr)(nl)c"),
        ];
        for (input, expected) in cases {
            assert_eq!(
                pieces(&[input]),
                *expected,
                "{:?}",
                String::from_utf8_lossy(input)
            );
        }
    }

    #[test]
    fn an_open_sequence_ends_with_its_line() {
        assert_eq!(pieces(&[b"a\x1b]0;open\nb"]), "a(nl)b");
        assert_eq!(pieces(&[b"a\x1b[31\nb"]), "a(nl)b");
        assert_eq!(pieces(&[b"a\x1bPopen\x1b[1mb\nc"]), "a(sgr 1)b(nl)c");
    }

    #[test]
    fn invalid_bytes_are_replaced_and_cut_characters_wait() {
        assert_eq!(pieces(&[b"a\xffb"]), "a\u{fffd}b");
        assert_eq!(
            pieces(&["ä".as_bytes().split_at(1).0, "ä".as_bytes().split_at(1).1]),
            "ä"
        );
        assert_eq!(pieces(&[b"\xf0\x9f", b"\x98\x80!"]), "😀!");
        assert_eq!(pieces(&[b"\xf0\x9f"]), "\u{fffd}");
    }

    #[test]
    fn an_overlong_colour_sequence_is_no_colour() {
        let long = format!("a\x1b[{}mb", "1;".repeat(1000));
        assert_eq!(pieces(&[long.as_bytes()]), "ab");
    }
}
