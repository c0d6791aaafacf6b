//! A builder as a row of a table.

use std::cmp::Ordering;

use caur_core::model::BuilderStatus;

use crate::filter::{Subject, Value, letters};
use crate::table::Row;

/// A builder with what filters look at.
#[derive(Debug, Clone, PartialEq)]
pub struct BuilderRow {
    /// The builder.
    pub builder: BuilderStatus,
    text: String,
    letters: u64,
}

impl From<BuilderStatus> for BuilderRow {
    fn from(builder: BuilderStatus) -> Self {
        let text = format!("{} {}", builder.report.name, builder.report.version).to_lowercase();
        Self {
            letters: letters(&text),
            text,
            builder,
        }
    }
}

impl Subject for BuilderRow {
    fn text(&self) -> &str {
        &self.text
    }

    fn letters(&self) -> u64 {
        self.letters
    }

    fn field(&self, name: &str, _now: u64) -> Option<Value<'_>> {
        let report = &self.builder.report;
        Some(match name {
            "name" => Value::text(report.name.as_str()),
            "slots" => Value::count(report.slots.into()),
            _ => return None,
        })
    }
}

impl Row for BuilderRow {
    /// A process of a builder: two may use one name by mistake.
    type Key = (String, String);
    const ORDERS: &'static [&'static str] = &["name"];
    const FIELDS: &'static [&'static str] = &["name", "slots"];

    fn key(&self) -> Self::Key {
        let report = &self.builder.report;
        (report.name.to_string(), report.instance.to_string())
    }

    fn compare(&self, other: &Self, _order: usize) -> Ordering {
        self.builder.report.name.cmp(&other.builder.report.name)
    }
}
