//! What the dynamic section of an ELF file says: its own soname and the libraries that it needs.
//!
//! Files are untrusted. Only headers, the dynamic section and single names are read, each up to a limit, so
//! memory and time do not depend on the file's size; what makes no sense is `None`, never a panic.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use elf::abi::{DT_NEEDED, DT_NULL, DT_SONAME, DT_STRTAB, EI_NIDENT, ELFMAGIC, PT_DYNAMIC, PT_LOAD};
use elf::dynamic::Dyn;
use elf::endian::AnyEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::parse::ParseAt;
use elf::segment::ProgramHeader;
use serde::{Deserialize, Serialize};

/// Real files have about a dozen.
const SEGMENTS_LIMIT: usize = 1024;
/// Real files have a few dozen entries and one for each library.
const ENTRIES_LIMIT: u64 = 16 << 10;
/// The program that needs most has some hundreds.
const NEEDED_LIMIT: usize = 4096;
/// The longest file name.
const NAME_LIMIT: usize = 255;

/// Whether code is for 32 or 64 bits: libraries of one never serve programs of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bits {
    /// ELF class 32.
    #[serde(rename = "32")]
    ThirtyTwo,
    /// ELF class 64.
    #[serde(rename = "64")]
    SixtyFour,
}

impl Bits {
    /// The number.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ThirtyTwo => "32",
            Self::SixtyFour => "64",
        }
    }
}

/// What code is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Abi {
    /// The class.
    pub bits: Bits,
    /// The processor, as ELF numbers them.
    pub machine: u16,
}

/// A program or library that is linked at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// What it is made for.
    pub abi: Abi,
    /// The name that others ask for it by; programs and plugins have none.
    pub soname: Option<String>,
    /// The libraries that it needs, in their order.
    pub needed: Vec<String>,
}

/// Whether a file that begins with these bytes may be one.
#[must_use]
pub fn has_magic(head: &[u8]) -> bool {
    head.starts_with(&ELFMAGIC)
}

/// How much of a file is needed to [`read`] it, in bytes, as far as its first bytes show: nothing of object files,
/// kernel modules and static programs; of others what is loaded, without debug symbols.
#[must_use]
pub fn extent(head: &[u8]) -> u64 {
    match headers(&mut Cursor::new(head)) {
        Ok(Some(headers)) if headers.dynamic().is_none() => 0,
        Ok(Some(headers)) => {
            let ends = headers
                .segments
                .iter()
                .map(|s| s.p_offset.saturating_add(s.p_filesz));
            ends.max().unwrap_or_default()
        }
        // The headers lie further on, or are damaged.
        Ok(None) | Err(_) => u64::MAX,
    }
}

/// Reads the file `source`; `None` where it is damaged or nothing in it is linked at run time.
///
/// # Errors
/// When `source` cannot be read. Ending early is damage, not an error.
pub fn read(source: &mut (impl Read + Seek)) -> io::Result<Option<Elf>> {
    let Some(headers) = headers(source)? else {
        return Ok(None);
    };
    let Some(dynamic) = headers.dynamic() else {
        return Ok(None);
    };
    let (mut soname, mut needed, mut names_at) = (None, Vec::new(), None);
    let entry_size = match headers.class {
        Class::ELF32 => 8,
        Class::ELF64 => 16,
    };
    let mut buffer = vec![0; entry_size];
    let count = (dynamic.p_filesz / entry_size as u64).min(ENTRIES_LIMIT);
    for index in 0..count {
        let at = dynamic.p_offset.checked_add(index * entry_size as u64);
        if !read_at(source, at, &mut buffer)? {
            return Ok(None);
        }
        let Ok(entry) = Dyn::parse_at(headers.endian, headers.class, &mut 0, &buffer) else {
            return Ok(None);
        };
        match entry.d_tag {
            DT_NULL => break,
            DT_SONAME => soname = Some(entry.d_val()),
            DT_NEEDED if needed.len() < NEEDED_LIMIT => needed.push(entry.d_val()),
            DT_STRTAB => names_at = headers.offset_of(entry.d_ptr()),
            _ => {}
        }
    }
    let Some(names_at) = names_at else { return Ok(None) };
    let mut name = |offset: u64| read_name(source, names_at.checked_add(offset));
    let soname = match soname.map(&mut name).transpose()? {
        Some(None) => return Ok(None),
        Some(Some(name)) => Some(name),
        None => None,
    };
    let needed: Option<Vec<String>> = needed.into_iter().map(name).collect::<io::Result<_>>()?;
    Ok(needed.map(|needed| Elf {
        abi: headers.abi(),
        soname,
        needed,
    }))
}

struct Headers {
    endian: AnyEndian,
    class: Class,
    machine: u16,
    segments: Vec<ProgramHeader>,
}

impl Headers {
    fn abi(&self) -> Abi {
        let bits = match self.class {
            Class::ELF32 => Bits::ThirtyTwo,
            Class::ELF64 => Bits::SixtyFour,
        };
        Abi {
            bits,
            machine: self.machine,
        }
    }

