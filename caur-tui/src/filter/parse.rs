//! From what was typed to terms. Every text is a filter; half of one, too, as people type one letter at a time.

use super::value::parse_number;
use super::{Comparison, Order, Term, Test, letters};

/// Names that columns have on screen, for fields that are called otherwise.
const ALIASES: &[(&str, &str)] = &[
    ("try", "attempt"),
    ("why", "reason"),
    ("who", "by"),
    ("outcome", "state"),
];

/// The terms of a filter, and what is wrong with the first one that is.
pub(super) fn terms(text: &str, fields: &[&str]) -> (Vec<Term>, Option<String>) {
    let mut terms = Vec::new();
    let mut problem = None;
    for word in words(text) {
        match term(&word, fields) {
            Ok(found) => terms.extend(found),
            Err((found, why)) => {
                terms.push(found);
                problem.get_or_insert(why);
            }
        }
    }
    (terms, problem)
}

/// The field of a typed name.
fn field<'a>(name: &str, fields: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let known = |name: &str| fields.iter().find(|field| **field == name).copied();
    known(&name).or_else(|| {
        let (_, other) = ALIASES.iter().find(|(alias, _)| *alias == name)?;
        known(other)
    })
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

/// A term, none where there is none yet; or one that is not what it seems to be, with the reason.
fn term(word: &Word, fields: &[&str]) -> Result<Option<Term>, (Term, String)> {
    if word.quoted {
        return Ok(text_test(&word.text).map(|test| Term { negated: false, test }));
    }
    let (negated, rest) = match word.text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, word.text.as_str()),
    };
    let whole = |test| Term { negated, test };
    if let Some(fuzzy) = rest.strip_prefix('~') {
        let text = fuzzy.to_lowercase();
        let letters = letters(&text);
        return Ok((!text.is_empty()).then(|| whole(Test::Fuzzy { text, letters })));
    }
    let Some((name, value)) = rest.split_once(':') else {
        return Ok(text_test(rest).map(whole));
    };
    let Some(name) = field(name, fields) else {
        let text = text_test(rest).map(whole);
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        return match text {
            Some(term) if is_name => Err((term, format!("no field {name}; there are {}", fields.join(" ")))),
            text => Ok(text),
        };
    };
    let of_field = |comparison| {
        whole(Test::Field {
            name: name.to_owned(),
            comparison,
        })
    };
    match comparison(value) {
        Some(comparison) => Ok(Some(of_field(comparison))),
        // Half of a term, while it is typed.
        None if value.trim_start_matches(['<', '>', '=']).is_empty() => Ok(None),
        None => {
            let why =
                format!("{value} compares with nothing: a number, with s m h d or k M G where it is one");
            // Shown the other way round it would be everything.
            let nothing = Term {
                negated: false,
                test: of_field(Comparison::Nothing).test,
            };
            Err((nothing, why))
        }
    }
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
