//! Archives put together byte by byte, so that every header can lie.

use std::io::Write;
use std::process::{Command, Stdio};

use super::refusals::app;

/// A member, with all that a header can lie about.
pub struct Raw<'a> {
    pub kind: u8,
    pub path: &'a [u8],
    pub target: &'a [u8],
    pub content: &'a [u8],
    pub size: usize,
    pub change: fn(&mut [u8]),
}

impl<'a> Raw<'a> {
    pub fn new(kind: u8, path: &'a [u8], content: &'a [u8]) -> Self {
        Self {
            kind,
            path,
            target: b"",
            content,
            size: content.len(),
            change: |_| {},
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..self.path.len()].copy_from_slice(self.path);
        header.as_old_mut().linkname[..self.target.len()].copy_from_slice(self.target);
        header.set_entry_type(tar::EntryType::new(self.kind));
        header.set_mode(0o644);
        header.set_size(self.size as u64);
        (self.change)(header.as_mut_bytes());
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(self.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }
}

pub const END: [u8; 1024] = [0; 1024];

pub fn pkginfo(path: &[u8]) -> Vec<u8> {
    Raw::new(b'0', path, app().pkginfo().as_bytes()).bytes()
}

/// A package with `members` after its `.PKGINFO`.
pub fn with(members: &[Vec<u8>]) -> Vec<u8> {
    [pkginfo(b".PKGINFO"), members.concat(), END.to_vec()].concat()
}

/// A pax header with `records`.
pub fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let length = (1..1000)
            .find(|n: &usize| n.to_string().len() + rest.len() == *n)
            .unwrap();
        text.extend_from_slice(format!("{length}{rest}").as_bytes());
    }
    Raw::new(b'x', b"PaxHeader/x", &text).bytes()
}

/// A real Zstandard frame: `head` as it is, then so many blocks of 128 KiB zeros, four bytes each.
pub fn zeros_after(head: &[u8], blocks: usize, window_log: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3];
    let block = |last: bool, kind: u32, size: usize| {
        let header = u32::from(last) | kind << 1 | u32::try_from(size).unwrap() << 3;
        header.to_le_bytes()[..3].to_vec()
    };
    frame.extend(block(blocks == 0, 0, head.len()));
    frame.extend_from_slice(head);
    for number in 1..=blocks {
        frame.extend(block(number == blocks, 1, 128 << 10));
        frame.push(0);
    }
    frame
}

/// A package of two mebibytes that stand for 64 GiB.
pub fn bomb() -> Vec<u8> {
    zeros_after(&giant(), (1 << 36) >> 17, 17)
}

/// A `.PKGINFO` and the header of a file of 64 GiB.
pub fn giant() -> Vec<u8> {
    let giant = Raw {
        size: 1 << 36,
        change: |header| header[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\x10\0\0\0\0"),
        ..Raw::new(b'0', b"usr/zeros", b"")
    };
    [pkginfo(b".PKGINFO"), giant.bytes()].concat()
}

pub fn pack(tar: &[u8]) -> Vec<u8> {
    zstd::encode_all(tar, 1).unwrap()
}

/// Packs with a program, as makepkg does.
pub fn pack_with(program: &[&str], tar: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let tar = tar.to_owned();
    let writer = std::thread::spawn(move || input.write_all(&tar));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    writer.join().unwrap().unwrap();
    output.stdout
}

/// What libarchive makes of a package.
pub fn bsdtar(mode: &[&str], content: &[u8], patterns: &[&str]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("package");
    std::fs::write(&path, content).unwrap();
    let output = Command::new("bsdtar")
        .args(mode)
        .arg(&path)
        .args(patterns)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
