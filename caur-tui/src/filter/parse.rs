//! From what was typed to terms. Every text is a filter; half of one, too, as people type one letter at a time.

use super::value::parse_number;
use super::{Comparison, Order, Term, Test, letters};

/// The terms of a filter.
pub(super) fn terms(text: &str, fields: &[&str]) -> Vec<Term> {
    words(text)
        .into_iter()
        .filter_map(|word| term(&word, fields))
        .collect()
}

/// A word and whether it stood in quotes.
struct Word {
    text: String,
    /// What stands before a quoted part, such as `!` or `state:`, counts as typed; a wholly quoted word is only text.
    quoted: bool,
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word = Word {
        text: String::new(),
        quoted: false,
    };
    let mut open = false;
    for c in text.chars() {
        match c {
            '"' => {
                open = !open;
                word.quoted |= open && word.text.is_empty();
            }
            c if c.is_whitespace() && !open => {
                words.push(std::mem::replace(
                    &mut word,
                    Word {
                        text: String::new(),
                        quoted: false,
                    },
                ));
            }
            c => word.text.push(c),
        }
    }
    words.push(word);
    words
}

fn term(word: &Word, fields: &[&str]) -> Option<Term> {
    if word.quoted {
        return text_test(&word.text).map(|test| Term { negated: false, test });
    }
    let (negated, rest) = match word.text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, word.text.as_str()),
    };
    let test = match rest.strip_prefix('~') {
        Some(fuzzy) => {
            let text = fuzzy.to_lowercase();
            (!text.is_empty()).then(|| Test::Fuzzy {
                letters: letters(&text),
                text,
            })
        }
        None => match rest.split_once(':') {
            Some((name, value)) if fields.contains(&name.to_lowercase().as_str()) => {
                comparison(value).map(|comparison| Test::Field {
                    name: name.to_lowercase(),
                    comparison,
                })
            }
            _ => text_test(rest),
        },
    };
    test.map(|test| Term { negated, test })
}

fn text_test(text: &str) -> Option<Test> {
    let text = text.to_lowercase();
    (!text.is_empty()).then(|| Test::Text {
        letters: letters(&text),
        text,
    })
}

fn comparison(value: &str) -> Option<Comparison> {
    if value == "?" {
        return Some(Comparison::Anything);
    }
    let orders = [
        (">=", Order::AtLeast),
        ("<=", Order::AtMost),
        (">", Order::More),
        ("<", Order::Less),
    ];
    for (sign, order) in orders {
        if let Some(number) = value.strip_prefix(sign) {
            return parse_number(number).map(|number| Comparison::Number(order, number));
        }
    }
    let list = |text: &str| -> Vec<String> {
        text.split(',')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (exact, words) = match value.strip_prefix('=') {
        Some(rest) => (true, list(rest)),
        None => (false, list(value)),
    };
    match (words.is_empty(), exact) {
        (true, _) => None,
        (false, true) => Some(Comparison::Exactly(words)),
        (false, false) => Some(Comparison::OneOf(words)),
    }
}
