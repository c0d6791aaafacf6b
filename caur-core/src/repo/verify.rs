//! Which packages may be published under which name. Pure: what is on disk and in the database is given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::compression::Compression;
use super::database::{Index, Listed, read_index};
use super::intake::TakenIn;
use super::package::Package;
use super::{Attitude, Policy, Refusal, RepoError};
use crate::model::{Manifest, Pkgbase, Pkgname};

/// The names that belong to the distribution, and who may use some of them all the same.
#[derive(Debug, Clone, Default)]
pub struct ProtectedNames {
    names: BTreeSet<String>,
    allowed: BTreeMap<Pkgbase, BTreeSet<Pkgname>>,
}

impl ProtectedNames {
    /// Protects one name.
    pub fn protect(&mut self, name: Pkgname) {
        self.names.insert(name.into());
    }

    /// Protects every name in the database at `path`, such as a copy of `core.db`.
    ///
    /// # Errors
    /// When it cannot be relied on.
    pub fn protect_database(&mut self, path: &Path) -> Result<(), RepoError> {
        let index = read_index(path).map_err(|source| RepoError::Database {
            path: path.to_owned(),
            source,
        })?;
        self.names.extend(index.into_keys());
        Ok(())
    }

    /// Lets `pkgbase` publish the package `name` although it is protected.
    pub fn allow(&mut self, pkgbase: Pkgbase, name: Pkgname) {
        self.allowed.entry(pkgbase).or_default().insert(name);
    }

    fn forbids(&self, pkgbase: &Pkgbase, name: &Pkgname) -> bool {
        self.names.contains(name.as_str())
            && !self
                .allowed
                .get(pkgbase)
                .is_some_and(|names| names.contains(name))
    }
}

/// What the rules depend on besides the package.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Names of the distribution.
    pub protected: &'a ProtectedNames,
    /// What uploads are held to.
    pub policy: &'a Policy,
}

/// A package that may be published.
#[derive(Debug)]
pub struct Verified {
    /// The package in the private folder.
    pub taken: TakenIn,
    /// Its name.
    pub pkgname: Pkgname,
    /// Whether the database lists this very file already.
    pub listed: bool,
}

/// Checks the packages of one upload against each other, the job and the database.
///
/// `same_content` says whether a file that the database lists, without stating its hash, has the given one.
///
/// # Errors
/// The first rule that one of them breaks.
pub fn verify(
    manifest: &Manifest,
    packages: Vec<TakenIn>,
    index: &Index,
    rules: Rules<'_>,
    same_content: impl Fn(&Listed, &Package) -> bool,
) -> Result<Vec<Verified>, Refusal> {
    let mut names = BTreeSet::new();
    let mut verified = Vec::new();
    for taken in packages {
        let pkgname = check_identity(manifest, &taken)?;
        let file = &taken.file_name;
        if !names.insert(pkgname.clone()) {
            return Err(Refusal::Twice(pkgname.to_string()));
        }
        if pkgname.as_str().ends_with("-debug") && rules.policy.debug_packages == Attitude::Refuse {
            return Err(Refusal::Debug(file.clone()));
        }
        if rules.protected.forbids(&manifest.pkgbase, &pkgname) {
            let pkgbase = manifest.pkgbase.clone();
            return Err(Refusal::Protected {
                file: file.clone(),
                pkgname: pkgname.to_string(),
                pkgbase,
            });
        }
        let listed = match index.get(pkgname.as_str()) {
            Some(listed) if listed.pkgbase != manifest.pkgbase.as_str() => {
                let owner = listed.pkgbase.clone();
                return Err(Refusal::Owned {
                    file: file.clone(),
                    pkgname: pkgname.to_string(),
                    owner,
                });
            }
            Some(listed) if listed.file_name == *file => {
                if !same_content(listed, &taken.package) {
                    return Err(Refusal::OtherContent(file.clone()));
                }
                true
            }
            Some(_) | None => false,
        };
        verified.push(Verified {
            taken,
            pkgname,
            listed,
        });
    }
    Ok(verified)
}

fn check_identity(manifest: &Manifest, taken: &TakenIn) -> Result<Pkgname, Refusal> {
    let (file, info) = (&taken.file_name, &taken.package.info);
    let bad = |what, value: &str, expected| Refusal::BadValue {
        file: file.clone(),
        what,
        value: value.to_owned(),
        expected,
    };
    let pkgname =
        Pkgname::new(info.pkgname()).map_err(|error| bad("pkgname", info.pkgname(), error.expected))?;
    if !is_version(info.version()) {
        let expected = "[epoch:]pkgver-pkgrel of letters, digits and any of @ . _ + ~ ^ =";
        return Err(bad("version", info.version(), expected));
    }
    if info.pkgbase() != manifest.pkgbase.as_str() {
        return Err(Refusal::OtherPkgbase {
            file: file.clone(),
            expected: manifest.pkgbase.clone(),
            found: info.pkgbase().to_owned(),
        });
    }
    if info.arch() != "any" && info.arch() != manifest.target.arch.as_str() {
        return Err(Refusal::OtherArch {
            file: file.clone(),
            expected: manifest.target.clone(),
            found: info.arch().to_owned(),
        });
    }
    let expected = format!("{pkgname}-{}-{}.pkg.tar.zst", info.version(), info.arch());
    if *file != expected {
        return Err(Refusal::FileName {
            file: file.clone(),
            expected,
        });
    }
    if taken.package.compression != Compression::Zstd {
        return Err(Refusal::NotZstd(file.clone()));
    }
    Ok(pkgname)
}

/// Versions become names of folders and files, so they are held to what makepkg and common sense allow.
fn is_version(version: &str) -> bool {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let Some((pkgver, pkgrel)) = rest.split_once('-') else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(epoch)
        && pkgrel.split('.').all(digits)
        && !pkgver.is_empty()
        && pkgver
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"@._+~^=".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_makepkg() {
        for good in ["1-1", "1:2.0-1", "r12.abc+3-1.2", "20240101~rc1-10", "1_2^git-1"] {
            assert!(is_version(good), "{good}");
        }
        for bad in [
            "", "1", "-1", "1-", "a:1-1", ":1-1", "1-1-1", "1/2-1", "1 2-1", "$(x)-1", "1-a", "1-1.", "ä-1",
            "1:1:1-1",
        ] {
            assert!(!is_version(bad), "{bad:?}");
        }
    }
}
