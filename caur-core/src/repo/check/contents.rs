//! What takes long: reading every package, for its hash, its signature or its libraries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use sha2::{Digest, Sha256};

use super::super::RepoError;
use super::cache::Cache;
use super::databases::Entry;
use super::finding::{Finding, shown};
use super::libraries::{Libraries, scan};
use super::{signatures, workers};

const BUFFER: usize = 1 << 20;

/// A listed package whose file can be read.
#[derive(Debug, Clone, Copy)]
pub struct Readable<'a> {
    entry: &'a Entry,
    folder: &'a Path,
}

impl<'a> Readable<'a> {
    /// The package of `entry` in `folder`.
    #[must_use]
    pub fn new(entry: &'a Entry, folder: &'a Path) -> Self {
        Self { entry, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.entry.listed.file_name)
    }

    fn unreadable(&self, error: &io::Error) -> Finding {
        Finding::FileUnreadable {
            file: self.entry.listed.file_name.clone(),
            problem: error.to_string(),
        }
    }

    /// Compares the hash of the file with what the database says.
    fn compare(&self, found: String) -> Option<Finding> {
        let (package, file) = (self.entry.name.clone(), self.entry.listed.file_name.clone());
        match self.entry.listed.sha256.clone() {
            Some(expected) if expected.eq_ignore_ascii_case(&found) => None,
            Some(expected) => Some(Finding::FileHash {
                package,
                file,
                expected,
                found,
            }),
            None => Some(Finding::NoHash { package, file }),
        }
    }
}

/// The largest first, so that no thread is left alone with a large one at the end.
pub fn largest_first(packages: &mut [Readable<'_>]) {
    packages.sort_by_key(|package| std::cmp::Reverse(package.entry.listed.size));
}

/// Hashes every package; how many bytes that was.
pub fn check_hashes(packages: &[Readable<'_>], threads: usize, findings: &mut Vec<Finding>) -> u64 {
    let buffer = || vec![0; BUFFER];
    let results = workers::for_each(packages, threads, buffer, |buffer, package| {
        match hash(&package.path(), buffer) {
            Ok((hash, bytes)) => (bytes, package.compare(hash)),
            Err(error) => (0, Some(package.unreadable(&error))),
        }
    });
    results
        .into_iter()
        .map(|(bytes, finding)| {
            findings.extend(finding);
            bytes
        })
        .sum()
}

fn hash(path: &Path, buffer: &mut [u8]) -> io::Result<(String, u64)> {
    let mut file = open(path)?;
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => {
                sha256.update(&buffer[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((hex::encode(sha256.finalize()), bytes))
}

/// Opens a file; a pipe that has taken its place cannot hold the check up.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(File::from(file))
}

/// Checks the signatures beside `files` with the keys in `home`.
///
/// # Errors
/// When gpg cannot be run.
pub fn check_signatures(
    files: &[PathBuf],
    home: &Path,
    threads: usize,
    findings: &mut Vec<Finding>,
) -> Result<(), RepoError> {
    let verify = |(): &mut (), file: &PathBuf| signatures::verify(home, file);
    for (path, fault) in files.iter().zip(workers::for_each(files, threads, || (), verify)) {
        findings.extend(fault?.map(|fault| Finding::SignatureBad {
            file: shown(path),
            fault,
        }));
    }
    Ok(())
}

/// The libraries of packages, by the name of their file.
#[derive(Debug, Default)]
pub struct Found {
    /// The libraries.
    pub libraries: BTreeMap<String, Libraries>,
    /// How many packages were read for this.
    pub read: usize,
    /// How many were remembered.
    pub remembered: usize,
}

/// Finds the libraries of every package, from memory where the database states a hash that is known.
///
/// # Errors
/// When temporary files cannot be written.
pub fn find_libraries(
    packages: &[Readable<'_>],
    cache: Option<&Path>,
    threads: usize,
    findings: &mut Vec<Finding>,
) -> Result<Found, RepoError> {
    let hashes: BTreeSet<&str> = packages
        .iter()
        .filter_map(|p| p.entry.listed.sha256.as_deref())
        .collect();
    let cache = Cache::load(cache, &hashes);
    let (mut found, mut unknown) = (Found::default(), Vec::new());
    let mut by_hash = BTreeMap::new();
    for package in packages {
        let hash = package.entry.listed.sha256.as_deref();
        match hash.and_then(|hash| cache.get(hash).cloned()) {
            Some(libraries) => {
                by_hash.extend(hash.map(|hash| (hash.to_owned(), package.entry.listed.file_name.clone())));
                found
                    .libraries
                    .insert(package.entry.listed.file_name.clone(), libraries);
                found.remembered += 1;
            }
            None => unknown.push(*package),
        }
    }
    let read = |(): &mut (), package: &Readable<'_>| {
        let path = package.path();
        let scanned = match open(&path) {
            Ok(file) => scan(&path, file)?,
            Err(error) => return Ok(Err(package.unreadable(&error))),
        };
        if let Ok(libraries) = &scanned.libraries {
            cache.add(&scanned.sha256, libraries);
        }
        Ok(Ok(scanned))
    };
    let scans: Vec<Result<_, RepoError>> = workers::for_each(&unknown, threads, || (), read);
    for (package, scanned) in unknown.iter().zip(scans) {
        let scanned = match scanned? {
            Ok(scanned) => scanned,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        found.read += 1;
        let file = package.entry.listed.file_name.clone();
        // Another file's libraries say nothing about this package.
        if let Some(finding @ Finding::FileHash { .. }) = package.compare(scanned.sha256.clone()) {
            findings.push(finding);
            continue;
        }
        match scanned.libraries {
            Ok(libraries) => {
                by_hash.insert(scanned.sha256, file.clone());
                found.libraries.insert(file, libraries);
            }
            Err(error) => findings.push(Finding::PackageUnreadable {
                package: package.entry.name.clone(),
                file,
                problem: error.to_string(),
            }),
        }
    }
    let known = by_hash
        .iter()
        .filter_map(|(hash, file)| Some((hash.as_str(), found.libraries.get(file)?)));
    cache.tidy(known.collect::<Vec<_>>().into_iter());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::database::Listed;
    use crate::repo::entry::Desc;

    /// A file can go, or become something else, after its name was looked at.
    #[test]
    fn what_cannot_be_read_is_a_finding_for_hashes_and_libraries() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let entry = |file: &str| Entry {
            name: file.to_owned(),
            listed: Listed::new(file, &Desc::parse(&format!("%FILENAME%\n{file}\n"))),
            signature: None,
        };
        let entries = [entry("folder"), entry("gone")];
        let packages: Vec<_> = entries
            .iter()
            .map(|entry| Readable::new(entry, folder.path()))
            .collect();
        let expect = |findings: Vec<Finding>| {
            let problems: Vec<_> = findings
                .into_iter()
                .map(|finding| match finding {
                    Finding::FileUnreadable { file, problem } => format!("{file}: {problem}"),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(problems.len(), 2);
            assert_eq!(problems[0], "folder: it is not a regular file");
            assert!(problems[1].starts_with("gone: No such file"), "{}", problems[1]);
        };
        let mut findings = Vec::new();
        assert_eq!(check_hashes(&packages, 2, &mut findings), 0);
        expect(findings);
        let mut findings = Vec::new();
        let found = find_libraries(&packages, None, 2, &mut findings).unwrap();
        assert_eq!(found.read, 0);
        expect(findings);
    }
}
