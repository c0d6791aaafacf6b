//! One package's entry in a database: the texts `desc` and `files`.
//!
//! What is written equals byte for byte what `repo-add` of pacman 6.0.2 writes for the same package; pacman 7
//! reads it too. What is read keeps every section, known or not.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::package::Package;

/// The `desc` text of `package` under the name `file_name`, with its detached signature where it has one.
#[must_use]
pub fn desc(package: &Package, file_name: &str, signature: Option<&[u8]>) -> String {
    let info = &package.info;
    let mut text = String::new();
    let mut one = |heading: &str, value: &str| section(&mut text, heading, std::iter::once(value));
    one("FILENAME", file_name);
    one("NAME", info.pkgname());
    one("BASE", info.one("pkgbase"));
    one("VERSION", info.version());
    one("DESC", info.one("pkgdesc"));
    section(&mut text, "GROUPS", info.all("group"));
    let mut one = |heading: &str, value: &str| section(&mut text, heading, std::iter::once(value));
    one("CSIZE", &package.size.to_string());
    one("ISIZE", info.one("size"));
    one("MD5SUM", &package.md5);
    one("SHA256SUM", &package.sha256);
    one(
        "PGPSIG",
        &signature.map(|bytes| BASE64.encode(bytes)).unwrap_or_default(),
    );
    one("URL", info.one("url"));
    section(&mut text, "LICENSE", info.all("license"));
    let mut one = |heading: &str, value: &str| section(&mut text, heading, std::iter::once(value));
    one("ARCH", info.arch());
    one("BUILDDATE", info.one("builddate"));
    one("PACKAGER", info.one("packager"));
    for (heading, key) in [
        ("REPLACES", "replaces"),
        ("CONFLICTS", "conflict"),
        ("PROVIDES", "provides"),
        ("DEPENDS", "depend"),
        ("OPTDEPENDS", "optdepend"),
        ("MAKEDEPENDS", "makedepend"),
        ("CHECKDEPENDS", "checkdepend"),
    ] {
        section(&mut text, heading, info.all(key));
    }
    text
}

/// The `files` text of `package`.
#[must_use]
pub fn files(package: &Package) -> String {
    let mut text = String::from("%FILES%\n");
    for path in &package.files {
        text.push_str(path);
        text.push('\n');
    }
    text
}

/// A section whose first value is empty is left out, as `repo-add` does. Further empty values are dropped:
/// `repo-add` writes an empty line for them, which ends the section and makes the next value a heading.
fn section<'a>(text: &mut String, heading: &str, values: impl Iterator<Item = &'a str>) {
    let mut values = values.peekable();
    if values.peek().is_none_or(|first| first.is_empty()) {
        return;
    }
    let _ = writeln!(text, "%{heading}%");
    for value in values.filter(|value| !value.is_empty()) {
        text.push_str(value);
        text.push('\n');
    }
    text.push('\n');
}

/// A `desc` text that was read: its sections in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desc {
    sections: Vec<(String, Vec<String>)>,
}

impl Desc {
    /// Reads the text. A section is a line `%HEADING%` and all lines up to the next empty one; lines outside
    /// of sections are ignored, as pacman does.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut sections = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let heading = line.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
            if let Some(heading) = heading.filter(|heading| !heading.is_empty()) {
                let values = lines
                    .by_ref()
                    .take_while(|value| !value.is_empty())
                    .map(str::to_owned)
                    .collect();
                sections.push((heading.to_owned(), values));
            }
        }
        Self { sections }
    }

    /// All values of a section; none where it is missing.
    #[must_use]
    pub fn all(&self, heading: &str) -> &[String] {
        self.sections
            .iter()
            .find(|(h, _)| h == heading)
            .map_or(&[], |(_, values)| values)
    }

    /// The first value of a section.
    #[must_use]
    pub fn one(&self, heading: &str) -> Option<&str> {
        self.all(heading).first().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::repo::compression::Compression;
    use crate::repo::pkginfo::PkgInfo;

    fn package(more: &str) -> Package {
        let text = format!("pkgname = foo\npkgver = 1:1.0-1\narch = any\n{more}");
        Package {
            info: PkgInfo::parse(text.as_bytes()).unwrap(),
            files: vec!["usr/".into(), "usr/a b".into()],
            compression: Compression::Zstd,
            size: 7,
            sha256: "5e".into(),
            md5: "d5".into(),
        }
    }

    #[test]
    fn an_empty_value_cannot_turn_the_next_one_into_a_heading() {
        let text = desc(
            &package("depend = a\ndepend =\ndepend = %FILENAME%\ndepend = evil\n"),
            "foo.pkg",
            None,
        );
        let read = Desc::parse(&text);
        assert_eq!(read.one("FILENAME"), Some("foo.pkg"));
        assert_eq!(read.all("DEPENDS"), ["a", "%FILENAME%", "evil"]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = desc(
            &package("pkgbase = base\nprovides = x=1\nprovides = y\n"),
            "foo.pkg",
            Some(b"sig"),
        );
        let read = Desc::parse(&text);
        assert_eq!(read.one("BASE"), Some("base"));
        assert_eq!(read.one("PGPSIG"), Some("c2ln"));
        assert_eq!(read.all("PROVIDES"), ["x=1", "y"]);
        assert_eq!(read.one("URL"), None);
        assert_eq!(files(&package("")), "%FILES%\nusr/\nusr/a b\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn never_panics(text in "(%?[A-Z]{0,4}%?\\PC{0,5}\n{0,2}){0,12}") {
            let _ = Desc::parse(&text);
        }
    }
}
