//! Which dependencies are satisfied, as pacman sees it (`deps.c` of libalpm): by a package of that name or by
//! what a package provides, in a version that fits; what is provided without a version satisfies no dependency
//! that asks for one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::vercmp::vercmp;
use super::Published;
use super::finding::Finding;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// A dependency, or what a package provides: a name with or without a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency<'a> {
    /// The name.
    pub name: &'a str,
    constraint: Option<(Operator, &'a str)>,
}

impl<'a> Dependency<'a> {
    /// Reads what packages state: `name`, `name=1`, `name>=1: why`.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        // With the space, because an epoch is followed by a colon, too.
        let text = text.split_once(": ").map_or(text, |(text, _)| text);
        let split = |operator: &str| {
            text.split_once(operator)
                .map(|(name, version)| match version.strip_prefix('=') {
                    Some(version) if operator != "=" => (name, true, version),
                    Some(_) | None => (name, false, version),
                })
        };
        let (name, constraint) = if let Some((name, or_equal, version)) = split("<") {
            let operator = if or_equal {
                Operator::LessOrEqual
            } else {
                Operator::Less
            };
            (name, Some((operator, version)))
        } else if let Some((name, or_equal, version)) = split(">") {
            let operator = if or_equal {
                Operator::GreaterOrEqual
            } else {
                Operator::Greater
            };
            (name, Some((operator, version)))
        } else if let Some((name, _, version)) = split("=") {
            (name, Some((Operator::Equal, version)))
        } else {
            (text, None)
        };
        Self { name, constraint }
    }

    /// The version that it states, where it is to be that one exactly.
    #[must_use]
    pub fn exact_version(&self) -> Option<&'a str> {
        match self.constraint {
            Some((Operator::Equal, version)) => Some(version),
            Some(_) | None => None,
        }
    }

    /// Whether something of the right name fits: of this version, or without one.
    fn accepts(&self, version: Option<&str>) -> bool {
        let Some((operator, wanted)) = self.constraint else {
            return true;
        };
        let Some(version) = version else { return false };
        let order = vercmp(version, wanted);
        match operator {
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::Greater => order == Ordering::Greater,
        }
    }
}

/// Everything that can satisfy dependencies, by name.
#[derive(Debug, Default)]
pub struct Supplies {
    by_name: BTreeMap<String, Vec<Supply>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Supply {
    package: String,
    version: Option<String>,
}

impl Supplies {
    /// Those of a repository.
    #[must_use]
    pub fn of(packages: &[Published]) -> Self {
        let mut supplies = Self::default();
        for package in packages {
            supplies.add(&package.name, &package.version, &package.provides);
        }
        supplies
    }

    /// Adds a package with what it provides.
    pub fn add(&mut self, package: &str, version: &str, provides: &[String]) {
        self.put(package, package, Some(version));
        for provided in provides {
            let provided = Dependency::parse(provided);
            self.put(provided.name, package, provided.exact_version());
        }
    }

    fn put(&mut self, name: &str, package: &str, version: Option<&str>) {
        let supply = Supply {
            package: package.to_owned(),
            version: version.map(str::to_owned),
        };
        match self.by_name.get_mut(name) {
            Some(supplies) if supplies.contains(&supply) => {}
            Some(supplies) => supplies.push(supply),
            None => {
                self.by_name.insert(name.to_owned(), vec![supply]);
            }
        }
    }

    fn named(&self, name: &str) -> &[Supply] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The packages of a name, and those that provide it in whatever version.
    pub fn packages(&self, name: &str) -> impl Iterator<Item = &str> {
        self.named(name).iter().map(|supply| supply.package.as_str())
    }

