//! From texts to values of a setting's kind, and whether a value is of that kind.
//!
//! Values are JSON values between the sources and [`Config`]: the one form that TOML, JSON and plain text all
//! turn into without losing anything that a setting can hold.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::problem::{Problem, Source};
use super::settings::{Config, NotifierSettings};
use super::table::{Kind, Setting, Shape};
use crate::model::{Pkgbase, SourceRepo, SourceSettings, TargetRepo, TargetSettings};

impl Kind {
    /// What a setting of this kind takes, in words.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Choice(words) => words.join(" or "),
            Self::Flag => "true or false".to_owned(),
            Self::Integer(min, i64::MAX) => format!("a whole number from {min}"),
            Self::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Self::Decimal => "a number from 0".to_owned(),
            Self::Class => "a class number from 0, or a text for jobs of this builder's name only".to_owned(),
            Self::List => "a list of texts (as one text: separated by commas)".to_owned(),
            Self::Table(shape) => format!("a table like {}", shape.pattern()),
        }
    }
}

impl Shape {
    /// The table in JSON.
    #[must_use]
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Sources => r#"{"source repository": {"url": "https://…"}}"#,
            Self::Targets => {
                r#"{"target repository": {"extra_repos": [{"name": "…", "servers": ["https://…"]}], "extra_keyrings": ["https://…"]}}"#
            }
            Self::Notifiers => {
                r#"{"source repository": {"id": "GitLab project", "token": "…", "check_name": "… %pkgbase%"}}"#
            }
            Self::ListsByPkgbase => r#"{"pkgbase": ["…"]}"#,
        }
    }

    /// Whether `json` is this table; the error knows line and column.
    fn check(self, json: &str) -> Result<(), serde_json::Error> {
        fn is<'a, T: Deserialize<'a>>(json: &'a str) -> Result<(), serde_json::Error> {
            serde_json::from_str::<T>(json).map(|_| ())
        }
        match self {
            Self::Sources => is::<BTreeMap<SourceRepo, SourceSettings>>(json),
            Self::Targets => is::<BTreeMap<TargetRepo, TargetSettings>>(json),
            Self::Notifiers => is::<BTreeMap<SourceRepo, NotifierSettings>>(json),
            Self::ListsByPkgbase => is::<BTreeMap<Pkgbase, Vec<String>>>(json),
        }
    }
}

/// The value that `text` stands for, from the environment or the command line.
pub(super) fn from_text(setting: &'static Setting, text: &str, origin: &Source) -> Result<Value, Problem> {
    let value = match setting.kind {
        Kind::Text | Kind::Path | Kind::Choice(_) => Some(text.into()),
        Kind::Flag => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true.into()),
            "false" | "0" | "no" | "off" => Some(false.into()),
            _ => None,
        },
        Kind::Integer(..) => text.trim().parse::<i64>().ok().map(Value::from),
        Kind::Decimal => text.trim().parse::<f64>().ok().map(Value::from),
        Kind::Class => Some(class(text.trim())),
        Kind::List if text.trim_start().starts_with('[') => serde_json::from_str(text).ok(),
        Kind::List => Some(
            text.split([',', '\n'])
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect(),
        ),
        Kind::Table(shape) => return table(setting, shape, text, origin),
    };
    match value {
        Some(value) => check(setting, value, origin, Some(text)),
        None => Err(bad_value(setting, origin, format!("{text:?}"), None)),
    }
}

fn class(text: &str) -> Value {
    match text.parse::<f64>() {
        // A number that is no class must not quietly become "only jobs for my name".
        Ok(number) if number.is_finite() => text.parse::<i64>().map_or_else(|_| number.into(), Value::from),
        _ => text.into(),
    }
}

fn table(setting: &'static Setting, shape: Shape, text: &str, origin: &Source) -> Result<Value, Problem> {
    let problem = |error: &serde_json::Error| Problem::BadJson {
        key: setting.key,
        origin: origin.clone(),
        line: error.line(),
        column: error.column(),
        message: without_position(&discreet(setting, &error.to_string())),
        expected: shape.pattern(),
    };
    shape.check(text).map_err(|error| problem(&error))?;
    serde_json::from_str(text).map_err(|error| problem(&error))
}

/// `value` itself where it is of the setting's kind and makes a valid configuration.
///
/// `text` is how the value was written, where that is not how the value is shown anyway.
pub(super) fn check(
    setting: &'static Setting,
    value: Value,
    origin: &Source,
    text: Option<&str>,
) -> Result<Value, Problem> {
    let shown = || text.map_or_else(|| value.to_string(), |text| format!("{text:?}"));
    if !is_of_kind(setting.kind, &value) {
        return Err(bad_value(setting, origin, shown(), None));
    }
    match is_valid_alone(setting, &value) {
        Ok(()) => Ok(value),
        Err(error) => {
            let detail = discreet(setting, &error.to_string());
            Err(bad_value(setting, origin, shown(), Some(detail)))
        }
    }
}

/// The value of an optional setting that is not set.
pub(super) fn unset(setting: &Setting) -> Option<Value> {
    is_valid_alone(setting, &Value::Null)
        .is_ok()
        .then_some(Value::Null)
}

fn is_valid_alone(setting: &Setting, value: &Value) -> Result<(), serde_json::Error> {
    let mut alone = Map::new();
    insert(&mut alone, setting.key, value.clone());
    Config::deserialize(Value::Object(alone)).map(|_| ())
}

fn is_of_kind(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Text | Kind::Path => value.is_string(),
        Kind::Choice(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::Flag => value.is_boolean(),
        Kind::Integer(min, max) => value.as_i64().is_some_and(|number| (min..=max).contains(&number)),
        Kind::Decimal => value
            .as_f64()
            .is_some_and(|number| number.is_finite() && number >= 0.0),
        Kind::Class => {
            value.is_string() || value.as_i64().is_some_and(|number| u32::try_from(number).is_ok())
        }
        Kind::List => value
            .as_array()
            .is_some_and(|items| items.iter().all(Value::is_string)),
        Kind::Table(_) => value.is_object(),
    }
}

fn bad_value(setting: &'static Setting, origin: &Source, shown: String, detail: Option<String>) -> Problem {
    Problem::BadValue {
        key: setting.key,
        origin: origin.clone(),
        value: (!setting.secret).then_some(shown),
        expected: setting.kind.expected(),
        detail,
    }
}

/// The message without the value that it complains about, where that may be a secret.
fn discreet(setting: &Setting, message: &str) -> String {
    if setting.secret && message.starts_with("invalid ") {
        return message.rsplit_once(", expected ").map_or_else(
            || "a wrong value".to_owned(),
            |(_, rest)| format!("a wrong value, expected {rest}"),
        );
    }
    message.to_owned()
}

fn without_position(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(text, _)| text)
        .to_owned()
}

/// Puts `value` into the nested tables that `key` names.
pub(super) fn insert(root: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            root.insert(key.to_owned(), value);
        }
        Some((table, rest)) => {
            let entry = root.entry(table).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = entry {
                insert(inner, rest, value);
            }
        }
    }
}
