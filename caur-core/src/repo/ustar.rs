//! Headers of tar archives, read so strictly that every reader of packages sees the same in them.
//!
//! What was verified has to be what pacman installs. Where libarchive (pacman, repo-add), GNU tar and the tar libraries
//! of the languages are known to differ, an archive is refused instead of read in one of the ways. What makepkg
//! writes, through bsdtar, is far from all of that.

use std::collections::BTreeSet;

/// Headers and contents come in blocks of this many bytes.
pub const BLOCK: usize = 512;
/// The largest size that the header's octal digits can state, in bytes.
const LARGEST_OCTAL: u64 = 0o777_7777_7777;

/// An archive that programs could understand in different ways, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// A header is damaged, or there is none where one must be.
    #[error("a header in the archive is damaged, or this is no tar archive")]
    Checksum,
    /// There is more than one way to read it.
    #[error("programs can disagree about what it holds: {0}; build it with an unchanged makepkg")]
    Ambiguous(&'static str),
    /// The end mark is missing.
    #[error("the archive is cut short: its end mark is missing")]
    NoEnd,
    /// The headers of one member are too long to be held in memory.
    #[error("the headers of one archive member exceed a mebibyte")]
    LongHeaders,
    /// It unpacks to more than is taken.
    #[error("it unpacks to more than the size limit")]
    TooLarge,
}

/// What a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name for an earlier member.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A folder.
    Folder,
    /// A device or pipe.
    Device,
    /// The path of the next member, in GNU's way.
    LongPath,
    /// The link target of the next member, in GNU's way.
    LongTarget,
    /// Attributes of the next member, in POSIX's way.
    Pax,
}

/// One header block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What it announces.
    pub kind: Kind,
    /// The path as far as it fits into the block.
    pub path: Vec<u8>,
    /// Where a link leads, as far as it fits into the block.
    pub target: Vec<u8>,
    /// How many bytes follow.
    pub size: u64,
    /// The modification time, in seconds since 1970; 0 where it lies before.
    pub modified: u64,
}

impl Header {
    /// Reads a block.
    ///
    /// # Errors
    /// When it is damaged or readers disagree about it.
    pub fn parse(block: &[u8; BLOCK]) -> Result<Self, ArchiveError> {
        let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        let computed = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
        if octal(&block[148..156]) != Some(u64::from(computed)) {
            return Err(ArchiveError::Checksum);
        }
        let posix = match &block[257..265] {
            b"ustar\x0000" => true,
            b"ustar  \0" => false,
            _ => return Err(ArchiveError::Ambiguous("a header is not in the ustar format")),
        };
        for field in [100..108, 108..116, 116..124, 136..148, 329..337, 337..345] {
            let field = &block[field];
            if field[0] & 0x80 == 0 && octal(field).is_none() {
                return Err(ArchiveError::Ambiguous("a number in a header is not octal"));
            }
        }
        let size =
            number(&block[124..136]).ok_or(ArchiveError::Ambiguous("a size in a header is no number"))?;
        let kind = match block[156] {
            b'0' | 0 => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' | b'4' | b'6' => Kind::Device,
            b'5' => Kind::Folder,
            b'L' => Kind::LongPath,
            b'K' => Kind::LongTarget,
            b'x' => Kind::Pax,
            _ => return Err(ArchiveError::Ambiguous("a member is of an unusual type")),
        };
        let mut path = text(&block[..100]).to_vec();
        if posix && block[345] != 0 {
            path = [text(&block[345..500]), b"/", &path].concat();
        }
        Ok(Self {
            kind,
            path,
            target: text(&block[157..257]).to_vec(),
            size,
            modified: number(&block[136..148]).unwrap_or_default(),
        })
    }
}

/// What precedes a member's own header and overrides it.
#[derive(Debug, Default)]
pub struct Extensions {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    pax: Option<Pax>,
}

#[derive(Debug, Default)]
struct Pax {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    /// The path of a file whose holes are left out.
    sparse: Option<Vec<u8>>,
}

