//! Which packages may be published under which name. Pure: what is on disk and in the database is given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::compression::Compression;
use super::database::{Index, Listed, read_index};
use super::intake::TakenIn;
use super::package::Package;
use super::{Attitude, Policy, Refusal, RepoError, vercmp};
use crate::model::{Manifest, Pkgbase, Pkgname, Target};

/// The names that belong to the distribution, and who may use some of them all the same.
#[derive(Debug, Clone, Default)]
pub struct ProtectedNames {
    names: BTreeSet<String>,
    allowed: BTreeMap<Pkgbase, BTreeSet<Pkgname>>,
    allowed_all: BTreeSet<Pkgbase>,
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

    /// Lets `pkgbase` publish packages of any name, protected or not.
    pub fn allow_all(&mut self, pkgbase: Pkgbase) {
        self.allowed_all.insert(pkgbase);
    }

    fn forbids(&self, pkgbase: &Pkgbase, name: &Pkgname) -> bool {
        let allows = || {
            let names = self.allowed.get(pkgbase);
            self.allowed_all.contains(pkgbase) || names.is_some_and(|names| names.contains(name))
        };
        self.names.contains(name.as_str()) && !allows()
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

/// What an operator who adds packages by hand may do beyond what a job may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Liberties {
    /// Use names of the distribution.
    pub protected_names: bool,
    /// Take names over from other pkgbases.
    pub owned_names: bool,
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
/// `may_move` says whether a package may leave the pkgbase under which the database lists it. `same_content` says
/// whether a file that the database lists, without stating its hash, has the given one.
///
/// # Errors
/// The first rule that one of them breaks.
pub fn verify(
    manifest: &Manifest,
    packages: Vec<TakenIn>,
    index: &Index,
    rules: Rules<'_>,
    may_move: impl Fn(&Pkgname, &str) -> bool,
    same_content: impl Fn(&Listed, &Package) -> bool,
) -> Result<Vec<Verified>, Refusal> {
    verify_each(packages, index, rules, may_move, same_content, |taken| {
        let pkgname = check_identity(
            taken,
            &manifest.target,
            Some(&manifest.pkgbase),
            Compression::Zstd,
        )?;
        if taken.package.compression != Compression::Zstd {
            return Err(Refusal::NotZstd(taken.file_name.clone()));
        }
        check_protected(taken, &manifest.pkgbase, &pkgname, rules.protected)?;
        Ok((pkgname, manifest.pkgbase.clone()))
    })
}

/// Checks packages that an operator adds: each is of the pkgbase that it names itself, in any compression.
///
/// # Errors
/// The first rule that one of them breaks.
pub fn verify_by_hand(
    target: &Target,
    packages: Vec<TakenIn>,
    index: &Index,
    rules: Rules<'_>,
    liberties: Liberties,
    same_content: impl Fn(&Listed, &Package) -> bool,
) -> Result<Vec<Verified>, Refusal> {
    let may_move = |_: &Pkgname, _: &str| liberties.owned_names;
    verify_each(packages, index, rules, may_move, same_content, |taken| {
        let pkgname = check_identity(taken, target, None, taken.package.compression)?;
        let stated = taken.package.info.pkgbase();
        let pkgbase = Pkgbase::new(stated)
            .map_err(|error| bad_value(&taken.file_name, "pkgbase", stated, error.expected))?;
        if !liberties.protected_names {
            check_protected(taken, &pkgbase, &pkgname, rules.protected)?;
        }
        Ok((pkgname, pkgbase))
    })
}

/// What holds for every package, after `identify` has found out whose and which it is.
fn verify_each(
    packages: Vec<TakenIn>,
    index: &Index,
    rules: Rules<'_>,
    may_move: impl Fn(&Pkgname, &str) -> bool,
    same_content: impl Fn(&Listed, &Package) -> bool,
    identify: impl Fn(&TakenIn) -> Result<(Pkgname, Pkgbase), Refusal>,
) -> Result<Vec<Verified>, Refusal> {
    let mut names = BTreeSet::new();
    let mut verified = Vec::new();
    for taken in packages {
        let (pkgname, pkgbase) = identify(&taken)?;
        let file = &taken.file_name;
        if !names.insert(pkgname.clone()) {
            return Err(Refusal::Twice(pkgname.to_string()));
        }
        let listed = match index.get(pkgname.as_str()) {
            Some(listed) if listed.pkgbase != pkgbase.as_str() && !may_move(&pkgname, &listed.pkgbase) => {
                return Err(Refusal::Owned {
                    file: file.clone(),
                    pkgname: pkgname.to_string(),
                    owner: listed.pkgbase.clone(),
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
        // What is published already is no news, whatever the policy has become since.
        if !listed {
            check_policy(&taken, &pkgname, index.get(pkgname.as_str()), rules.policy)?;
        }
        verified.push(Verified {
            taken,
            pkgname,
            listed,
        });
    }
    Ok(verified)
}

/// Checks that the package, its file name and the place where it is to go agree; `pkgbase` is the job's.
fn check_identity(
    taken: &TakenIn,
    target: &Target,
    pkgbase: Option<&Pkgbase>,
    compression: Compression,
) -> Result<Pkgname, Refusal> {
    let (file, info) = (&taken.file_name, &taken.package.info);
    let pkgname = Pkgname::new(info.pkgname())
        .map_err(|error| bad_value(file, "pkgname", info.pkgname(), error.expected))?;
    if !is_version(info.version()) {
        let expected = "[epoch:]pkgver-pkgrel of letters, digits and any of @ . _ + ~ ^ =";
        return Err(bad_value(file, "version", info.version(), expected));
    }
    if let Some(expected) = pkgbase.filter(|pkgbase| pkgbase.as_str() != info.pkgbase()) {
        return Err(Refusal::OtherPkgbase {
            file: file.clone(),
            expected: expected.clone(),
            found: info.pkgbase().to_owned(),
        });
    }
    if info.arch() != "any" && info.arch() != target.arch.as_str() {
        return Err(Refusal::OtherArch {
            file: file.clone(),
            expected: target.clone(),
            found: info.arch().to_owned(),
        });
    }
    let (version, arch, suffix) = (info.version(), info.arch(), compression.suffix());
    let expected = format!("{pkgname}-{version}-{arch}.pkg.tar{suffix}");
    if *file != expected {
        return Err(Refusal::FileName {
            file: file.clone(),
            expected,
        });
    }
    Ok(pkgname)
}

fn check_protected(
    taken: &TakenIn,
    pkgbase: &Pkgbase,
    pkgname: &Pkgname,
    protected: &ProtectedNames,
) -> Result<(), Refusal> {
    if protected.forbids(pkgbase, pkgname) {
        return Err(Refusal::Protected {
            file: taken.file_name.clone(),
            pkgname: pkgname.to_string(),
            pkgbase: pkgbase.clone(),
        });
    }
    Ok(())
}

fn check_policy(
    taken: &TakenIn,
    pkgname: &Pkgname,
    listed: Option<&Listed>,
    policy: &Policy,
) -> Result<(), Refusal> {
    let (file, info) = (taken.file_name.clone(), &taken.package.info);
    let refused = |attitude, key| match attitude {
        Attitude::Accept => None,
        Attitude::Refuse => {
            let values: Vec<&str> = info.all(key).filter(|value| !value.is_empty()).collect();
            Some(values.join(", ")).filter(|values| !values.is_empty())
        }
    };
    if policy.debug_packages == Attitude::Refuse && pkgname.as_str().ends_with("-debug") {
        return Err(Refusal::Debug(file));
    }
    if let Some(values) = refused(policy.replaces, "replaces") {
        return Err(Refusal::Replaces { file, values });
    }
    if let Some(values) = refused(policy.groups, "group") {
        return Err(Refusal::Groups { file, values });
    }
    if let Some(values) = refused(policy.conflicts, "conflict") {
        return Err(Refusal::Conflicts { file, values });
    }
    match listed {
        Some(listed)
            if policy.downgrades == Attitude::Refuse && vercmp(info.version(), &listed.version).is_lt() =>
        {
            Err(Refusal::Downgrade {
                file,
                version: info.version().to_owned(),
                published: listed.version.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

fn bad_value(file: &str, what: &'static str, value: &str, expected: &'static str) -> Refusal {
    Refusal::BadValue {
        file: file.to_owned(),
        what,
        value: value.to_owned(),
        expected,
    }
}

/// Versions become names of folders and files, so they are held to what makepkg and common sense allow.
fn is_version(version: &str) -> bool {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let Some((pkgver, pkgrel)) = rest.split_once('-') else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(epoch)
        && pkgrel.splitn(2, '.').all(digits)
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
            "", "1", "-1", "1-", "a:1-1", ":1-1", "1-1-1", "1/2-1", "1 2-1", "$(x)-1", "1-a", "1-1.",
            "1-1.2.3", "1-r1", "ä-1", "1:1:1-1",
        ] {
            assert!(!is_version(bad), "{bad:?}");
        }
    }
}
