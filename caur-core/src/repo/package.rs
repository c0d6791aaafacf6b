//! Package files, read in one pass: hashes, `.PKGINFO` and the list of files, whatever the size.

use std::io::{self, Read, Write};

use md5::Md5;
use sha2::{Digest, Sha256};

use super::archive::{Member, for_each_member};
use super::compression::{Compression, decompress};
use super::pkginfo::{self, PkgInfo, PkgInfoError};

/// What a package may unpack to, in bytes; a decompression bomb stops here.
pub const UNPACKED_LIMIT: u64 = 64 << 30;
/// What the paths in a package may take together, in bytes. The largest real lists stay below 10 MiB.
const PATHS_LIMIT: usize = 32 << 20;

/// A file that is not a package that can be relied on.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The archive is damaged, cut short, or no archive.
    #[error("it cannot be read as a package (damaged, cut short, or unpacking beyond all bounds): {0}")]
    Unreadable(#[from] io::Error),
    /// There is no `.PKGINFO`.
    #[error("it has no .PKGINFO, so it is not a package")]
    NoPkgInfo,
    /// There is a second `.PKGINFO`.
    #[error("it has more than one .PKGINFO, so that programs can disagree about what it is")]
    SecondPkgInfo,
    /// `.PKGINFO` is not a regular file or too long.
    #[error("its .PKGINFO is not a regular file of at most {} bytes", pkginfo::SIZE_LIMIT)]
    OddPkgInfo,
    /// `.PKGINFO` has bad content.
    #[error(transparent)]
    PkgInfo(#[from] PkgInfoError),
    /// A path that leaves the root or is absolute.
    #[error("it holds the path {0:?}, which is absolute or leads out of the root")]
    Path(String),
    /// Too many paths.
    #[error("its paths take more than {PATHS_LIMIT} bytes")]
    TooManyPaths,
}

/// What a package file says and is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its `.PKGINFO`.
    pub info: PkgInfo,
    /// The paths in it, without the metadata files at its top, sorted by bytes, each once, in the spelling of
    /// `bsdtar -t` (backslashes and unprintable characters escaped).
    pub files: Vec<String>,
    /// How it is compressed.
    pub compression: Compression,
    /// Its size on disk, in bytes.
    pub size: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Its MD5 in lower-case hexadecimal, which pacman 6 still keeps in databases.
    pub md5: String,
}

/// The outcome of reading a file that should be a package.
#[derive(Debug)]
pub struct Reading {
    /// Its size, in bytes.
    pub size: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// The package that it is, or why it is none.
    pub package: Result<Package, PackageError>,
}

/// Reads `source` to its end while copying it to `copy`.
///
/// # Errors
/// Only when `source` cannot be read or `copy` cannot be written; a bad package is part of the answer.
pub fn read_package(source: impl Read, copy: impl Write) -> io::Result<Reading> {
    let mut tee = Tee {
        source,
        copy,
        size: 0,
        sha256: Sha256::new(),
        md5: Md5::new(),
        failure: None,
    };
    let contents = read_contents(&mut tee);
    if tee.failure.is_none() {
        // The unpacker may stop early; hash and copy are of the whole file.
        let _ = io::copy(&mut tee, &mut io::sink());
    }
    if let Some(failure) = tee.failure {
        return Err(failure);
    }
    tee.copy.flush()?;
    let (size, sha256, md5) = (
        tee.size,
        hex::encode(tee.sha256.finalize()),
        hex::encode(tee.md5.finalize()),
    );
    let package = contents.map(|(info, files, compression)| Package {
        info,
        files,
        compression,
        size,
        sha256: sha256.clone(),
        md5,
    });
    Ok(Reading {
        size,
        sha256,
        package,
    })
}

