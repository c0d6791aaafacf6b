//! Reading tar archives that may be hostile: one pass, bounded memory, a bounded amount of unpacked data, nothing that
//! another reader could take for something else.

use std::io::{self, BufRead, BufReader, Read};

use super::ustar::{ArchiveError, BLOCK, Extensions, Header, Kind};

/// What one header of a member may take, in bytes: long names and pax records are held in memory.
const HEADERS_LIMIT: u64 = 1 << 20;
/// What members that are read whole usually take, in bytes.
const USUAL: usize = 16 << 10;
/// How much is read at once, in bytes.
const BUFFER: usize = 64 << 10;

/// One member of an archive while it is being read.
pub struct Member<'a> {
    /// Its path as the archive states it.
    pub path: Vec<u8>,
    /// The size of its content, in bytes, as the archive states it.
    pub size: u64,
    /// Its content; what is not read is skipped.
    pub content: &'a mut dyn Read,
    /// Whether it is a regular file that is stored as it is (and not a directory, link, device or file with holes).
    pub is_file: bool,
    /// The earlier member of which it is another name.
    pub hard_link: Option<Vec<u8>>,
    /// Its modification time, in seconds since 1970.
    pub modified: u64,
}

impl Member<'_> {
    /// Reads the whole content.
    ///
    /// # Errors
    /// When it cannot be read or is longer than `limit` bytes.
    pub fn read(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        if self.size > limit {
            return Err(io::Error::other(format!("it is longer than {limit} bytes")));
        }
        // What is stated need not be there, so no more is set aside than usual members have.
        let mut content = Vec::with_capacity(usize::try_from(self.size).unwrap_or(USUAL).min(USUAL));
        self.content.read_to_end(&mut content)?;
        Ok(content)
    }
}

/// Shows every member of the tar archive `source` to `visit`, then reads `source` to its end so that the
/// checksums of the compression are checked too.
///
/// # Errors
/// Damage, an [`ArchiveError`] in its place, more than `limit` bytes in all, or what `visit` returns.
pub fn for_each_member<E: From<io::Error>>(
    source: impl Read,
    limit: u64,
    mut visit: impl FnMut(&mut Member<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut source = BufReader::with_capacity(BUFFER, Metered { source, left: limit });
    let mut extensions = Extensions::default();
    loop {
        let header = match next_header(&mut source)? {
            Some(header) => header,
            None if extensions.is_empty() => break,
            None => return Err(odd(ArchiveError::Ambiguous("a header has no member")).into()),
        };
        if matches!(header.kind, Kind::LongPath | Kind::LongTarget | Kind::Pax) {
            if header.size > HEADERS_LIMIT {
                return Err(odd(ArchiveError::LongHeaders).into());
            }
            let mut content = Content::new(&mut source, header.size);
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            content.finish()?;
            extensions.add(header.kind, &bytes).map_err(odd)?;
            continue;
        }
        let (header, is_sparse) = std::mem::take(&mut extensions).apply(header).map_err(odd)?;
        let mut content = Content::new(&mut source, header.size);
        visit(&mut Member {
            path: header.path,
            size: header.size,
            content: &mut content,
            is_file: header.kind == Kind::File && !is_sparse,
            hard_link: (header.kind == Kind::HardLink).then_some(header.target),
            modified: header.modified,
        })?;
        content.finish()?;
    }
    Ok(expect_zeros(&mut source)?)
}

/// The next header; `None` at the end mark.
fn next_header(source: &mut impl BufRead) -> io::Result<Option<Header>> {
    let mut block = [0; BLOCK];
    if source.fill_buf()?.is_empty() {
        return Err(odd(ArchiveError::NoEnd));
    }
    source.read_exact(&mut block)?;
    if block == [0; BLOCK] {
        return Ok(None);
    }
    Header::parse(&block).map(Some).map_err(odd)
}

/// After the end mark there may be padding. Anything else would be a second archive to some readers.
fn expect_zeros(source: &mut impl Read) -> io::Result<()> {
    let mut buffer = [0; 8192];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) if buffer[..count].iter().all(|&byte| byte == 0) => {}
            Ok(_) => {
                return Err(odd(ArchiveError::Ambiguous(
                    "the archive goes on after its end mark",
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn odd(error: ArchiveError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The content of one member, and the padding after it.
struct Content<'a, R> {
    source: &'a mut R,
    left: u64,
    padding: u64,
}

impl<'a, R: Read> Content<'a, R> {
    fn new(source: &'a mut R, size: u64) -> Self {
        Self {
            source,
            left: size,
            padding: size.wrapping_neg() % BLOCK as u64,
        }
    }

    /// Skips what was not read.
    fn finish(mut self) -> io::Result<()> {
        if self.left > 0 {
            io::copy(&mut self, &mut io::sink())?;
        }
        let mut padding = [0; BLOCK];
        let count = usize::try_from(self.padding).map_err(io::Error::other)?;
        self.source.read_exact(&mut padding[..count])
    }
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        match self.source.read(&mut buffer[..most])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }
}

struct Metered<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| odd(ArchiveError::TooLarge))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(source: &[u8], limit: u64) -> io::Result<usize> {
        let mut members = 0;
        for_each_member(source, limit, |_| {
            members += 1;
            Ok::<_, io::Error>(())
        })?;
        Ok(members)
    }

    #[test]
    fn a_member_name_of_many_mebibytes_is_refused_before_it_is_held_in_memory() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(64 << 20);
        header.set_path("././@LongLink").unwrap();
        header.set_cksum();
        archive.append(&header, io::repeat(b'a').take(64 << 20)).unwrap();
        let error = read_all(&archive.into_inner().unwrap(), u64::MAX).unwrap_err();
        assert!(
            error.to_string().contains("headers of one archive member"),
            "{error}"
        );
    }

    #[test]
    fn the_unpacked_size_is_limited() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1 << 20);
        header.set_cksum();
        archive
            .append_data(&mut header, "usr/zero", io::repeat(0).take(1 << 20))
            .unwrap();
        let bytes = archive.into_inner().unwrap();
        assert_eq!(read_all(&bytes, 2 << 20).unwrap(), 1);
        let error = read_all(&bytes, 1 << 19).unwrap_err();
        assert!(error.to_string().contains("size limit"), "{error}");
    }
}
