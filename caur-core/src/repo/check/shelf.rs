//! Which package has which shared library, from whatever is known of it: the libraries themselves, paths of
//! files, or what packages say that they provide.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::Dependency;
use super::elf::{Abi, Bits};
use super::libraries::{Libraries, base_name, is_library_name};

const SIXTY_FOUR_BITS: [&str; 7] = [
    "x86_64",
    "x86_64_v3",
    "x86_64_v4",
    "aarch64",
    "riscv64",
    "loong64",
    "powerpc64le",
];

/// Libraries by name.
#[derive(Debug, Default)]
pub struct Shelf {
    arch: String,
    packages: Vec<String>,
    names: BTreeMap<Box<str>, Vec<Holder>>,
    /// Names by stem.
    stems: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    /// Names by what is left of the stem without a version, where that is less.
    loose_stems: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    /// For how many bits there are libraries that every program finds.
    public_bits: BTreeSet<Bits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    /// Its place in `packages`.
    package: u32,
    /// `None` where that is not known: it counts for both.
    bits: Option<Bits>,
    /// Whether every program finds it, and not only those of its own package.
    public: bool,
}

impl Shelf {
    /// An empty one, for a repository of this architecture.
    #[must_use]
    pub fn new(arch: &str) -> Self {
        Self {
            arch: arch.to_owned(),
            ..Self::default()
        }
    }

    /// Whether code for `abi` runs where the repository's packages are installed. What does not is data, such as
    /// the libraries of a cross compiler.
    #[must_use]
    pub fn runs(&self, abi: Abi) -> bool {
        use elf::abi::{EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_PPC64, EM_RISCV, EM_X86_64};
        let machines: &[(u16, Bits)] = match self.arch.as_str() {
            "aarch64" => &[(EM_AARCH64, Bits::SixtyFour), (EM_ARM, Bits::ThirtyTwo)],
            "arm" | "armv6h" | "armv7h" => &[(EM_ARM, Bits::ThirtyTwo)],
            "i486" | "i686" | "pentium4" => &[(EM_386, Bits::ThirtyTwo)],
            "loong64" => &[(EM_LOONGARCH, Bits::SixtyFour)],
            "powerpc64le" => &[(EM_PPC64, Bits::SixtyFour)],
            "riscv64" => &[(EM_RISCV, Bits::SixtyFour)],
            name if name.starts_with("x86_64") => &[(EM_X86_64, Bits::SixtyFour), (EM_386, Bits::ThirtyTwo)],
            _ => return true,
        };
        machines.contains(&(abi.machine, abi.bits))
    }

    /// Whether every program finds a library at `path`, and not only those that are told to look there.
    #[must_use]
    pub fn is_public(&self, path: &str) -> bool {
        self.place(path).1
    }

    /// Puts the libraries of a package here.
    pub fn add_libraries(&mut self, package: &str, libraries: &Libraries) {
        for library in &libraries.provided {
            if !self.runs(library.abi) {
                continue;
            }
            let (_, public) = self.place(&library.path);
            let names = [
                Some(base_name(&library.path)),
                library.soname.as_deref().map(base_name),
            ];
            for name in names.into_iter().flatten() {
                self.add(name, package, Some(library.abi.bits), public);
            }
        }
        for path in &libraries.named {
            self.add_path(package, path);
        }
    }

    /// Puts what a package says that it provides here, as far as it is about libraries: `libfoo.so=3-64`, as
    /// makepkg writes it for the soname `libfoo.so.3`, or `lib:libfoo.so.3`, as pacman 7 does.
    pub fn add_provides(&mut self, package: &str, provides: &[String]) {
        for (name, bits) in provides
            .iter()
            .filter_map(|text| self.provided(text))
            .collect::<Vec<_>>()
        {
            self.add(&name, package, bits, true);
        }
    }

    /// Puts the file at `path` here if it is named like a library.
    pub fn add_path(&mut self, package: &str, path: &str) {
        if is_library_name(base_name(path)) {
            let (bits, public) = self.place(path);
            self.add(base_name(path), package, bits, public);
        }
    }

