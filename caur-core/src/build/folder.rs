//! What a builder itself has to know of a package folder before it builds: which packages come out of it, in
//! which version, and how much more time it asks for.
//!
//! The folder is the maintainers' and is read as data: bounded, without following links.

use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::ci::{PackageConfig, SrcInfo};
use crate::model::{Pkgbase, Pkgname};

/// More than any such file needs.
const READ_LIMIT: u64 = 4 << 20;
/// A multiplier beyond this is a typing error.
const MAX_EXTRA_TIMEOUT: f64 = 1000.0;

/// The pkgnames that the `.SRCINFO` of `pkgbase` in `folder` states; none where it cannot be read.
pub(super) fn pkgnames(folder: &Path, pkgbase: &Pkgbase) -> Vec<Pkgname> {
    srcinfo(folder, pkgbase).map_or_else(Vec::new, |stated| stated.pkgnames)
}

/// The version that the `.SRCINFO` of `pkgbase` in `folder` states. A package whose sources tell its version may
/// be built in another one.
pub(super) fn version(folder: &Path, pkgbase: &Pkgbase) -> Option<String> {
    srcinfo(folder, pkgbase)?.version
}

fn srcinfo(folder: &Path, pkgbase: &Pkgbase) -> Option<SrcInfo> {
    let text = read(&folder.join(".SRCINFO"));
    (!text.is_empty()).then(|| SrcInfo::parse(pkgbase, &text))
}

/// `BUILDER_EXTRA_TIMEOUT` of `folder/.CI/config`: by how much makepkg's time is multiplied.
pub(super) fn extra_timeout(folder: &Path) -> f64 {
    PackageConfig::parse(&read(&folder.join(".CI/config")))
        .extra_timeout
        .filter(|factor| *factor > 0.0 && *factor <= MAX_EXTRA_TIMEOUT)
        .unwrap_or(1.0)
}

fn read(path: &Path) -> String {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()) else {
        return String::new();
    };
    let mut bytes = Vec::new();
    match std::fs::File::from(file).take(READ_LIMIT).read_to_end(&mut bytes) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str, content: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".CI")).unwrap();
        std::fs::write(folder.path().join(path), content).unwrap();
        folder
    }

    #[test]
    fn every_split_package_is_found() {
        let foo = Pkgbase::new("foo").unwrap();
        let text = "pkgbase = foo\n\tpkgver = 1\n\tdepends = pkgname\n\npkgname = foo\n\npkgname=foo-docs \n";
        let names = pkgnames(folder(".SRCINFO", text).path(), &foo);
        assert_eq!(
            names.iter().map(Pkgname::as_str).collect::<Vec<_>>(),
            ["foo", "foo-docs"]
        );
        assert!(pkgnames(Path::new("/nonexistent"), &foo).is_empty());
    }

    #[test]
    fn the_extra_timeout_multiplies_and_nonsense_does_not_count() {
        for (text, factor) in [
            ("BUILDER_EXTRA_TIMEOUT=2\n", 2.0),
            ("BUILDER_EXTRA_TIMEOUT=\"1.5\" # slow\n", 1.5),
            ("BUILDER_EXTRA_TIMEOUT='4'\nBUILDER_EXTRA_TIMEOUT=3", 3.0),
            ("BUILDER_EXTRA_TIMEOUT=true\n", 1.0),
            ("BUILDER_EXTRA_TIMEOUT=0\n", 1.0),
            ("BUILDER_EXTRA_TIMEOUT=-1\n", 1.0),
            ("BUILDER_EXTRA_TIMEOUT=inf\n", 1.0),
            ("BUILDER_EXTRA_TIMEOUT=NaN\n", 1.0),
            ("#BUILDER_EXTRA_TIMEOUT=2\n", 1.0),
        ] {
            let found = extra_timeout(folder(".CI/config", text).path());
            assert!((found - factor).abs() < f64::EPSILON, "{text:?}: {found}");
        }
    }

    #[test]
    fn links_are_not_followed() {
        let folder = folder(".CI/config", "");
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join(".SRCINFO")).unwrap();
        assert_eq!(read(&folder.path().join(".SRCINFO")), "");
    }
}
