//! A TOML file as a list of settings with their lines.
//!
//! The file is walked rather than deserialised, so that every unknown key and every wrong value is reported at
//! once, with its line.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Source};
use super::table::{SETTINGS, Setting};

/// A setting that a file sets.
#[derive(Debug)]
pub(super) struct FileValue {
    pub setting: &'static Setting,
    pub value: Value,
    pub origin: Source,
}

/// Reads `path`; what is wrong with it is added to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<FileValue> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) => {
            problems.push(Problem::Unreadable {
                path: path.to_owned(),
                source,
            });
            return Vec::new();
        }
    };
    let (table, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        // What was recovered after a syntax error is guesswork; judging it would only add noise.
        problems.extend(errors.iter().map(|error| {
            let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
            Problem::Syntax {
                path: path.to_owned(),
                line,
                column,
                message: error.message().to_owned(),
            }
        }));
        return Vec::new();
    }
    let mut walk = Walk {
        path,
        text: &text,
        values: Vec::new(),
        problems,
    };
    walk.table("", table.get_ref());
    walk.values
}

struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    values: Vec<FileValue>,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            let origin = Source::File {
                path: self.path.to_owned(),
                line: position(self.text, name.span().start).0,
            };
            self.entry(key, value, origin);
        }
    }

    fn entry(&mut self, key: String, value: &Spanned<DeValue<'_>>, origin: Source) {
        if let Some(setting) = Setting::find(&key) {
            self.values.push(FileValue {
                setting,
                value: json(value.get_ref()),
                origin,
            });
            return;
        }
        let is_section = SETTINGS
            .iter()
            .any(|setting| setting.key.starts_with(&format!("{key}.")));
        match value.get_ref() {
            DeValue::Table(inner) if is_section => self.table(&key, inner),
            _ => self.problems.push(Problem::UnknownKey {
                closest: Setting::closest_key(&key),
                key,
                origin,
            }),
        }
    }
}

/// The same value as JSON; what JSON cannot say becomes text, which no setting of that kind takes.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.as_str().into(), Value::from),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| number.as_str().into(), Value::from),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref())))
                .collect::<Map<_, _>>(),
        ),
    }
}

/// Line and column (in characters) of a byte offset, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}
