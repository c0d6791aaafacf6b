//! What a successful build left behind: its package files.

use std::fs::{DirEntry, File};
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use super::BuildError;
use crate::model::ManifestFile;

const SUFFIX: &str = ".pkg.tar.zst";
const READ_SIZE: usize = 1 << 17;

/// The packages in `directory` with size and hash, by name. Empty files are leftovers of the preparation.
///
/// # Errors
/// [`BuildError::Package`] when there is none, or when something that is named like a package is not a plain
/// file; [`BuildError::File`] when reading fails.
pub(super) fn collect(directory: &Path) -> Result<Vec<ManifestFile>, BuildError> {
    let mut packages = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(BuildError::file("list", directory))? {
        let entry = entry.map_err(BuildError::file("list", directory))?;
        if let Some(package) = take(&entry)? {
            packages.push(package);
        }
    }
    if packages.is_empty() {
        return Err(BuildError::Package(
            "the build succeeded but built no package: its exit status is 0 and no *.pkg.tar.zst was left in pkgout"
                .to_owned(),
        ));
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn take(entry: &DirEntry) -> Result<Option<ManifestFile>, BuildError> {
    let path = entry.path();
    if !entry.file_name().as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
        return Ok(None);
    }
    let kind = entry.file_type().map_err(BuildError::file("look at", &path))?;
    if !kind.is_file() {
        return Err(BuildError::Package(format!(
            "the build left {:?} in pkgout, which is no plain file; links and directories are refused",
            entry.file_name()
        )));
    }
    let name = plain_name(entry)?;
    // The name may have become a link since it was looked at.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file: File = rustix::fs::open(&path, flags, Mode::empty())
        .map_err(io::Error::from)
        .map_err(BuildError::file("open", &path))?
        .into();
    let (size, sha256) = measure(&mut file).map_err(BuildError::file("read", &path))?;
    if size == 0 {
        return Ok(None);
    }
    Ok(Some(ManifestFile { name, size, sha256 }))
}

/// Size and SHA-256 in lower-case hexadecimal.
fn measure(file: &mut File) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_SIZE];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
            return Ok((size, hex::encode(hasher.finalize())));
        };
        hasher.update(chunk);
        size += chunk.len() as u64;
    }
}

fn plain_name(entry: &DirEntry) -> Result<String, BuildError> {
    entry
        .file_name()
        .into_string()
        .ok()
        .filter(|name| name.bytes().all(|b| b.is_ascii_graphic()) && !name.starts_with(['.', '-']))
        .ok_or_else(|| {
            BuildError::Package(format!(
                "the build left {:?} in pkgout, which is no name for a package file",
                entry.file_name()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        directory
    }

    #[test]
    fn packages_are_listed_with_size_and_hash() {
        let directory = directory(&[
            ("b-1-1-any.pkg.tar.zst", "abc"),
            ("a-2:1-1-any.pkg.tar.zst", "xy"),
            ("left-1-1-any.pkg.tar.zst", ""),
            ("filler-1-1-any.pkg.tar", ""),
            ("notes.txt", "hello"),
        ]);
        let packages = collect(directory.path()).unwrap();
        let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["a-2:1-1-any.pkg.tar.zst", "b-1-1-any.pkg.tar.zst"]);
        assert_eq!(packages[1].size, 3);
        assert_eq!(
            packages[1].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn no_package_is_the_packages_failure() {
        let directory = directory(&[("a-1-1-any.pkg.tar.zst", "")]);
        let error = collect(directory.path()).unwrap_err();
        assert!(error.to_string().contains("built no package"), "{error}");
        assert_eq!(error.outcome(), crate::model::BuildOutcome::Failed);
    }

    #[test]
    fn links_and_strange_names_are_refused() {
        let linked = directory(&[("a-1-1-any.pkg.tar.zst", "x")]);
        std::os::unix::fs::symlink("/etc/passwd", linked.path().join("b-1-1-any.pkg.tar.zst")).unwrap();
        let error = collect(linked.path()).unwrap_err().to_string();
        assert!(
            error.contains("b-1-1-any.pkg.tar.zst") && error.contains("no plain file"),
            "{error}"
        );

        for name in [
            "-a.pkg.tar.zst",
            ".a.pkg.tar.zst",
            "a b.pkg.tar.zst",
            "a\n.pkg.tar.zst",
        ] {
            let error = collect(directory(&[(name, "x")]).path()).unwrap_err().to_string();
            assert!(error.contains("no name for a package file"), "{error}");
        }
    }

    #[test]
    fn an_unreadable_directory_is_not_the_packages_fault() {
        let error = collect(Path::new("/nonexistent/pkgout")).unwrap_err();
        assert_eq!(error.outcome(), crate::model::BuildOutcome::Infrastructure);
    }
}
