//! Repository databases: `TARGET.db.tar.zst` (a `desc` for each package) and `TARGET.files.tar.zst` (`desc` and
//! `files`), read and written as streams.
//!
//! A rewrite passes on every entry that it is not told to change, with all its members and unknown fields.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::archive::for_each_member;
use super::compression::decompress;
use super::entry::Desc;

/// What one member of a database may take, in bytes.
const MEMBER_LIMIT: u64 = 64 << 20;
/// What a database may unpack to, in bytes.
const UNPACKED_LIMIT: u64 = 16 << 30;
/// The level of `zstd` that `repo-add` uses.
const ZSTD_LEVEL: i32 = 3;

/// A database that cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Reading or writing failed, or the archive is damaged.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A member that is not `NAME-VERSION/FILE`.
    #[error("it holds {0:?}, which is not a file of a package's entry; it is no pacman database")]
    OddMember(String),
    /// An entry whose `desc` is missing, not text, or about another package than its directory says.
    #[error("the entry {entry:?} {problem}")]
    BadEntry {
        /// The entry's directory.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// One package in a database: its directory and the members in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseEntry {
    /// The directory, `pkgname-version`.
    pub directory: String,
    /// File names and contents, in their order.
    pub members: Vec<(String, Vec<u8>)>,
    /// Modification time in seconds since 1970, for the archive only.
    pub modified: u64,
}

impl DatabaseEntry {
    /// The package's name: the directory without version and release, which hold no hyphen.
    #[must_use]
    pub fn pkgname(&self) -> &str {
        self.directory.rsplitn(3, '-').nth(2).unwrap_or(&self.directory)
    }

    /// What its `desc` says.
    ///
    /// # Errors
    /// When there is none, or it contradicts the directory.
    pub fn desc(&self) -> Result<Desc, DatabaseError> {
        let bad = |problem| DatabaseError::BadEntry {
            entry: self.directory.clone(),
            problem,
        };
        let (_, text) = self
            .members
            .iter()
            .find(|(name, _)| name == "desc")
            .ok_or_else(|| bad("has no desc"))?;
        let desc = Desc::parse(str::from_utf8(text).map_err(|_| bad("has a desc that is not UTF-8"))?);
        match (desc.one("NAME"), desc.one("VERSION"), desc.one("FILENAME")) {
            (Some(name), Some(version), Some(_)) if self.directory == format!("{name}-{version}") => Ok(desc),
            (Some(_), Some(_), Some(_)) => Err(bad("is about another package than its directory")),
            (_, _, _) => Err(bad("lacks its name, version or file name")),
        }
    }
}

/// What is needed of an entry to decide about packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The pkgbase; the pkgname where the database states none.
    pub pkgbase: String,
    /// Full version.
    pub version: String,
    /// Name of the package file.
    pub file_name: String,
    /// SHA-256 of the package file, where the database states it.
    pub sha256: Option<String>,
    /// Architecture of the package, or `any`.
    pub arch: String,
    /// What it is, in a line.
    pub description: String,
    /// Size of the package file, in bytes.
    pub size: u64,
    /// Size of what it installs, in bytes.
    pub installed_size: u64,
    /// When it was built, in seconds since 1970.
    pub build_date: u64,
    /// What it provides, with versions.
    pub provides: Vec<String>,
    /// What it needs at run time, with versions.
    pub depends: Vec<String>,
}

impl Listed {
    /// What the entry `desc` of the package `name` says.
    #[must_use]
    pub fn new(name: &str, desc: &Desc) -> Self {
        let text = |heading| desc.one(heading).unwrap_or_default().to_owned();
        let number = |heading| desc.one(heading).and_then(|n| n.parse().ok()).unwrap_or_default();
        Self {
            pkgbase: desc.one("BASE").unwrap_or(name).to_owned(),
            version: text("VERSION"),
            file_name: text("FILENAME"),
            sha256: desc.one("SHA256SUM").map(str::to_owned),
            arch: text("ARCH"),
            description: text("DESC"),
            size: number("CSIZE"),
            installed_size: number("ISIZE"),
            build_date: number("BUILDDATE"),
            provides: desc.all("PROVIDES").to_vec(),
            depends: desc.all("DEPENDS").to_vec(),
        }
    }
}