    fn dynamic(&self) -> Option<&ProgramHeader> {
        self.segments.iter().find(|segment| segment.p_type == PT_DYNAMIC)
    }

    /// Where in the file lies what is loaded to `address`.
    fn offset_of(&self, address: u64) -> Option<u64> {
        self.segments
            .iter()
            .filter(|segment| segment.p_type == PT_LOAD)
            .find_map(|segment| {
                let within = address.checked_sub(segment.p_vaddr)?;
                (within < segment.p_filesz)
                    .then(|| segment.p_offset.checked_add(within))
                    .flatten()
            })
    }
}

fn headers(source: &mut (impl Read + Seek)) -> io::Result<Option<Headers>> {
    let mut ident = [0; EI_NIDENT];
    if !read_at(source, Some(0), &mut ident)? {
        return Ok(None);
    }
    let Ok(ident) = parse_ident::<AnyEndian>(&ident) else {
        return Ok(None);
    };
    let (endian, class, ..) = ident;
    let (tail_size, segment_size) = match class {
        Class::ELF32 => (36, 32),
        Class::ELF64 => (48, 56),
    };
    let mut tail = vec![0; tail_size];
    if !read_at(source, Some(EI_NIDENT as u64), &mut tail)? {
        return Ok(None);
    }
    let Ok(header) = FileHeader::parse_tail(ident, &tail) else {
        return Ok(None);
    };
    let count = usize::from(header.e_phnum);
    if count > SEGMENTS_LIMIT || (count > 0 && usize::from(header.e_phentsize) != segment_size) {
        return Ok(None);
    }
    let mut table = vec![0; count * segment_size];
    if !read_at(source, Some(header.e_phoff), &mut table)? {
        return Ok(None);
    }
    let segments: Result<Vec<_>, _> = table
        .chunks_exact(segment_size)
        .map(|bytes| ProgramHeader::parse_at(endian, class, &mut 0, bytes))
        .collect();
    Ok(segments.ok().map(|segments| Headers {
        endian,
        class,
        machine: header.e_machine,
        segments,
    }))
}