    fn provided(&self, text: &str) -> Option<(String, Option<Bits>)> {
        match text.split_once(':') {
            Some(("lib", soname)) => return Some((soname.to_owned(), Some(self.native()))),
            Some(("lib32", soname)) => return Some((soname.to_owned(), Some(Bits::ThirtyTwo))),
            Some(_) | None => {}
        }
        let provided = Dependency::parse(text);
        if !is_library_name(provided.name) {
            return None;
        }
        let Some(version) = provided.exact_version() else {
            return Some((provided.name.to_owned(), None));
        };
        let (version, bits) = match version.rsplit_once('-') {
            Some((version, "64")) => (version, Some(Bits::SixtyFour)),
            Some((version, "32")) => (version, Some(Bits::ThirtyTwo)),
            Some(_) | None => (version, None),
        };
        // Of a soname that has no version after its suffix makepkg gives the whole name as the version.
        if is_library_name(version) {
            return Some((version.to_owned(), bits));
        }
        Some((format!("{}.{version}", provided.name), bits))
    }

    fn native(&self) -> Bits {
        if SIXTY_FOUR_BITS.contains(&self.arch.as_str()) {
            Bits::SixtyFour
        } else {
            Bits::ThirtyTwo
        }
    }

    /// What the folder of a library tells: for how many bits it is, and whether every program finds it there.
    fn place(&self, path: &str) -> (Option<Bits>, bool) {
        match path.rsplit_once('/').map_or("", |(folder, _)| folder) {
            "usr/lib32" | "lib32" => (Some(Bits::ThirtyTwo), true),
            "usr/lib" | "lib" | "usr/lib64" | "lib64" => (Some(self.native()), true),
            _ => (None, false),
        }
    }

    fn add(&mut self, name: &str, package: &str, bits: Option<Bits>, public: bool) {
        // Packages come one after the other.
        if self.packages.last().is_none_or(|last| last != package) {
            self.packages.push(package.to_owned());
        }
        let Ok(package) = u32::try_from(self.packages.len() - 1) else {
            return;
        };
        let holder = Holder {
            package,
            bits,
            public,
        };
        match self.names.get_mut(name) {
            Some(holders) if holders.contains(&holder) => return,
            Some(holders) => holders.push(holder),
            None => {
                self.names.insert(name.into(), vec![holder]);
            }
        }
        if public {
            self.public_bits.extend(bits);
            let stem = stem(name);
            self.stems.entry(stem.into()).or_default().insert(name.into());
            self.loose_stems
                .entry(loose_stem(stem).into())
                .or_default()
                .insert(name.into());
        }
    }

    /// Whether some package has the library.
    #[must_use]
    pub fn has(&self, name: &str, bits: Bits) -> bool {
        self.holders(name, bits).next().is_some()
    }

    fn holders(&self, name: &str, bits: Bits) -> impl Iterator<Item = &Holder> {
        let holders = self.names.get(name).map_or(&[][..], Vec::as_slice);
        holders
            .iter()
            .filter(move |holder| holder.bits.is_none_or(|own| own == bits))
    }

    /// Whether some package has any library for so many bits where every program finds it.
    #[must_use]
    pub fn has_public(&self, bits: Bits) -> bool {
        self.public_bits.contains(&bits)
    }

    /// The same library in other versions, as (package, name): `libfoo.so.3` for `libfoo.so.2`.
    #[must_use]
    pub fn other_versions(&self, name: &str, bits: Bits) -> Vec<(&str, &str)> {
        self.public_of(self.stems.get(stem(name)), name, bits)
    }

    /// Libraries that may be the same in other versions, as (package, name): `libfoo1.2.so.3` for `libfoo1.1.so.3`,
    /// but also `libbar-4.so` for `libbar-3.so`, which some projects have side by side.
    #[must_use]
    pub fn similar(&self, name: &str, bits: Bits) -> Vec<(&str, &str)> {
        self.public_of(self.loose_stems.get(loose_stem(stem(name))), name, bits)
    }

