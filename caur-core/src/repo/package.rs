//! Package files, read in one pass: hashes, `.PKGINFO` and the list of files, whatever the size.

use std::io::{self, Read, Write};

use md5::Md5;
use sha2::{Digest, Sha256};

use super::archive::{Member, for_each_member};
use super::compression::{Bomb, Compression, decompress};
use super::pkginfo::{self, PkgInfo, PkgInfoError};
use super::ustar::{ArchiveError, BLOCK};

/// What a package may unpack to, in bytes, however large it is itself.
pub const UNPACKED_LIMIT: u64 = 64 << 30;
/// What the paths in a package may take together, in bytes. The largest real lists stay below 10 MiB.
const PATHS_LIMIT: usize = 32 << 20;
/// What a path takes in memory beside its text, in bytes.
const PATH_OVERHEAD: usize = 32;

/// A file that is not a package that can be relied on.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The compressed data is damaged or cut short.
    #[error(
        "it cannot be read as a package (damaged, cut short, or compressed beyond what pacman takes): {0}"
    )]
    Unreadable(io::Error),
    /// A decompression bomb.
    #[error(transparent)]
    Bomb(Bomb),
    /// The archive is damaged, or readers could disagree about it.
    #[error(transparent)]
    Archive(ArchiveError),
    /// It begins as no package of makepkg does.
    #[error(
        "it does not begin with a metadata file such as .BUILDINFO or .PKGINFO, so that programs can disagree about what it is; build it with an unchanged makepkg"
    )]
    Beginning,
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
    /// A path that leaves the root, is absolute or has several spellings.
    #[error("it holds the path {0:?}, which is absolute, leads out of the root or is oddly spelled")]
    Path(String),
    /// A hard link to what is not in the package.
    #[error("it holds a hard link to {0:?}, which is not one of its own files")]
    HardLink(String),
    /// Too many paths.
    #[error("its list of files takes more than {PATHS_LIMIT} bytes")]
    TooManyPaths,
}

impl From<io::Error> for PackageError {
    fn from(error: io::Error) -> Self {
        let archive = |error: io::Error| error.downcast().map_or_else(Self::Unreadable, Self::Archive);
        error.downcast().map_or_else(archive, Self::Bomb)
    }
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
    let (compression, mut unpacked) = decompress(source)?;
    let beginning = check_beginning(&mut unpacked)?;
    let mut info = None;
    let mut files = PathList::default();
    let mut hard_links = PathList::default();
    for_each_member(beginning.chain(unpacked), UNPACKED_LIMIT, |member| {
        check_path(member)?;
        if member.path == PKGINFO {
            if info.is_some() {
                return Err(PackageError::SecondPkgInfo);
            }
            info = Some(read_pkginfo(member)?);
        }
        if !member.path.starts_with(b".") {
            files.push(&member.path)?;
        }
        member
            .hard_link
            .as_ref()
            .map_or(Ok(()), |target| hard_links.push(target))
    })?;
    let info = info.ok_or(PackageError::NoPkgInfo)?;
    let files = files.sorted();
    // A target that is not in the package would be a file that is there where the package is installed.
    let is_stray = |target: &String| files.binary_search(target).is_err();
    match hard_links.sorted().into_iter().find(is_stray) {
        Some(target) => Err(PackageError::HardLink(target)),
        None => Ok((info, files, compression)),
    }
}

/// Paths in the spelling of `bsdtar -t`, as many as memory is for.
#[derive(Default)]
struct PathList {
    paths: Vec<String>,
    size: usize,
}

impl PathList {
    fn push(&mut self, path: &[u8]) -> Result<(), PackageError> {
        let path = escape(path);
        self.size += path.len() + PATH_OVERHEAD;
        if self.size > PATHS_LIMIT {
            return Err(PackageError::TooManyPaths);
        }
        self.paths.push(path);
        Ok(())
    }

    fn sorted(mut self) -> Vec<String> {
        self.paths.sort_unstable();
        self.paths.dedup();
        self.paths
    }
}

const PKGINFO: &[u8] = b".PKGINFO";

/// Reads the first block and makes sure that it is a tar header to everybody: libarchive looks for a dozen formats
/// and compressions, of which some begin with letters that a name could begin with, or a text line that it could hold.
fn check_beginning(unpacked: &mut impl Read) -> Result<io::Cursor<Vec<u8>>, PackageError> {
    let mut block = Vec::with_capacity(BLOCK);
    unpacked.take(BLOCK as u64).read_to_end(&mut block)?;
    let name = block.split(|&byte| byte == 0).next().unwrap_or(&block);
    let usual = name.starts_with(b".") || name.starts_with(b"PaxHeader");
    if block.len() == BLOCK && !(usual && name.iter().all(u8::is_ascii_graphic)) {
        return Err(PackageError::Beginning);
    }
    Ok(io::Cursor::new(block))
}

/// pacman takes paths as they are spelled, bsdtar and so `repo-add` some spellings for the same.
fn check_path(member: &Member<'_>) -> Result<(), PackageError> {
    let is_plain = |path: &[u8]| {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        path.split(|&byte| byte == b'/')
            .all(|part| !matches!(part, b"" | b"." | b".."))
    };
    if !is_plain(&member.path) {
        return Err(PackageError::Path(escape(&member.path)));
    }
    // bsdtar, asked for .PKGINFO, would also print what lies in a folder of that name.
    if member.path.starts_with(b".PKGINFO/") {
        return Err(PackageError::OddPkgInfo);
    }
    Ok(())
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