    fn satisfy(&self, dependency: &Dependency<'_>) -> bool {
        self.named(dependency.name)
            .iter()
            .any(|supply| dependency.accepts(supply.version.as_deref()))
    }
}

/// The dependencies of `packages` that neither they nor `upstream` satisfy. Without `upstream`, most of what a
/// package depends on is elsewhere: then only names count that the repository itself has in another version.
#[must_use]
pub fn check(packages: &[Published], own: &Supplies, upstream: Option<&Supplies>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        for text in &package.depends {
            let dependency = Dependency::parse(text);
            let satisfied = own.satisfy(&dependency) || upstream.is_some_and(|all| all.satisfy(&dependency));
            let known = own.named(dependency.name);
            if satisfied || (upstream.is_none() && known.is_empty()) {
                continue;
            }
            let others = upstream.map_or(&[][..], |upstream| upstream.named(dependency.name));
            // What is only provided may well come from the distribution in the version that fits, such as a
            // library of which the repository has an older one for what still needs it.
            let certain = upstream.is_some() || known.iter().any(|supply| supply.package == dependency.name);
            findings.push(Finding::Dependency {
                package: package.name.clone(),
                dependency: text.clone(),
                known: known
                    .iter()
                    .chain(others)
                    .map(|supply| describe(dependency.name, supply))
                    .collect(),
                certain,
            });
        }
    }
    findings
}

fn describe(name: &str, supply: &Supply) -> String {
    let version = supply.version.as_deref();
    if supply.package == name {
        format!("{name} {}", version.unwrap_or_default())
    } else {
        let version = version.map(|version| format!("={version}")).unwrap_or_default();
        format!("{name}{version} of {}", supply.package)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn satisfied(package: (&str, &str), provides: &[&str], dependency: &str) -> bool {
        let provides: Vec<String> = provides.iter().map(|&text| text.to_owned()).collect();
        let mut supplies = Supplies::default();
        supplies.add(package.0, package.1, &provides);
        supplies.satisfy(&Dependency::parse(dependency))
    }

    #[test]
    fn texts_are_read_as_pacman_reads_them() {
        let parse = |text| {
            let read = Dependency::parse(text);
            (read.name, read.constraint)
        };
        assert_eq!(parse("a"), ("a", None));
        assert_eq!(parse("a=1:2-3"), ("a", Some((Operator::Equal, "1:2-3"))));
        assert_eq!(parse("a<=1"), ("a", Some((Operator::LessOrEqual, "1"))));
        assert_eq!(parse("a<1: because"), ("a", Some((Operator::Less, "1"))));
        assert_eq!(parse("a>=1:1"), ("a", Some((Operator::GreaterOrEqual, "1:1"))));
        assert_eq!(parse("a>1"), ("a", Some((Operator::Greater, "1"))));
        assert_eq!(
            parse("libfoo.so=3-64"),
            ("libfoo.so", Some((Operator::Equal, "3-64")))
        );
        assert_eq!(parse("a=="), ("a", Some((Operator::Equal, "="))));
    }

    #[test]
    fn every_operator_agrees_with_vercmp() {
        let versions = ["1", "1.0-1", "1.0-2", "1:0.5-1", "2.0rc1", "2.0", "1.0.a", "3-64"];
        for version in versions {
            for wanted in versions {
                let output = Command::new("vercmp").args([version, wanted]).output().unwrap();
                let order: i32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
                for (operator, expected) in [
                    ("<", order < 0),
                    ("<=", order <= 0),
                    ("=", order == 0),
                    (">=", order >= 0),
                    (">", order > 0),
                ] {
                    let dependency = format!("a{operator}{wanted}");
                    assert_eq!(
                        satisfied(("a", version), &[], &dependency),
                        expected,
                        "{version}: {dependency}"
                    );
                    let provided = format!("a={version}");
                    assert_eq!(
                        satisfied(("b", "9"), &[&provided], &dependency),
                        expected,
                        "{provided}: {dependency}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_provided_without_an_exact_version_satisfies_only_the_bare_name() {
        for provided in ["a", "a>=1", "a<3"] {
            assert!(satisfied(("b", "2"), &[provided], "a"));
            assert!(!satisfied(("b", "2"), &[provided], "a=2"));
            assert!(!satisfied(("b", "2"), &[provided], "a>=1"));
        }
        assert!(!satisfied(("b", "2"), &[], "a"));
    }
}
