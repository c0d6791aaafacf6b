//! The two databases of a target, read without trust: what cannot be relied on is a finding, and the rest is
//! still looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use super::super::database::{DatabaseEntry, DatabaseError, Listed, for_each_entry};
use super::super::layout::{DatabaseKind, Layout};
use super::super::sign::signature_path;
use super::finding::{Finding, shown};

/// A package as a database lists it.
#[derive(Debug)]
pub struct Entry {
    /// The package's name.
    pub name: String,
    /// What the database says.
    pub listed: Listed,
    /// SHA-256 of the signature in the database, where there is one.
    pub signature: Option<Vec<u8>>,
}

/// What the databases list.
#[derive(Debug)]
pub struct Databases {
    /// The packages.
    pub entries: Vec<Entry>,
    /// Whether that is all: no database is readable otherwise, so that nothing can be said about other files.
    pub complete: bool,
}

/// What tells one state of the databases from another.
#[derive(Debug, PartialEq, Eq)]
pub struct Fingerprint([Option<FileState>; 2]);

#[derive(Debug, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Fingerprint {
    /// That of the present.
    pub fn take(layout: &Layout) -> Self {
        Self(DatabaseKind::ALL.map(|kind| {
            let metadata = fs::metadata(path(layout, kind)).ok()?;
            Some(FileState {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
            })
        }))
    }
}

/// Reads both databases and compares them.
pub fn read(layout: &Layout, findings: &mut Vec<Finding>) -> Databases {
    check_links(layout, findings);
    let (db, files) = (
        path(layout, DatabaseKind::Packages),
        path(layout, DatabaseKind::Files),
    );
    let packages = Contents::read(&db, DatabaseKind::Packages, true, findings);
    // The second database is only compared with the first, unless it has to stand in for it.
    let files_contents = Contents::read(&files, DatabaseKind::Files, packages.is_none(), findings);
    if let (Some(packages), Some(files_contents)) = (&packages, &files_contents) {
        compare(
            (&shown(&db), packages),
            (&shown(&files), files_contents),
            findings,
        );
    }
    match packages.or(files_contents) {
        Some(contents) => Databases {
            entries: contents.entries,
            complete: true,
        },
        None => Databases {
            entries: Vec::new(),
            complete: false,
        },
    }
}

/// The databases that have a signature.
pub fn signed(layout: &Layout) -> Vec<PathBuf> {
    DatabaseKind::ALL
        .into_iter()
        .map(|kind| path(layout, kind))
        .filter(|path| signature_path(path).exists())
        .collect()
}

/// Where the database is. Other tools may have named it otherwise, as long as the link leads there.
fn path(layout: &Layout, kind: DatabaseKind) -> PathBuf {
    let path = layout.database(kind);
    let link = layout.database_link(kind);
    if !path.exists()
        && let Ok(elsewhere) = fs::canonicalize(link)
    {
        return elsewhere;
    }
    path
}

fn check_links(layout: &Layout, findings: &mut Vec<Finding>) {
    for kind in DatabaseKind::ALL {
        let (link, database) = (layout.database_link(kind), layout.database(kind));
        check_link(&link, &database, findings);
        let signatures = (signature_path(&link), signature_path(&database));
        if signatures.1.exists() || signatures.0.is_symlink() {
            check_link(&signatures.0, &signatures.1, findings);
        }
    }
}

/// A link; a second name of the same file does as well, `repo-add` makes them where links are impossible.
fn check_link(link: &Path, expected: &Path, findings: &mut Vec<Finding>) {
    let (name, expected_name) = (shown(link), shown(expected));
    let identity = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let found = match fs::symlink_metadata(link) {
        Err(_) => {
            findings.push(Finding::LinkMissing {
                link: name,
                expected: expected_name,
            });
            return;
        }
        Ok(metadata) if metadata.is_symlink() => fs::read_link(link).unwrap_or_default(),
        Ok(_) => "a file of its own".into(),
    };
    // Whether that file exists is another finding.
    if found != Path::new(&expected_name)
        && (identity(link).is_none() || identity(link) != identity(expected))
    {
        findings.push(Finding::LinkElsewhere {
            link: name,
            found: found.to_string_lossy().into_owned(),
            expected: expected_name,
        });
    }
}

