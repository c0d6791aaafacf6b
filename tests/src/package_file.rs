//! Package files as makepkg would write them, made without a build.

use std::fs::File;
use std::path::{Path, PathBuf};

/// Writes the package `name` of the pkgbase `base` into the folder `to`.
///
/// # Panics
/// When it cannot be written.
pub fn package_file(to: &Path, base: &str, name: &str, version: &str) -> PathBuf {
    let path = to.join(format!("{name}-{version}-any.pkg.tar.zst"));
    let info = format!(
        "pkgname = {name}\npkgbase = {base}\npkgver = {version}\npkgdesc = A test's package\nurl = https://example.org\n\
         builddate = 1700000000\npackager = Caur tests\nsize = 1000\narch = any\n"
    );
    let files = [
        (".PKGINFO".to_owned(), info.into_bytes()),
        (
            format!("usr/share/{name}/version"),
            version.to_owned().into_bytes(),
        ),
    ];
    write_package(&path, files);
    path
}

/// Writes a package of these members.
///
/// # Panics
/// When it cannot be written.
pub(crate) fn write_package(path: &Path, members: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let file = File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let compressed = zstd::Encoder::new(file, 1)
        .expect("zstd has a level 1")
        .auto_finish();
    let mut archive = tar::Builder::new(compressed);
    for (path, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, path, content.as_slice())
            .expect("an archive in a temporary file can be written");
    }
    archive
        .finish()
        .expect("an archive in a temporary file can be written");
}
