//! Reading tar archives that may be hostile: one pass, bounded memory, a bounded amount of unpacked data.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// What the headers between two members may take, in bytes: long names and pax records are held in memory.
const HEADERS_LIMIT: u64 = 1 << 20;

/// One member of an archive while it is being read.
pub struct Member<'a> {
    /// Its path as the archive states it, without a leading `./`.
    pub path: Vec<u8>,
    /// Its content; what is not read is skipped.
    pub content: &'a mut dyn Read,
    /// Whether it is a regular file (and not a directory, link or device).
    pub is_file: bool,
    /// Its modification time, in seconds since 1970.
    pub modified: u64,
}

impl Member<'_> {
    /// Reads the whole content.
    ///
    /// # Errors
    /// When it cannot be read or is longer than `limit` bytes.
    pub fn read(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.content.take(limit + 1).read_to_end(&mut content)?;
        if content.len() as u64 > limit {
            return Err(io::Error::other(format!("it is longer than {limit} bytes")));
        }
        Ok(content)
    }
}

/// Shows every member of the tar archive `source` to `visit`, then reads `source` to its end so that the
/// checksums of the compression are checked too.
///
/// # Errors
/// Damage, a header section of more than a mebibyte, more than `limit` bytes in all, or what `visit` returns.
pub fn for_each_member<E: From<io::Error>>(
    source: impl Read,
    limit: u64,
    mut visit: impl FnMut(&mut Member<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let headers_left = Rc::new(Cell::new(HEADERS_LIMIT));
    let metered = Metered {
        source,
        left: limit,
        headers_left: Rc::clone(&headers_left),
    };
    let mut archive = tar::Archive::new(metered);
    let mut members = archive.entries()?;
    loop {
        headers_left.set(HEADERS_LIMIT);
        let Some(member) = members.next() else { break };
        let mut member = member?;
        headers_left.set(u64::MAX);
        let path = member.path_bytes();
        let path = path.strip_prefix(b"./").unwrap_or(&path).to_vec();
        let is_file = member.header().entry_type().is_file();
        let modified = member.header().mtime().unwrap_or_default();
        visit(&mut Member {
            path,
            content: &mut member,
            is_file,
            modified,
        })?;
        io::copy(&mut member, &mut io::sink())?;
    }
    headers_left.set(u64::MAX);
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(())
}

struct Metered<R> {
    source: R,
    left: u64,
    headers_left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)? as u64;
        self.left = self
            .left
            .checked_sub(count)
            .ok_or_else(|| io::Error::other("it unpacks to more than the size limit"))?;
        let headers_left = self
            .headers_left
            .get()
            .checked_sub(count)
            .ok_or_else(|| io::Error::other("the headers of one archive member exceed a mebibyte"))?;
        self.headers_left.set(headers_left);
        usize::try_from(count).map_err(io::Error::other)
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
