//! Entries of packages that makepkg built, byte for byte against those of the installed repo-add.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fixture::{Pkg, add, run};
use super::programs::{makepkg, repo_add, same_entries};
use crate::repo::Compression;
use crate::repo::database::{DatabaseEntry, rewrite};
use crate::repo::entry;
use crate::repo::package::{Package, read_package};

/// Two packages of one PKGBUILD with every field, files of all types, and names that are hard to spell.
const SPLIT: &str = r#"
pkgbase=everything
pkgname=(everything everything-docs)
pkgver=2.0_rc1
pkgrel=1.1
epoch=3
pkgdesc='overridden below'
arch=(x86_64)
url='https://example.org/?q=a=b&c#d'
license=(GPL-3.0-or-later 'custom:Some  License')
groups=(base-devel farm)
depends=('glibc>=2.35' 'a=1:2-3' bash)
makedepends=('gcc' 'meson>1')
checkdepends=('python-pytest')
optdepends=('x: for  "quoted" $(things) and `more`' 'y')
replaces=('old<2')
conflicts=('clash>=1' other)
provides=('libeverything.so=2-64' 'virtual')
options=(!strip !debug !zipman)
check() { true; }
package_everything() {
  pkgdesc='Schön — “quoted”, 日本語, a\b and 100 % = all'
  backup=(etc/everything.conf 'etc/with space.conf')
  install=everything.install
  changelog=ChangeLog
  install -Dm644 /dev/null "$pkgdir/etc/everything.conf"
  install -Dm644 /dev/null "$pkgdir/etc/with space.conf"
  install -Dm755 /dev/stdin "$pkgdir/usr/bin/everything" <<< '#!/bin/sh'
  ln -s everything "$pkgdir/usr/bin/alias"
  ln "$pkgdir/usr/bin/everything" "$pkgdir/usr/bin/other-name"
  mkdir -p "$pkgdir/usr/share/empty" "$pkgdir/usr/share/ünï cödé/日本"
  touch "$pkgdir/usr/share/ünï cödé/日本/"$'tab\tback\\slash' "$pkgdir/usr/share/"$'latin\xe4'
  touch "$pkgdir/usr/share/system-systemd\\x2dcryptsetup.slice"
  mkdir -p "$pkgdir/usr/share/$(printf 'long%.0s' {1..40})"
  touch "$pkgdir/usr/share/$(printf 'long%.0s' {1..40})/$(printf 'name%.0s' {1..60})"
  truncate -s 3M "$pkgdir/usr/share/holes"
  printf x | dd of="$pkgdir/usr/share/holes" bs=1 seek=2M conv=notrunc status=none
}
package_everything-docs() {
  pkgdesc='Documentation'
  arch=(any)
  url=''
  license=()
  groups=()
  depends=()
  optdepends=()
  replaces=()
  conflicts=()
  provides=()
}
"#;

fn read(path: &Path) -> Package {
    let reading = read_package(File::open(path).unwrap(), std::io::sink()).unwrap();
    reading
        .package
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes both databases from `packages` with our entries into a new folder.
fn our_databases(packages: &[PathBuf]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let entries = |with_files: bool| -> Vec<DatabaseEntry> {
        packages
            .iter()
            .map(|path| {
                let package = read(path);
                let name = path.file_name().unwrap().to_str().unwrap();
                let signature = fs::read(format!("{}.sig", path.display())).ok();
                let desc = entry::desc(&package, name, signature.as_deref());
                let mut members = vec![("desc".to_owned(), desc.into_bytes())];
                if with_files {
                    members.push(("files".to_owned(), entry::files(&package).into_bytes()));
                }
                DatabaseEntry {
                    directory: format!("{}-{}", package.info.pkgname(), package.info.version()),
                    members,
                    modified: 0,
                }
            })
            .collect()
    };
    for (kind, with_files) in [("db", false), ("files", true)] {
        let out = File::create(folder.path().join(format!("farm.{kind}.tar.zst"))).unwrap();
        rewrite(
            &folder.path().join("none"),
            &entries(with_files),
            |_| true,
            &["desc", "files"],
            out,
        )
        .unwrap();
    }
    folder
}

fn same_as_repo_add(packages: &[PathBuf]) {
    let theirs = tempfile::tempdir().unwrap();
    repo_add(&theirs.path().join("farm.db.tar.zst"), packages);
    same_entries(our_databases(packages).path(), theirs.path());
}

#[test]
fn a_split_package_with_every_field_in_every_compression() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("everything.install"),
        "post_install() { true; }\n",
    )
    .unwrap();
    fs::write(folder.path().join("ChangeLog"), "1.0: first\n").unwrap();
    for (suffix, compression) in [
        ("", Compression::None),
        (".zst", Compression::Zstd),
        (".xz", Compression::Xz),
        (".gz", Compression::Gzip),
    ] {
        let names = makepkg(folder.path(), SPLIT, &format!(".pkg.tar{suffix}"));
        let expected = ["x86_64", "any"].map(|arch| {
            let docs = if arch == "any" { "-docs" } else { "" };
            format!("everything{docs}-3:2.0_rc1-1.1-{arch}.pkg.tar{suffix}")
        });
        assert_eq!(names, expected);
        let packages: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        let listing = run(Command::new("bsdtar").arg("-tf").arg(&packages[0]));
        for metadata in [".BUILDINFO", ".MTREE", ".PKGINFO", ".INSTALL", ".CHANGELOG"] {
            assert!(listing.lines().any(|line| line == metadata), "{metadata}");
        }
        let package = read(&packages[0]);
        assert_eq!(package.compression, compression);
        assert_eq!(package.info.pkgbase(), "everything");
        for path in [
            "usr/share/holes",
            "usr/bin/other-name",
            "usr/share/ünï cödé/日本/tab\\tback\\\\slash",
            "usr/share/latin\\344",
        ] {
            assert!(package.files.iter().any(|file| file == path), "{path}");
        }
        assert_eq!(
            package.info.all("backup").collect::<Vec<_>>(),
            ["etc/everything.conf", "etc/with space.conf"]
        );
        assert_eq!(package.info.all("license").count(), 2);
        // A signature beside one of them, as it is at a publish.
        fs::write(format!("{}.sig", packages[0].display()), [0x88; 119]).unwrap();
        same_as_repo_add(&packages);
        for path in packages {
            fs::remove_file(path).unwrap();
        }
    }
}

