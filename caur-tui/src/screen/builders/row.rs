//! A builder as a row of a table.

use std::cmp::Ordering;

use caur_core::model::{BuilderName, BuilderStatus};
use caur_core::queue::BuilderHour;

use super::state::BuilderState;
use crate::filter::{Subject, Value, letters};
use crate::table::Row;
use crate::view::bar::percent;

/// A builder with what filters look at.
#[derive(Debug, Clone, PartialEq)]
pub struct BuilderRow {
    /// The builder.
    pub builder: BuilderStatus,
    /// What it is doing on the whole.
    pub state: BuilderState,
    /// What it did in the last 24 hours.
    pub day: BuilderHour,
    text: String,
    letters: u64,
}

impl BuilderRow {
    /// A builder with what it did in the last 24 hours.
    pub fn new(builder: BuilderStatus, day: BuilderHour) -> Self {
        let report = &builder.report;
        let state = BuilderState::of(&builder);
        let note = report.note.as_deref().unwrap_or_default();
        let text = format!("{} {} {} {note}", report.name, state.word(), report.version).to_lowercase();
        Self {
            letters: letters(&text),
            text,
            state,
            day,
            builder,
        }
    }

    /// Its name.
    pub fn name(&self) -> &BuilderName {
        &self.builder.report.name
    }

    /// How many slots hold jobs.
    pub fn busy(&self) -> u64 {
        self.builder.jobs.len() as u64
    }

    /// Processes that run, in proportion to its cores; none where it does not say how many it has.
    pub fn load(&self) -> Option<f64> {
        let machine = &self.builder.report.machine;
        (machine.cores > 0).then(|| machine.load / f64::from(machine.cores))
    }

    /// How many of its builds of the last 24 hours built something, in percent; none without builds.
    pub fn success(&self) -> Option<u64> {
        percent(self.day.builds.saturating_sub(self.day.failures), self.day.builds)
    }
}

impl Subject for BuilderRow {
    fn text(&self) -> &str {
        &self.text
    }

    fn letters(&self) -> u64 {
        self.letters
    }

    fn field(&self, name: &str, now: u64) -> Option<Value<'_>> {
        let builder = &self.builder;
        let report = &builder.report;
        let machine = &report.machine;
        // What is not known compares with nothing.
        let optional = |number: Option<u64>| number.map_or(Value::text(""), Value::count);
        Some(match name {
            "name" => Value::text(report.name.as_str()),
            "state" => Value::text(self.state.word()),
            "class" => optional(report.class.map(u64::from)),
            "slots" => Value::count(report.slots.into()),
            "busy" => Value::count(self.busy()),
            "load" => self.load().map_or(Value::text(""), Value::Number),
            "cores" => Value::count(machine.cores.into()),
            "memory" => Value::count(machine.memory_free),
            "disk" => Value::count(machine.disk_free),
            "seen" => Value::count(now.saturating_sub(builder.last_seen) / 1000),
            "started" => Value::count(now.saturating_sub(builder.started) / 1000),
            "success" => optional(self.success()),
            "version" => Value::text(report.version.as_str()),
            "engine" => Value::text(machine.engine.as_str()),
            "note" => Value::text(super::state::reasons(builder).join("; ")),
            _ => return None,
        })
    }
}

impl Row for BuilderRow {
    /// A process of a builder: two may use one name by mistake.
    type Key = (String, String);
    const ORDERS: &'static [&'static str] = &[
        "name", "state", "class", "busy", "load", "memory", "disk", "seen", "success", "version", "started",
    ];
    const FIELDS: &'static [&'static str] = &[
        "name", "state", "class", "slots", "busy", "load", "cores", "memory", "disk", "seen", "started",
        "success", "version", "engine", "note",
    ];

    fn key(&self) -> Self::Key {
        let report = &self.builder.report;
        (report.name.to_string(), report.instance.to_string())
    }

    /// What needs a look comes first: the gravest state, the most load, the least room.
    fn compare(&self, other: &Self, order: usize) -> Ordering {
        let (a, b) = (&self.builder, &other.builder);
        let (ours, theirs) = (&a.report.machine, &b.report.machine);
        let by_name = || a.report.name.cmp(&b.report.name);
        let by = match order {
            1 => other.state.cmp(&self.state),
            2 => b.report.class.cmp(&a.report.class),
            3 => other.busy().cmp(&self.busy()),
            4 => {
                let load = |row: &Self| row.load().unwrap_or(-1.0);
                load(other).total_cmp(&load(self))
            }
            5 => ours.memory_free.cmp(&theirs.memory_free),
            6 => ours.disk_free.cmp(&theirs.disk_free),
            7 => a.last_seen.cmp(&b.last_seen),
            8 => {
                let success = |row: &Self| row.success().unwrap_or(u64::MAX);
                success(self).cmp(&success(other))
            }
            9 => a.report.version.cmp(&b.report.version),
            10 => b.started.cmp(&a.started),
            _ => Ordering::Equal,
        };
        by.then_with(by_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::testing::{NOW, builder};

    fn rows() -> Vec<BuilderRow> {
        let mut alder = builder("alder");
        alder.report.machine.load = 12.0;
        let mut birch = builder("birch");
        birch.paused = Some("paused by kim: new disk".to_owned());
        birch.report.machine.disk_free = 1 << 30;
        birch.last_seen = NOW - 60_000;
        let mut cedar = builder("cedar");
        cedar.report.class = None;
        cedar.report.machine.cores = 0;
        let day = |builds, failures| BuilderHour {
            builds,
            failures,
            busy_seconds: 0,
        };
        vec![
            BuilderRow::new(alder, day(100, 1)),
            BuilderRow::new(birch, day(10, 5)),
            BuilderRow::new(cedar, day(0, 0)),
        ]
    }

    #[test]
    fn every_field_and_every_order_is_there() {
        for row in rows() {
            for field in BuilderRow::FIELDS {
                assert!(row.field(field, NOW).is_some(), "{field}");
            }
        }
        let shows = |filter: &str| -> Vec<String> {
            let filter = Filter::new(filter, BuilderRow::FIELDS);
            let rows = rows();
            let shown = rows.iter().filter(|row| filter.shows(*row, NOW));
            shown.map(|row| row.name().to_string()).collect()
        };
        let cases = [
            ("state:paused", vec!["birch"]),
            ("disk:<2G", vec!["birch"]),
            ("load:>0.5", vec!["alder"]),
            ("success:<60", vec!["birch"]),
            ("seen:>30s", vec!["birch"]),
            ("class:>0", vec!["alder", "birch"]),
            ("!class:?", vec!["cedar"]),
            ("note:paused", vec!["birch"]),
            ("cedar", vec!["cedar"]),
        ];
        for (filter, expected) in cases {
            assert_eq!(shows(filter), expected, "{filter}");
        }
    }

    #[test]
    fn what_needs_a_look_comes_first() {
        let first = |order: &str| -> String {
            let at = BuilderRow::ORDERS.iter().position(|name| *name == order).unwrap();
            let mut rows = rows();
            rows.sort_by(|a, b| a.compare(b, at));
            rows[0].name().to_string()
        };
        let cases = [
            ("name", "alder"),
            ("state", "birch"),
            ("load", "alder"),
            ("disk", "birch"),
            ("seen", "birch"),
            ("success", "birch"),
        ];
        for (order, expected) in cases {
            assert_eq!(first(order), expected, "{order}");
        }
    }
}
