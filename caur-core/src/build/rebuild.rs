//! A version that is published already, built again: it gets the next free `.N` behind its pkgrel.
//!
//! The build container bumps a pkgrel as `CI_PACKAGE_BUMP` of the package's `.CI/config` says, once makepkg
//! knows the version. So a rebuild is that line, written into this attempt's own checkout.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{BuildError, folder};
use crate::ci::{PackageBump, PackageConfig};
use crate::model::{Pkgbase, PublishedPackage};

/// Asks for a rebuild of what is published of `pkgbase`, in the checkout at `pkgbuilds`; returns what was asked
/// for, none when nothing of it is published.
///
/// # Errors
/// [`BuildError::Package`] when the package's `.CI/config` is no file of the checkout; [`BuildError::File`] when it
/// cannot be written.
pub(super) fn ask(
    pkgbuilds: &Path,
    pkgbase: &Pkgbase,
    published: &[PublishedPackage],
) -> Result<Option<PackageBump>, BuildError> {
    let root = fs::canonicalize(pkgbuilds).map_err(BuildError::file("resolve", pkgbuilds))?;
    let folder = root.join(pkgbase.as_str());
    let config = Config::open(&root, &folder)?;
    let own = PackageConfig::parse(&String::from_utf8_lossy(&config.text)).bump;
    let stated = folder::version(&folder, pkgbase);
    let bump = next(published, pkgbase, stated.as_deref(), own.as_ref());
    if let Some(bump) = &bump {
        config.write(bump)?;
    }
    Ok(bump)
}

/// One version without what a rebuild appended to it.
#[derive(Debug, Default)]
struct Candidate {
    /// The lowest `.N` that is free.
    next: u32,
    /// How many packages are published in it.
    packages: usize,
}

/// The bump that gives the version after all published ones. One bump is for one version: the one that the
/// `.SRCINFO` states where that is known, else the one that most packages of the pkgbase have.
fn next(
    published: &[PublishedPackage],
    pkgbase: &Pkgbase,
    stated: Option<&str>,
    own: Option<&PackageBump>,
) -> Option<PackageBump> {
    let mut candidates: BTreeMap<String, Candidate> = BTreeMap::new();
    for package in published.iter().filter(|package| package.pkgbase == *pkgbase) {
        if let Some((base, bumped)) = split(&package.version) {
            let candidate = candidates.entry(base).or_default();
            candidate.next = candidate.next.max(bumped.saturating_add(1));
            candidate.packages += 1;
        }
    }
    if candidates.is_empty() {
        return None;
    }
    // What the package's own bump asks for is not less than that.
    if let Some(own) = own
        && let Some((base, 0)) = split(&own.version)
    {
        let candidate = candidates.entry(base).or_default();
        candidate.next = candidate.next.max(own.bump);
    }
    let stated = stated.and_then(split).map(|(base, _)| base);
    candidates
        .into_iter()
        .max_by_key(|(base, candidate)| (stated.as_ref() == Some(base), candidate.packages))
        .map(|(version, candidate)| PackageBump {
            version,
            bump: candidate.next,
        })
}

/// `[epoch:]pkgver-pkgrel` without what a rebuild appended to pkgrel, and that; none for what the build
/// container takes for no version.
fn split(version: &str) -> Option<(String, u32)> {
    let (rest, pkgrel) = version.rsplit_once('-')?;
    let (whole, bumped) = match pkgrel.split_once('.') {
        Some((whole, bumped)) => (whole, bumped.parse().ok()?),
        None => (pkgrel, 0),
    };
    // makepkg leaves an epoch of 0 out.
    let rest = rest.strip_prefix("0:").unwrap_or(rest);
    let pkgver = rest.split_once(':').map_or(rest, |(_, pkgver)| pkgver);
    let is_pkgver =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'/' | b'-' | b'"' | b'\'' | b'\\');
    let is_version = !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && !pkgver.is_empty()
        && pkgver.bytes().all(is_pkgver);
    is_version.then(|| (format!("{rest}-{whole}"), bumped))
}

/// The `.CI/config` of a package in a checkout. Links inside of the checkout are followed, as the build does.
struct Config {
    /// The folder that it is in, without links.
    directory: PathBuf,
    text: Vec<u8>,
}