/// Every package of a database, by name.
pub type Index = BTreeMap<String, Listed>;

/// Shows every entry of a database to `visit`, one at a time.
///
/// # Errors
/// When the database is damaged or is none, or what `visit` returns.
pub fn for_each_entry<E: From<DatabaseError>>(
    source: impl Read,
    mut visit: impl FnMut(DatabaseEntry) -> Result<(), E>,
) -> Result<(), E> {
    enum Stop<E> {
        Own(E),
        Io(io::Error),
    }
    impl<E> From<io::Error> for Stop<E> {
        fn from(error: io::Error) -> Self {
            Self::Io(error)
        }
    }
    let mut current: Option<DatabaseEntry> = None;
    let (_, unpacked) = decompress(source).map_err(DatabaseError::from)?;
    for_each_member(unpacked, UNPACKED_LIMIT, |member| {
        let odd =
            || Stop::Own(DatabaseError::OddMember(String::from_utf8_lossy(&member.path).into_owned()).into());
        let path = member.path.strip_prefix(b"./").unwrap_or(&member.path);
        let path = str::from_utf8(path).map_err(|_| odd())?;
        let (directory, file) = match path.split_once('/') {
            Some(parts) => parts,
            None if !member.is_file => (path, ""),
            None => return Err(odd()),
        };
        if file.contains('/') || directory.starts_with('.') || member.is_file == file.is_empty() {
            return Err(odd());
        }
        let (directory, file) = (directory.to_owned(), file.to_owned());
        if current.as_ref().is_none_or(|entry| entry.directory != directory) {
            let entry = DatabaseEntry {
                directory,
                members: Vec::new(),
                modified: member.modified,
            };
            if let Some(complete) = current.replace(entry) {
                visit(complete).map_err(Stop::Own)?;
            }
        }
        if let Some(entry) = current.as_mut().filter(|_| member.is_file) {
            entry.members.push((file, member.read(MEMBER_LIMIT)?));
        }
        Ok(())
    })
    .map_err(|stop| match stop {
        Stop::Own(error) => error,
        Stop::Io(error) => DatabaseError::from(error).into(),
    })?;
    current.map_or(Ok(()), visit)
}

/// Reads the index of the database at `path`; empty where there is no such file.
///
/// # Errors
/// When it cannot be read or relied on.
pub fn read_index(path: &Path) -> Result<Index, DatabaseError> {
    let mut index = Index::new();
    let Some(file) = open(path)? else { return Ok(index) };
    for_each_entry(file, |entry| {
        let desc = entry.desc()?;
        let name = entry.pkgname().to_owned();
        let listed = Listed::new(&name, &desc);
        match index.insert(name, listed) {
            None => Ok(()),
            Some(_) => Err(DatabaseError::BadEntry {
                entry: entry.directory,
                problem: "is the second one of its name",
            }),
        }
    })?;
    Ok(index)
}

