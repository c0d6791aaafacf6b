//! An entry of the trail as a row of a table.

use std::cmp::Ordering;

use caur_core::queue::TrailEntry;

use crate::filter::{Subject, Value, letters};
use crate::table::Row;

/// An entry with what filters look at.
#[derive(Debug, Clone, PartialEq)]
pub struct TrailRow {
    /// The entry.
    pub entry: TrailEntry,
    /// When, in milliseconds since 1970 by Redis' clock, and its number within that millisecond.
    pub at: (u64, u64),
    text: String,
    letters: u64,
}

impl From<TrailEntry> for TrailRow {
    fn from(entry: TrailEntry) -> Self {
        let text = format!("{} {} {} {}", entry.action, entry.about, entry.by, entry.why).to_lowercase();
        let (millis, number) = entry.id.split_once('-').unwrap_or((&entry.id, "0"));
        Self {
            at: (millis.parse().unwrap_or(0), number.parse().unwrap_or(0)),
            letters: letters(&text),
            text,
            entry,
        }
    }
}

impl Subject for TrailRow {
    fn text(&self) -> &str {
        &self.text
    }

    fn letters(&self) -> u64 {
        self.letters
    }

    fn field(&self, name: &str, now: u64) -> Option<Value<'_>> {
        Some(match name {
            "action" => Value::text(self.entry.action.as_str()),
            "by" => Value::text(self.entry.by.as_str()),
            "about" => Value::text(self.entry.about.as_str()),
            "why" => Value::text(self.entry.why.as_str()),
            "age" => Value::count(now.saturating_sub(self.at.0) / 1000),
            _ => return None,
        })
    }
}

impl Row for TrailRow {
    type Key = (u64, u64);
    const ORDERS: &'static [&'static str] = &["time", "action", "by", "about"];
    const FIELDS: &'static [&'static str] = &["action", "by", "about", "why", "age"];

    fn key(&self) -> Self::Key {
        self.at
    }

    fn compare(&self, other: &Self, order: usize) -> Ordering {
        let (a, b) = (&self.entry, &other.entry);
        match order {
            1 => a.action.cmp(&b.action),
            2 => a.by.cmp(&b.by),
            3 => a.about.cmp(&b.about),
            _ => other.at.cmp(&self.at),
        }
    }
}
