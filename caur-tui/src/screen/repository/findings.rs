//! What a check found: as a list, and as marks on the packages that it is about.

use std::collections::HashMap;

use caur_core::model::PublishedPackage;
use caur_core::queue::RepoAnswer;
use serde::Deserialize;

use super::answer;

/// What is wrong with a package, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its file is not there.
    Missing,
    /// Its file is not what the database says.
    Damaged,
    /// It needs a library that is not there.
    Soname,
    /// It depends on a package that is not there.
    Dependency,
    /// Its signature is not there, or does not hold.
    Signature,
    /// The databases do not agree about it.
    Entry,
    /// Something that this version of the console has no word for.
    Other,
}

impl Kind {
    /// The word in the table and in filters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Soname => "soname",
            Self::Dependency => "dependency",
            Self::Signature => "signature",
            Self::Entry => "entry",
            Self::Other => "other",
        }
    }

    /// By the name that the database role gives to it.
    fn of(kind: &str) -> Self {
        match kind {
            "file-missing" => Self::Missing,
            "not-regular" | "file-size" | "file-hash" | "no-hash" | "file-unreadable"
            | "package-unreadable" => Self::Damaged,
            "soname-broken" | "soname-missing" => Self::Soname,
            "dependency" => Self::Dependency,
            "signature-missing" | "signature-bad" | "signature-differs" => Self::Signature,
            "bad-entry" | "two-entries" | "entry-in-one-database" | "entries-differ" => Self::Entry,
            _ => Self::Other,
        }
    }
}

/// How bad something is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Some package cannot be found, installed or run.
    Error,
    /// Somebody should look.
    Warning,
}

/// A mark on a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub kind: Kind,
}

impl Mark {
    /// One column.
    pub fn symbol(self) -> &'static str {
        match self.severity {
            Severity::Error => "✗",
            Severity::Warning => "!",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is, and what it is.
    pub mark: Mark,
    /// In words.
    pub text: String,
    /// The listed package that it is about.
    pub package: Option<String>,
}

/// What a check of a target found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// When, in milliseconds since 1970 by the queue's clock.
    pub at: u64,
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings there are.
    pub warnings: usize,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// The marks of each package, by its name, with the file that was checked.
    marks: HashMap<String, (String, Vec<Mark>)>,
}

#[derive(Deserialize)]
struct Report {
    errors: usize,
    warnings: usize,
    findings: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    severity: String,
    text: String,
    finding: Detail,
}

#[derive(Deserialize)]
struct Detail {
    kind: String,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    entry: Option<String>,
}

