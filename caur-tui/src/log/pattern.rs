//! Text that is looked for.

use std::ops::Range;

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};

/// A literal text. Without capitals it matches in any case.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    finder: Literal,
}

#[derive(Debug, Clone)]
enum Literal {
    Exact(Box<Finder<'static>>),
    AnyCase(Regex),
}

impl Pattern {
    /// The pattern of a text; none when it is empty or far too long.
    pub fn new(text: &str) -> Option<Self> {
        // Lines hold no line feeds, so a pattern with one could only match across them.
        let text = text.replace('\n', "");
        if text.is_empty() {
            return None;
        }
        let finder = if text.chars().any(char::is_uppercase) || !text.chars().any(char::is_alphabetic) {
            Literal::Exact(Box::new(Finder::new(text.as_bytes()).into_owned()))
        } else {
            // Without Unicode's rules (where `k` is also the Kelvin sign) ASCII is found much faster.
            let regex = RegexBuilder::new(&regex::escape(&text))
                .case_insensitive(true)
                .unicode(!text.is_ascii())
                .build()
                .ok()?;
            Literal::AnyCase(regex)
        };
        Some(Self { text, finder })
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the first match at or after byte `from`.
    pub(super) fn find(&self, text: &str, from: usize) -> Option<Range<usize>> {
        match &self.finder {
            Literal::Exact(finder) => {
                let start = from + finder.find(&text.as_bytes()[from..])?;
                Some(start..start + self.text.len())
            }
            Literal::AnyCase(regex) => regex.find_at(text, from).map(|found| found.range()),
        }
    }

    /// Whether it occurs.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.find(text, 0).is_some()
    }

    /// The bytes of every match.
    pub(super) fn find_all(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(range) = self.find(text, from) {
            from = range.end;
            found.push(range);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(pattern: &str, text: &'a str) -> Vec<(usize, &'a str)> {
        let found = Pattern::new(pattern).unwrap().find_all(text).into_iter();
        found.map(|range| (range.start, &text[range])).collect()
    }

    #[test]
    fn capitals_make_it_exact() {
        assert_eq!(found("error", "Error, ERROR"), [(0, "Error"), (7, "ERROR")]);
        assert_eq!(found("Error", "Error, ERROR"), [(0, "Error")]);
        assert_eq!(found("ähre", "Ähre"), [(0, "Ähre")]);
        assert_eq!(found("10%", "10%"), [(0, "10%")]);
    }

    #[test]
    fn it_is_literal() {
        assert_eq!(found("a.c(", "abc( a.c("), [(5, "a.c(")]);
        assert_eq!(found("[", "a[0]"), [(1, "[")]);
        assert!(Pattern::new("").is_none());
    }
}
