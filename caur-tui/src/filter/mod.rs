//! The filter language of every table: words, fuzzy words, fields with comparisons, and their negation.
//!
//! A row is shown when it satisfies every term. Testing a row costs no allocation, and a filter knows when it only
//! narrows another one, so that typing on stays fast with 100,000 rows.

mod parse;
mod value;

pub use value::Value;

/// The language, for the help: a term and what it shows.
pub const LANGUAGE: &[(&str, &str)] = &[
    ("firefox", "rows that hold the text, in any case"),
    ("\"two words\"", "the same for a text with spaces"),
    ("~ffx", "fuzzy: rows that hold these letters in this order"),
    (
        "state:failed,timed",
        "rows whose field begins with one of these words",
    ),
    ("builder:=alder", "rows whose field is just that"),
    (
        "class:>3  age:>2h  size:<=10M",
        "numbers, times (s m h d) and sizes (k M G) compared",
    ),
    ("reason:?", "rows where the field says anything"),
    ("!term", "rows that the term does not show"),
];

/// What a filter looks at.
pub trait Subject {
    /// Everything of the row that words are looked for in, in lower case.
    fn text(&self) -> &str;

    /// Which letters occur in [`Subject::text`], see [`letters`].
    fn letters(&self) -> u64;

    /// The value of a field `now` milliseconds after 1970; none where rows of this kind have no such field.
    fn field(&self, name: &str, now: u64) -> Option<Value<'_>>;
}

/// A set of the characters of a text, as bits: what lacks a letter of a word cannot hold the word.
pub fn letters(text: &str) -> u64 {
    text.bytes().fold(0, |set, byte| set | letter(byte))
}

fn letter(byte: u8) -> u64 {
    1 << match byte {
        b'a'..=b'z' => byte - b'a',
        b'0'..=b'9' => byte - b'0' + 26,
        b'-' => 36,
        b'_' => 37,
        b'.' => 38,
        b'+' => 39,
        b'/' => 40,
        b' ' => 41,
        other => 42 + other % 22,
    }
}

