//! Which empty files go into `pkgout` so that makepkg can say "already built" before it builds anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Pkgbase, Pkgname, PublishedPackage};

/// The names of the filler files: one for every published package, but none for `pkgbase` itself when its
/// packages are not all published in one version, so that makepkg builds all of them again.
///
/// `pkgnames` is what comes out of `pkgbase`; empty where that is unknown.
pub(super) fn fillers(
    published: &[PublishedPackage],
    pkgbase: &Pkgbase,
    pkgnames: &[Pkgname],
) -> Vec<String> {
    let whole = is_whole(published, pkgnames);
    published
        .iter()
        .filter(|package| whole || (package.pkgbase != *pkgbase && !pkgnames.contains(&package.pkgname)))
        .filter_map(|package| filler_name(&package.file_name))
        .collect()
}

fn is_whole(published: &[PublishedPackage], pkgnames: &[Pkgname]) -> bool {
    let index: BTreeMap<_, _> = published
        .iter()
        .map(|package| (&package.pkgname, package.version.as_str()))
        .collect();
    let versions: Option<BTreeSet<_>> = pkgnames.iter().map(|name| index.get(name)).collect();
    versions.is_some_and(|versions| versions.len() <= 1)
}

/// makepkg looks for the uncompressed file; a name that is no plain file name is not one of ours.
fn filler_name(file_name: &str) -> Option<String> {
    let stem = file_name.strip_suffix(".pkg.tar.zst")?;
    let plain = !stem.starts_with('.') && stem.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    (plain && !stem.is_empty()).then(|| format!("{stem}.pkg.tar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(pkgname: &str, pkgbase: &str, version: &str) -> PublishedPackage {
        PublishedPackage {
            pkgname: Pkgname::new(pkgname).unwrap(),
            pkgbase: Pkgbase::new(pkgbase).unwrap(),
            version: version.to_owned(),
            file_name: format!("{pkgname}-{version}-any.pkg.tar.zst"),
            size: 1,
            build_date: 1,
            provides: Vec::new(),
        }
    }

    fn check(index: &[(&str, &str, &str)], pkgnames: &[&str], expected: &[&str]) {
        let index: Vec<_> = index
            .iter()
            .map(|(name, base, version)| published(name, base, version))
            .collect();
        let pkgnames: Vec<_> = pkgnames.iter().map(|name| Pkgname::new(*name).unwrap()).collect();
        assert_eq!(
            fillers(&index, &Pkgbase::new("foo").unwrap(), &pkgnames),
            expected
        );
    }

    #[test]
    fn every_published_file_gets_one() {
        let index = [
            ("bar", "bar", "1:2-1"),
            ("foo", "foo", "1-1"),
            ("foo-docs", "foo", "1-1"),
        ];
        let all = [
            "bar-1:2-1-any.pkg.tar",
            "foo-1-1-any.pkg.tar",
            "foo-docs-1-1-any.pkg.tar",
        ];
        check(&index, &["foo", "foo-docs"], &all);
        check(&index, &[], &all);
    }

    #[test]
    fn a_missing_split_package_means_that_all_are_built() {
        let index = [("bar", "bar", "2-1"), ("foo", "foo", "1-1")];
        check(&index, &["foo", "foo-docs"], &["bar-2-1-any.pkg.tar"]);
        // One that left another pkgbase and is published from there is rebuilt as well.
        let index = [("bar", "bar", "2-1"), ("foo", "old-foo", "1-1")];
        check(&index, &["foo", "foo-docs"], &["bar-2-1-any.pkg.tar"]);
    }

    #[test]
    fn half_published_versions_mean_that_all_are_built() {
        let index = [("foo", "foo", "2-1"), ("foo-docs", "foo", "1-1")];
        check(&index, &["foo", "foo-docs"], &[]);
        // A package that is no longer built does not count.
        check(
            &index,
            &["foo"],
            &["foo-2-1-any.pkg.tar", "foo-docs-1-1-any.pkg.tar"],
        );
    }

    #[test]
    fn names_that_leave_the_directory_are_left_out() {
        for bad in [
            "../a.pkg.tar.zst",
            "/a.pkg.tar.zst",
            ".pkg.tar.zst",
            "a.pkg.tar.xz",
            "a\n.pkg.tar.zst",
        ] {
            assert_eq!(filler_name(bad), None, "{bad}");
        }
    }
}
