//! Makes build output safe to print: of all control characters and escape sequences only line ends, tabs and SGR
//! (colours and weight) get through.

/// A filter over a stream of bytes. Sequences may be split over any number of pieces.
#[derive(Debug, Default)]
pub struct Sanitizer {
    state: State,
    /// An escape sequence that may turn out to be SGR.
    pending: Vec<u8>,
    /// Bytes of a UTF-8 character that is not complete yet.
    partial: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// Inside `ESC [ …`.
    Csi,
    /// Inside a string (OSC, DCS, APC, PM, SOS), which ends with BEL or ESC \.
    String,
    /// After ESC inside a string.
    StringEscape,
}

/// The longest SGR sequence that is believed.
const LONGEST_SGR: usize = 64;

impl Sanitizer {
    /// The printable rest of `bytes`. A lone carriage return becomes a line end, so that progress bars stay readable
    /// in a plain listing.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut kept = Vec::with_capacity(bytes.len() + self.partial.len());
        kept.append(&mut self.partial);
        for &byte in bytes {
            self.byte(byte, &mut kept);
        }
        let complete = complete_length(&kept);
        self.partial = kept.split_off(complete);
        printable(&String::from_utf8_lossy(&kept))
    }

    fn byte(&mut self, byte: u8, kept: &mut Vec<u8>) {
        self.state = match (self.state, byte) {
            (State::Text | State::Escape | State::Csi, 0x1b) => {
                self.pending.clear();
                State::Escape
            }
            (State::Text, _) => {
                kept.push(byte);
                State::Text
            }
            (State::Escape, b'[') => {
                self.pending.extend(b"\x1b[");
                State::Csi
            }
            (State::Escape, b']' | b'P' | b'_' | b'^' | b'X') => State::String,
            // Charset selections and the like have intermediate bytes before the final one.
            (State::Escape, 0x20..=0x2f) => State::Escape,
            (State::Escape, _) => State::Text,
            (State::Csi, b'0'..=b'9' | b';' | b':') if self.pending.len() < LONGEST_SGR => {
                self.pending.push(byte);
                State::Csi
            }
            (State::Csi, b'm') => {
                self.pending.push(b'm');
                if self.pending.len() <= LONGEST_SGR {
                    kept.append(&mut self.pending);
                }
                self.pending.clear();
                State::Text
            }
            (State::Csi, 0x40..=0x7e) => {
                self.pending.clear();
                State::Text
            }
            // Anything else makes it a sequence that is not SGR; the length keeps it from becoming one again.
            (State::Csi, _) => {
                self.pending.resize(LONGEST_SGR + 1, 0);
                State::Csi
            }
            (State::String, 0x07) => State::Text,
            (State::String, 0x1b) => State::StringEscape,
            (State::String, _) => State::String,
            (State::StringEscape, b'\\') => State::Text,
            (State::StringEscape, _) => State::String,
        };
    }
}

/// Length of the part that does not end inside a UTF-8 character.
fn complete_length(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // There is something invalid before; only the last three bytes can be an unfinished character.
        Err(_) => (1..=3.min(bytes.len()))
            .map(|back| bytes.len() - back)
            .find(|&start| std::str::from_utf8(&bytes[start..]).is_err_and(|e| e.error_len().is_none()))
            .unwrap_or(bytes.len()),
    }
}

fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            '\n' | '\t' | '\x1b' => out.push(c),
            c if c.is_control() || is_invisible(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// Characters that reorder or hide text: bidirectional overrides, zero-width characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str) -> String {
        Sanitizer::default().feed(text.as_bytes())
    }

    #[test]
    fn only_colours_survive() {
        assert_eq!(clean("\x1b[1;31mred\x1b[0m\n"), "\x1b[1;31mred\x1b[0m\n");
        assert_eq!(clean("a\x1b[2Jb\x1b[10;10Hc\x1b[?25ld"), "abcd");
        assert_eq!(clean("x\x1b]0;title\x07y\x1b]52;c;aGk=\x1b\\z"), "xyz");
        assert_eq!(clean("\x1b(Bplain\x1bcreset"), "plainreset");
        assert_eq!(clean("10%\r20%\r\n"), "10%\n20%\n");
        assert_eq!(clean("bell\x07 bidi\u{202e}x"), "bell\u{fffd} bidi\u{fffd}x");
        assert_eq!(clean("\x1b[>4;1mkeyboard"), "keyboard");
    }

    proptest! {
        #[test]
        fn nothing_dangerous_gets_through(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let mut sanitizer = Sanitizer::default();
            let out: String = pieces.iter().map(|piece| sanitizer.feed(piece)).collect();
            let mut rest = out.as_str();
            while let Some(at) = rest.find('\x1b') {
                let sequence = &rest[at + 1..];
                let end = sequence.find('m').expect("only SGR");
                prop_assert!(sequence[1..end].bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':'));
                prop_assert!(sequence.starts_with('['));
                rest = &sequence[end..];
            }
            prop_assert!(out.chars().all(|c| !c.is_control() || "\n\t\x1b".contains(c)));
        }

        #[test]
        fn pieces_do_not_matter(text in "\\PC{0,40}", cut in 0..40_usize) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let mut sanitizer = Sanitizer::default();
            let parts = sanitizer.feed(&bytes[..cut]) + &sanitizer.feed(&bytes[cut..]);
            prop_assert_eq!(parts, clean(&text));
        }
    }
}
