//! Archives that are put together at random: what is accepted means the same to pacman and bsdtar, nothing panics, and
//! memory does not grow with what is read.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::fixture::run;
use super::raw::{END, Raw, bomb, giant, pack, pax, pkginfo, with, zeros_after};
use super::refusals::{APP, app};
use crate::repo::database::{DatabaseError, for_each_entry};
use crate::repo::entry::Desc;
use crate::repo::package::{Package, PackageError, read_package};
use crate::repo::pkginfo::PkgInfo;

const KINDS: &[u8] = b"0000000\x0015522346xgLKSV7";
const PATHS: [&str; 16] = [
    ".PKGINFO",
    ".MTREE",
    "./.PKGINFO",
    ".PKGINFO/",
    "usr/",
    "usr/a",
    "usr/b",
    "usr/b/",
    "usr//a",
    "usr/./b",
    "../a",
    "/a",
    "a\nb",
    "ä\\",
    "",
    ".",
];
const KEYS: [&str; 12] = [
    "path",
    "linkpath",
    "size",
    "GNU.sparse.name",
    "GNU.sparse.major",
    "GNU.sparse.minor",
    "GNU.sparse.realsize",
    "mtime",
    "SCHILY.xattr.user.a",
    "hdrcharset",
    "comment",
    "GNU.sparse.map",
];
const VALUES: [&str; 10] = [
    "usr/c",
    ".PKGINFO",
    "usr/d\ne",
    "1",
    "0",
    "600",
    "1700000000.5",
    "BINARY",
    "",
    "a\0b",
];

/// One block or more of an archive.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let member = (
        0..KINDS.len(),
        0..PATHS.len(),
        0..PATHS.len(),
        prop_oneof![3 => Just(0_usize), 2 => 0..1200_usize],
        prop::option::weighted(0.1, 0..1200_usize),
        prop::option::weighted(0.2, (0..512_usize, any::<u8>())),
    )
        .prop_map(|(kind, path, target, length, lie, flip)| {
            let content = vec![b'x'; length];
            let mut bytes = Raw {
                target: PATHS[target].as_bytes(),
                size: lie.unwrap_or(length),
                ..Raw::new(KINDS[kind], PATHS[path].as_bytes(), &content)
            }
            .bytes();
            if let Some((at, byte)) = flip {
                bytes[at] = byte;
                let mut header = tar::Header::new_old();
                header.as_mut_bytes().copy_from_slice(&bytes[..512]);
                header.set_cksum();
                bytes[..512].copy_from_slice(header.as_bytes());
            }
            bytes
        });
    let good = (0..4_usize, 0..600_usize).prop_map(|(number, length)| {
        let path = ["usr/", "usr/good", "usr/ö", ".INSTALL"][number];
        let kind = if path.ends_with('/') { b'5' } else { b'0' };
        let length = if kind == b'5' { 0 } else { length };
        Raw::new(kind, path.as_bytes(), &vec![b'y'; length]).bytes()
    });
    let long = (prop::bool::ANY, 0..PATHS.len(), 0..3_usize).prop_map(|(path, value, zeros)| {
        let content = [PATHS[value].as_bytes(), &[0; 3][..zeros]].concat();
        let kind = if path { b'L' } else { b'K' };
        Raw::new(kind, b"././@LongLink", &content).bytes()
    });
    let records = prop::collection::vec((0..KEYS.len(), 0..VALUES.len()), 0..4);
    let extended = records.prop_map(|records| {
        let records: Vec<_> = records
            .into_iter()
            .map(|(key, value)| (KEYS[key], VALUES[value]))
            .collect();
        pax(&records)
    });
    let description =
        (0..3_usize).prop_map(|at| pkginfo([".PKGINFO", "./.PKGINFO", "usr/.PKGINFO"][at].as_bytes()));
    prop_oneof![
        4 => member,
        6 => good,
        1 => long,
        2 => extended,
        1 => description,
        1 => (1..4_usize).prop_map(|blocks| vec![0; 512 * blocks]),
    ]
}

fn archive() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::collection::vec(piece(), 0..5);
    (pieces, prop::option::weighted(0.9, 0..3_usize), 0..5_usize).prop_map(|(mut pieces, at, end)| {
        if let Some(at) = at {
            pieces.insert(at.min(pieces.len()), pkginfo(b".PKGINFO"));
        }
        [pieces.concat(), vec![0; 512 * end]].concat()
    })
}

