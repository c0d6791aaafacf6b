//! Taking an upload in: its files are copied into a private folder while they are hashed, and only the copies
//! are looked at, signed and published. Who may write to the upload can change nothing afterwards.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::disk::Disk;
use super::package::{Package, PackageError, Reading, read_package};
use super::{Policy, Refusal, RepoError, Upload};
use crate::model::{ManifestFile, Target};

/// The longest name of a file that leaves room for `.sig`.
const NAME_LIMIT: usize = 251;

/// A package in the private folder; of an upload, one whose content is what the manifest says.
#[derive(Debug)]
pub struct TakenIn {
    /// Its name where it came from.
    pub file_name: String,
    /// The copy.
    pub staged: PathBuf,
    /// What it is.
    pub package: Package,
}

/// Copies the packages of `upload` to `staging`, which is created. Nothing is copied before all sizes are known to
/// be what the manifest says and within the bounds of `policy`.
///
/// # Errors
/// Outside when disks fail, inside when the upload breaks a rule.
pub fn take_in(
    disk: &Disk,
    upload: &Upload,
    target: &Target,
    policy: &Policy,
    staging: &Path,
) -> Result<Result<Vec<TakenIn>, Refusal>, RepoError> {
    if let Err(refusal) = check_manifest(upload, target).and_then(|()| check_sizes(upload, policy)) {
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
    for file in &upload.manifest.files {
        if let Err(refusal) = check_file(&folder, upload, file)? {
            return Ok(Err(refusal));
        }
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

/// Copies the package file at `path`, which an operator names, to `staging`, which is created.
///
/// # Errors
/// Outside when disks fail, inside when the file breaks a rule.
pub fn take_in_file(
    disk: &Disk,
    path: &Path,
    policy: &Policy,
    staging: &Path,
) -> Result<Result<TakenIn, Refusal>, RepoError> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if !is_file_name(&name) {
        return Ok(Err(Refusal::BadFileName(name)));
    }
    if is_signature(name.as_bytes()) {
        return Ok(Err(Refusal::Signature(name)));
    }
    let staged = staging.join(&name);
    if staged.exists() {
        return Ok(Err(Refusal::ListedTwice(name)));
    }
    let stat = match rustix::fs::lstat(path) {
        Ok(stat) => stat,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Err(Refusal::NoFile(path.display().to_string()))),
        Err(error) => return Err(RepoError::io("look at", path, error.into())),
    };
    let (source, size) = match open_regular(CWD, path, &stat) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(Err(Refusal::NotRegular(name))),
        Err(error) => return Err(RepoError::io("open", path, error.into())),
    };
    if let Err(refusal) = check_size(&name, size, policy) {
        return Ok(Err(refusal));
    }
    disk.private_folder(staging)?;
    let reading = copy(disk, source, size, path, &staged)?;
    if reading.size != size {
        return Ok(Err(Refusal::Changed(name)));
    }
    Ok(taken_in(&name, staged, reading.package))
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

/// The sizes that the manifest states; that the files have them is checked before one of them is copied.
fn check_sizes(upload: &Upload, policy: &Policy) -> Result<(), Refusal> {
    let files = &upload.manifest.files;
    for file in files {
        check_size(&file.name, file.size, policy)?;
    }
    let size = files
        .iter()
        .fold(0_u64, |sum, file| sum.saturating_add(file.size));
    let limit = policy.largest_upload;
    if size > limit {
        return Err(Refusal::UploadTooLarge { size, limit });
    }
    Ok(())
}

fn check_size(name: &str, size: u64, policy: &Policy) -> Result<(), Refusal> {
    let limit = policy.largest_package;
    if size > limit {
        let file = name.to_owned();
        return Err(Refusal::TooLarge { file, size, limit });
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

/// Looks at a file without opening it, which would have effects of its own if it were a device.
fn check_file(
    folder: &OwnedFd,
    upload: &Upload,
    file: &ManifestFile,
) -> Result<Result<Stat, Refusal>, RepoError> {
    let stat = match rustix::fs::statat(folder, file.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(Err(Refusal::Missing(file.name.clone()))),
        Err(error) => {
            return Err(RepoError::io(
                "look at",
                &upload.dir.join(&file.name),
                error.into(),
            ));
        }
    };
    if !is_regular(&stat) {
        return Ok(Err(Refusal::NotRegular(file.name.clone())));
    }
    Ok(check_stated_size(file, size_of(&stat)).map(|()| stat))
}

fn check_stated_size(file: &ManifestFile, found: u64) -> Result<(), Refusal> {
    if found == file.size {
        return Ok(());
    }
    Err(Refusal::Size {
        file: file.name.clone(),
        expected: file.size,
        found,
    })
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
    // Again: what was looked at before the copying began can be something else by now.
    let stat = match check_file(folder, upload, file)? {
        Ok(stat) => stat,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (source, size) = match open_regular(folder, Path::new(name), &stat) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(Err(Refusal::NotRegular(name.clone()))),
        Err(Errno::NOENT) => return Ok(Err(Refusal::Missing(name.clone()))),
        Err(error) => return Err(RepoError::io("open", &path, error.into())),
    };
    if let Err(refusal) = check_stated_size(file, size) {
        return Ok(Err(refusal));
    }
    let staged = staging.join(name);
    let reading = copy(disk, source, file.size, &path, &staged)?;
    if let Err(refusal) = check_stated_size(file, reading.size) {
        return Ok(Err(refusal));
    }
    if reading.sha256 != file.sha256 {
        let (expected, found) = (file.sha256.clone(), reading.sha256);
        return Ok(Err(Refusal::Hash {
            file: name.clone(),
            expected,
            found,
        }));
    }
    Ok(taken_in(name, staged, reading.package))
}

/// Opens what `stat` was found at `path`; `None` when that is not, or no longer, a regular file.
fn open_regular(folder: impl AsFd, path: &Path, stat: &Stat) -> Result<Option<(File, u64)>, Errno> {
    if !is_regular(stat) {
        return Ok(None);
    }
    // Without NONBLOCK a pipe that took the file's place would hold the whole repository up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Ok(None),
        Err(error) => return Err(error),
    };
    let stat = rustix::fs::fstat(&file)?;
    Ok(is_regular(&stat).then(|| (File::from(file), size_of(&stat))))
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn size_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}

fn copy(disk: &Disk, source: File, size: u64, path: &Path, staged: &Path) -> Result<Reading, RepoError> {
    let copy = disk.create(staged)?;
    // One byte more than expected is enough to see that the file grows under the reader's hands.
    let source = source.take(size.saturating_add(1));
    read_package(source, io::BufWriter::with_capacity(256 << 10, copy))
        .map_err(|error| RepoError::io("take in", path, error))
}

fn taken_in(name: &str, staged: PathBuf, package: Result<Package, PackageError>) -> Result<TakenIn, Refusal> {
    let file = name.to_owned();
    match package {
        Ok(package) => Ok(TakenIn {
            file_name: file,
            staged,
            package,
        }),
        Err(source) => Err(Refusal::Package { file, source }),
    }
}