impl Checked {
    /// Reads the answer to a check of a target that lists these packages.
    ///
    /// # Errors
    /// The answer has another form.
    pub fn read<'a>(
        answer: &RepoAnswer,
        packages: impl Iterator<Item = &'a PublishedPackage>,
    ) -> Result<Self, String> {
        let report: Report = answer::read(answer)?;
        let packages: Vec<&PublishedPackage> = packages.collect();
        let by_name: HashMap<&str, &PublishedPackage> = packages
            .iter()
            .map(|package| (package.pkgname.as_str(), *package))
            .collect();
        let by_file: HashMap<&str, &PublishedPackage> = packages
            .iter()
            .map(|package| (package.file_name.as_str(), *package))
            .collect();
        let by_entry: HashMap<String, &PublishedPackage> = packages
            .iter()
            .map(|package| (format!("{}-{}", package.pkgname, package.version), *package))
            .collect();
        let mut marks: HashMap<String, (String, Vec<Mark>)> = HashMap::new();
        let mut findings: Vec<Finding> = Vec::new();
        for Told {
            severity,
            text,
            finding,
        } in report.findings
        {
            let mark = Mark {
                severity: match severity.as_str() {
                    "warning" => Severity::Warning,
                    _ => Severity::Error,
                },
                kind: Kind::of(&finding.kind),
            };
            let package = match (&finding.package, &finding.entry, &finding.file) {
                (Some(name), ..) => by_name.get(name.as_str()),
                (None, Some(entry), _) => by_entry.get(entry),
                (None, None, Some(file)) => by_file.get(file.as_str()),
                (None, None, None) => None,
            };
            if let Some(package) = package {
                let (_, marked) = marks
                    .entry(package.pkgname.to_string())
                    .or_insert_with(|| (package.file_name.clone(), Vec::new()));
                marked.push(mark);
            }
            findings.push(Finding {
                mark,
                text,
                package: package.map(|package| package.pkgname.to_string()),
            });
        }
        findings.sort_by(|a, b| (a.mark, &a.package).cmp(&(b.mark, &b.package)));
        for (_, marked) in marks.values_mut() {
            marked.sort_unstable();
        }
        Ok(Self {
            at: answer.at,
            errors: report.errors,
            warnings: report.warnings,
            findings,
            marks,
        })
    }

    /// The marks of a package, the worst first; none where its file is another one by now.
    pub fn marks(&self, package: &PublishedPackage) -> &[Mark] {
        match self.marks.get(package.pkgname.as_str()) {
            Some((file, marks)) if *file == package.file_name => marks,
            Some(_) | None => &[],
        }
    }

    /// What was found about a package, in words.
    pub fn about(&self, pkgname: &str) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.package.as_deref() == Some(pkgname))
    }

    /// How many errors and warnings, in words.
    pub fn counts(&self) -> String {
        let number = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        match (self.errors, self.warnings) {
            (0, 0) => "all is well".to_owned(),
            (errors, warnings) => format!("{}, {}", number(errors, "error"), number(warnings, "warning")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use caur_core::repo::check::{Bits, Finding as Real, OtherVersion};
    use serde_json::json;

    use super::*;
    use crate::screen::repository::fixtures::{done, package};

    fn checked(findings: &[Real], packages: &[PublishedPackage]) -> Checked {
        // As `caur-daemon` tells them.
        let told: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "severity": finding.severity(), "text": finding.to_string(), "finding": finding }))
            .collect();
        let answer = done(
            "checked",
            json!({ "errors": 2, "warnings": 1, "packages": 3, "findings": told }),
        );
        Checked::read(&answer, packages.iter()).unwrap()
    }

    #[test]
    fn findings_of_the_database_role_become_marks() {
        let packages = [package("a", "a", 1), package("b", "b", 1), package("c", "c", 1)];
        let file = |index: usize| packages[index].file_name.clone();
        let (package, library) = ("b".to_owned(), "libx.so.1".to_owned());
        let bits = Bits::SixtyFour;
        let found = checked(
            &[
                Real::SonameMissing {
                    package: package.clone(),
                    file: "usr/bin/b".to_owned(),
                    library: library.clone(),
                    bits,
                },
                Real::FileMissing {
                    package: "a".to_owned(),
                    file: file(0),
                },
                Real::SonameBroken {
                    package,
                    file: "usr/bin/b".to_owned(),
                    library,
                    bits,
                    others: vec![OtherVersion {
                        package: "x".to_owned(),
                        library: "libx.so.2".to_owned(),
                    }],
                    certain: true,
                },
                Real::EntriesDiffer {
                    entry: "c-1.0-1".to_owned(),
                },
                Real::FileUnreadable {
                    file: file(2),
                    problem: "EIO".to_owned(),
                },
                Real::Orphan {
                    file: "z-1-1-any.pkg.tar.zst".to_owned(),
                },
                Real::DatabaseMissing {
                    database: PathBuf::from("x.db"),
                },
            ],
            &packages,
        );
        let words = |index: usize| {
            let marks = found.marks(&packages[index]);
            marks
                .iter()
                .map(|mark| (mark.symbol(), mark.kind.word()))
                .collect::<Vec<_>>()
        };
        assert_eq!(words(0), [("✗", "missing")]);
        assert_eq!(words(1), [("✗", "soname"), ("!", "soname")]);
        assert_eq!(words(2), [("✗", "damaged"), ("✗", "entry")]);
        assert_eq!(found.findings.len(), 7);
        assert!(found.findings[0].mark.severity == Severity::Error);
        assert_eq!(found.findings.last().unwrap().mark.kind, Kind::Other);
        assert_eq!(found.about("b").count(), 2);
        assert_eq!(found.counts(), "2 errors, 1 warning");
    }

    #[test]
    fn a_mark_is_about_the_file_that_was_checked() {
        let mut packages = [package("a", "a", 1)];
        let missing = Real::FileMissing {
            package: "a".to_owned(),
            file: packages[0].file_name.clone(),
        };
        let found = checked(&[missing], &packages);
        assert_eq!(found.marks(&packages[0]).len(), 1);
        packages[0].file_name = "a-2.0-1-x86_64.pkg.tar.zst".to_owned();
        assert_eq!(found.marks(&packages[0]), []);
    }

    #[test]
    fn an_answer_of_another_form_is_an_error() {
        let answer = done("checked", json!({ "findings": 3 }));
        assert!(
            Checked::read(&answer, [].into_iter())
                .unwrap_err()
                .contains("another version")
        );
    }
}
