//! The dependency tree that CI hands to `schedule`: `pkgbase:name,name:dep,dep;…` over the whole collection.
//!
//! Names are what a package's files are called and what they provide; dependencies are names. Which of them
//! resolve to packages of the collection is the planner's business.
//!
//! Deployed CI templates write shifted entries for packages whose names hold characters that their pattern
//! drops: the dependencies stand in the second field and the third is empty. Believing such an entry makes
//! thousands of packages wait for one. It is recognised by a second field without the pkgbase beside an empty
//! third, and read as what it means. A package without dependencies that has only differently named packages
//! looks the same; for it [`DepTree::correct`] with its own `.SRCINFO` is the remedy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::relation_name;
use super::srcinfo::SrcInfo;
use crate::model::{Arch, Pkgbase};

/// Bytes of an entry that an error or a warning quotes.
const QUOTED: usize = 60;

/// The names and dependencies of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DepTree {
    /// What is known of each package.
    pub entries: BTreeMap<Pkgbase, Entry>,
    /// What looked wrong; nothing of it keeps the rest from being used.
    pub warnings: Vec<DepTreeWarning>,
}

/// One package of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// pkgnames and provisions, without versions.
    pub names: Vec<String>,
    /// Everything it depends on when it is built, without versions.
    pub deps: Vec<String>,
}

/// A text that is no dependency tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepTreeError {
    /// An entry has too few or too many fields.
    #[error(
        "dependency tree, entry {entry} at byte {offset}: {found} fields in {text:?}; expected pkgbase:names:dependencies"
    )]
    Fields {
        /// Which entry, from 1.
        entry: usize,
        /// Where it starts, in bytes.
        offset: usize,
        /// How many fields it has.
        found: usize,
        /// Its beginning.
        text: String,
    },
    /// A name holds what no name can hold.
    #[error(
        "dependency tree, entry {entry} at byte {offset}: white space or a control character in {text:?}; expected names separated by commas"
    )]
    Name {
        /// Which entry, from 1.
        entry: usize,
        /// Where the name starts, in bytes.
        offset: usize,
        /// The beginning of the name.
        text: String,
    },
}

/// Something wrong with one entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepTreeWarning {
    /// The second field seems to hold dependencies.
    #[error(
        "dependency tree, entry {entry}: the names of {pkgbase} seem to be its dependencies ({text:?}); they are read as such"
    )]
    Shifted {
        /// Which entry, from 1.
        entry: usize,
        /// The package.
        pkgbase: Pkgbase,
        /// The beginning of the field.
        text: String,
    },
    /// The first field is no pkgbase.
    #[error("dependency tree, entry {entry} is left out: {text:?} is no valid pkgbase")]
    InvalidPkgbase {
        /// Which entry, from 1.
        entry: usize,
        /// The beginning of the entry.
        text: String,
    },
    /// A pkgbase occurs again.
    #[error("dependency tree, entry {entry}: {pkgbase} occurs again; both entries are used")]
    Repeated {
        /// Which entry, from 1.
        entry: usize,
        /// The package.
        pkgbase: Pkgbase,
    },
}

impl DepTree {
    /// Reads the text that CI writes.
    ///
    /// # Errors
    /// The first entry that is not made of three fields of names.
    pub fn parse(text: &str) -> Result<Self, DepTreeError> {
        let mut tree = Self::default();
        let mut offset = 0;
        for (index, raw) in text.split(';').enumerate() {
            let leading = raw.len() - raw.trim_start().len();
            tree.read_entry(index + 1, offset + leading, raw.trim())?;
            offset += raw.len() + 1;
        }
        Ok(tree)
    }

