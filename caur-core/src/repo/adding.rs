//! From verified packages in the staging folder to what a transaction adds: signatures, entries and files to place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::check::verify;
use super::database::{DatabaseEntry, Listed};
use super::package::Package;
use super::sign::{Signing, signature_path};
use super::store::Store;
use super::transaction::{Change, Staged, hash_file};
use super::verify::Verified;
use super::{RepoError, entry};

/// Which packages are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Those that have no signature in their public place yet.
    Make,
    /// None: signatures are taken as they lie beside them.
    Keep,
}

/// Signs `packages` and adds them to `change`, which lists them afterwards.
///
/// A package whose very file is public already, such as one in its time of grace, stays there with its signature.
///
/// # Errors
/// When signing or the disk fails.
pub fn add(
    store: &Store<'_>,
    packages: &[Verified],
    signatures: Signatures,
    change: &mut Change<'_>,
) -> Result<(), RepoError> {
    let mut unsigned = Vec::new();
    let mut in_place = Vec::new();
    for package in packages {
        let public = store.layout.public().join(&package.taken.file_name);
        let same = is_same(&public, &package.taken.package)?;
        let signed = same && is_signed(store, &public)?;
        if !signed {
            unsigned.push(package.taken.staged.clone());
        }
        in_place.push((same, signed));
    }
    if store.options.signing != Signing::Off && signatures == Signatures::Make {
        store.options.signing.sign(&unsigned)?;
    }
    for (package, (same, signed)) in packages.iter().zip(in_place) {
        let (staged, name) = (&package.taken.staged, &package.taken.file_name);
        let public = store.layout.public().join(name);
        let signature = signature_path(if signed { &public } else { staged });
        let signature = read_if_there(&signature)?.map(|bytes| (signature, bytes));
        // Signatures go first: a package without one cannot be installed, one without a package does no harm.
        if let Some((path, _)) = signature.as_ref().filter(|_| !signed) {
            store.disk.settle(path)?;
            change.files.push(Staged {
                path: path.clone(),
                name: format!("{name}.sig"),
                over: package.listed || same,
            });
        }
        if same {
            store.disk.settle(&public)?;
            if signed {
                store.disk.settle(&signature_path(&public))?;
            }
        } else {
            store.disk.settle(staged)?;
            change.files.push(Staged {
                path: staged.clone(),
                name: name.clone(),
                over: package.listed,
            });
        }
        let signature = signature.map(|(_, bytes)| bytes);
        change.entries.push(entry_of(package, signature.as_deref()));
        change.index.insert(package.pkgname.to_string(), listed(package));
    }
    Ok(())
}

/// Whether a public file has a signature that holds; where nothing is signed here, whether it has any.
///
/// # Errors
/// When gpg cannot be run.
pub fn is_signed(store: &Store<'_>, public: &Path) -> Result<bool, RepoError> {
    if !signature_path(public).is_file() {
        return Ok(false);
    }
    match &store.options.signing {
        Signing::Off => Ok(true),
        Signing::Gpg { home, .. } => Ok(verify(home, public)?.is_none()),
    }
}

fn entry_of(package: &Verified, signature: Option<&[u8]>) -> DatabaseEntry {
    let content = &package.taken.package;
    let desc = entry::desc(content, &package.taken.file_name, signature);
    DatabaseEntry {
        directory: format!("{}-{}", package.pkgname, content.info.version()),
        members: vec![
            ("desc".to_owned(), desc.into_bytes()),
            ("files".to_owned(), entry::files(content).into_bytes()),
        ],
        modified: content.info.one("builddate").parse().unwrap_or_default(),
    }
}

/// What the database says of a package that is published.
#[must_use]
pub fn listed(package: &Verified) -> Listed {
    let content = &package.taken.package;
    let info = &content.info;
    let number = |key| info.one(key).parse().unwrap_or_default();
    Listed {
        pkgbase: info.pkgbase().to_owned(),
        version: info.version().to_owned(),
        file_name: package.taken.file_name.clone(),
        sha256: Some(content.sha256.clone()),
        arch: info.arch().to_owned(),
        description: info.one("pkgdesc").to_owned(),
        size: content.size,
        installed_size: number("size"),
        build_date: number("builddate"),
        provides: info.all("provides").map(str::to_owned).collect(),
        depends: info.all("depend").map(str::to_owned).collect(),
    }
}

/// Whether a file is there and is this package.
///
/// # Errors
/// When it cannot be read.
pub fn is_same(path: &Path, package: &Package) -> Result<bool, RepoError> {
    let size = fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)
        .map(|m| m.len());
    Ok(size == Some(package.size) && hash_file(path)? == package.sha256)
}

fn read_if_there(path: &PathBuf) -> Result<Option<Vec<u8>>, RepoError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RepoError::io("read", path, error)),
    }
}
