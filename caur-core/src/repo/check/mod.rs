//! `repo check`: whether what a target's databases say is true of its files, and whether what it publishes can
//! be installed and run.
//!
//! A check only reads, takes no lock and works on a target that any tool wrote. Whatever it finds is a
//! [`Finding`]; an error means that it could not look. Reading is parallel, with memory that does not depend on
//! how large packages are.

mod cache;
mod contents;
mod databases;
mod dependencies;
mod elf;
mod finding;
mod folder;
mod libraries;
mod shelf;
mod signatures;
mod sonames;
mod upstream;
mod workers;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use self::contents::Readable;
use self::databases::{Databases, Entry, Fingerprint};
use self::dependencies::Supplies;
use self::folder::Folder;
use self::libraries::Libraries;
use self::upstream::Upstream;
use super::layout::Layout;
use super::package::read_package;
use super::{RepoError, SignError, Signing};
use crate::model::Target;

pub use self::elf::Bits;
pub use self::finding::{FileKind, Finding, OtherVersion, Severity};
pub use self::signatures::SignatureFault;
pub(super) use self::signatures::verify;
pub use self::sonames::{Library, SonameReport};

/// How often a check starts over because the databases changed while it looked at them.
const PATIENCE: usize = 5;
/// How long a transaction takes at most, once it shows.
const TRANSACTION: Duration = Duration::from_secs(5);

/// What to look at, besides databases, links and the names and sizes of files.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// Whether the content of files is compared with the hashes in the database.
    pub hashes: bool,
    /// With which gpg home signatures are checked, which every package then must have.
    pub signatures: Signing,
    /// Whether everything is there that packages depend on.
    pub dependencies: bool,
    /// Whether every library is there that programs need.
    pub sonames: bool,
    /// Where the libraries of packages are remembered, so that no package is read twice for them.
    pub soname_cache: Option<PathBuf>,
    /// Databases of other repositories that users of this one have, such as `core.db` or, better, `core.files`.
    pub upstream: Vec<PathBuf>,
    /// Names of files that are not listed any more and still lie beside the others on purpose.
    pub retired: BTreeSet<String>,
    /// How many files are read at once.
    pub threads: usize,
}

