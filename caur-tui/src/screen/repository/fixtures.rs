//! Packages, answers and requests for tests of the repository view.

use caur_core::model::{PublishedPackage, Target};
use caur_core::queue::{RepoAnswer, RepoOutcome};
use serde_json::Value;

use crate::testing::NOW;

/// Where the packages of these tests are.
pub fn target(repo: &str) -> Target {
    Target {
        repo: repo.parse().unwrap(),
        arch: "x86_64".parse().unwrap(),
    }
}

/// A package of so many megabytes, built so many hours before [`NOW`].
pub fn package(name: &str, base: &str, number: u64) -> PublishedPackage {
    PublishedPackage {
        pkgname: name.parse().unwrap(),
        pkgbase: base.parse().unwrap(),
        version: "1.0-1".to_owned(),
        file_name: format!("{name}-1.0-1-x86_64.pkg.tar.zst"),
        size: number * 1_000_000,
        build_date: NOW / 1000 - number * 3600,
        provides: Vec::new(),
    }
}

/// The answer to something that was done.
pub fn done(message: &str, value: Value) -> RepoAnswer {
    RepoAnswer {
        outcome: RepoOutcome::Done,
        message: message.to_owned(),
        value,
        by: "db1".to_owned(),
        at: NOW,
    }
}

/// The answer to something that a rule forbids.
pub fn refused(message: &str) -> RepoAnswer {
    RepoAnswer {
        outcome: RepoOutcome::Refused,
        ..done(message, Value::Null)
    }
}
