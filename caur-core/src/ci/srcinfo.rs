//! `.SRCINFO`: what a package folder builds, provides and needs.
//!
//! Read by alpm-srcinfo. Files that break its rules but that makepkg's users live with (stray spaces, a
//! hyphen in a version, no `pkgbase` line) are read line by line instead, with a warning that says what was
//! wrong; so every file gives a result.

use std::collections::BTreeMap;

use alpm_srcinfo::SourceInfoV1;
use alpm_srcinfo::source_info::v1::package::Override;

use super::relation_name;
use crate::model::{Arch, Pkgbase, Pkgname};

/// The part of a `.SRCINFO` that matters for scheduling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrcInfo {
    /// As stated, or the folder's name where the file states no valid one; the two differ in some folders.
    pub pkgbase: Pkgbase,
    /// The packages that are built.
    pub pkgnames: Vec<Pkgname>,
    /// `[epoch:]pkgver-pkgrel`, where stated.
    pub version: Option<String>,
    /// What the packages provide besides their names.
    pub provides: Relations,
    /// What the packages need at run time, those of split packages included.
    pub depends: Relations,
    /// What the build needs.
    pub makedepends: Relations,
    /// What the package's tests need.
    pub checkdepends: Relations,
    /// What was wrong with the file.
    pub warnings: Vec<SrcInfoWarning>,
}

/// Names without versions, each once, for all architectures and for single ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relations {
    any: Vec<String>,
    by_arch: BTreeMap<String, Vec<String>>,
}

/// Something odd in a `.SRCINFO`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SrcInfoWarning {
    /// The file breaks the format's rules and was read line by line.
    #[error(".SRCINFO was read leniently: {reason}")]
    Lenient {
        /// The rule that it breaks, in the strict reader's words.
        reason: String,
    },
    /// There is no valid `pkgbase` line.
    #[error(".SRCINFO states no valid pkgbase ({stated:?}); the folder's name is taken")]
    Pkgbase {
        /// What it states.
        stated: String,
    },
    /// A `pkgname` is not valid and was left out.
    #[error(".SRCINFO: {stated:?} is no valid pkgname and is left out")]
    Pkgname {
        /// What it states.
        stated: String,
    },
    /// There is no `pkgname` line.
    #[error(".SRCINFO states no pkgname; the pkgbase is taken")]
    NoPkgname,
    /// `pkgver` or `pkgrel` is missing.
    #[error(".SRCINFO states no version")]
    NoVersion,
}

impl Relations {
    /// The names that count on `arch`.
    pub fn for_arch(&self, arch: &Arch) -> impl Iterator<Item = &str> {
        self.any
            .iter()
            .chain(self.by_arch.get(arch.as_str()).into_iter().flatten())
            .map(String::as_str)
    }

    fn add(&mut self, arch: Option<&str>, relation: &str) {
        let Some(name) = relation_name(relation) else {
            return;
        };
        let list = match arch {
            None => &mut self.any,
            Some(arch) => self.by_arch.entry(arch.to_owned()).or_default(),
        };
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    }
}

impl SrcInfo {
    /// Reads the `.SRCINFO` of the folder `folder`.
    #[must_use]
    pub fn parse(folder: &Pkgbase, text: &str) -> Self {
        let raw = match SourceInfoV1::from_string(text) {
            Ok(info) => Raw::from_strict(&info),
            Err(error) => Raw {
                warnings: vec![SrcInfoWarning::Lenient {
                    reason: one_line(&error.to_string()),
                }],
                ..Raw::read_lines(text)
            },
        };
        raw.checked(folder, version(text))
    }
}

/// What a file states, before its names are checked.
#[derive(Debug, PartialEq, Eq, Default)]
struct Raw {
    pkgbase: String,
    pkgnames: Vec<String>,
    provides: Relations,
    depends: Relations,
    makedepends: Relations,
    checkdepends: Relations,
    warnings: Vec<SrcInfoWarning>,
}