type Hash = [u8; 32];

#[derive(Default)]
struct Contents {
    entries: Vec<Entry>,
    /// The hash of each entry's `desc`, by directory.
    descs: BTreeMap<String, Hash>,
    versions: BTreeMap<String, Vec<String>>,
}

impl Contents {
    /// `None` where the database is missing or damaged.
    fn read(path: &Path, kind: DatabaseKind, keep: bool, findings: &mut Vec<Finding>) -> Option<Self> {
        let mut contents = Self::default();
        let mut found = Vec::new();
        let outcome = File::open(path).map_err(DatabaseError::from).and_then(|file| {
            if file.metadata()?.len() == 0 {
                // A database without packages is an archive, too; what has no byte was cut.
                return Err(std::io::Error::other("the file is empty").into());
            }
            for_each_entry(file, |entry| {
                if let Err(problem) = contents.take(&entry, kind, keep) {
                    found.push(Finding::BadEntry {
                        database: shown(path),
                        entry: entry.directory,
                        problem,
                    });
                }
                Ok::<_, DatabaseError>(())
            })
        });
        let database = path.to_owned();
        match outcome {
            Ok(()) => {}
            Err(DatabaseError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                findings.push(Finding::DatabaseMissing { database });
                return None;
            }
            Err(error) => {
                let problem = error.to_string();
                findings.push(Finding::DatabaseUnreadable { database, problem });
                return None;
            }
        }
        findings.append(&mut found);
        for (package, versions) in &contents.versions {
            if versions.len() > 1 {
                findings.push(Finding::TwoEntries {
                    database: shown(path),
                    package: package.clone(),
                    versions: versions.clone(),
                });
            }
        }
        Some(contents)
    }

    fn take(&mut self, entry: &DatabaseEntry, kind: DatabaseKind, keep: bool) -> Result<(), String> {
        let member = |wanted: &str| entry.members.iter().find(|(name, _)| name == wanted);
        let desc = member("desc").map_or(&[][..], |(_, text)| text.as_slice());
        self.descs
            .insert(entry.directory.clone(), Sha256::digest(desc).into());
        let desc = entry.desc().map_err(|error| match error {
            DatabaseError::BadEntry { problem, .. } => problem.to_owned(),
            DatabaseError::Io(_) | DatabaseError::OddMember(_) => error.to_string(),
        })?;
        let name = entry.pkgname().to_owned();
        let listed = Listed::new(&name, &desc);
        self.versions
            .entry(name.clone())
            .or_default()
            .push(listed.version.clone());
        if listed.file_name.contains('/') || listed.file_name.starts_with('.') {
            return Err(format!(
                "names the file {:?}, which is in another folder or hidden",
                listed.file_name
            ));
        }
        if kind == DatabaseKind::Files && member("files").is_none() {
            return Err("has no list of files".to_owned());
        }
        if keep {
            let signature = desc.one("PGPSIG").map(|text| match BASE64.decode(text) {
                Ok(bytes) => Sha256::digest(bytes).to_vec(),
                // It equals no signature.
                Err(_) => Vec::new(),
            });
            self.entries.push(Entry {
                name,
                listed,
                signature,
            });
        }
        Ok(())
    }
}

fn compare(packages: (&str, &Contents), files: (&str, &Contents), findings: &mut Vec<Finding>) {
    let (db, files_name) = (packages.0, files.0);
    let (packages, files) = (&packages.1.descs, &files.1.descs);
    let all: BTreeSet<&String> = packages.keys().chain(files.keys()).collect();
    for entry in all {
        let in_one = |present: &str, missing: &str| Finding::EntryInOneDatabase {
            entry: entry.clone(),
            present: present.to_owned(),
            missing: missing.to_owned(),
        };
        match (packages.get(entry), files.get(entry)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(_), Some(_)) => findings.push(Finding::EntriesDiffer { entry: entry.clone() }),
            (Some(_), None) => findings.push(in_one(db, files_name)),
            (None, Some(_) | None) => findings.push(in_one(files_name, db)),
        }
    }
}
