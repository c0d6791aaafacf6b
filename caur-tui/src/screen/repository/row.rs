//! A published package as a row of a table.

use std::cmp::{Ordering, Reverse};

use caur_core::model::{JobId, PublishedPackage};
use time::OffsetDateTime;

use super::findings::Mark;
use crate::filter::{Subject, Value, letters};
use crate::table::Row;

/// A package with what filters look at.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageRow {
    /// The package.
    pub package: PublishedPackage,
    /// The job that made it, where it is known.
    pub job: Option<JobId>,
    /// What the last check found about it, the worst first.
    pub marks: Vec<Mark>,
    text: String,
    letters: u64,
}

impl PackageRow {
    /// A package with what is known of it.
    pub fn new(package: PublishedPackage, job: Option<JobId>, marks: &[Mark]) -> Self {
        let mut text = format!("{} {} {}", package.pkgname, package.pkgbase, package.version).to_lowercase();
        for mark in marks {
            text.push(' ');
            text.push_str(mark.kind.word());
        }
        Self {
            letters: letters(&text),
            text,
            package,
            job,
            marks: marks.to_vec(),
        }
    }

    /// The day on which it was built, in UTC; none where that is not known.
    pub fn day(&self) -> Option<String> {
        let seconds = i64::try_from(self.package.build_date).ok().filter(|at| *at > 0)?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        Some(time.date().to_string())
    }

    /// Seconds since it was built; none where that is not known.
    pub fn age(&self, now: u64) -> Option<u64> {
        let built = self.package.build_date;
        (built > 0).then(|| (now / 1000).saturating_sub(built))
    }
}

impl Subject for PackageRow {
    fn text(&self) -> &str {
        &self.text
    }

    fn letters(&self) -> u64 {
        self.letters
    }

    fn field(&self, name: &str, now: u64) -> Option<Value<'_>> {
        Some(match name {
            "name" => Value::text(self.package.pkgname.as_str()),
            "base" => Value::text(self.package.pkgbase.as_str()),
            "version" => Value::text(self.package.version.as_str()),
            "size" => Value::count(self.package.size),
            "age" => Value::count(self.age(now)?),
            "built" => Value::text(self.day().unwrap_or_default()),
            "mark" => Value::text(self.marks.first().map_or("", |mark| mark.kind.word())),
            "job" => Value::text(self.job.map(|job| job.to_string()).unwrap_or_default()),
            _ => return None,
        })
    }
}

impl Row for PackageRow {
    type Key = String;
    const ORDERS: &'static [&'static str] = &["name", "base", "version", "size", "age", "mark", "job"];
    const FIELDS: &'static [&'static str] =
        &["name", "base", "version", "size", "age", "built", "mark", "job"];

    fn key(&self) -> String {
        self.package.pkgname.to_string()
    }

    fn compare(&self, other: &Self, order: usize) -> Ordering {
        let (a, b) = (&self.package, &other.package);
        let by_order = match order {
            1 => a.pkgbase.cmp(&b.pkgbase),
            2 => natural(&a.version, &b.version),
            3 => a.size.cmp(&b.size),
            4 => b.build_date.cmp(&a.build_date),
            5 => (self.marks.is_empty(), &self.marks).cmp(&(other.marks.is_empty(), &other.marks)),
            6 => Reverse(self.job).cmp(&Reverse(other.job)),
            _ => Ordering::Equal,
        };
        by_order.then_with(|| a.pkgname.cmp(&b.pkgname))
    }
}

/// Compares texts with their numbers taken as numbers. Versions of different packages mean nothing to each other, so
/// that pacman's own order would say no more.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let ((part_a, rest_a), (part_b, rest_b)) = (part(a), part(b));
        let by_number = match (part_a.parse::<u128>(), part_b.parse::<u128>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => part_a.cmp(part_b),
        };
        if by_number != Ordering::Equal {
            return by_number;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len())
}

/// The digits, or what is none, at the beginning of a text that is not empty, and the rest.
fn part(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text
        .find(|c: char| c.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::screen::repository::findings::{Kind, Severity};
    use crate::screen::repository::fixtures::package;
    use crate::testing::NOW;

    #[test]
    fn every_field_can_be_asked_for() {
        let marks = [Mark {
            severity: Severity::Error,
            kind: Kind::Soname,
        }];
        let row = PackageRow::new(package("firefox-bin", "firefox", 48), Some(JobId(17)), &marks);
        let shown = [
            "firefox",
            "name:fire",
            "base:=firefox",
            "version:1.0",
            "size:>40M",
            "age:>1d",
            "built:2025-11",
            "mark:soname",
            "mark:?",
            "job:17",
            "soname",
        ];
        for filter in shown {
            assert!(
                Filter::new(filter, PackageRow::FIELDS).shows(&row, NOW),
                "{filter}"
            );
        }
        for filter in ["name:bin", "size:<40M", "age:<1d", "mark:missing", "!firefox"] {
            assert!(
                !Filter::new(filter, PackageRow::FIELDS).shows(&row, NOW),
                "{filter}"
            );
        }
        let unknown = PackageRow::new(
            PublishedPackage {
                build_date: 0,
                ..package("old", "old", 1)
            },
            None,
            &[],
        );
        assert_eq!((unknown.day(), unknown.age(NOW)), (None, None));
        assert!(!Filter::new("age:>1", PackageRow::FIELDS).shows(&unknown, NOW));
    }

    #[test]
    fn numbers_in_versions_are_numbers() {
        let mut versions = ["10.0-1", "9.1-1", "9.1.r12.gabc-1", "9-2", "1:1-1", "r900.1-1"];
        versions.sort_by(|a, b| natural(a, b));
        assert_eq!(
            versions,
            ["1:1-1", "9-2", "9.1-1", "9.1.r12.gabc-1", "10.0-1", "r900.1-1"]
        );
    }
}