impl Config {
    /// Reads the one of the package at `folder`; nothing where there is none.
    fn open(root: &Path, folder: &Path) -> Result<Self, BuildError> {
        let named = folder.join(".CI");
        match fs::create_dir(&named) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(BuildError::file("create", named)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let directory = inside(root, &named)?.ok_or_else(|| unusable(&named))?;
        let text = match inside(root, &directory.join("config"))? {
            Some(path) if !path.is_file() => return Err(unusable(&path)),
            Some(path) => fs::read(&path).map_err(BuildError::file("read", path))?,
            None => Vec::new(),
        };
        Ok(Self { directory, text })
    }

    /// Replaces the file as a whole: where it is a link, what that leads to stays as it is.
    fn write(&self, bump: &PackageBump) -> Result<(), BuildError> {
        let failed = |error| BuildError::file("write", self.directory.join("config"))(error);
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(&self.directory)
            .map_err(failed)?;
        file.write_all(&bump.put_into(&self.text)).map_err(failed)?;
        file.persist(self.directory.join("config"))
            .map(drop)
            .map_err(|error| failed(error.error))
    }
}

/// The file or directory that `path` leads to; none where it leads to nothing. Nothing else works in a checkout
/// before its container starts, so it cannot change behind this.
fn inside(root: &Path, path: &Path) -> Result<Option<PathBuf>, BuildError> {
    match fs::canonicalize(path) {
        Ok(real) if real.starts_with(root) => Ok(Some(real)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Ok(_) | Err(_) => Err(unusable(path)),
    }
}

fn unusable(path: &Path) -> BuildError {
    let name: PathBuf = path
        .components()
        .rev()
        .take(2)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    BuildError::Package(format!(
        "a rebuild writes its pkgrel into the package's .CI/config, but {} is not a folder or plain file of the source repository; make it one",
        name.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::Pkgname;

    fn package((pkgname, pkgbase, version): (&str, &str, &str)) -> PublishedPackage {
        PublishedPackage {
            pkgname: Pkgname::new(pkgname).unwrap(),
            pkgbase: pkgbase.parse().unwrap(),
            version: version.to_owned(),
            file_name: format!("{pkgname}-{version}-any.pkg.tar.zst"),
            size: 1,
            build_date: 1,
            provides: Vec::new(),
        }
    }

    fn foo() -> Pkgbase {
        "foo".parse().unwrap()
    }

    #[test]
    fn the_next_free_number_is_taken() {
        let one = |version| vec![("foo", "foo", version)];
        for (published, stated, own, expected) in [
            (one("1.0-1"), None, None, Some("1.0-1/1")),
            (one("1.0-1.1"), None, None, Some("1.0-1/2")),
            (one("1.0-1.9"), Some("1.0-1"), None, Some("1.0-1/10")),
            (one("2:1.0_a+b-3"), None, None, Some("2:1.0_a+b-3/1")),
            // Nothing of this pkgbase is published, or nothing that could be bumped.
            (Vec::new(), Some("1.0-1"), Some("1.0-1/4"), None),
            (vec![("foo", "bar", "1.0-1")], None, None, None),
            (one("1.0"), None, None, None),
            (one("1.0-1.2.3"), None, None, None),
            (one("1.0-x"), None, None, None),
            (one("-1"), None, None, None),
            // The package's own bump counts where it is larger.
            (one("1.0-1.1"), None, Some("1.0-1/5"), Some("1.0-1/5")),
            (one("1.0-1.5"), None, Some("1.0-1/5"), Some("1.0-1/6")),
            (one("1.0-1"), None, Some("0:1.0-1/5"), Some("1.0-1/5")),
            (one("1.0-1"), None, Some("0.9-1/5"), Some("1.0-1/1")),
            // The package moved on to the version that its own bump is for.
            (one("1.0-1"), Some("1.1-1"), Some("1.1-1/2"), Some("1.1-1/2")),
            (one("1.0-1"), Some("1.1-1"), None, Some("1.0-1/1")),
            // Split packages: the highest number of one version …
            (
                vec![("foo", "foo", "1.0-1.1"), ("foo-docs", "foo", "1.0-1.3")],
                None,
                None,
                Some("1.0-1/4"),
            ),
            // … of the version that most of them have …
            (
                vec![
                    ("foo-old", "foo", "0.9-1.7"),
                    ("foo", "foo", "1.0-1"),
                    ("foo-docs", "foo", "1.0-1"),
                ],
                None,
                None,
                Some("1.0-1/1"),
            ),
            // … or of the one that will be built.
            (
                vec![
                    ("foo", "foo", "1.1-1"),
                    ("foo-a", "foo", "1.0-1"),
                    ("foo-b", "foo", "1.0-1"),
                ],
                Some("1.1-1"),
                None,
                Some("1.1-1/1"),
            ),
        ] {
            let index: Vec<_> = published.iter().copied().map(package).collect();
            let own = own.map(|text| text.parse().unwrap());
            let found = next(&index, &foo(), stated, own.as_ref()).map(|bump| bump.to_string());
            assert_eq!(found.as_deref(), expected, "{published:?} {stated:?} {own:?}");
        }
    }

    fn checkout() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("pkgbuilds/foo");
        fs::create_dir_all(&folder).unwrap();
        (root, folder)
    }

    fn ask_for(folder: &Path) -> Result<Option<PackageBump>, BuildError> {
        ask(
            folder.parent().unwrap(),
            &foo(),
            &[package(("foo", "foo", "1.0-1.1"))],
        )
    }

    fn config(folder: &Path) -> String {
        fs::read_to_string(folder.join(".CI/config")).unwrap()
    }

    #[test]
    fn the_bump_goes_into_the_packages_configuration() {
        let (_root, folder) = checkout();
        let expected = PackageBump {
            version: "1.0-1".to_owned(),
            bump: 2,
        };
        assert_eq!(ask_for(&folder).unwrap(), Some(expected));
        assert_eq!(config(&folder), "CI_PACKAGE_BUMP=1.0-1/2\n");
        fs::write(
            folder.join(".CI/config"),
            "CI_PACKAGE_BUMP=1.0-1/7\nCI_FORCE_VCS=true\n",
        )
        .unwrap();
        ask_for(&folder).unwrap();
        assert_eq!(config(&folder), "CI_FORCE_VCS=true\nCI_PACKAGE_BUMP=1.0-1/7\n");
        let names: Vec<_> = fs::read_dir(folder.join(".CI")).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let mode = fs::metadata(folder.join(".CI/config"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o444, 0o444);
    }

    #[test]
    fn what_is_not_published_changes_nothing() {
        let (_root, folder) = checkout();
        fs::create_dir(folder.join(".CI")).unwrap();
        fs::write(folder.join(".CI/config"), "CI_PACKAGE_BUMP=1.0-1").unwrap();
        assert_eq!(ask(folder.parent().unwrap(), &foo(), &[]).unwrap(), None);
        assert_eq!(config(&folder), "CI_PACKAGE_BUMP=1.0-1");
    }

    #[test]
    fn links_inside_the_checkout_are_followed_and_none_is_written_through() {
        let (_root, folder) = checkout();
        let other = folder.with_file_name("other");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("config"), "CI_FORCE_VCS=true").unwrap();
        fs::create_dir(folder.join(".CI")).unwrap();
        symlink("../../other/config", folder.join(".CI/config")).unwrap();
        ask_for(&folder).unwrap();
        assert_eq!(config(&folder), "CI_FORCE_VCS=true\nCI_PACKAGE_BUMP=1.0-1/2\n");
        assert_eq!(
            fs::read_to_string(other.join("config")).unwrap(),
            "CI_FORCE_VCS=true"
        );

        fs::remove_dir_all(folder.join(".CI")).unwrap();
        symlink("../other", folder.join(".CI")).unwrap();
        ask_for(&folder).unwrap();
        assert_eq!(config(&folder), "CI_FORCE_VCS=true\nCI_PACKAGE_BUMP=1.0-1/2\n");
    }

    #[test]
    fn nothing_is_written_outside_of_the_checkout() {
        let (root, folder) = checkout();
        let outside = root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("config"), "secret").unwrap();
        let refused = || {
            let error = ask_for(&folder).unwrap_err();
            assert!(
                matches!(&error, BuildError::Package(text) if text.contains(".CI")),
                "{error}"
            );
            assert_eq!(fs::read_to_string(outside.join("config")).unwrap(), "secret");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        };
        symlink(&outside, folder.join(".CI")).unwrap();
        refused();
        fs::remove_file(folder.join(".CI")).unwrap();
        symlink(root.path().join("nowhere"), folder.join(".CI")).unwrap();
        refused();
        fs::remove_file(folder.join(".CI")).unwrap();
        fs::create_dir(folder.join(".CI")).unwrap();
        symlink(outside.join("config"), folder.join(".CI/config")).unwrap();
        refused();
        fs::remove_file(folder.join(".CI/config")).unwrap();
        fs::create_dir(folder.join(".CI/config")).unwrap();
        refused();
        fs::remove_dir_all(folder.join(".CI")).unwrap();
        fs::write(folder.join(".CI"), "").unwrap();
        refused();
    }
}
