//! The repository as it lies on the disk, read by other means than Caur's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::SigningKey;

/// A repository for one architecture.
pub struct Published {
    folder: PathBuf,
    /// What its database lists, by pkgname.
    pub packages: BTreeMap<String, Listed>,
}

/// A package in the database.
#[derive(Debug, Clone)]
pub struct Listed {
    /// `desc` by section, values separated by line ends.
    pub sections: BTreeMap<String, String>,
}

impl Listed {
    fn section(&self, name: &str) -> &str {
        self.sections.get(name).map_or("", String::as_str)
    }

    /// Name of the package file.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.section("FILENAME")
    }

    /// Full version.
    #[must_use]
    pub fn version(&self) -> &str {
        self.section("VERSION")
    }
}

impl Published {
    /// Reads the database of `repo` for `arch` below `root`.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn read(root: &Path, repo: &str, arch: &str) -> Self {
        let folder = root.join(repo).join(arch);
        let database = folder.join(format!("{repo}.db"));
        let file = File::open(&database).unwrap_or_else(|error| panic!("{}: {error}", database.display()));
        let mut archive = tar::Archive::new(zstd::Decoder::new(file).expect("the database is zstd"));
        let mut packages = BTreeMap::new();
        for entry in archive.entries().expect("the database is a tar archive") {
            let mut entry = entry.expect("the database is a whole archive");
            if !entry.path().is_ok_and(|path| path.ends_with("desc")) {
                continue;
            }
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("desc is UTF-8");
            let sections: BTreeMap<String, String> = text
                .split("\n\n")
                .filter_map(|section| section.trim().split_once('\n'))
                .map(|(head, body)| (head.trim_matches('%').to_owned(), body.to_owned()))
                .collect();
            let listed = Listed { sections };
            packages.insert(listed.section("NAME").to_owned(), listed);
        }
        Self { folder, packages }
    }

    /// The names that it lists.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.packages.keys().map(String::as_str).collect()
    }

    /// Checks that every listed package has its file with that size and hash, and its signature by `key`.
    ///
    /// # Panics
    /// When something is amiss.
    pub fn check_listed(&self, key: &SigningKey) {
        for (name, listed) in &self.packages {
            let path = self.folder.join(listed.file_name());
            let content =
                fs::read(&path).unwrap_or_else(|error| panic!("{name}: {}: {error}", path.display()));
            let found = (content.len().to_string(), hex::encode(Sha256::digest(&content)));
            let expected = (listed.section("CSIZE"), listed.section("SHA256SUM"));
            assert_eq!(
                (&*found.0, &*found.1),
                expected,
                "size and hash of {}",
                path.display()
            );
            let mut signature = path.clone().into_os_string();
            signature.push(".sig");
            assert!(
                key.has_signed(&path, Path::new(&signature)),
                "signature of {}",
                path.display()
            );
        }
    }

    /// As [`Published::check_listed`], and that no other package file lies there.
    ///
    /// # Panics
    /// When something is amiss.
    pub fn check(&self, key: &SigningKey) {
        self.check_listed(key);
        let expected: BTreeSet<String> = self
            .packages
            .values()
            .flat_map(|listed| {
                [
                    listed.file_name().to_owned(),
                    format!("{}.sig", listed.file_name()),
                ]
            })
            .collect();
        let folder = self.folder.display();
        assert_eq!(self.package_files(), expected, "package files in {folder}");
    }

    /// Package files and signatures that lie there, listed or not.
    ///
    /// # Panics
    /// When the folder cannot be read.
    #[must_use]
    pub fn package_files(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.folder).expect("the repository's folder can be read");
        entries
            .map(|entry| entry.expect("the repository's folder can be read").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.contains(".pkg.tar"))
            .collect()
    }
}
