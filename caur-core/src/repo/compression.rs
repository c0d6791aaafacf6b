//! The compressions that package files and databases come in, told apart by their first bytes.
//!
//! Names decide nothing here: pacman, too, looks at the content. Whatever the content, unpacking takes bounded memory,
//! and yields a bounded multiple of what is read.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

/// Memory that a decompressor may ask for, in bytes. `xz -9` needs 65 MiB.
const XZ_MEMORY_LIMIT: u64 = 128 << 20;
/// The binary logarithm of the memory that Zstandard may ask for: 128 MiB, what `zstd --ultra -22` needs, and the
/// most that libarchive, and so pacman, takes.
const ZSTD_WINDOW_LIMIT: u32 = 27;
const BUFFER: usize = 128 << 10;
/// What anything may unpack to, in bytes.
const UNPACKED_FLOOR: u64 = 512 << 20;
/// Beyond the floor: the most that may come of one byte. Text and tables compress to a hundredth at best.
const LARGEST_RATIO: u64 = 300;

/// A stream that cannot be meant to be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it unpacks to more than {LARGEST_RATIO} times its size and {} MiB, as only a decompression bomb does",
    UNPACKED_FLOOR >> 20
)]
pub struct Bomb;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: `.pkg.tar`.
    None,
    /// gzip: `.pkg.tar.gz`.
    Gzip,
    /// xz: `.pkg.tar.xz`.
    Xz,
    /// Zstandard: `.pkg.tar.zst`.
    Zstd,
}

impl Compression {
    /// What follows `.pkg.tar` in the name of a package.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }

    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // The second pattern is a skippable frame, which may come before the first real one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Finds out how `source` is compressed and returns what it holds.
///
/// # Errors
/// When the first bytes cannot be read or the decompressor cannot be set up. Damage further on shows as an
/// error of the returned reader, as does a [`Bomb`]; a stream that ends early is an error, not an end.
pub fn decompress<'a>(source: impl Read + 'a) -> io::Result<(Compression, Box<dyn Read + 'a>)> {
    let packed = Rc::new(Cell::new(0));
    let mut source = Counting {
        source,
        count: Rc::clone(&packed),
    };
    let mut head = Vec::with_capacity(6);
    source.by_ref().take(6).read_to_end(&mut head)?;
    let compression = Compression::of(&head);
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(source));
    let reader: Box<dyn Read + 'a> = match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        Compression::Xz => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_LIMIT, liblzma::stream::CONCATENATED)
                    .map_err(io::Error::other)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(whole, stream))
        }
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LIMIT)?;
            Box::new(decoder)
        }
    };
    let bounded = Bounded {
        source: reader,
        packed,
        unpacked: 0,
    };
    Ok((compression, Box::new(bounded)))
}

struct Counting<R> {
    source: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

struct Bounded<R> {
    source: R,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.unpacked += count as u64;
        if self.unpacked > UNPACKED_FLOOR + self.packed.get().saturating_mul(LARGEST_RATIO) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, Bomb));
        }
        Ok(count)
    }
}
