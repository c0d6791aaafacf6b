//! Makes text from outside safe to put into terminal cells.
//!
//! Build logs and the reasons that builders give are written by strangers. What passes here holds no
//! control character, no bidirectional override and no invisible character that could make text look like
//! something else: they come out as readable notation, or not at all.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks on one character that are kept; more only serve to cover the lines above and below.
const MAX_MARKS: u8 = 3;

/// Turns characters into their safe form, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Printer {
    marks: u8,
}

impl Printer {
    /// Appends the safe form of `c` to `out` and returns how many columns it takes.
    pub fn push(&mut self, c: char, out: &mut String) -> usize {
        match safe_form(c) {
            Form::Plain(0) => {
                if self.marks < MAX_MARKS && !out.is_empty() {
                    self.marks += 1;
                    out.push(c);
                }
                0
            }
            Form::Plain(width) => {
                self.marks = 0;
                out.push(c);
                width
            }
            Form::Caret(letter) => {
                self.marks = 0;
                out.push('^');
                out.push(letter);
                2
            }
            Form::Notation => {
                self.marks = 0;
                let text = format!("<U+{:04X}>", u32::from(c));
                out.push_str(&text);
                text.len()
            }
            Form::Nothing => 0,
        }
    }
}

/// The safe form of a whole text on one line; line breaks and tabs become spaces.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut printer = Printer::default();
    for c in text.chars() {
        let c = if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c };
        printer.push(c, &mut out);
    }
    out
}

/// `text` in at most `width` columns; what had to be cut off is replaced by `…`.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

enum Form {
    Plain(usize),
    Caret(char),
    Notation,
    Nothing,
}

fn safe_form(c: char) -> Form {
    match c {
        '\0'..='\x1f' => Form::Caret(char::from(c as u8 + b'@')),
        '\x7f' => Form::Caret('?'),
        // C1 controls; line separators; bidirectional marks, embeddings, overrides and isolates; characters
        // that are blank or invisible.
        '\u{80}'..='\u{9f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{61c}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{ad}'
        | '\u{115f}'..='\u{1160}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{180e}' => Form::Notation,
        // Joiners and variation selectors change the width of what stands around them differently in every
        // terminal; tags are invisible.
        '\u{200c}'..='\u{200d}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{180b}'..='\u{180d}'
        | '\u{e0000}'..='\u{e0fff}' => Form::Nothing,
        _ => c.width().map_or(Form::Notation, Form::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_become_readable() {
        assert_eq!(one_line("a\x07b\x1b[2Jc\x7f"), "a^Gb^[[2Jc^?");
        assert_eq!(one_line("two\nlines\tand a tab"), "two lines and a tab");
        assert_eq!(one_line("x\u{9b}2J"), "x<U+009B>2J");
    }

    #[test]
    fn nothing_can_reorder_or_hide_text() {
        assert_eq!(one_line("gpj.\u{202e}exe"), "gpj.<U+202E>exe");
        assert_eq!(one_line("a\u{200b}b\u{200d}c\u{e0041}"), "a<U+200B>bc");
        let tower: String = std::iter::once('a')
            .chain(std::iter::repeat_n('\u{301}', 50))
            .collect();
        assert_eq!(one_line(&tower).chars().count(), 4);
    }

    #[test]
    fn a_cut_is_marked_and_fits() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
    }
}