/// Writes to `out` what the database at `old` holds (nothing where there is no such file) of packages that `keep`
/// says, with the entries of `add`, which replace those of the same name. Of `add` only `members` are written.
///
/// # Errors
/// When `old` cannot be relied on or `out` cannot be written.
pub fn rewrite(
    old: &Path,
    add: &[DatabaseEntry],
    keep: impl Fn(&str) -> bool,
    members: &[&str],
    out: impl Write,
) -> Result<(), DatabaseError> {
    let replaced: BTreeSet<&str> = add.iter().map(DatabaseEntry::pkgname).collect();
    let mut add: Vec<&DatabaseEntry> = add.iter().collect();
    add.sort_unstable_by(|a, b| a.directory.cmp(&b.directory));
    let mut add = add.into_iter().peekable();
    let mut writer = Writer::new(out)?;
    if let Some(file) = open(old)? {
        for_each_entry(file, |entry| {
            while let Some(next) = add.next_if(|next| next.directory < entry.directory) {
                writer.append(next, |name| members.contains(&name))?;
            }
            if keep(entry.pkgname()) && !replaced.contains(entry.pkgname()) {
                writer.append(&entry, |_| true)?;
            }
            Ok::<_, DatabaseError>(())
        })?;
    }
    for entry in add {
        writer.append(entry, |name| members.contains(&name))?;
    }
    writer.finish()?;
    Ok(())
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        // A database without packages is an archive, too; what has no byte was cut.
        Ok(file) if file.metadata()?.len() == 0 => Err(io::Error::other("the file is empty")),
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

struct Writer<W: Write> {
    archive: tar::Builder<BufWriter<zstd::Encoder<'static, W>>>,
}

impl<W: Write> Writer<W> {
    fn new(out: W) -> io::Result<Self> {
        let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self {
            archive: tar::Builder::new(BufWriter::with_capacity(128 << 10, encoder)),
        })
    }

    fn append(&mut self, entry: &DatabaseEntry, wanted: impl Fn(&str) -> bool) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(entry.modified);
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        self.archive
            .append_data(&mut header, format!("{}/", entry.directory), io::empty())?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        for (name, content) in entry.members.iter().filter(|(name, _)| wanted(name)) {
            header.set_size(content.len() as u64);
            self.archive.append_data(
                &mut header,
                format!("{}/{name}", entry.directory),
                content.as_slice(),
            )?;
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        let encoder = self
            .archive
            .into_inner()?
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        encoder.finish()?.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(directory: &str, more: &str) -> DatabaseEntry {
        let mut parts = directory.rsplitn(3, '-');
        let (release, version) = (parts.next().unwrap(), parts.next().unwrap());
        let name = parts.next().unwrap();
        let desc = format!(
            "%FILENAME%\n{directory}-any.pkg.tar.zst\n\n%NAME%\n{name}\n\n%VERSION%\n{version}-{release}\n\n{more}"
        );
        DatabaseEntry {
            directory: directory.to_owned(),
            members: vec![("desc".into(), desc.into_bytes())],
            modified: 5,
        }
    }

    fn write_over(old: &Path, add: &[DatabaseEntry], new: &Path) -> Result<(), DatabaseError> {
        let members = ["desc", "other"];
        rewrite(old, add, |_| true, &members, File::create(new).unwrap())
    }

    fn all(path: &Path) -> Vec<DatabaseEntry> {
        let mut entries = Vec::new();
        for_each_entry(File::open(path).unwrap(), |entry| {
            entries.push(entry);
            Ok::<_, DatabaseError>(())
        })
        .unwrap();
        entries
    }

    #[test]
    fn a_rewrite_keeps_what_it_is_not_told_to_change() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("1"), folder.path().join("2"));
        let mut kept = entry(&format!("b{}-1-1", "x".repeat(110)), "%FUTURE%\nfield\n\n");
        kept.members.push(("other".into(), b"\0\xff".to_vec()));
        let old = [entry("c-d-1:1-1", ""), entry("a-1-1", ""), kept.clone()];
        write_over(&first, &old, &first).unwrap_err();
        std::fs::remove_file(&first).unwrap();
        let nothing = folder.path().join("nothing");
        write_over(&nothing, &old, &first).unwrap();

        let add = [entry("c-d-1:2-1", ""), entry("aa-1-1", "")];
        write_over(&first, &add, &second).unwrap();
        assert_eq!(
            all(&second),
            [old[1].clone(), add[1].clone(), kept, add[0].clone()]
        );
        let index = read_index(&second).unwrap();
        assert_eq!(index["c-d"].version, "1:2-1");
        assert_eq!(index["aa"].pkgbase, "aa");
    }

    #[test]
    fn an_entry_that_contradicts_its_directory_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        for (directory, problem) in [("b-1-1", "another package"), ("a-1-2", "another package")] {
            let mut bad = entry("a-1-1", "");
            bad.directory = directory.to_owned();
            let nothing = folder.path().join("nothing");
            write_over(&nothing, &[bad], &path).unwrap();
            let error = read_index(&path).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn damage_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("db");
            write_over(&folder.path().join("nothing"), &[entry("a-1-1", "")], &path).unwrap();
            let packed = std::fs::read(&path).unwrap();
            let unpacked = zstd::decode_all(packed.as_slice()).unwrap();
            for mut bytes in [packed, unpacked] {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes.truncate(cut.index(bytes.len()) + 1);
                let _ = for_each_entry(bytes.as_slice(), |entry| entry.desc().map(drop));
            }
        }
    }
}
