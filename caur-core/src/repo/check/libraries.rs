//! The shared libraries in a package file and those that it needs, read in one pass with bounded memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::SpooledTempFile;

use super::super::RepoError;
use super::super::archive::{Member, for_each_member};
use super::super::compression::decompress;
use super::super::package::UNPACKED_LIMIT;
use super::elf::{self, Abi, Elf};

/// What of an ELF file is held in memory; the rest of a larger one goes to an unnamed temporary file.
const SPOOLED: usize = 1 << 20;
/// What of an ELF file is copied at most, so that little that unpacks to much cannot fill the disk. What is larger
/// is passed over unless its names come first.
const SPOOL_LIMIT: u64 = 4 << 30;
/// How much of an ELF file is looked at before it is copied, and then copied at once.
const HEAD: u64 = 64 << 10;
/// What the names of one package's libraries may take together, in bytes. The largest real lists stay below 1 MiB.
const NAMES_LIMIT: usize = 16 << 20;
/// Debug symbols repeat the headers of what they are about, without its content.
const DEBUG_SYMBOLS: &str = "usr/lib/debug/";

/// What one package has to do with shared libraries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libraries {
    /// The libraries in it.
    pub provided: Vec<Provided>,
    /// Paths that are named like libraries and are links to some, or something else.
    pub named: Vec<String>,
    /// What its programs and libraries need, each name once for an ABI.
    pub needed: Vec<Needed>,
}

/// A library in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provided {
    /// Its path.
    pub path: String,
    /// The name that it states for itself.
    pub soname: Option<String>,
    /// What it is made for.
    pub abi: Abi,
}

/// A library that something in a package needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// The library's name.
    pub name: String,
    /// What the program is made for.
    pub abi: Abi,
    /// The first file of the package that needs it.
    pub by: String,
}

/// A package file that was read for its libraries.
#[derive(Debug)]
pub struct Scan {
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// The libraries, or why the file cannot be read as a package.
    pub libraries: Result<Libraries, io::Error>,
}

/// Reads the package `file`, found at `path`.
///
/// # Errors
/// When a temporary file cannot be written. A damaged package is part of the answer.
pub fn scan(path: &Path, file: File) -> Result<Scan, RepoError> {
    let mut source = Hashed {
        source: file,
        sha256: Sha256::new(),
    };
    let libraries = match read_libraries(&mut source) {
        Ok(libraries) => Ok(libraries),
        Err(Stop::Package(error)) => Err(error),
        Err(Stop::Spool(error)) => {
            return Err(RepoError::io(
                "write a temporary copy of a library in",
                path,
                error,
            ));
        }
    };
    // What the unpacker leaves counts as well.
    let libraries = io::copy(&mut source, &mut io::sink()).and(libraries);
    Ok(Scan {
        sha256: hex::encode(source.sha256.finalize()),
        libraries,
    })
}

/// Whether a file of this name is a library, as far as names tell: `libfoo.so`, `libfoo.so.1.2`.
#[must_use]
pub fn is_library_name(name: &str) -> bool {
    name.match_indices(".so")
        .any(|(at, so)| at > 0 && matches!(name.as_bytes().get(at + so.len()), None | Some(b'.')))
}

/// The last part of a path.
#[must_use]
pub fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

enum Stop {
    /// The package cannot be read.
    Package(io::Error),
    /// The temporary file cannot be written or read.
    Spool(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Package(error)
    }
}

fn read_libraries(source: impl Read) -> Result<Libraries, Stop> {
    let (_, unpacked) = decompress(source)?;
    let mut found = Libraries::default();
    let mut needed: BTreeMap<(String, Abi), String> = BTreeMap::new();
    let mut names_left = NAMES_LIMIT;
    for_each_member(unpacked, UNPACKED_LIMIT, |member| -> Result<(), Stop> {
        let path = member.path.strip_prefix(b"./").unwrap_or(&member.path);
        let Ok(path) = str::from_utf8(path).map(str::to_owned) else {
            return Ok(());
        };
        if path.contains(char::is_control) || path.starts_with(DEBUG_SYMBOLS) {
            return Ok(());
        }
        let elf = if member.is_file { read_elf(member)? } else { None };
        let is_library = is_library_name(base_name(&path));
        let mut room_for = |bytes: usize| -> Result<(), Stop> {
            names_left = names_left.checked_sub(bytes).ok_or_else(|| {
                io::Error::other(format!(
                    "the names of its libraries take more than {NAMES_LIMIT} bytes"
                ))
            })?;
            Ok(())
        };
        let Some(Elf {
            abi,
            soname,
            needed: names,
        }) = elf
        else {
            if is_library {
                room_for(path.len())?;
                found.named.push(path);
            }
            return Ok(());
        };
        for name in names {
            if !needed.contains_key(&(name.clone(), abi)) {
                room_for(name.len() + path.len())?;
                needed.insert((name, abi), path.clone());
            }
        }
        if is_library || soname.is_some() {
            room_for(path.len() + soname.as_ref().map_or(0, String::len))?;
            found.provided.push(Provided { path, soname, abi });
        }
        Ok(())
    })?;
    found.needed = needed
        .into_iter()
        .map(|((name, abi), by)| Needed { name, abi, by })
        .collect();
    Ok(found)
}

fn read_elf(member: &mut Member<'_>) -> Result<Option<Elf>, Stop> {
    let mut head = Vec::new();
    member.content.take(4).read_to_end(&mut head)?;
    if !elf::has_magic(&head) {
        return Ok(None);
    }
    member.content.take(HEAD).read_to_end(&mut head)?;
    let mut left = elf::extent(&head).min(SPOOL_LIMIT);
    if left == 0 {
        return Ok(None);
    }
    let mut spool = SpooledTempFile::new(SPOOLED);
    spool.write_all(&head).map_err(Stop::Spool)?;
    left = left.saturating_sub(head.len() as u64);
    while left > 0 {
        head.clear();
        let count = member.content.take(HEAD.min(left)).read_to_end(&mut head)?;
        if count == 0 {
            break;
        }
        spool.write_all(&head).map_err(Stop::Spool)?;
        left -= count as u64;
    }
    spool.rewind().map_err(Stop::Spool)?;
    elf::read(&mut spool).map_err(Stop::Spool)
}

struct Hashed<R> {
    source: R,
    sha256: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.sha256.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_libraries_are_taken_for_some() {
        for name in ["libfoo.so", "libfoo.so.1.2", "foo.so.bak.so", "a.so.conf"] {
            assert!(is_library_name(name), "{name}");
        }
        for name in [".so", "libfoo.sock", "libfoo.sound.x", "libfoo.a", ""] {
            assert!(!is_library_name(name), "{name}");
        }
    }

    #[test]
    fn paths_mean_the_same_with_and_without_a_dot_before_them() {
        let mut archive = tar::Builder::new(Vec::new());
        for path in [&b"./usr/lib/liba.so"[..], b"usr/lib/libb.so"] {
            let mut header = tar::Header::new_ustar();
            // The library would leave the dot out.
            header.as_old_mut().name[..path.len()].copy_from_slice(path);
            header.set_size(1);
            header.set_cksum();
            archive.append(&header, &b"x"[..]).unwrap();
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&archive.into_inner().unwrap()).unwrap();
        file.rewind().unwrap();
        let scan = scan(Path::new("package"), file).unwrap();
        assert_eq!(
            scan.libraries.unwrap().named,
            ["usr/lib/liba.so", "usr/lib/libb.so"]
        );
    }
}