/// What makepkg wrote in 2010, and what other tools leave out today.
#[test]
fn descriptions_of_other_times_and_tools() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, info: &str, more: &[(&str, &str)]| {
        let mut archive = tar::Builder::new(Vec::new());
        add(&mut archive, ".PKGINFO", info.as_bytes());
        for (path, content) in more {
            add(&mut archive, path, content.as_bytes());
        }
        let path = folder.path().join(name);
        let tar = archive.into_inner().unwrap();
        fs::write(&path, zstd::encode_all(tar.as_slice(), 1).unwrap()).unwrap();
        path
    };
    let old = "# Generated by makepkg 3.5\n# using fakeroot version 1.14.5\n# Mon Feb  7 21:05:43 UTC 2011\n\
               pkgname = old\npkgver = 0.1-1\npkgdesc = An old one\nurl = http://example.org/\nbuilddate = 1297112743\n\
               packager = Unknown Packager\nsize = 12288\narch = i686\nlicense = GPL\nforce = true\nmakepkgopt = strip\n";
    let bare = "pkgname = bare\npkgver = 1-1\narch = any\n";
    let later = "pkgname = later\npkgbase = later\nxdata = pkgtype=pkg\npkgver = 1-1\npkgdesc = From a time to come\n\
                 url = \nbuilddate = 1700000000\npackager = A\nsize = 0\narch = any\nlicense = \ndepend = \nnewfield = some = thing\n";
    same_as_repo_add(&[
        write(
            "old-0.1-1-i686.pkg.tar.zst",
            old,
            &[("usr/", ""), ("usr/old", "x")],
        ),
        write("bare-1-1-any.pkg.tar.zst", bare, &[]),
        write(
            "later-1-1-any.pkg.tar.zst",
            later,
            &[(".BUILDINFO", "format = 3\n"), (".FUTURE", "x")],
        ),
        Pkg::new("plain", "1-1").write(folder.path()),
    ]);
}

/// makepkg's own way and what other tools around pacman use: the strictness is for none of them.
#[test]
fn archives_of_every_usual_writer() {
    let folder = tempfile::tempdir().unwrap();
    let content = folder.path().join("content");
    fs::create_dir_all(content.join("usr/share")).unwrap();
    fs::write(content.join(".BUILDINFO"), "format = 2\n").unwrap();
    fs::write(content.join(".PKGINFO"), Pkg::new("app", "1-1").pkginfo()).unwrap();
    fs::write(content.join("usr/share").join("ü".repeat(100)), "x").unwrap();
    fs::write(content.join("usr/share/one"), "x").unwrap();
    fs::hard_link(content.join("usr/share/one"), content.join("usr/share/two")).unwrap();
    let path = folder.path().join("app-1-1-x86_64.pkg.tar");
    for writer in [
        &["bsdtar"][..],
        &["bsdtar", "--format=pax"],
        &["bsdtar", "--format=ustar", "--exclude=ü*"],
        &["bsdtar", "--format=gnutar"],
        &["tar", "--format=posix"],
        &["tar", "--format=gnu"],
        &["tar", "--format=ustar", "--exclude=ü*"],
    ] {
        run(Command::new(writer[0])
            .args(&writer[1..])
            .arg("-cf")
            .arg(&path)
            .arg("-C")
            .arg(&content)
            .args([".BUILDINFO", ".PKGINFO", "usr"]));
        println!("{writer:?}");
        same_as_repo_add(std::slice::from_ref(&path));
    }
}
