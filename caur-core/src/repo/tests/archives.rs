//! Package files that are damaged, lie or would unpack to more than anybody has.

use std::time::{Duration, Instant};

use super::raw::{END, Raw, bomb, bsdtar, giant, pack, pack_with, pax, pkginfo, with, zeros_after};
use super::refusals::{APP, app, refused};
use crate::repo::Refusal;
use crate::repo::compression::Bomb;
use crate::repo::package::{Package, PackageError, read_package};
use crate::repo::pkginfo::PkgInfoError;
use crate::repo::ustar::ArchiveError;

pub fn read(content: &[u8]) -> Result<Package, PackageError> {
    read_package(content, std::io::sink()).unwrap().package
}

/// Why a file is refused, all the way through a publish.
pub fn error(content: &[u8]) -> PackageError {
    match refused(APP, content) {
        Refusal::Package { file, source } => {
            assert_eq!(file, APP);
            source
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn archives_that_are_cut_short_or_damaged() {
    let package = app().file("usr/content", &"content\n".repeat(10_000));
    let tar = package.tar();
    for program in [&["cat"][..], &["zstd", "-c"], &["xz", "-c"], &["gzip", "-c"]] {
        let whole = pack_with(program, &tar);
        read(&whole).unwrap();
        for part in [1, 10, 50, 90, 99] {
            let refusal = error(&whole[..whole.len() * part / 100]);
            assert!(
                matches!(
                    refusal,
                    PackageError::Unreadable(_) | PackageError::Archive(ArchiveError::NoEnd)
                ),
                "{program:?}, {part} %: {refusal}"
            );
        }
        // One byte less is one too few; of a plain archive the padding may go.
        if program[0] != "cat" {
            assert!(matches!(
                error(&whole[..whole.len() - 1]),
                PackageError::Unreadable(_)
            ));
            let mut damaged = whole.clone();
            damaged[whole.len() / 2] ^= 0x10;
            let outcome = read(&damaged);
            assert!(outcome.is_err(), "{program:?}: {outcome:?}");
            assert!(matches!(
                error(&[&whole[..], b"more"].concat()),
                PackageError::Unreadable(_)
            ));
        }
    }
    // Cut exactly between two members, so that every block is whole.
    let members = tar.len() - END.len();
    assert!(matches!(
        error(&pack(&tar[..members])),
        PackageError::Archive(ArchiveError::NoEnd)
    ));
    assert!(matches!(
        error(&pack(b"")),
        PackageError::Archive(ArchiveError::NoEnd)
    ));
    assert!(matches!(error(b""), PackageError::Archive(ArchiveError::NoEnd)));
    assert!(matches!(
        error(&pack(&b"..not-an-archive".repeat(40))),
        PackageError::Archive(ArchiveError::Checksum)
    ));
}

#[test]
fn decompression_bombs_within_bounded_time() {
    let bomb = bomb();
    let started = Instant::now();
    assert!(matches!(read(&bomb), Err(PackageError::Bomb(Bomb))));
    let took = started.elapsed();
    println!(
        "a Zstandard bomb of {} bytes was refused after {took:?}",
        bomb.len()
    );
    assert!(took < Duration::from_secs(5));
    assert!(matches!(error(&bomb), PackageError::Bomb(Bomb)));
    // The same before and after the archive proper.
    assert!(matches!(
        error(&zeros_after(&with(&[]), 10_000, 17)),
        PackageError::Bomb(Bomb)
    ));
    // As many zeros in the other compressions that pacman takes.
    let zeros = |program: &str| {
        let script = format!("{{ cat; head -c 700M /dev/zero; }} | {program}");
        pack_with(&["sh", "-c", &script], &giant())
    };
    for program in ["gzip -1", "xz -0", "zstd -19"] {
        let bomb = zeros(program);
        let started = Instant::now();
        let outcome = read(&bomb);
        println!(
            "{program}: {} bytes, refused after {:?}: {:?}",
            bomb.len(),
            started.elapsed(),
            outcome.as_ref().unwrap_err()
        );
        match program {
            // A thousand to one is the best that gzip can do.
            "gzip -1" => assert!(matches!(
                outcome,
                Err(PackageError::Unreadable(_) | PackageError::Bomb(Bomb))
            )),
            _ => assert!(
                matches!(outcome, Err(PackageError::Bomb(Bomb))),
                "{program}: {outcome:?}"
            ),
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_package_that_compresses_very_well_is_no_bomb() {
    let zeros = Raw {
        size: 400 << 20,
        ..Raw::new(b'0', b"usr/zeros", b"")
    };
    let head = [pkginfo(b".PKGINFO"), zeros.bytes()].concat();
    // The last block of zeros is the end mark.
    let package = zeros_after(&head, (400 << 3) + 1, 17);
    assert!(package.len() < 20_000, "{}", package.len());
    assert_eq!(read(&package).unwrap().files, ["usr/zeros"]);
}

#[test]
fn windows_beyond_what_pacman_takes() {
    let frame = |window_log| zeros_after(&with(&[]), 0, window_log);
    read(&frame(27)).unwrap();
    for window_log in [28, 31] {
        let refusal = error(&frame(window_log));
        assert!(matches!(refusal, PackageError::Unreadable(_)), "{refusal}");
        assert!(refusal.to_string().contains("memory"), "{refusal}");
        assert!(bsdtar(&["-tf"], &frame(window_log), &[]).is_err());
    }
    let package = app().tar();
    let packed = pack_with(&["zstd", "--ultra", "-22", "--long=31", "-c"], &package);
    assert!(matches!(error(&packed), PackageError::Unreadable(_)));
    read(&pack_with(&["zstd", "--ultra", "-22", "-c"], &package)).unwrap();
}

#[test]
fn a_description_that_is_none() {
    let only = |members: &[Vec<u8>]| error(&pack(&[members.concat(), END.to_vec()].concat()));
    assert!(matches!(
        only(&[Raw::new(b'0', b".MTREE", b"x").bytes()]),
        PackageError::NoPkgInfo
    ));
    assert!(matches!(only(&[pkginfo(b"usr/a")]), PackageError::Beginning));
    assert!(matches!(only(&[pkginfo(b"./.PKGINFO")]), PackageError::Path(_)));
    let link = |kind| Raw {
        target: b"/etc/shadow",
        ..Raw::new(kind, b".PKGINFO", b"")
    };
    for kind in [b'2', b'1', b'5', b'3', b'6'] {
        let refusal = only(&[link(kind).bytes()]);
        assert!(matches!(refusal, PackageError::OddPkgInfo), "{refusal}");
    }
    let long = vec![b'#'; 2 << 20];
    assert!(matches!(
        only(&[Raw::new(b'0', b".PKGINFO", &long).bytes()]),
        PackageError::OddPkgInfo
    ));
    // A file with holes: its content is not what is stored.
    let holes = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", ".PKGINFO"),
        ("GNU.sparse.realsize", "5"),
    ];
    assert!(matches!(
        only(&[pax(&holes), pkginfo(b".GNUSparse")]),
        PackageError::OddPkgInfo
    ));
}

#[test]
fn a_description_that_forges_or_is_no_text() {
    let with_lines = |lines: &[u8]| {
        let content = [app().pkginfo().as_bytes(), lines].concat();
        let tar = [Raw::new(b'0', b".PKGINFO", &content).bytes(), END.to_vec()].concat();
        match error(&pack(&tar)) {
            PackageError::PkgInfo(error) => error,
            other => panic!("{other}"),
        }
    };
    assert_eq!(with_lines(b"license = \xe4\n"), PkgInfoError::NotUtf8);
    assert!(matches!(
        with_lines(b"license = a\x1b[2J\n"),
        PkgInfoError::ControlCharacter('\x1b', _)
    ));
    assert!(matches!(
        with_lines(b"license = a\0b\n"),
        PkgInfoError::ControlCharacter('\0', _)
    ));
    assert_eq!(
        with_lines(b"pkgname = pacman\n"),
        PkgInfoError::Repeated("pkgname")
    );
    // repo-add reads these two, pacman skips the line.
    assert_eq!(
        with_lines(b" pkgname = pacman\n"),
        PkgInfoError::Spelling("pkgname")
    );
    assert_eq!(with_lines(b"pkgver=9-1\n"), PkgInfoError::Spelling("pkgver"));
}
