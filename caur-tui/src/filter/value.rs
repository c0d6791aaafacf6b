//! Values of fields, and how typed words compare with them.

use std::borrow::Cow;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number; times are seconds, sizes bytes.
    Number(f64),
}

impl<'a> Value<'a> {
    /// A text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// A whole number.
    #[expect(clippy::cast_precision_loss, reason = "nobody filters for more than 2^52")]
    pub fn count(number: u64) -> Self {
        Self::Number(number as f64)
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => parse_number(text),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Text(text) => text.is_empty(),
        }
    }

    pub(super) fn begins_with(&self, word: &str) -> bool {
        match self {
            Self::Text(text) => {
                text.len() >= word.len()
                    && text.is_char_boundary(word.len())
                    && text[..word.len()].to_lowercase() == word
            }
            Self::Number(_) => self.is(word),
        }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        match self {
            Self::Text(text) => text.to_lowercase() == word,
            Self::Number(number) => parse_number(word).is_some_and(|wanted| (number - wanted).abs() < 0.5),
        }
    }
}

/// A number with a unit: seconds, minutes, hours, days; thousands, millions, thousand millions.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let (digits, factor) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1.0),
        (at, 'm') => (&text[..at], 60.0),
        (at, 'h') => (&text[..at], 3600.0),
        (at, 'd') => (&text[..at], 86_400.0),
        (at, 'k' | 'K') => (&text[..at], 1e3),
        (at, 'M') => (&text[..at], 1e6),
        (at, 'g' | 'G') => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    let number: f64 = digits.parse().ok()?;
    number.is_finite().then_some(number * factor)
}