/// Fills `buffer` from `offset` on; `false` where the file does not reach that far.
fn read_at(source: &mut (impl Read + Seek), offset: Option<u64>, buffer: &mut [u8]) -> io::Result<bool> {
    // Offsets that the system takes for negative lie in no file.
    let Some(offset) = offset.filter(|&offset| i64::try_from(offset).is_ok()) else {
        return Ok(false);
    };
    source.seek(SeekFrom::Start(offset))?;
    match source.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The name at `offset`; `None` where there is none that could be a library's.
fn read_name(source: &mut (impl Read + Seek), offset: Option<u64>) -> io::Result<Option<String>> {
    let Some(offset) = offset.filter(|&offset| i64::try_from(offset).is_ok()) else {
        return Ok(None);
    };
    source.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(NAME_LIMIT + 1);
    source
        .by_ref()
        .take(NAME_LIMIT as u64 + 1)
        .read_to_end(&mut bytes)?;
    let name = bytes
        .iter()
        .position(|&byte| byte == 0)
        .and_then(|end| str::from_utf8(&bytes[..end]).ok());
    Ok(name
        .filter(|name| !name.is_empty() && !name.contains(char::is_control))
        .map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A library as linkers lay it out, of either class and byte order.
    fn library(bits: Bits, little: bool) -> Vec<u8> {
        let wide = bits == Bits::SixtyFour;
        let mut out = vec![
            0x7f,
            b'E',
            b'L',
            b'F',
            1 + u8::from(wide),
            2 - u8::from(little),
            1,
        ];
        out.resize(EI_NIDENT, 0);
        let number = |out: &mut Vec<u8>, value: u64, size: usize| {
            if little {
                out.extend(&value.to_le_bytes()[..size]);
            } else {
                out.extend(&value.to_be_bytes()[8 - size..]);
            }
        };
        let word = if wide { 8 } else { 4 };
        let (header, segment) = if wide { (64, 56) } else { (52, 32) };
        for (value, size) in [
            (3, 2),
            (62, 2),
            (1, 4),
            (0, word),
            (header, word),
            (0, word),
            (0, 4),
        ] {
            number(&mut out, value, size);
        }
        for value in [header, segment, 2, 0, 0, 0] {
            number(&mut out, value, 2);
        }
        let names = header + 2 * segment;
        let dynamic = names + 40;
        let size = dynamic + 10 * word as u64;
        let base = 0x1000;
        for (kind, from, length) in [(1, 0, size), (2, dynamic, 10 * word as u64)] {
            let fields = [from, base + from, base + from, length, length];
            number(&mut out, kind, 4);
            if wide {
                number(&mut out, 4, 4);
            }
            for field in fields {
                number(&mut out, field, word);
            }
            if !wide {
                number(&mut out, 4, 4);
            }
            number(&mut out, 1, word);
        }
        out.extend(b"\0libfoo.so.1\0libc.so.6\0libm.so.6");
        out.resize(usize::try_from(dynamic).unwrap(), 0);
        for (tag, value) in [(14, 1), (1, 13), (1, 23), (5, base + names), (0, 0)] {
            number(&mut out, tag, word);
            number(&mut out, value, word);
        }
        out
    }

    #[test]
    fn both_classes_and_byte_orders_are_read() {
        for bits in [Bits::ThirtyTwo, Bits::SixtyFour] {
            for little in [true, false] {
                let bytes = library(bits, little);
                let elf = read(&mut Cursor::new(&bytes)).unwrap().unwrap();
                assert_eq!(elf.abi, Abi { bits, machine: 62 });
                assert_eq!(elf.soname.as_deref(), Some("libfoo.so.1"));
                assert_eq!(elf.needed, ["libc.so.6", "libm.so.6"]);
                assert_eq!(extent(&bytes), bytes.len() as u64);
            }
        }
    }

    #[test]
    fn the_head_tells_how_much_is_needed() {
        let bytes = library(Bits::SixtyFour, true);
        assert_eq!(extent(&bytes[..100]), u64::MAX, "the headers are not complete");
        let with_debug_symbols = [bytes.as_slice(), &[1; 100]].concat();
        assert_eq!(extent(&with_debug_symbols), bytes.len() as u64);
        let mut object = bytes.clone();
        object[56] = 0;
        assert_eq!(extent(&object[..64]), 0);
        assert_eq!(read(&mut Cursor::new(&object)).unwrap(), None);
    }

    #[test]
    fn agrees_with_readelf_on_what_is_installed_here() {
        let folders = ["/usr/bin", "/usr/lib", "/usr/lib/x86_64-linux-gnu"];
        let paths = folders
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten();
        let mut paths: Vec<_> = paths
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        let (mut ours, mut read) = (Vec::new(), Vec::new());
        for path in paths {
            let mut file = std::fs::File::open(&path).unwrap();
            if let Some(Elf { soname, needed, .. }) = super::read(&mut file).unwrap() {
                ours.push((soname, needed));
                read.push(path);
            }
        }
        // A second file makes readelf say which one it is about.
        let mut command = std::process::Command::new("readelf");
        let output = command
            .args(["-dW", "/bin/sh"])
            .args(&read)
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let mut theirs = Vec::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let name = |tag: &str| line.split_once(tag)?.1.strip_suffix(']').map(str::to_owned);
            if line.starts_with("File: ") {
                theirs.push((None, Vec::new()));
            } else if let Some(name) = name("Library soname: [") {
                theirs.last_mut().unwrap().0 = Some(name);
            } else if let Some(name) = name("Shared library: [") {
                theirs.last_mut().unwrap().1.push(name);
            }
        }
        assert!(ours.len() > 20, "{}", ours.len());
        for ((ours, theirs), path) in ours.into_iter().zip(theirs.split_off(1)).zip(read) {
            assert_eq!(ours, theirs, "{}", path.display());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn damage_never_panics_and_reads_little(
            wide in any::<bool>(),
            little in any::<bool>(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
            whole in any::<bool>(),
        ) {
            let mut bytes = library(if wide { Bits::SixtyFour } else { Bits::ThirtyTwo }, little);
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            let _ = extent(&bytes);
            let mut source = Counted { source: Cursor::new(bytes), calls: 0 };
            if let Some(elf) = read(&mut source).unwrap() {
                prop_assert!(elf.needed.len() <= NEEDED_LIMIT);
                prop_assert!(elf.needed.iter().all(|name| name.len() <= NAME_LIMIT));
            }
            prop_assert!(source.calls < 100, "{} reads", source.calls);
        }

        #[test]
        fn anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), tail in 0_u64..1 << 40) {
            let bytes = [&ELFMAGIC[..], &[2, 1, 1], &bytes].concat();
            let _ = extent(&bytes);
            let mut endless = Counted { source: Endless { head: bytes, at: 0, size: tail }, calls: 0 };
            read(&mut endless).unwrap();
            prop_assert!(endless.calls < 4 * ENTRIES_LIMIT, "{} reads", endless.calls);
        }
    }

    struct Counted<S> {
        source: S,
        calls: u64,
    }

    impl<S: Read> Read for Counted<S> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.calls += 1;
            self.source.read(buffer)
        }
    }

    impl<S: Seek> Seek for Counted<S> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.source.seek(to)
        }
    }

    /// A file of a terabyte: its first bytes, then 0x01 without end.
    struct Endless {
        head: Vec<u8>,
        at: u64,
        size: u64,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let mut count = 0;
            while count < buffer.len() && self.at < self.size {
                let at = usize::try_from(self.at).unwrap();
                buffer[count] = self.head.get(at).copied().unwrap_or(1);
                self.at += 1;
                count += 1;
            }
            Ok(count)
        }
    }

    impl Seek for Endless {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            let SeekFrom::Start(at) = to else {
                return Err(io::ErrorKind::Unsupported.into());
            };
            self.at = at;
            Ok(at)
        }
    }
}
