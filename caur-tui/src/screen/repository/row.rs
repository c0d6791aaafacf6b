//! A published package as a row of a table.

use std::cmp::Ordering;

use caur_core::model::PublishedPackage;

use crate::filter::{Subject, Value, letters};
use crate::table::Row;

/// A package with what filters look at.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageRow {
    /// The package.
    pub package: PublishedPackage,
    text: String,
    letters: u64,
}

impl From<PublishedPackage> for PackageRow {
    fn from(package: PublishedPackage) -> Self {
        let text = format!("{} {} {}", package.pkgname, package.pkgbase, package.version).to_lowercase();
        Self {
            letters: letters(&text),
            text,
            package,
        }
    }
}

impl Subject for PackageRow {
    fn text(&self) -> &str {
        &self.text
    }

    fn letters(&self) -> u64 {
        self.letters
    }

    fn field(&self, name: &str, _now: u64) -> Option<Value<'_>> {
        Some(match name {
            "name" => Value::text(self.package.pkgname.as_str()),
            "base" => Value::text(self.package.pkgbase.as_str()),
            _ => return None,
        })
    }
}

impl Row for PackageRow {
    type Key = String;
    const ORDERS: &'static [&'static str] = &["name"];
    const FIELDS: &'static [&'static str] = &["name", "base"];

    fn key(&self) -> String {
        self.package.pkgname.to_string()
    }

    fn compare(&self, other: &Self, _order: usize) -> Ordering {
        self.package.pkgname.cmp(&other.package.pkgname)
    }
}
