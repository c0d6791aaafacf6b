//! The databases of other repositories, which supply what the checked one does not have itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::super::RepoError;
use super::super::database::{DatabaseError, Listed, for_each_entry};
use super::dependencies::Supplies;
use super::elf::Bits;
use super::shelf::Shelf;

/// What other repositories have.
#[derive(Debug, Default)]
pub struct Upstream {
    /// What satisfies dependencies.
    pub supplies: Supplies,
    /// Their libraries.
    pub shelf: Shelf,
    /// Whether for each package its files are known, not only its entry.
    files_known: bool,
}

impl Upstream {
    /// Reads databases; whether one lists files shows in its content.
    ///
    /// # Errors
    /// When one of them cannot be read or relied on.
    pub fn read(databases: &[PathBuf], arch: &str) -> Result<Self, RepoError> {
        let mut upstream = Self {
            shelf: Shelf::new(arch),
            ..Self::default()
        };
        let (mut with_files, mut without) = (BTreeSet::new(), BTreeSet::new());
        for path in databases {
            upstream
                .read_database(path, &mut with_files, &mut without)
                .map_err(|error| {
                    RepoError::io(
                        "read the database of another repository",
                        path,
                        io::Error::other(error),
                    )
                })?;
        }
        upstream.files_known = !with_files.is_empty() && without.is_subset(&with_files);
        Ok(upstream)
    }

    fn read_database(
        &mut self,
        path: &Path,
        with_files: &mut BTreeSet<String>,
        without: &mut BTreeSet<String>,
    ) -> Result<(), DatabaseError> {
        for_each_entry(File::open(path)?, |entry| {
            let desc = entry.desc()?;
            let name = entry.pkgname();
            let listed = Listed::new(name, &desc);
            self.supplies.add(name, &listed.version, &listed.provides);
            self.shelf.add_provides(name, &listed.provides);
            match entry.members.iter().find(|(member, _)| member == "files") {
                Some((_, text)) => {
                    let paths = text
                        .split(|&byte| byte == b'\n')
                        .filter_map(|line| str::from_utf8(line).ok());
                    for path in paths {
                        self.shelf.add_path(name, path);
                    }
                    with_files.insert(name.to_owned());
                }
                None => {
                    without.insert(name.to_owned());
                }
            }
            Ok(())
        })
    }

    /// Whether a library that is not here is nowhere: all files are known, and there are such libraries among them
    /// at all (32-bit ones have a repository of their own, which may not have been given).
    #[must_use]
    pub fn is_complete(&self, bits: Bits) -> bool {
        self.files_known && self.shelf.has_public(bits)
    }
}