/// What bsdtar, as repo-add calls it, and pacman make of a package that is accepted.
fn others_agree(content: &[u8], package: &Package) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(APP);
    std::fs::write(&path, content).unwrap();
    let info = run(Command::new("bsdtar").arg("-xOqf").arg(&path).arg(".PKGINFO"));
    assert_eq!(PkgInfo::parse(info.as_bytes()).as_ref(), Ok(&package.info));
    let listing = run(Command::new("bsdtar").args(["--exclude=^.*", "-tf"]).arg(&path));
    let mut listing: Vec<&str> = listing.lines().collect();
    listing.sort_unstable();
    listing.dedup();
    assert_eq!(listing, package.files);
    let name = run(Command::new("pacman").arg("-Qp").arg(&path));
    assert_eq!(
        name.trim(),
        format!("{} {}", package.info.pkgname(), package.info.version())
    );
}

#[test]
fn what_is_accepted_means_the_same_to_pacman_and_bsdtar() {
    let (seen, accepted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let config = Config {
        cases: 600,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&archive(), |tar| {
        seen.fetch_add(1, Ordering::Relaxed);
        let content = pack(&tar);
        let reading = read_package(content.as_slice(), io::sink()).unwrap();
        if let Ok(package) = reading.package {
            accepted.fetch_add(1, Ordering::Relaxed);
            others_agree(&content, &package);
        }
        Ok(())
    });
    let (seen, accepted) = (seen.into_inner(), accepted.into_inner());
    println!("{accepted} of {seen} archives were accepted");
    outcome.unwrap();
    assert!(accepted > 30);
}

#[test]
fn descriptions_that_are_accepted_mean_the_same_to_pacman_and_bsdtar() {
    let accepted = AtomicUsize::new(0);
    let config = Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let field = "( |\t)?(pkgname|pkgver|pkgbase|arch|depend|#)( |  |\t)?=( |  )?[ab]( |=)?[0-9]-1( |\r|\t)?";
    let lines = prop::collection::vec(
        prop_oneof![3 => "(depend|license|xdata) ?= ?[ab= ]{0,4}", 1 => field],
        0..3,
    );
    let outcome = TestRunner::new(config).run(&(lines, 0..3_usize), |(lines, left_out)| {
        let mut text = lines.join("\n");
        for (number, line) in ["pkgname = app", "pkgver = 1-1", "arch = any"].iter().enumerate() {
            if lines.len() > 1 || number != left_out {
                text = format!("{text}\n{line}\n");
            }
        }
        let tar = [Raw::new(b'0', b".PKGINFO", text.as_bytes()).bytes(), END.to_vec()].concat();
        if let Ok(package) = read_package(tar.as_slice(), io::sink()).unwrap().package {
            accepted.fetch_add(1, Ordering::Relaxed);
            others_agree(&tar, &package);
        }
        Ok(())
    });
    let accepted = accepted.into_inner();
    println!("{accepted} descriptions were accepted");
    outcome.unwrap();
    assert!(accepted > 20);
}

/// Several frames or streams one after another are one to all readers, whatever lies at the seams.
#[test]
fn packages_in_several_frames_mean_the_same_to_pacman_and_bsdtar() {
    let tar = app().file("usr/content", &"content\n".repeat(1000)).tar();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let xz = |bytes: &[u8]| {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"skip"].concat();
    for at in [512, 700, 1536, tar.len() - 1024, tar.len() - 512, tar.len()] {
        let (one, two) = tar.split_at(at);
        for content in [
            [pack(one), pack(two)].concat(),
            [pack(one), skippable.clone(), pack(two)].concat(),
            [pack(one), pack(b""), pack(two), skippable.clone()].concat(),
            [gzip(one), gzip(two)].concat(),
            [xz(one), xz(two)].concat(),
        ] {
            let package = read_package(content.as_slice(), io::sink())
                .unwrap()
                .package
                .unwrap();
            others_agree(&content, &package);
        }
    }
    // A second archive in a second frame is none to libarchive, which stops at the first end mark.
    let second = [pack(&tar), pack(&tar)].concat();
    let reading = read_package(second.as_slice(), io::sink()).unwrap();
    assert!(matches!(reading.package, Err(PackageError::Archive(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn databases_of_anything_never_panic(pieces in prop::collection::vec(piece(), 0..6), descs in prop::collection::vec("(%[A-Z]{2,8}%\n\\PC{0,9}\n\n?){0,5}", 0..4)) {
        let mut tar = pieces.concat();
        for (number, desc) in descs.iter().enumerate() {
            let directory = format!("p{}-1-1", number / 2);
            tar.extend(Raw::new(b'5', format!("{directory}/").as_bytes(), b"").bytes());
            tar.extend(Raw::new(b'0', format!("{directory}/desc").as_bytes(), desc.as_bytes()).bytes());
            let _ = Desc::parse(desc);
        }
        tar.extend(END);
        let _ = for_each_entry(pack(&tar).as_slice(), |entry| entry.desc().map(drop));
        let _ = for_each_entry(tar.as_slice(), |entry| {
            drop(entry);
            Ok::<_, DatabaseError>(())
        });
    }
}

const READS_STANDARD_INPUT: &str = "CAUR_TEST_READS_STANDARD_INPUT";

/// Not a test of its own: the body of the processes that the next ones start.
#[test]
fn reads_a_package_when_told_to() {
    if std::env::var_os(READS_STANDARD_INPUT).is_some() {
        let reading = read_package(io::stdin().lock(), io::sink()).unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        let outcome = reading
            .package
            .map_or_else(|error| error.to_string(), |_| "accepted".into());
        println!(
            "said: {} {} {outcome}",
            reading.size,
            peak.trim().trim_end_matches(" kB")
        );
    }
}

/// Reads what `script` writes, with `head` at its standard input, in a process of its own: the size, the peak of memory
/// in KiB, and what came of it.
fn measured(head: &[u8], script: &str) -> (u64, u64, String) {
    let mut writer = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    let head = head.to_vec();
    let feeder = std::thread::spawn(move || input.write_all(&head));
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "repo::tests::fuzz::reads_a_package_when_told_to",
            "--nocapture",
        ])
        .env(READS_STANDARD_INPUT, "1")
        .stdin(writer.stdout.take().unwrap())
        .output()
        .unwrap();
    feeder.join().unwrap().unwrap();
    writer.wait().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let line = output.lines().find_map(|line| line.split_once("said: "));
    let mut words = line.unwrap_or_else(|| panic!("{output}")).1.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    (
        word().parse().unwrap(),
        word().parse().unwrap(),
        word().to_owned(),
    )
}

#[test]
fn memory_does_not_grow_with_the_package() {
    let content = |mebibytes: usize| {
        let file = Raw {
            size: mebibytes << 20,
            ..Raw::new(b'0', b"usr/random", b"")
        };
        [pkginfo(b".PKGINFO"), file.bytes()].concat()
    };
    for program in ["zstd -3", "xz -0", "gzip -1", "cat"] {
        let peak = |mebibytes: usize| {
            let script =
                format!("{{ cat; head -c {mebibytes}M /dev/urandom; head -c 1024 /dev/zero; }} | {program}");
            let (size, peak, outcome) = measured(&content(mebibytes), &script);
            assert_eq!(outcome, "accepted", "{program}");
            assert!(size >= (mebibytes as u64) << 20);
            println!("{program}: {size} bytes read with a peak of {peak} KiB");
            peak
        };
        // One mebibyte does not fill the windows; eight do.
        let (small, large) = (peak(8), peak(if program.starts_with("xz") { 40 } else { 300 }));
        assert!(large < small + 2048, "{program}: {small} and {large} KiB");
        assert!(large < 64 << 10);
    }
}

#[test]
fn hostile_packages_take_bounded_memory() {
    let small = measured(&pack(&with(&[])), "cat").1;
    let long_name = Raw {
        size: 1 << 30,
        ..Raw::new(b'L', b"././@LongLink", b"")
    };
    // Frames one after another are one archive, so that a test can hold it.
    let frame = pack(&Raw::new(b'0', b"u", b"").bytes().repeat(20_000));
    let members = [pack(&pkginfo(b".PKGINFO")), frame.repeat(100)].concat();
    let cases: [(&str, Vec<u8>, String, u64); 6] = [
        ("a bomb", bomb(), "cat".into(), 8 << 10),
        (
            "a path of a gibibyte",
            [pkginfo(b".PKGINFO"), long_name.bytes()].concat(),
            "{ cat; head -c 1G /dev/zero; } | zstd -1".into(),
            8 << 10,
        ),
        (
            "the largest window",
            zeros_after(&giant(), 4000, 27),
            "cat".into(),
            136 << 10,
        ),
        (
            "a window beyond it",
            zeros_after(&giant(), 4000, 31),
            "cat".into(),
            8 << 10,
        ),
        ("two million members", members, "cat".into(), 96 << 10),
        ("nothing", Vec::new(), "cat".into(), 8 << 10),
    ];
    for (what, head, script, more) in cases {
        let (size, peak, outcome) = measured(&head, &script);
        println!("{what}: {size} bytes, a peak of {peak} KiB (of a small package {small}): {outcome}");
        assert_ne!(outcome, "accepted", "{what}");
        assert!(peak < small + more, "{what}: {peak} KiB");
    }
}
