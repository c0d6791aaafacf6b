//! The compressions that package files and databases come in, told apart by their first bytes.
//!
//! Names decide nothing here: pacman, too, looks at the content.

use std::io::{self, BufReader, Cursor, Read};

/// Memory that a decompressor may ask for, in bytes. `xz -9` needs 65 MiB.
const XZ_MEMORY_LIMIT: u64 = 128 << 20;
const BUFFER: usize = 128 << 10;

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
/// error of the returned reader; a stream that ends early is an error, not an end.
pub fn decompress<'a>(mut source: impl Read + 'a) -> io::Result<(Compression, Box<dyn Read + 'a>)> {
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
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(whole)?),
    };
    Ok((compression, reader))
}