impl Default for CheckRequest {
    /// Everything but signatures, on all processors.
    fn default() -> Self {
        Self {
            hashes: true,
            signatures: Signing::Off,
            dependencies: true,
            sonames: true,
            soname_cache: None,
            upstream: Vec::new(),
            retired: BTreeSet::new(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The outcome of a check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// How many packages are listed.
    pub packages: usize,
    /// How many bytes were compared with hashes in the database.
    pub bytes_hashed: u64,
    /// How many signatures were checked.
    pub signatures_checked: usize,
    /// The shared libraries, where they were asked for.
    pub sonames: Option<SonameReport>,
}

impl CheckReport {
    /// How bad the worst finding is.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(Finding::severity).max()
    }
}

/// A published package as far as others need it and it needs others.
#[derive(Debug, Clone)]
struct Published {
    name: String,
    version: String,
    provides: Vec<String>,
    depends: Vec<String>,
    /// `None` where they are not known.
    libraries: Option<Libraries>,
}

/// Checks `target` below `root`.
///
/// # Errors
/// When the target does not exist, another repository's database cannot be read, or gpg cannot be run.
pub fn check(root: &Path, target: &Target, request: &CheckRequest) -> Result<CheckReport, RepoError> {
    Check::new(root, target, request)?.report()
}

/// What would be newly wrong with dependencies and libraries if the package files `candidates` were published,
/// each in the place of the package of its name.
///
/// # Errors
/// As [`check`], and when a candidate is no package.
pub fn check_candidates(
    root: &Path,
    target: &Target,
    request: &CheckRequest,
    candidates: &[PathBuf],
) -> Result<Vec<Finding>, RepoError> {
    let request = CheckRequest {
        dependencies: true,
        sonames: true,
        ..request.clone()
    };
    let check = Check::new(root, target, &request)?;
    // What else is wrong with the target is not the question.
    let readable = check.readable(&mut Vec::new());
    let (published, _) = check.published(&readable, &mut Vec::new())?;
    let before: BTreeSet<Finding> = check.needs(&published).into_iter().collect();
    let candidates = candidates
        .iter()
        .map(|path| candidate(path))
        .collect::<Result<Vec<_>, _>>()?;
    let new: BTreeSet<&str> = candidates.iter().map(|package| package.name.as_str()).collect();
    let kept = published
        .into_iter()
        .filter(|package| !new.contains(package.name.as_str()))
        .collect::<Vec<_>>();
    let after: Vec<Published> = kept.into_iter().chain(candidates.iter().cloned()).collect();
    let mut findings = check.needs(&after);
    findings.retain(|finding| !before.contains(finding));
    sort(&mut findings);
    Ok(findings)
}

struct Check<'a> {
    arch: &'a str,
    request: &'a CheckRequest,
    layout: Layout,
    public: PathBuf,
    upstream: Upstream,
    databases: Databases,
    folder: Folder,
    /// What showed so far.
    findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn new(root: &Path, target: &'a Target, request: &'a CheckRequest) -> Result<Self, RepoError> {
        if let Signing::Gpg { home, .. } = &request.signatures
            && !home.is_dir()
        {
            return Err(SignError::NoHome(home.clone()).into());
        }
        let layout = Layout::new(root, target);
        let public = layout.public();
        let arch = target.arch.as_str();
        let upstream = if request.dependencies || request.sonames {
            Upstream::read(&request.upstream, arch)?
        } else {
            Upstream::default()
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            wait_for_transaction(&layout);
            let state = Fingerprint::take(&layout);
            let mut findings = Vec::new();
            let databases = databases::read(&layout, &mut findings);
            let folder = Folder::list(&public).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => RepoError::NoTarget {
                    target: target.clone(),
                    root: root.to_owned(),
                },
                _ => RepoError::io("list", &public, error),
            })?;
            // Somebody published meanwhile: files and databases would not fit each other.
            let changed = layout.intent().exists() || state != Fingerprint::take(&layout);
            if attempt < PATIENCE && changed {
                continue;
            }
            return Ok(Self {
                arch,
                request,
                layout,
                public,
                upstream,
                databases,
                folder,
                findings,
            });
        }
    }

    fn report(mut self) -> Result<CheckReport, RepoError> {
        let mut findings = std::mem::take(&mut self.findings);
        let request = self.request;
        self.folder
            .check_surplus(&self.databases, &request.retired, &mut findings);
        let readable = self.readable(&mut findings);
        let mut bytes_hashed = 0;
        if request.hashes {
            bytes_hashed = contents::check_hashes(&readable, request.threads, &mut findings);
        }
        let mut signatures_checked = 0;
        if let Signing::Gpg { home, .. } = &request.signatures {
            let signed = self.signed(&mut findings);
            signatures_checked = signed.len();
            contents::check_signatures(&signed, home, request.threads, &mut findings)?;
        }
        let (published, sonames) = self.published(&readable, &mut findings)?;
        findings.extend(self.needs(&published));
        sort(&mut findings);
        Ok(CheckReport {
            findings,
            packages: self.databases.entries.len(),
            bytes_hashed,
            signatures_checked,
            sonames,
        })
    }

    /// The packages whose content can be looked at, the largest first.
    fn readable(&self, findings: &mut Vec<Finding>) -> Vec<Readable<'_>> {
        let mut readable: Vec<_> = self
            .databases
            .entries
            .iter()
            .filter(|entry| self.folder.check_entry(entry, findings))
            .map(|entry| Readable::new(entry, &self.public))
            .collect();
        contents::largest_first(&mut readable);
        readable
    }

    /// The files with signatures that can be checked.
    fn signed(&self, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
        let mut signed = databases::signed(&self.layout);
        for entry in &self.databases.entries {
            let file = &entry.listed.file_name;
            if !self.folder.has(file) {
                continue;
            }
            if self.folder.has_signature(file) {
                signed.push(self.public.join(file));
            } else {
                findings.push(Finding::SignatureMissing {
                    package: entry.name.clone(),
                    file: file.clone(),
                });
            }
        }
        signed
    }

    /// The listed packages, with their libraries where these are asked for.
    fn published(
        &self,
        readable: &[Readable<'_>],
        findings: &mut Vec<Finding>,
    ) -> Result<(Vec<Published>, Option<SonameReport>), RepoError> {
        let mut found = None;
        if self.request.sonames {
            let cache = self.request.soname_cache.as_deref();
            found = Some(contents::find_libraries(
                readable,
                cache,
                self.request.threads,
                findings,
            )?);
        }
        let published: Vec<Published> = self
            .databases
            .entries
            .iter()
            .map(|Entry { name, listed, .. }| Published {
                name: name.clone(),
                version: listed.version.clone(),
                provides: listed.provides.clone(),
                depends: listed.depends.clone(),
                libraries: found
                    .as_mut()
                    .and_then(|found| found.libraries.remove(&listed.file_name)),
            })
            .collect();
        let report = found.map(|found| SonameReport {
            packages_read: found.read,
            packages_remembered: found.remembered,
            ..SonameReport::of(&published, self.arch)
        });
        Ok((published, report))
    }

    /// What `published` need and do not get.
    fn needs(&self, published: &[Published]) -> Vec<Finding> {
        let supplies = Supplies::of(published);
        let upstream = (!self.request.upstream.is_empty()).then_some(&self.upstream.supplies);
        let mut findings = Vec::new();
        if self.request.dependencies {
            findings.extend(dependencies::check(published, &supplies, upstream));
        }
        if self.request.sonames {
            findings.extend(sonames::check(published, &supplies, &self.upstream, self.arch));
        }
        findings
    }
}

/// Between its first and its last step a transaction has one database changed and the other one not yet. One that lasts is
/// that of a process which ended, and what it left is to be seen.
fn wait_for_transaction(layout: &Layout) {
    let started = Instant::now();
    while layout.intent().exists() && started.elapsed() < TRANSACTION {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The worst first; what two looks at the same file found is told once.
fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| b.severity().cmp(&a.severity()).then_with(|| a.cmp(b)));
    findings.dedup();
}

fn candidate(path: &Path) -> Result<Published, RepoError> {
    let failed = |error| RepoError::io("read the package", path, error);
    let open = || File::open(path).map_err(failed);
    let reading = read_package(open()?, io::sink()).map_err(failed)?;
    let info = reading
        .package
        .map_err(|error| failed(io::Error::other(error)))?
        .info;
    let libraries = libraries::scan(path, open()?)?.libraries.map_err(failed)?;
    let all = |key| info.all(key).map(str::to_owned).collect();
    Ok(Published {
        name: info.pkgname().to_owned(),
        version: info.version().to_owned(),
        provides: all("provides"),
        depends: all("depend"),
        libraries: Some(libraries),
    })
}
