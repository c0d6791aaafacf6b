//! The most memory that adding takes: for a package of 2 GiB, and to a repository of 20,000 packages.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use caur_tests::measure::Measured;

use super::generated::{Noise, databases, memory_folder, package, pkginfo};
use super::process::{peak_memory, repo_add};

const MEBIBYTE: f64 = (1 << 20) as f64;

/// A package of 2 GiB, compressed.
pub fn large_package() -> Vec<Measured> {
    let folder = memory_folder();
    let root = folder.path().join("root");
    databases(&root.join("farm/x86_64"), 10, 1 << 20);
    let path = folder.path().join("large-1-1-x86_64.pkg.tar.zst");
    write_large_package(&path, 2 << 10);
    let peak = peak_memory(&mut repo_add(&root, std::slice::from_ref(&path)));
    let size = path.metadata().expect("a file").len();
    vec![Measured::new(
        "peak memory for a package of 2 GiB",
        peak as f64 / MEBIBYTE,
        "MiB",
        Some(64.0),
        format!("the file has {size} bytes"),
    )]
}

/// One package to a repository of 20,000.
pub fn large_repository() -> Vec<Measured> {
    let folder = memory_folder();
    let root = folder.path().join("root");
    databases(&root.join("farm/x86_64"), 20_000, 1 << 20);
    let first = package(folder.path(), "added", "1-1");
    let second = package(folder.path(), "added", "2-1");
    let noting = peak_memory(&mut repo_add(&root, &[first]));
    let peak = peak_memory(&mut repo_add(&root, &[second]));
    vec![Measured::new(
        "peak memory for a repository of 20,000 packages",
        peak as f64 / MEBIBYTE,
        "MiB",
        None,
        format!(
            "{:.1} when it was another program's before",
            noting as f64 / MEBIBYTE
        ),
    )]
}

fn write_large_package(path: &Path, mebibytes: usize) {
    let file = File::create(path).expect("a file");
    let encoder = zstd::Encoder::new(file, 1).expect("memory");
    let mut archive = tar::Builder::new(encoder);
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    let info = pkginfo("large", "1-1");
    header.set_size(info.len() as u64);
    archive
        .append_data(&mut header, ".PKGINFO", info.as_bytes())
        .expect("memory");
    header.set_size((mebibytes as u64) << 20);
    header.set_path("usr/large").expect("a short path");
    header.set_cksum();
    let encoder = archive.get_mut();
    encoder.write_all(header.as_bytes()).expect("memory");
    Noise::new(1).write(encoder, mebibytes);
    let encoder = archive.into_inner().expect("memory");
    encoder.finish().expect("memory");
}
