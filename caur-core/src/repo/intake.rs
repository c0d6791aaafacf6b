//! Taking an upload in: its files are copied into a private folder while they are hashed, and only the copies
//! are looked at, signed and published. Who may write to the upload can change nothing afterwards.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::disk::Disk;
use super::package::{Package, read_package};
use super::{Refusal, RepoError, Upload};
use crate::model::{ManifestFile, Target};

/// The longest name of a file that leaves room for `.sig`.
const NAME_LIMIT: usize = 251;

/// A package whose content is what the manifest says, in the private folder.
#[derive(Debug)]
pub struct TakenIn {
    /// Its name in the manifest.
    pub file_name: String,
    /// The copy.
    pub staged: PathBuf,
    /// What it is.
    pub package: Package,
}

/// Copies the packages of `upload` to `staging`, which is created.
///
/// # Errors
/// Outside when disks fail, inside when the upload breaks a rule.
pub fn take_in(
    disk: &Disk,
    upload: &Upload,
    target: &Target,
    staging: &Path,
) -> Result<Result<Vec<TakenIn>, Refusal>, RepoError> {
    if let Err(refusal) = check_manifest(upload, target) {
        return Ok(Err(refusal));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::open(&upload.dir, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            return Ok(Err(Refusal::NoFolder(upload.dir.display().to_string())));
        }
        Err(error) => return Err(RepoError::io("open the upload", &upload.dir, error.into())),
    };
    if let Err(refusal) = check_names(&folder, upload)? {
        return Ok(Err(refusal));
    }
    disk.private_folder(staging)?;
    let mut taken = Vec::new();
    for file in &upload.manifest.files {
        match take_file(disk, &folder, upload, file, staging)? {
            Ok(package) => taken.push(package),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Ok(taken))
}

fn check_manifest(upload: &Upload, target: &Target) -> Result<(), Refusal> {
    let manifest = &upload.manifest;
    if manifest.target != *target {
        return Err(Refusal::OtherTarget {
            expected: target.clone(),
            found: manifest.target.clone(),
        });
    }
    if manifest.files.is_empty() {
        return Err(Refusal::Empty);
    }
    let mut names = BTreeSet::new();
    for ManifestFile { name, .. } in &manifest.files {
        if !is_file_name(name) {
            return Err(Refusal::BadFileName(name.clone()));
        }
        if is_signature(name.as_bytes()) {
            return Err(Refusal::Signature(name.clone()));
        }
        if !names.insert(name) {
            return Err(Refusal::ListedTwice(name.clone()));
        }
    }
    Ok(())
}

/// The manifest's names are checked for being harmless here, against the package's own data in `verify`.
fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LIMIT
        && !name.starts_with(['-', '.'])
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"@._+-:~^=".contains(&b))
}

fn is_signature(name: &[u8]) -> bool {
    name.ends_with(b".sig") || name.ends_with(b".asc")
}

fn check_names(folder: &OwnedFd, upload: &Upload) -> Result<Result<(), Refusal>, RepoError> {
    let failed = |error: Errno| RepoError::io("list the upload", &upload.dir, error.into());
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_bytes().to_vec());
    }
    names.sort_unstable();
    let listed: BTreeSet<&[u8]> = upload
        .manifest
        .files
        .iter()
        .map(|file| file.name.as_bytes())
        .collect();
    for name in &names {
        let shown = || String::from_utf8_lossy(name).into_owned();
        if is_signature(name) {
            return Ok(Err(Refusal::Signature(shown())));
        }
        let is_package = name.windows(b".pkg.tar".len()).any(|part| part == b".pkg.tar");
        if is_package && !listed.contains(name.as_slice()) {
            return Ok(Err(Refusal::NotInManifest(shown())));
        }
    }
    Ok(Ok(()))
}

fn take_file(
    disk: &Disk,
    folder: &OwnedFd,
    upload: &Upload,
    file: &ManifestFile,
    staging: &Path,
) -> Result<Result<TakenIn, Refusal>, RepoError> {
    let name = &file.name;
    let path = upload.dir.join(name);
    // Without NONBLOCK a pipe would hold the whole repository up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let source = match rustix::fs::openat(folder, name.as_str(), flags, Mode::empty()) {
        Ok(source) => source,
        Err(Errno::NOENT) => return Ok(Err(Refusal::Missing(name.clone()))),
        Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Ok(Err(Refusal::NotRegular(name.clone()))),
        Err(error) => return Err(RepoError::io("open", &path, error.into())),
    };
    let stat = rustix::fs::fstat(&source).map_err(|error| RepoError::io("look at", &path, error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Err(Refusal::NotRegular(name.clone())));
    }
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    let wrong_size = |found| Refusal::Size {
        file: name.clone(),
        expected: file.size,
        found,
    };
    if size != file.size {
        return Ok(Err(wrong_size(size)));
    }
    let staged = staging.join(name);
    let copy = disk.create(&staged)?;
    // One byte more than announced is enough to see that the file grows under the reader's hands.
    let source = File::from(source).take(file.size.saturating_add(1));
    let reading = read_package(source, io::BufWriter::with_capacity(256 << 10, copy))
        .map_err(|error| RepoError::io("take in", &path, error))?;
    if reading.size != file.size {
        return Ok(Err(wrong_size(reading.size)));
    }
    if reading.sha256 != file.sha256 {
        let (expected, found) = (file.sha256.clone(), reading.sha256);
        return Ok(Err(Refusal::Hash {
            file: name.clone(),
            expected,
            found,
        }));
    }
    Ok(match reading.package {
        Ok(package) => Ok(TakenIn {
            file_name: name.clone(),
            staged,
            package,
        }),
        Err(source) => Err(Refusal::Package {
            file: name.clone(),
            source,
        }),
    })
}
