//! Which published packages need libraries that nobody has, and who needs which library.
//!
//! A library is there if any package of the repository or of the given databases has a file of that name, or says
//! that it provides it; where the file lies does not matter, since packages tell the loader where to look. That a
//! library is *nowhere* is certain where the files of the other repositories are known. Where they are not, it is
//! still certain that a package breaks if it depends on the one that now has another version of the library.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Published;
use super::dependencies::{Dependency, Supplies};
use super::elf::Bits;
use super::finding::{Finding, OtherVersion};
use super::libraries::{Needed, base_name};
use super::shelf::{Shelf, stem};
use super::upstream::Upstream;

/// A shared library with the packages of the repository that have and need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Library {
    /// Its soname, or the name of its file where it has none.
    pub name: String,
    /// For 32 or 64 bits.
    pub bits: Bits,
    /// The packages that have it; none where it comes from elsewhere.
    pub providers: Vec<String>,
    /// The other packages that need it.
    pub dependants: Vec<String>,
}

/// The shared libraries of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SonameReport {
    /// By name. What only the package needs that has it is left out, unless every program finds it.
    pub libraries: Vec<Library>,
    /// How many packages were read for this.
    pub packages_read: usize,
    /// How many packages were remembered from an earlier check.
    pub packages_remembered: usize,
}

impl SonameReport {
    /// The libraries meant by `library`: a soname (`libfoo.so.1`), a name without version (`libfoo.so`, `libfoo`). Their
    /// dependants break when the library changes.
    pub fn dependants_of(&self, library: &str) -> impl Iterator<Item = &Library> {
        let bare = library.strip_suffix(".so").unwrap_or(library);
        self.libraries
            .iter()
            .filter(move |known| known.name == library || stem(&known.name) == bare)
    }

    /// Lists the libraries of `packages`.
    #[must_use]
    pub(super) fn of(packages: &[Published], arch: &str) -> Self {
        let place = Shelf::new(arch);
        let mut libraries: BTreeMap<(&str, Bits), Users<'_>> = BTreeMap::new();
        let mut public = BTreeSet::new();
        for (package, found) in with_libraries(packages) {
            for library in found.provided.iter().filter(|library| place.runs(library.abi)) {
                let name = library
                    .soname
                    .as_deref()
                    .unwrap_or_else(|| base_name(&library.path));
                libraries
                    .entry((name, library.abi.bits))
                    .or_default()
                    .providers
                    .insert(&package.name);
                if place.is_public(&library.path) {
                    public.insert((name, library.abi.bits));
                }
            }
            for needed in found.needed.iter().filter(|needed| place.runs(needed.abi)) {
                let key = (base_name(&needed.name), needed.abi.bits);
                libraries.entry(key).or_default().dependants.insert(&package.name);
            }
        }
        let libraries = libraries.into_iter().filter_map(|(key, users)| {
            let dependants = own(users.dependants.difference(&users.providers));
            (!dependants.is_empty() || public.contains(&key)).then(|| Library {
                name: key.0.to_owned(),
                bits: key.1,
                providers: own(users.providers.iter()),
                dependants,
            })
        });
        Self {
            libraries: libraries.collect(),
            ..Self::default()
        }
    }
}

/// Who has a library and who needs it.
#[derive(Default)]
struct Users<'a> {
    providers: BTreeSet<&'a str>,
    dependants: BTreeSet<&'a str>,
}

fn own<'a, 'b: 'a>(names: impl Iterator<Item = &'a &'b str>) -> Vec<String> {
    names.map(|&name| name.to_owned()).collect()
}

fn with_libraries(
    packages: &[Published],
) -> impl Iterator<Item = (&Published, &super::libraries::Libraries)> {
    packages
        .iter()
        .filter_map(|package| Some((package, package.libraries.as_ref()?)))
}

/// The libraries that `packages` need and neither they nor `upstream` have.
#[must_use]
pub fn check(packages: &[Published], supplies: &Supplies, upstream: &Upstream, arch: &str) -> Vec<Finding> {
    let mut shelf = Shelf::new(arch);
    for package in packages {
        if let Some(libraries) = &package.libraries {
            shelf.add_libraries(&package.name, libraries);
        }
        shelf.add_provides(&package.name, &package.provides);
    }
    let mut findings = Vec::new();
    for (package, libraries) in with_libraries(packages) {
        for needed in libraries.needed.iter().filter(|needed| shelf.runs(needed.abi)) {
            let (name, bits) = (base_name(&needed.name), needed.abi.bits);
            if !shelf.has(name, bits) && !upstream.shelf.has(name, bits) {
                findings.extend(missing(
                    package,
                    needed,
                    &[&shelf, &upstream.shelf],
                    supplies,
                    upstream,
                ));
            }
        }
    }
    findings
}

fn missing(
    package: &Published,
    needed: &Needed,
    shelves: &[&Shelf],
    supplies: &Supplies,
    upstream: &Upstream,
) -> Option<Finding> {
    let (name, bits) = (base_name(&needed.name), needed.abi.bits);
    let depended_on: BTreeSet<&str> = package
        .depends
        .iter()
        .map(|text| Dependency::parse(text).name)
        .flat_map(|name| supplies.packages(name).chain(upstream.supplies.packages(name)))
        .collect();
    let complete = upstream.is_complete(bits);
    let mut others: Vec<(&str, &str)> = shelves
        .iter()
        .flat_map(|s| s.other_versions(name, bits))
        .collect();
    // Where one of them is what the package depends on, that one is meant.
    let direct = owned_by(&others, &depended_on);
    let certain = complete || !direct.is_empty();
    if !direct.is_empty() {
        others = direct;
    } else if others.is_empty() && complete {
        let similar: Vec<_> = shelves.iter().flat_map(|s| s.similar(name, bits)).collect();
        others = owned_by(&similar, &depended_on);
    }
    others.sort_unstable();
    let others: Vec<OtherVersion> = others
        .into_iter()
        .map(|(package, library)| OtherVersion {
            package: package.to_owned(),
            library: library.to_owned(),
        })
        .collect();
    let (package, file, library) = (package.name.clone(), needed.by.clone(), needed.name.clone());
    match others.as_slice() {
        [] => complete.then_some(Finding::SonameMissing {
            package,
            file,
            library,
            bits,
        }),
        [_, ..] => Some(Finding::SonameBroken {
            package,
            file,
            library,
            bits,
            others,
            certain,
        }),
    }
}

fn owned_by<'a>(libraries: &[(&'a str, &'a str)], packages: &BTreeSet<&str>) -> Vec<(&'a str, &'a str)> {
    let owned = |(owner, _): &(&str, &str)| packages.contains(owner);
    libraries.iter().copied().filter(owned).collect()
}