    fn public_of<'a>(
        &'a self,
        names: Option<&'a BTreeSet<Box<str>>>,
        except: &str,
        bits: Bits,
    ) -> Vec<(&'a str, &'a str)> {
        let names = names.into_iter().flatten().filter(|name| &***name != except);
        let mut found: Vec<_> = names
            .flat_map(|name| self.holders(name, bits).map(move |holder| (holder, name)))
            .filter(|(holder, _)| holder.public)
            .map(|(holder, name)| (self.packages[holder.package as usize].as_str(), &**name))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A library's name without its version: `libfoo` of `libfoo.so.1.2`, `libbfd` of `libbfd-2.40.so`. A number before
/// the suffix belongs to the name where the version comes after it: `libgtk-3` of `libgtk-3.so.0`.
#[must_use]
pub fn stem(name: &str) -> &str {
    match name.split_once(".so") {
        Some((stem, "")) => match stem.rsplit_once('-') {
            Some((stem, version)) if !stem.is_empty() && is_version(version) => stem,
            Some(_) | None => stem,
        },
        Some((stem, _)) => stem,
        None => name,
    }
}

fn loose_stem(stem: &str) -> &str {
    let shorter = stem
        .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
        .trim_end_matches(['-', '_']);
    if shorter.is_empty() { stem } else { shorter }
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_versions() {
        for (name, expected) in [
            ("libfoo.so", "libfoo"),
            ("libfoo.so.1.2", "libfoo"),
            ("libbfd-2.40.so", "libbfd"),
            ("libgtk-3.so.0", "libgtk-3"),
            ("ld-linux-x86-64.so.2", "ld-linux-x86-64"),
            ("libpython3.11.so.1.0", "libpython3.11"),
            ("odd", "odd"),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
        assert_eq!(loose_stem("libpython3.11"), "libpython");
        assert_eq!(loose_stem("3"), "3");
    }

    #[test]
    fn what_packages_provide_is_read_in_every_form_that_makepkg_writes() {
        let shelf = Shelf::new("x86_64");
        for (text, expected) in [
            ("libfoo.so=3-64", Some(("libfoo.so.3", Some(Bits::SixtyFour)))),
            ("libfoo.so=3.1-32", Some(("libfoo.so.3.1", Some(Bits::ThirtyTwo)))),
            (
                "libfoo-2.so=libfoo-2.so-64",
                Some(("libfoo-2.so", Some(Bits::SixtyFour))),
            ),
            ("libfoo.so=3", Some(("libfoo.so.3", None))),
            ("libfoo.so", Some(("libfoo.so", None))),
            ("lib:libfoo.so.3", Some(("libfoo.so.3", Some(Bits::SixtyFour)))),
            ("lib32:libfoo.so.3", Some(("libfoo.so.3", Some(Bits::ThirtyTwo)))),
            ("foo=3-64", None),
            ("perl:Foo=1", None),
        ] {
            let expected = expected.map(|(name, bits)| (name.to_owned(), bits));
            assert_eq!(shelf.provided(text), expected, "{text}");
        }
    }

    #[test]
    fn the_folder_tells_the_bits_and_who_finds_a_library() {
        let mut shelf = Shelf::new("x86_64");
        for path in [
            "usr/lib32/liba.so.1",
            "usr/lib/libb.so.1",
            "opt/c/libc.so.1",
            "usr/lib/libd.so.conf/",
        ] {
            shelf.add_path("p", path);
        }
        let has = |name| (shelf.has(name, Bits::ThirtyTwo), shelf.has(name, Bits::SixtyFour));
        assert_eq!(has("liba.so.1"), (true, false));
        assert_eq!(has("libb.so.1"), (false, true));
        assert_eq!(has("libc.so.1"), (true, true));
        assert_eq!(has("libd.so.conf"), (false, false));
        assert_eq!(
            shelf.other_versions("libb.so.2", Bits::SixtyFour),
            [("p", "libb.so.1")]
        );
        assert_eq!(shelf.other_versions("libb.so.2", Bits::ThirtyTwo), []);
        assert_eq!(
            shelf.other_versions("libc.so.2", Bits::SixtyFour),
            [],
            "it is the package's own affair"
        );
        let mut arm = Shelf::new("armv7h");
        arm.add_path("p", "usr/lib/libb.so.1");
        assert!(arm.has("libb.so.1", Bits::ThirtyTwo));
        assert!(!arm.has("libb.so.1", Bits::SixtyFour));
    }
}
