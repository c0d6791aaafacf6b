mod archive;
mod compression;
pub mod database;
pub mod entry;
pub mod package;
pub mod pkginfo;
mod vercmp;

pub use compression::Compression;
pub use vercmp::vercmp;
