//! Archives that mean different things to different programs: none of the meanings is published.

use super::archives::{error, read};
use super::fixture::Pkg;
use super::raw::{END, Raw, bsdtar, pack, pax, pkginfo, with};
use super::refusals::app;
use crate::repo::package::PackageError;
use crate::repo::ustar::ArchiveError;

fn ambiguity(tar: &[u8]) -> &'static str {
    match error(&pack(tar)) {
        PackageError::Archive(ArchiveError::Ambiguous(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_description() {
    let twice = |other: &[u8]| {
        let one = pkginfo(b".PKGINFO");
        error(&pack(&[&one, &pkginfo(other), &END[..]].concat()))
    };
    assert!(matches!(twice(b".PKGINFO"), PackageError::SecondPkgInfo));
    // bsdtar takes this for the same, pacman does not.
    assert!(matches!(twice(b"./.PKGINFO"), PackageError::Path(path) if path == "./.PKGINFO"));
    assert!(matches!(twice(b".PKGINFO/a"), PackageError::OddPkgInfo));
    let renamed = [pax(&[("path", ".PKGINFO")]), pkginfo(b"usr/a")].concat();
    assert!(matches!(
        error(&pack(&with(&[renamed]))),
        PackageError::SecondPkgInfo
    ));
    let renamed = [
        Raw::new(b'L', b"././@LongLink", b".PKGINFO\0").bytes(),
        pkginfo(b"usr/a"),
    ]
    .concat();
    assert!(matches!(
        error(&pack(&with(&[renamed]))),
        PackageError::SecondPkgInfo
    ));
}

#[test]
fn paths_that_lead_out_of_the_package() {
    for path in [
        "/etc/passwd",
        "../x",
        "a/../../b",
        "usr/..",
        "./usr/a",
        "usr//a",
        "usr/./a",
        "//",
    ] {
        let member = Raw::new(b'0', path.as_bytes(), b"x");
        if path.ends_with('/') {
            assert_eq!(
                ambiguity(&with(&[member.bytes()])),
                "a file has no name or that of a folder"
            );
        } else {
            let refusal = error(&pack(&with(&[member.bytes()])));
            assert!(
                matches!(&refusal, PackageError::Path(p) if p == path),
                "{refusal}"
            );
        }
        // The same through a pax header, a long name of GNU's and the prefix field.
        let harmless = Raw::new(b'5', b"usr/a", b"").bytes();
        for header in [
            pax(&[("path", path)]),
            Raw::new(b'L', b"././@LongLink", format!("{path}\0").as_bytes()).bytes(),
        ] {
            let refusal = error(&pack(&with(&[header, harmless.clone()])));
            assert!(
                matches!(&refusal, PackageError::Path(p) if p == path),
                "{refusal}"
            );
        }
    }
    let prefixed = Raw {
        change: |header| header[345..350].copy_from_slice(b"/etc\0"),
        ..Raw::new(b'0', b"passwd", b"x")
    };
    let refusal = error(&pack(&with(&[prefixed.bytes()])));
    assert!(
        matches!(&refusal, PackageError::Path(path) if path == "/etc/passwd"),
        "{refusal}"
    );
}

#[test]
fn hard_links_to_what_is_not_in_the_package() {
    let link = |target: &'static [u8]| Raw {
        target,
        ..Raw::new(b'1', b"usr/link", b"")
    };
    let file = Raw::new(b'0', b"usr/file", b"x").bytes();
    for target in ["/etc/shadow", "../etc/shadow", "etc/shadow", ".PKGINFO", ""] {
        let refusal = error(&pack(&with(&[file.clone(), link(target.as_bytes()).bytes()])));
        assert!(
            matches!(&refusal, PackageError::HardLink(t) if t == target),
            "{refusal}"
        );
    }
    let good = read(&with(&[file, link(b"usr/file").bytes()])).unwrap();
    assert_eq!(good.files, ["usr/file", "usr/link"]);
}

#[test]
fn archives_that_programs_disagree_about() {
    let info = pkginfo(b".PKGINFO");
    let file = Raw::new(b'0', b"usr/file", b"x").bytes();
    let evil = Pkg::new("pacman", "9-1").tar();
    let say = |expected: &str, tar: &[u8]| assert_eq!(ambiguity(tar), expected);

    // Readers with `--ignore-zeros` go on after the end mark, of which one block is enough for others.
    let after = "the archive goes on after its end mark";
    say(after, &[app().tar(), evil.clone()].concat());
    say(after, &[&info[..], &END[..512], &file, &END].concat());

    // Sizes: some go by the header, some by the pax header; some skip what a link or folder brings, some do not.
    let hidden = pkginfo(b".PKGINFO");
    let sized = Raw {
        size: hidden.len(),
        ..Raw::new(b'0', b"usr/a", &hidden)
    };
    say(
        "a member states two sizes",
        &with(&[pax(&[("size", "0")]), sized.bytes()]),
    );
    for kind in [b'1', b'2', b'5', b'3', b'4', b'6'] {
        let sized = Raw {
            target: b".PKGINFO",
            size: hidden.len(),
            ..Raw::new(kind, b"usr/a", &hidden)
        };
        say("a link, folder or device has content", &with(&[sized.bytes()]));
    }
    let number = |change: fn(&mut [u8])| Raw {
        change,
        ..Raw::new(b'0', b"usr/a", b"x")
    };
    let size = "a size in a header is no number";
    for change in [
        (|header: &mut [u8]| header[124..136].copy_from_slice(b"+0000000001\0")) as fn(&mut [u8]),
        |header| header[124..136].copy_from_slice(b"-0000000001\0"),
        |header| header[124..136].copy_from_slice(b"00000000018\0"),
        |header| header[124..136].copy_from_slice(&[0xff; 12]),
        |header| header[124..128].copy_from_slice(&[0x80, 0, 0, 1]),
    ] {
        say(size, &with(&[number(change).bytes()]));
    }
    let mode = number(|header| header[100..108].copy_from_slice(b"rw-r--r-"));
    say("a number in a header is not octal", &with(&[mode.bytes()]));

    // Names: which header counts, and where it ends.
    let gnu = |name: &[u8]| Raw::new(b'L', b"././@LongLink", name).bytes();
    let two = "a member has two headers of one kind";
    say(two, &with(&[gnu(b"usr/a\0"), gnu(b"usr/b\0"), file.clone()]));
    let one = pax(&[("path", "usr/a")]);
    say(two, &with(&[one.clone(), one.clone(), file.clone()]));
    say(
        "a member has two long names",
        &with(&[gnu(b"usr/b\0"), one.clone(), file.clone()]),
    );
    say("a header has no member", &with(&[one]));
    say(
        "a long name is empty or broken",
        &with(&[gnu(b"usr/a\0.PKGINFO\0"), file.clone()]),
    );
    say(
        "a pax header states an empty or broken name",
        &with(&[pax(&[("path", ".PKGINFO\0x")]), file.clone()]),
    );
    say(
        "a pax header states something twice",
        &with(&[pax(&[("path", "usr/a"), ("path", "usr/b")]), file.clone()]),
    );
    for broken in [
        &b"9999 path=usr/a\n"[..],
        b"5 a=b\n",
        b"path=usr/a\n",
        b"+15 path=usr/a\n",
        b"0 a=b\n",
    ] {
        let header = Raw::new(b'x', b"PaxHeader/x", broken).bytes();
        say("a pax header is malformed", &with(&[header, file.clone()]));
    }
    let holes = "a file has holes in an unusual format";
    for records in [
        &[("GNU.sparse.name", "usr/b")][..],
        &[("GNU.sparse.map", "0,1")],
        &[("SCHILY.realsize", "1")],
    ] {
        say(holes, &with(&[pax(records), file.clone()]));
    }

    // Formats and types that only some know.
    let unusual = "a member is of an unusual type";
    for kind in *b"SgXVMN7D" {
        say(unusual, &with(&[Raw::new(kind, b"usr/a", b"").bytes()]));
    }
    let old = number(|header| header[257..265].fill(0));
    say("a header is not in the ustar format", &with(&[old.bytes()]));
}

#[test]
fn files_that_are_something_else_to_pacman() {
    // libarchive looks for compressions again in what it has unpacked, and for text that uudecode would take.
    let starts: [&[u8]; 6] = [
        b"BZh91AY&SY",
        b"LZIP\x01\x0c",
        b"070701",
        b"PK\x03\x04",
        b"begin 644 x\n",
        b".\nbegin 644 x\n",
    ];
    for start in starts {
        let first = Raw::new(b'0', start, b"x").bytes();
        let tar = [first, with(&[])].concat();
        assert!(matches!(error(&pack(&tar)), PackageError::Beginning), "{start:?}");
    }
    let nested = pack(&pack(&app().tar()));
    assert_eq!(
        bsdtar(&["-xOqf"], &nested, &[".PKGINFO"]).unwrap(),
        app().pkginfo(),
        "libarchive unpacks twice"
    );
    assert!(matches!(
        error(&nested),
        PackageError::Beginning | PackageError::Unreadable(_)
    ));
}