/// A filter as it was typed and as it is applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
    problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// Holds this text in lower case.
    Text {
        text: String,
        letters: u64,
    },
    /// Holds these characters in this order.
    Fuzzy {
        text: String,
        letters: u64,
    },
    Field {
        name: String,
        comparison: Comparison,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Comparison {
    /// Begins with one of these, or is the same number.
    OneOf(Vec<String>),
    /// Is one of these.
    Exactly(Vec<String>),
    Number(Order, f64),
    Anything,
    /// What was typed compares with nothing.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Filter {
    /// Reads a filter. Any text is one: what is no field of `fields` is a word.
    pub fn new(text: &str, fields: &[&str]) -> Self {
        let (terms, problem) = parse::terms(text, fields);
        Self {
            text: text.to_owned(),
            terms,
            problem,
        }
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it, if it does not say what it seems to.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Whether it shows everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a row is shown.
    pub fn shows(&self, row: &impl Subject, now: u64) -> bool {
        self.terms
            .iter()
            .all(|term| term.test.holds(row, now) != term.negated)
    }

    /// Whether what it shows depends on the time.
    pub fn follows_time(&self) -> bool {
        let compares = |term: &Term| {
            matches!(
                &term.test,
                Test::Field {
                    comparison: Comparison::Number(..),
                    ..
                }
            )
        };
        self.terms.iter().any(compares)
    }

    /// Whether it shows only rows that `other` shows as well.
    pub fn narrows(&self, other: &Self) -> bool {
        other
            .terms
            .iter()
            .all(|old| self.terms.iter().any(|new| new.implies(old)))
    }
}

impl Term {
    fn implies(&self, old: &Self) -> bool {
        if self == old {
            return true;
        }
        if self.negated || old.negated {
            return false;
        }
        match (&self.test, &old.test) {
            (Test::Text { text, .. }, Test::Text { text: old, .. }) => text.contains(old.as_str()),
            (Test::Text { text, .. } | Test::Fuzzy { text, .. }, Test::Fuzzy { text: old, .. }) => {
                is_subsequence(old, text)
            }
            _ => false,
        }
    }
}

impl Test {
    fn holds(&self, row: &impl Subject, now: u64) -> bool {
        match self {
            Self::Text { text, letters } => {
                row.letters() & letters == *letters
                    && memchr::memmem::find(row.text().as_bytes(), text.as_bytes()).is_some()
            }
            Self::Fuzzy { text, letters } => {
                row.letters() & letters == *letters && is_subsequence(text, row.text())
            }
            Self::Field { name, comparison } => {
                row.field(name, now).is_some_and(|value| comparison.holds(&value))
            }
        }
    }
}

impl Comparison {
    fn holds(&self, value: &Value<'_>) -> bool {
        match self {
            Self::OneOf(words) => words.iter().any(|word| value.begins_with(word)),
            Self::Exactly(words) => words.iter().any(|word| value.is(word)),
            Self::Anything => !value.is_empty(),
            Self::Nothing => false,
            Self::Number(order, limit) => value.number().is_some_and(|number| match order {
                Order::Less => number < *limit,
                Order::AtMost => number <= *limit,
                Order::More => number > *limit,
                Order::AtLeast => number >= *limit,
            }),
        }
    }
}

/// Whether the characters of `needle` occur in `text` in their order.
pub fn is_subsequence(needle: &str, text: &str) -> bool {
    let mut left = text.as_bytes();
    for byte in needle.bytes() {
        match memchr::memchr(byte, left) {
            Some(at) => left = &left[at + 1..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static str);

    const FIELDS: &[&str] = &["state", "class", "age", "size", "builder", "reason"];

    impl Subject for Row {
        fn text(&self) -> &str {
            self.0
        }

        fn letters(&self) -> u64 {
            letters(self.0)
        }

        fn field(&self, name: &str, _now: u64) -> Option<Value<'_>> {
            match name {
                "state" => Some(Value::text("timed-out")),
                "class" => Some(Value::Number(4.0)),
                "age" => Some(Value::Number(7200.0)),
                "size" => Some(Value::Number(3e6)),
                "builder" => Some(Value::text("Alder-2")),
                "reason" => Some(Value::text("")),
                _ => None,
            }
        }
    }

    fn shows(filter: &str) -> bool {
        Filter::new(filter, FIELDS).shows(&Row("extra/x86_64 dolphin-emu-git libfoo++ alder-2"), 0)
    }

    #[test]
    fn terms_mean_what_the_help_says() {
        for filter in [
            "",
            "dolphin",
            "DOLPHIN emu",
            "~dlgit",
            "\"64 dol\"",
            "libfoo++",
            "!firefox",
            "state:timed",
            "state:failed,timed",
            "!state:failed",
            "class:4",
            "class:>3",
            "class:<=4",
            "age:>1h",
            "age:<3h",
            "age:=2h",
            "size:>2M",
            "size:<1G",
            "builder:alder",
            "builder:=alder-2",
            "builder:?",
            "!reason:?",
            "extra/",
            "state:",
        ] {
            assert!(shows(filter), "{filter} shows it");
        }
        for filter in [
            "firefox",
            "~gitdl",
            "!dolphin",
            "state:failed",
            "class:>4",
            "class:40",
            "age:>2h",
            "builder:=alder",
            "reason:?",
            "dolphin !emu",
            "unknown:x",
        ] {
            assert!(!shows(filter), "{filter} hides it");
        }
    }

    #[test]
    fn a_mistake_is_told_and_shows_nothing_rather_than_everything() {
        for (filter, problem) in [
            ("class:>abc", ">abc compares with nothing"),
            ("!age:>2x", ">2x compares with nothing"),
            ("nofield:x", "no field nofield"),
        ] {
            let read = Filter::new(filter, FIELDS);
            assert!(
                read.problem().is_some_and(|told| told.contains(problem)),
                "{filter}: {read:?}"
            );
            assert!(!shows(filter), "{filter}");
        }
        for filter in [
            "class:",
            "class:>",
            "state:fai",
            "extra/x86_64:",
            "why:?",
            "try:4",
        ] {
            assert_eq!(
                Filter::new(filter, &[FIELDS, &["attempt"]].concat()).problem(),
                None,
                "{filter}"
            );
        }
    }

    #[test]
    fn what_is_typed_on_narrows() {
        let filter = |text| Filter::new(text, FIELDS);
        for (new, old) in [
            ("fire", "fir"),
            ("fire fox", "fire"),
            ("~abc", "~ac"),
            ("x state:failed", "x"),
            ("abc", "~ac"),
            ("a", ""),
        ] {
            assert!(filter(new).narrows(&filter(old)), "{new} narrows {old}");
        }
        for (new, old) in [
            ("fir", "fire"),
            ("!fire", "!fir"),
            ("~ac", "ac"),
            ("state:f", "state:failed"),
            ("", "a"),
        ] {
            assert!(!filter(new).narrows(&filter(old)), "{new} does not narrow {old}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_filter(text in ".{0,40}") {
            let filter = Filter::new(&text, FIELDS);
            let _shown = filter.shows(&Row("anything"), 0);
            proptest::prop_assert!(filter.narrows(&filter));
        }

        #[test]
        fn narrowing_shows_a_subset(a in "[ab~! :]{0,6}", b in "[ab~! :]{0,4}", row in "[ab ]{0,6}") {
            let wide = Filter::new(&a, FIELDS);
            let narrow = Filter::new(&format!("{a}{b}"), FIELDS);
            let row = Row(Box::leak(row.into_boxed_str()));
            if narrow.narrows(&wide) && narrow.shows(&row, 0) {
                proptest::prop_assert!(wide.shows(&row, 0), "{} {}", narrow.text(), wide.text());
            }
        }
    }
}