    /// The tree of a collection, given each package folder's name and `.SRCINFO`.
    ///
    /// All dependencies count that a build for `arch` may need: run time, make and check, of the base and of
    /// every split package.
    pub fn from_srcinfos<'a>(
        packages: impl IntoIterator<Item = (&'a Pkgbase, &'a SrcInfo)>,
        arch: &Arch,
    ) -> Self {
        let entries = packages
            .into_iter()
            .map(|(folder, info)| (folder.clone(), Entry::of(info, arch)))
            .collect();
        Self {
            entries,
            warnings: Vec::new(),
        }
    }

    /// Puts what a package's own `.SRCINFO` says in the place of what the tree says.
    pub fn correct(&mut self, folder: &Pkgbase, info: &SrcInfo, arch: &Arch) {
        self.entries.insert(folder.clone(), Entry::of(info, arch));
        self.warnings.retain(|warning| match warning {
            DepTreeWarning::Shifted { pkgbase, .. } | DepTreeWarning::Repeated { pkgbase, .. } => {
                pkgbase != folder
            }
            DepTreeWarning::InvalidPkgbase { .. } => true,
        });
    }

    /// The text that CI writes; names that it cannot carry are left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (pkgbase, entry) in &self.entries {
            if !text.is_empty() {
                text.push(';');
            }
            write!(text, "{pkgbase}:{}:{}", joined(&entry.names), joined(&entry.deps))
                .expect("writing to a String cannot fail");
        }
        text
    }

    fn read_entry(&mut self, entry: usize, offset: usize, text: &str) -> Result<(), DepTreeError> {
        if text.is_empty() {
            return Ok(());
        }
        let fields: Vec<&str> = text.split(':').collect();
        let [first, second, third] = fields[..] else {
            return Err(DepTreeError::Fields {
                entry,
                offset,
                found: fields.len(),
                text: beginning(text),
            });
        };
        let second_offset = offset + first.len() + 1;
        let provided = names(second, entry, second_offset)?;
        let deps = names(third, entry, second_offset + second.len() + 1)?;
        let Ok(pkgbase) = Pkgbase::new(first) else {
            self.warnings.push(DepTreeWarning::InvalidPkgbase {
                entry,
                text: beginning(text),
            });
            return Ok(());
        };
        let read = if is_shifted(&pkgbase, &provided, &deps) {
            self.warnings.push(DepTreeWarning::Shifted {
                entry,
                pkgbase: pkgbase.clone(),
                text: beginning(second),
            });
            Entry {
                names: vec![pkgbase.to_string()],
                deps: provided,
            }
        } else {
            Entry {
                names: provided,
                deps,
            }
        };
        self.add(entry, pkgbase, read);
        Ok(())
    }

    fn add(&mut self, entry: usize, pkgbase: Pkgbase, read: Entry) {
        if let Some(known) = self.entries.get_mut(&pkgbase) {
            extend_unique(&mut known.names, read.names);
            extend_unique(&mut known.deps, read.deps);
            self.warnings.push(DepTreeWarning::Repeated { entry, pkgbase });
        } else {
            self.entries.insert(pkgbase, read);
        }
    }
}

impl Entry {
    fn of(info: &SrcInfo, arch: &Arch) -> Self {
        let mut entry = Self::default();
        let owned = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect::<Vec<_>>();
        extend_unique(
            &mut entry.names,
            info.pkgnames.iter().map(ToString::to_string).collect(),
        );
        extend_unique(&mut entry.names, owned(&mut info.provides.for_arch(arch)));
        for relations in [&info.depends, &info.makedepends, &info.checkdepends] {
            extend_unique(&mut entry.deps, owned(&mut relations.for_arch(arch)));
        }
        entry
    }
}

fn is_shifted(pkgbase: &Pkgbase, names: &[String], deps: &[String]) -> bool {
    deps.is_empty() && !names.is_empty() && !names.iter().any(|name| name == pkgbase.as_str())
}

/// The names of one field, without versions, each once.
fn names(field: &str, entry: usize, field_offset: usize) -> Result<Vec<String>, DepTreeError> {
    let mut found = Vec::new();
    let mut offset = field_offset;
    for item in field.split(',') {
        let name = item.split(['<', '>', '=']).next().unwrap_or_default().trim();
        if !name.is_empty() {
            let name = relation_name(name).ok_or_else(|| DepTreeError::Name {
                entry,
                offset,
                text: beginning(item),
            })?;
            found.push(name.to_owned());
        }
        offset += item.len() + 1;
    }
    let mut unique = Vec::with_capacity(found.len());
    extend_unique(&mut unique, found);
    Ok(unique)
}

fn extend_unique(list: &mut Vec<String>, more: Vec<String>) {
    let mut known: BTreeSet<String> = list.iter().cloned().collect();
    list.extend(more.into_iter().filter(|name| known.insert(name.clone())));
}

fn joined(names: &[String]) -> String {
    let fitting: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !name.contains([':', ';', ',']))
        .collect();
    fitting.join(",")
}