fn read_contents(source: impl Read) -> Result<(PkgInfo, Vec<String>, Compression), PackageError> {
    let (compression, unpacked) = decompress(source)?;
    let mut info = None;
    let mut files = Vec::new();
    let mut paths_size = 0;
    for_each_member(unpacked, UNPACKED_LIMIT, |member| {
        if member.path == b".PKGINFO" {
            if info.is_some() {
                return Err(PackageError::SecondPkgInfo);
            }
            info = Some(read_pkginfo(member)?);
        }
        if member.path.starts_with(b"/") || member.path.split(|&b| b == b'/').any(|part| part == b"..") {
            return Err(PackageError::Path(escape(&member.path)));
        }
        if !member.path.starts_with(b".") {
            paths_size += member.path.len();
            if paths_size > PATHS_LIMIT {
                return Err(PackageError::TooManyPaths);
            }
            files.push(escape(&member.path));
        }
        Ok(())
    })?;
    files.sort_unstable();
    files.dedup();
    Ok((info.ok_or(PackageError::NoPkgInfo)?, files, compression))
}

fn read_pkginfo(member: &mut Member<'_>) -> Result<PkgInfo, PackageError> {
    let mut text = Vec::new();
    member
        .content
        .take(pkginfo::SIZE_LIMIT + 1)
        .read_to_end(&mut text)?;
    if !member.is_file || text.len() as u64 > pkginfo::SIZE_LIMIT {
        return Err(PackageError::OddPkgInfo);
    }
    Ok(PkgInfo::parse(&text)?)
}

/// Spells a path as `bsdtar -t` prints it, which is what `repo-add` writes into the files database.
fn escape(path: &[u8]) -> String {
    let mut result = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => result.push_str("\\\\"),
                '\u{7}' => result.push_str("\\a"),
                '\u{8}' => result.push_str("\\b"),
                '\u{c}' => result.push_str("\\f"),
                '\n' => result.push_str("\\n"),
                '\r' => result.push_str("\\r"),
                '\t' => result.push_str("\\t"),
                '\u{b}' => result.push_str("\\v"),
                c if c.is_control() => {
                    c.encode_utf8(&mut [0; 4])
                        .bytes()
                        .for_each(|byte| result.push_str(&format!("\\{byte:03o}")));
                }
                c => result.push(c),
            }
        }
        chunk
            .invalid()
            .iter()
            .for_each(|byte| result.push_str(&format!("\\{byte:03o}")));
    }
    result
}

struct Tee<R, W> {
    source: R,
    copy: W,
    size: u64,
    sha256: Sha256,
    md5: Md5,
    failure: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.source.read(buffer).and_then(|count| {
            self.copy.write_all(&buffer[..count])?;
            Ok(count)
        });
        match outcome {
            Ok(count) => {
                self.size += count as u64;
                self.sha256.update(&buffer[..count]);
                self.md5.update(&buffer[..count]);
                Ok(count)
            }
            Err(failure) if failure.kind() == io::ErrorKind::Interrupted => Err(failure),
            Err(failure) => {
                let shown = io::Error::new(failure.kind(), failure.to_string());
                self.failure.get_or_insert(failure);
                Err(shown)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn package() -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let info = b"pkgname = a\npkgver = 1-1\narch = any\n";
        let long = format!("usr/{}", "x".repeat(150));
        for (path, content) in [(".PKGINFO", info.as_slice()), (&long, b"y")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn damage_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let tar = package();
            for mut bytes in [zstd::encode_all(tar.as_slice(), 1).unwrap(), tar] {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes.truncate(cut.index(bytes.len()) + 1);
                let reading = read_package(bytes.as_slice(), io::sink()).unwrap();
                prop_assert_eq!(reading.size, bytes.len() as u64);
                prop_assert_eq!(reading.sha256, hex::encode(Sha256::digest(&bytes)));
            }
        }

        #[test]
        fn anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000), magic in 0..4_usize) {
            let head: &[u8] = [&[][..], &[0x1f, 0x8b], &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd]][magic];
            read_package([head, &bytes].concat().as_slice(), io::sink()).unwrap();
        }
    }
}
