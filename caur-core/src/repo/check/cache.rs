//! What packages have to do with shared libraries, remembered by the hash of their file, so that a second check
//! reads no package.
//!
//! A file of JSON lines. Lines are added as packages are read, each in one write, so that two checks at once and
//! one that ends early do no harm. It is only a memory: lines that cannot be read are passed over, and the file
//! is written anew when more of it is of no use than of use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::libraries::Libraries;

/// Of another version nothing is taken: it may have looked for less.
const VERSION: u32 = 1;
/// The longest line, in bytes; what a package's libraries may take is less.
const LINE_LIMIT: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Line<L> {
    version: u32,
    sha256: String,
    libraries: L,
}

/// The memory of earlier checks.
#[derive(Debug)]
pub struct Cache {
    path: Option<PathBuf>,
    known: BTreeMap<String, Libraries>,
    /// Lines that are damaged, outdated or repeated, or about packages that are gone.
    useless: usize,
    file: Option<Mutex<File>>,
}

impl Cache {
    /// Reads what the file at `path` holds about the packages with the hashes `wanted`; without a path there is
    /// no memory.
    #[must_use]
    pub fn load(path: Option<&Path>, wanted: &BTreeSet<&str>) -> Self {
        let mut cache = Self {
            path: path.map(Path::to_owned),
            known: BTreeMap::new(),
            useless: 0,
            file: None,
        };
        let Some(path) = path else { return cache };
        match File::open(path) {
            Ok(file) => cache.read(BufReader::new(file), wanted),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => complain(path, &error),
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        cache.file = file
            .inspect_err(|error| complain(path, error))
            .ok()
            .map(Mutex::new);
        cache
    }

    fn read(&mut self, mut source: impl BufRead, wanted: &BTreeSet<&str>) {
        let mut line = Vec::new();
        loop {
            line.clear();
            match source.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) if line.ends_with(b"\n") => {}
                Ok(_) | Err(_) => {
                    self.useless += 1;
                    break;
                }
            }
            let taken = serde_json::from_slice::<Line<Libraries>>(&line)
                .ok()
                .filter(|line| line.version == VERSION && wanted.contains(line.sha256.as_str()))
                .is_some_and(|line| self.known.insert(line.sha256, line.libraries).is_none());
            self.useless += usize::from(!taken);
        }
    }

    /// What is remembered about a package.
    #[must_use]
    pub fn get(&self, sha256: &str) -> Option<&Libraries> {
        self.known.get(sha256)
    }

    /// Writes down what was found in a package.
    pub fn add(&self, sha256: &str, libraries: &Libraries) {
        let Some(file) = &self.file else { return };
        let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let text = line(sha256, libraries);
        if let (Err(error), Some(path)) = (file.write_all(text.as_bytes()), &self.path) {
            complain(path, &error);
        }
    }

    /// Writes the file anew where it is mostly useless, with `libraries`: those of all packages by hash.
    pub fn tidy<'a>(&self, libraries: impl ExactSizeIterator<Item = (&'a str, &'a Libraries)>) {
        let Some(path) = &self.path else { return };
        if self.useless <= libraries.len() {
            return;
        }
        if let Err(error) = replace(path, libraries) {
            complain(path, &error);
        }
    }
}

fn replace<'a>(path: &Path, libraries: impl Iterator<Item = (&'a str, &'a Libraries)>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    let mut writer = BufWriter::new(&file);
    for (sha256, libraries) in libraries {
        writer.write_all(line(sha256, libraries).as_bytes())?;
    }
    writer.flush()?;
    drop(writer);
    file.persist(path)?;
    Ok(())
}

fn line(sha256: &str, libraries: &Libraries) -> String {
    let line = Line {
        version: VERSION,
        sha256: sha256.to_owned(),
        libraries,
    };
    let text = serde_json::to_string(&line).expect("texts and numbers can always be written as JSON");
    text + "\n"
}

fn complain(path: &Path, error: &io::Error) {
    tracing::warn!(path = %path.display(), %error, "cannot remember the libraries of packages; the next check reads them again");
}