fn beginning(text: &str) -> String {
    let end = text.floor_char_boundary(QUOTED);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(tree: &DepTree, pkgbase: &str) -> Entry {
        tree.entries[&Pkgbase::new(pkgbase).unwrap()].clone()
    }

    fn of(names: &[&str], deps: &[&str]) -> Entry {
        let owned = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        Entry {
            names: owned(names),
            deps: owned(deps),
        }
    }

    #[test]
    fn fields_may_be_empty_and_versions_are_dropped() {
        let tree =
            DepTree::parse("a:a,liba.so=1-64:b>=1,c<2,b;b:b:;c::a;d::;e+x.y@z:e+x.y@z,,f:,g,;\n").unwrap();
        assert_eq!(tree.warnings, []);
        assert_eq!(tree.entries.len(), 5);
        assert_eq!(entry(&tree, "a"), of(&["a", "liba.so"], &["b", "c"]));
        assert_eq!(entry(&tree, "b"), of(&["b"], &[]));
        assert_eq!(entry(&tree, "c"), of(&[], &["a"]));
        assert_eq!(entry(&tree, "d"), of(&[], &[]));
        assert_eq!(entry(&tree, "e+x.y@z"), of(&["e+x.y@z", "f"], &["g"]));
        for empty in ["", "\n", ";", " ; \n"] {
            assert_eq!(DepTree::parse(empty), Ok(DepTree::default()), "{empty:?}");
        }
    }

    #[test]
    fn shifted_entries_do_not_provide_their_dependencies() {
        let text = "arkenfox-user.js-git:git,bash:;split:split-a,split-b:git;whole:whole:;same:x,same:";
        let tree = DepTree::parse(text).unwrap();
        assert_eq!(
            entry(&tree, "arkenfox-user.js-git"),
            of(&["arkenfox-user.js-git"], &["git", "bash"])
        );
        assert_eq!(entry(&tree, "split"), of(&["split-a", "split-b"], &["git"]));
        let warnings: Vec<String> = tree.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("entry 1: the names of arkenfox-user.js-git"),
            "{}",
            warnings[0]
        );
    }

    #[test]
    fn a_packages_own_srcinfo_wins() {
        let folder = Pkgbase::new("c++utilities").unwrap();
        let mut tree = DepTree::parse("c++utilities:cmake,glibc:").unwrap();
        let info = SrcInfo::parse(
            &folder,
            "pkgbase = c++utilities\n pkgver = 1\n pkgrel = 1\n arch = x86_64\n makedepends = cmake\n \
             checkdepends = cppunit\n provides = libc++utilities.so\npkgname = c++utilities\n depends = glibc\n",
        );
        let arch = Arch::new("x86_64").unwrap();
        tree.correct(&folder, &info, &arch);
        let expected = of(
            &["c++utilities", "libc++utilities.so"],
            &["glibc", "cmake", "cppunit"],
        );
        assert_eq!(entry(&tree, "c++utilities"), expected);
        assert_eq!(tree.warnings, []);
        assert_eq!(DepTree::from_srcinfos([(&folder, &info)], &arch), tree);
        assert_eq!(
            tree.to_text(),
            "c++utilities:c++utilities,libc++utilities.so:glibc,cmake,cppunit"
        );
    }

    #[test]
    fn odd_entries_are_warnings_and_the_rest_counts() {
        let tree = DepTree::parse("Bad:Bad:x;:y:z;a:a:b;a:a,c:d").unwrap();
        assert_eq!(tree.entries.len(), 1);
        assert_eq!(entry(&tree, "a"), of(&["a", "c"], &["b", "d"]));
        assert!(matches!(
            tree.warnings[..],
            [
                DepTreeWarning::InvalidPkgbase { entry: 1, .. },
                DepTreeWarning::InvalidPkgbase { entry: 2, .. },
                DepTreeWarning::Repeated { entry: 4, .. },
            ]
        ));
    }

    #[test]
    fn a_text_that_is_no_tree_is_refused_with_its_place() {
        let long = "x".repeat(500);
        let cases = [
            ("a:a:;b:b", "entry 2 at byte 5: 2 fields in \"b:b\""),
            (
                "a:a:;\n b:b:c>=1:2;",
                "entry 2 at byte 7: 4 fields in \"b:b:c>=1:2\"",
            ),
            ("hello", "entry 1 at byte 0: 1 fields in \"hello\""),
            (
                "a:a:b,c d",
                "entry 1 at byte 6: white space or a control character in \"c d\"",
            ),
            ("ä:ö\u{0}:", "entry 1 at byte 3: white space"),
            (long.as_str(), "xxx…\"; expected pkgbase:names:dependencies"),
        ];
        for (text, expected) in cases {
            let error = DepTree::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.len() < 250, "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}|[a-c:;,>=\n ]{0,40}") {
            let _ = DepTree::parse(&text);
        }

        #[test]
        fn what_is_written_is_read_again(
            packages in prop::collection::btree_map(
                "[a-z0-9@_+][a-z0-9@._+-]{0,8}",
                (prop::collection::btree_set("[a-z.+]{1,5}", 0..4), prop::collection::btree_set("[a-z.+]{1,5}", 0..4)),
                0..8,
            ),
        ) {
            let entries = packages.into_iter().map(|(pkgbase, (names, deps))| {
                let mut names: Vec<String> = names.into_iter().filter(|name| *name != pkgbase).collect();
                names.push(pkgbase.clone());
                (Pkgbase::new(pkgbase).unwrap(), Entry { names, deps: deps.into_iter().collect() })
            });
            let tree = DepTree { entries: entries.collect(), warnings: Vec::new() };
            prop_assert_eq!(DepTree::parse(&tree.to_text()), Ok(tree));
        }
    }
}
