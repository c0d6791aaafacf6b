//! The files of a target against what its databases list: what is missing, what is too much.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::sign::{SIGNATURE_LIMIT, signature_path};
use super::databases::{Databases, Entry};
use super::finding::{FileKind, Finding};

/// The files in a target's public folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    files: BTreeMap<String, (FileKind, u64)>,
}

impl Folder {
    /// Looks at the packages and signatures at `path`.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn list(path: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // What is not text is no package's name.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.contains(".pkg.tar") {
                match look_at(&entry.path()) {
                    Ok(facts) => files.insert(name, facts),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(error) => return Err(error),
                };
            }
        }
        Ok(Self {
            path: path.to_owned(),
            files,
        })
    }

    fn facts(&self, file: &str) -> Option<(FileKind, u64)> {
        // Any name can be listed, also one that no package would have.
        self.files
            .get(file)
            .copied()
            .or_else(|| look_at(&self.path.join(file)).ok())
    }

    /// Compares an entry with its file; whether the content of the file can be looked at.
    pub fn check_entry(&self, entry: &Entry, findings: &mut Vec<Finding>) -> bool {
        let (package, file) = (entry.name.clone(), entry.listed.file_name.clone());
        let Some((kind, size)) = self.facts(&file) else {
            findings.push(Finding::FileMissing { package, file });
            return false;
        };
        if kind != FileKind::Regular {
            findings.push(Finding::NotRegular {
                package: package.clone(),
                file: file.clone(),
                found: kind,
            });
        }
        match kind {
            FileKind::Regular | FileKind::LinkToFile => {}
            FileKind::DeadLink | FileKind::Folder | FileKind::Special => return false,
        }
        self.check_signature(entry, findings);
        // Databases without sizes are older than pacman 3.
        let expected = entry.listed.size;
        if expected != 0 && expected != size {
            findings.push(Finding::FileSize {
                package,
                file,
                expected,
                found: size,
            });
            return false;
        }
        true
    }

    fn check_signature(&self, entry: &Entry, findings: &mut Vec<Finding>) {
        let file = &entry.listed.file_name;
        let (Some(expected), true) = (&entry.signature, self.has_signature(file)) else {
            return;
        };
        let path = signature_path(&self.path.join(file));
        let mut signature = Vec::new();
        match File::open(path).and_then(|file| file.take(SIGNATURE_LIMIT + 1).read_to_end(&mut signature)) {
            Ok(_) if Sha256::digest(&signature).as_slice() == expected.as_slice() => {}
            Ok(_) => findings.push(Finding::SignatureDiffers {
                package: entry.name.clone(),
                file: file.clone(),
            }),
            Err(error) => findings.push(Finding::FileUnreadable {
                file: format!("{file}.sig"),
                problem: error.to_string(),
            }),
        }
    }

    /// Whether there is a signature beside `file`.
    pub fn has_signature(&self, file: &str) -> bool {
        self.has(&format!("{file}.sig"))
    }

    /// Whether there is a file of this name, or a link to one.
    pub fn has(&self, file: &str) -> bool {
        let kind = self.facts(file).map(|(kind, _)| kind);
        matches!(kind, Some(FileKind::Regular | FileKind::LinkToFile))
    }

    /// Finds what the databases do not list and nobody knows to be `retired`.
    pub fn check_surplus(
        &self,
        databases: &Databases,
        retired: &BTreeSet<String>,
        findings: &mut Vec<Finding>,
    ) {
        let by_file: BTreeMap<&str, &Entry> = databases
            .entries
            .iter()
            .map(|e| (&*e.listed.file_name, e))
            .collect();
        let by_name: BTreeMap<&str, &Entry> = databases.entries.iter().map(|e| (&*e.name, e)).collect();
        for file in self.files.keys().filter(|&file| !retired.contains(file)) {
            if let Some(signed) = file.strip_suffix(".sig") {
                // That a listed file is missing was said before; its signature is of use when it comes back.
                let known = by_file.contains_key(signed) || retired.contains(signed);
                if !known && !self.files.contains_key(signed) {
                    findings.push(Finding::SignatureWithoutPackage { file: file.clone() });
                }
            } else if databases.complete && !by_file.contains_key(file.as_str()) {
                let (file, listed) = (file.clone(), pkgname(file).and_then(|name| by_name.get(name)));
                findings.push(match listed {
                    Some(entry) => Finding::Duplicate {
                        package: entry.name.clone(),
                        file,
                        listed: entry.listed.file_name.clone(),
                    },
                    None => Finding::Orphan { file },
                });
            }
        }
    }
}

/// The pkgname in `NAME-VERSION-RELEASE-ARCH.pkg.tar.zst`.
fn pkgname(file: &str) -> Option<&str> {
    let (stem, _) = file.split_once(".pkg.tar")?;
    stem.rsplitn(4, '-').nth(3)
}

fn look_at(path: &Path) -> io::Result<(FileKind, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_symlink() {
        return Ok((kind(&metadata), metadata.len()));
    }
    Ok(match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => (FileKind::LinkToFile, metadata.len()),
        Ok(_) | Err(_) => (FileKind::DeadLink, 0),
    })
}

fn kind(metadata: &Metadata) -> FileKind {
    if metadata.is_file() {
        FileKind::Regular
    } else if metadata.is_dir() {
        FileKind::Folder
    } else {
        FileKind::Special
    }
}