impl Raw {
    fn from_strict(info: &SourceInfoV1) -> Self {
        let base = &info.base;
        let mut raw = Self {
            pkgbase: base.name.to_string(),
            ..Self::default()
        };
        add_all(&mut raw.provides, None, &base.provides);
        add_all(&mut raw.depends, None, &base.dependencies);
        add_all(&mut raw.makedepends, None, &base.make_dependencies);
        add_all(&mut raw.checkdepends, None, &base.check_dependencies);
        for (arch, only) in &base.architecture_properties {
            let arch = arch.to_string();
            add_all(&mut raw.provides, Some(&arch), &only.provides);
            add_all(&mut raw.depends, Some(&arch), &only.dependencies);
            add_all(&mut raw.makedepends, Some(&arch), &only.make_dependencies);
            add_all(&mut raw.checkdepends, Some(&arch), &only.check_dependencies);
        }
        for package in &info.packages {
            raw.pkgnames.push(package.name.to_string());
            add_all(&mut raw.provides, None, overridden(&package.provides));
            add_all(&mut raw.depends, None, overridden(&package.dependencies));
            for (arch, only) in &package.architecture_properties {
                let arch = arch.to_string();
                add_all(&mut raw.provides, Some(&arch), overridden(&only.provides));
                add_all(&mut raw.depends, Some(&arch), overridden(&only.dependencies));
            }
        }
        raw
    }

    fn read_lines(text: &str) -> Self {
        let mut raw = Self::default();
        for (key, value) in assignments(text) {
            match key {
                "pkgbase" => value.clone_into(&mut raw.pkgbase),
                "pkgname" => raw.pkgnames.push(value.to_owned()),
                _ => raw.add_relation(key, value),
            }
        }
        raw
    }

    fn add_relation(&mut self, key: &str, value: &str) {
        let (kind, arch) = match key.split_once('_') {
            Some((kind, arch)) => (kind, Some(arch)),
            None => (key, None),
        };
        let list = match kind {
            "provides" => &mut self.provides,
            "depends" => &mut self.depends,
            "makedepends" => &mut self.makedepends,
            "checkdepends" => &mut self.checkdepends,
            _ => return,
        };
        list.add(arch, value);
    }

    fn checked(self, folder: &Pkgbase, version: Option<String>) -> SrcInfo {
        let mut warnings = self.warnings;
        let pkgbase = Pkgbase::new(self.pkgbase.as_str()).unwrap_or_else(|_| {
            warnings.push(SrcInfoWarning::Pkgbase { stated: self.pkgbase });
            folder.clone()
        });
        let mut pkgnames = Vec::new();
        for stated in self.pkgnames {
            match Pkgname::new(stated.as_str()) {
                Ok(name) => pkgnames.push(name),
                Err(_) => warnings.push(SrcInfoWarning::Pkgname { stated }),
            }
        }
        if pkgnames.is_empty() {
            warnings.push(SrcInfoWarning::NoPkgname);
            pkgnames.push(Pkgname::new(pkgbase.as_str()).expect("every pkgbase is a valid pkgname"));
        }
        if version.is_none() {
            warnings.push(SrcInfoWarning::NoVersion);
        }
        SrcInfo {
            pkgbase,
            pkgnames,
            version,
            provides: self.provides,
            depends: self.depends,
            makedepends: self.makedepends,
            checkdepends: self.checkdepends,
            warnings,
        }
    }
}

fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
}

/// The version as makepkg writes it.
///
/// Not taken from the strict reader, which turns a pkgrel of `8.02` into `8.2` and keeps an epoch of 0.
fn version(text: &str) -> Option<String> {
    let stated = |wanted: &str| {
        assignments(text)
            .find(|(key, value)| *key == wanted && !value.is_empty())
            .map(|(_, value)| value)
    };
    let (pkgver, pkgrel) = (stated("pkgver")?, stated("pkgrel")?);
    let epoch = stated("epoch").filter(|epoch| epoch.bytes().any(|b| b != b'0'));
    Some(epoch.map_or_else(
        || format!("{pkgver}-{pkgrel}"),
        |epoch| format!("{epoch}:{pkgver}-{pkgrel}"),
    ))
}

fn add_all<T: ToString>(relations: &mut Relations, arch: Option<&str>, more: &[T]) {
    for relation in more {
        relations.add(arch, &relation.to_string());
    }
}

/// What a split package states itself; what it leaves or clears is needed for the build all the same.
fn overridden<T>(value: &Override<Vec<T>>) -> &[T] {
    match value {
        Override::Yes { value } => value,
        Override::No | Override::Clear => &[],
    }
}