impl Extensions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.path.is_none() && self.target.is_none() && self.pax.is_none()
    }

    /// Takes the content of an extension header in.
    ///
    /// # Errors
    /// When it is the second one of its kind or readers disagree about it.
    pub fn add(&mut self, kind: Kind, content: &[u8]) -> Result<(), ArchiveError> {
        let second = match kind {
            Kind::LongPath => self.path.replace(gnu_text(content)?).is_some(),
            Kind::LongTarget => self.target.replace(gnu_text(content)?).is_some(),
            Kind::Pax => self.pax.replace(Pax::parse(content)?).is_some(),
            Kind::File | Kind::HardLink | Kind::Symlink | Kind::Folder | Kind::Device => false,
        };
        if second {
            return Err(ArchiveError::Ambiguous("a member has two headers of one kind"));
        }
        Ok(())
    }

    /// Applies them to the header of their member. Also says whether the member is a file with holes left out.
    ///
    /// # Errors
    /// When they contradict the header or each other.
    pub fn apply(self, mut header: Header) -> Result<(Header, bool), ArchiveError> {
        let pax = self.pax.unwrap_or_default();
        let one_of = |gnu: Option<Vec<u8>>, posix: Option<Vec<u8>>| match (gnu, posix) {
            (Some(_), Some(_)) => Err(ArchiveError::Ambiguous("a member has two long names")),
            (gnu, posix) => Ok(gnu.or(posix)),
        };
        let is_link = matches!(header.kind, Kind::HardLink | Kind::Symlink);
        let is_sparse = pax.sparse.is_some();
        if let Some(path) = one_of(self.path, pax.path)? {
            header.path = path;
        }
        if let Some(path) = pax.sparse {
            header.path = path;
        }
        if let Some(target) = one_of(self.target, pax.target)? {
            if !is_link {
                return Err(ArchiveError::Ambiguous(
                    "a member that is no link has a link target",
                ));
            }
            header.target = target;
        }
        if let Some(size) = pax.size {
            if size != header.size && size <= LARGEST_OCTAL {
                return Err(ArchiveError::Ambiguous("a member states two sizes"));
            }
            header.size = size;
        }
        if header.kind != Kind::File && (header.size != 0 || is_sparse) {
            return Err(ArchiveError::Ambiguous("a link, folder or device has content"));
        }
        if header.path.is_empty() || (header.kind == Kind::File && header.path.ends_with(b"/")) {
            return Err(ArchiveError::Ambiguous("a file has no name or that of a folder"));
        }
        Ok((header, is_sparse))
    }
}

impl Pax {
    /// Reads the records `LENGTH KEY=VALUE\n`.
    fn parse(mut rest: &[u8]) -> Result<Self, ArchiveError> {
        const BROKEN: ArchiveError = ArchiveError::Ambiguous("a pax header is malformed");
        let mut pax = Self::default();
        let mut keys = BTreeSet::new();
        let mut sparse = BTreeSet::new();
        while !rest.is_empty() {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let length = decimal(&rest[..digits]).and_then(|length| usize::try_from(length).ok());
            let (record, after) = length
                .filter(|&length| length > digits + 1)
                .and_then(|length| rest.split_at_checked(length))
                .ok_or(BROKEN)?;
            rest = after;
            let record = record[digits..]
                .strip_prefix(b" ")
                .and_then(|record| record.strip_suffix(b"\n"));
            let record = record.ok_or(BROKEN)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or(BROKEN)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            if !keys.insert(key) {
                return Err(ArchiveError::Ambiguous("a pax header states something twice"));
            }
            match key {
                b"path" => pax.path = Some(pax_text(value)?),
                b"linkpath" => pax.target = Some(pax_text(value)?),
                b"size" => pax.size = Some(decimal(value).ok_or(BROKEN)?),
                b"GNU.sparse.name" => pax.sparse = Some(pax_text(value)?),
                b"SCHILY.realsize" | b"SUN.holesdata" => {
                    return Err(ArchiveError::Ambiguous("a file has holes in an unusual format"));
                }
                _ => {}
            }
            if key.starts_with(b"GNU.sparse.") {
                sparse.insert(match key {
                    b"GNU.sparse.major" => (key, value),
                    b"GNU.sparse.minor" => (key, value),
                    _ => (key, &b""[..]),
                });
            }
        }
        // The only format of libarchive and GNU tar in which the holes are no part of the headers.
        let known: BTreeSet<(&[u8], &[u8])> = BTreeSet::from([
            (&b"GNU.sparse.major"[..], &b"1"[..]),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", b""),
            (b"GNU.sparse.realsize", b""),
        ]);
        if !sparse.is_empty() && sparse != known {
            return Err(ArchiveError::Ambiguous("a file has holes in an unusual format"));
        }
        Ok(pax)
    }
}

fn pax_text(value: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    if value.is_empty() || value.contains(&0) {
        return Err(ArchiveError::Ambiguous(
            "a pax header states an empty or broken name",
        ));
    }
    Ok(value.to_vec())
}

/// A name that ends with one or more zero bytes.
fn gnu_text(content: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let name = text(content);
    if name.is_empty() || content[name.len()..].iter().any(|&byte| byte != 0) {
        return Err(ArchiveError::Ambiguous("a long name is empty or broken"));
    }
    Ok(name.to_vec())
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

fn number(field: &[u8]) -> Option<u64> {
    match field {
        // Larger than octal digits can state: the bytes themselves. Numbers below zero begin with 0xff.
        [0x80, bytes @ ..] => bytes
            .iter()
            .try_fold(0_i64, |sum, &byte| sum.checked_mul(256)?.checked_add(byte.into()))
            .and_then(|number| u64::try_from(number).ok()),
        field => octal(field),
    }
}

/// Octal digits, spaces before and spaces or zero bytes after them; a field without any is zero.
fn octal(field: &[u8]) -> Option<u64> {
    let field = field.trim_ascii_start();
    let digits = field
        .iter()
        .take_while(|byte| matches!(byte, b'0'..=b'7'))
        .count();
    let (digits, rest) = field.split_at(digits);
    if rest.iter().any(|byte| !matches!(byte, b' ' | 0)) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |sum, digit| sum * 8 + u64::from(digit - b'0')),
    )
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let text = str::from_utf8(digits).ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