/// The strict reader draws over several lines where it stumbled.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What both readers make of a text; none where the strict one refuses it.
#[cfg(test)]
pub(super) fn readers_agree(text: &str) -> Option<bool> {
    let strict = SourceInfoV1::from_string(text).ok()?;
    Some(Raw::from_strict(&strict) == Raw::read_lines(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPLIT: &str = "pkgbase = foo\n\tpkgver = 1.0\n\tpkgrel = 2\n\tepoch = 3\n\tarch = x86_64\n\tarch = aarch64\n\
        \tmakedepends = cmake>=3\n\tcheckdepends = bats\n\tdepends = glibc\n\tdepends_x86_64 = lib32-glibc\n\
        \tprovides = libfoo.so=1-64\n\npkgname = foo\n\tdepends = bar=1:2\n\npkgname = foo-docs\n\tdepends =\n\
        \tdepends_aarch64 = baz\n\tprovides = foo-manual\n";

    fn folder(name: &str) -> Pkgbase {
        Pkgbase::new(name).unwrap()
    }

    fn names(relations: &Relations, arch: &str) -> Vec<String> {
        relations
            .for_arch(&Arch::new(arch).unwrap())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn split_packages_and_architectures_are_gathered() {
        let info = SrcInfo::parse(&folder("foo"), SPLIT);
        assert_eq!(info.warnings, []);
        assert_eq!(info.version.as_deref(), Some("3:1.0-2"));
        assert_eq!(
            info.pkgnames.iter().map(Pkgname::as_str).collect::<Vec<_>>(),
            ["foo", "foo-docs"]
        );
        assert_eq!(names(&info.depends, "x86_64"), ["glibc", "bar", "lib32-glibc"]);
        assert_eq!(names(&info.depends, "aarch64"), ["glibc", "bar", "baz"]);
        assert_eq!(names(&info.makedepends, "x86_64"), ["cmake"]);
        assert_eq!(names(&info.checkdepends, "x86_64"), ["bats"]);
        assert_eq!(names(&info.provides, "x86_64"), ["libfoo.so", "foo-manual"]);
    }

    #[test]
    fn the_lenient_reader_agrees_with_the_strict_one() {
        assert_eq!(readers_agree(SPLIT), Some(true));
        assert_eq!(readers_agree("pkgname = x"), None);
    }

    #[test]
    fn what_the_strict_reader_refuses_is_read_with_a_warning() {
        let cases = [
            (
                "pkgbase = a\n pkgver = 1-2\n pkgrel = 1\n arch = any\npkgname = a\n",
                "a",
                Some("1-2-1"),
            ),
            ("pkgname = b\n pkgver = 1\n pkgrel = 1 \n", "folder", Some("1-1")),
            (
                "pkgbase = c\n pkgver = 1\n pkgrel = 1\n epoch = 0\n options = !upx !x\npkgname = c\n",
                "c",
                Some("1-1"),
            ),
            ("", "folder", None),
            ("not a srcinfo", "folder", None),
            ("pkgbase = A B\n", "folder", None),
        ];
        for (text, pkgbase, version) in cases {
            let info = SrcInfo::parse(&folder("folder"), text);
            assert!(
                matches!(info.warnings[0], SrcInfoWarning::Lenient { .. }),
                "{text}"
            );
            assert_eq!(
                (info.pkgbase.as_str(), info.version.as_deref()),
                (pkgbase, version),
                "{text}"
            );
            assert!(!info.pkgnames.is_empty());
        }
        let zero = SrcInfo::parse(&folder("e"), &SPLIT.replace("epoch = 3", "epoch = 0"));
        assert_eq!((zero.version.as_deref(), zero.warnings.len()), (Some("1.0-2"), 0));
        let padded = SrcInfo::parse(&folder("f"), &SPLIT.replace("pkgrel = 2", "pkgrel = 8.02"));
        assert_eq!(
            (padded.version.as_deref(), padded.warnings.len()),
            (Some("3:1.0-8.02"), 0)
        );
        let odd = SrcInfo::parse(
            &folder("d"),
            "pkgbase = d\n pkgver = 1\n depends = libadwaita>=1.5.0,\n depends =  x \n depends = \npkgname = d\npkgname = -d\n",
        );
        assert_eq!(names(&odd.depends, "x86_64"), ["libadwaita", "x"]);
        assert!(odd.warnings.contains(&SrcInfoWarning::Pkgname {
            stated: "-d".to_owned()
        }));
        assert!(odd.warnings.contains(&SrcInfoWarning::NoVersion));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "\\PC{0,120}|(\t?(pkgbase|pkgname|pkgver|pkgrel|epoch|arch|depends|depends_x86_64|provides|source) ?= ?[a-z0-9:.<>=_ -]{0,24}\n){0,12}",
        ) {
            let info = SrcInfo::parse(&folder("folder"), &text);
            prop_assert!(!info.pkgnames.is_empty());
        }
    }
}
