//! The result against the programs that others use on it: repo-add, repo-remove, pacman, makepkg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fixture::{Farm, Keyring, Pkg, add, entries, manifest_file, names, run, target, upload_of};
use crate::repo::{Circumstances, UploadOutcome, vercmp};

/// Every field that repo-add knows, with what is hard about the values.
fn full() -> Pkg {
    Pkg::new("full", "1:2.0-1.2")
        .info("pkgdesc2 = not known\ngroup = g1\ngroup = g2\nlicense = GPL-3.0-or-later\nlicense = custom:x  y\n")
        .info("replaces = old<2\nconflict = c>=1\nprovides = libfull.so=1-64\nprovides = p\nbackup = etc/full.conf\n")
        .info("depend = glibc>=2.35\ndepend = a=1\noptdepend = b: for  the \t\"quoted\" $(thing) ü\nmakedepend = gcc\ncheckdepend = check\n")
        .info("makepkgopt = strip\nxdata = pkgtype=pkg\n")
        .file("etc/", "")
        .file("etc/full.conf", "x")
        .file("usr/lib/system-systemd\\x2dcryptsetup.slice", "x")
        .file("usr/share/ä ö", "x")
        .file("usr/share/line\nbreak\ttab", "x")
        .file(".hidden", "x")
        .file(".INSTALL", "x")
        .file(&format!("usr/share/{}/{}", "long".repeat(30), "name".repeat(40)), "x")
        .file("usr/share-more", "sorts before the folder's files")
}

pub fn repo_add(database: &Path, packages: &[PathBuf]) {
    run(Command::new("repo-add").arg(database).args(packages));
}

/// Since pacman 6.1 repo-add writes neither MD5 sums nor, unless told to, signatures. pacman 6.0 needs them, so ours stay.
fn in_the_installed_format(text: &str) -> String {
    let version = run(Command::new("repo-add").arg("--version"));
    let version = version
        .lines()
        .next()
        .and_then(|line| line.rsplit(' ').next())
        .unwrap();
    if vercmp(version, "6.1").is_lt() {
        return text.to_owned();
    }
    let is_kept = |section: &&str| !section.starts_with("%MD5SUM%") && !section.starts_with("%PGPSIG%");
    let sections: Vec<&str> = text.split("\n\n").filter(is_kept).collect();
    sections.join("\n\n")
}

pub fn same_entries(ours: &Path, theirs: &Path) {
    for kind in ["db", "files"] {
        let of = |folder: &Path| {
            let mut entries = entries(&folder.join(format!("farm.{kind}.tar.zst")));
            entries.sort_by(|a, b| a.directory.cmp(&b.directory));
            entries
                .into_iter()
                .map(|mut entry| {
                    entry.members.sort();
                    let text = |(name, content)| {
                        (
                            name,
                            in_the_installed_format(&String::from_utf8(content).unwrap()),
                        )
                    };
                    (
                        entry.directory,
                        entry.members.into_iter().map(text).collect::<Vec<_>>(),
                    )
                })
                .collect::<Vec<_>>()
        };
        let (ours, theirs) = (of(ours), of(theirs));
        assert!(!ours.is_empty());
        assert_eq!(ours, theirs, "{kind}");
    }
}

#[test]
fn entries_are_byte_equal_with_those_of_repo_add() {
    let keyring = Keyring::with_key("");
    let farm = Farm::signed(&keyring);
    let empty = Pkg {
        files: Vec::new(),
        ..Pkg::new("empty", "1-1")
    };
    let odd = Pkg::new("odd", "0-1").info("license =\nlicense = second\ngroup = \ndepend = trailing=\n");
    let uploads = [
        farm.upload(1, "full", &[full()]),
        farm.upload(2, "empty", &[empty.arch("any")]),
        farm.upload(3, "odd", &[odd]),
    ];
    farm.publish(&uploads);
    let theirs = tempfile::tempdir().unwrap();
    let packages: Vec<PathBuf> = farm
        .index()
        .values()
        .map(|listed| farm.public().join(&listed.file_name))
        .collect();
    repo_add(&theirs.path().join("farm.db.tar.zst"), &packages);
    same_entries(&farm.public(), theirs.path());
}

#[test]
fn repo_add_and_repo_remove_go_on_with_our_database_and_we_with_theirs() {
    let farm = Farm::new();
    farm.publish(&[
        farm.upload(1, "full", &[full()]),
        farm.upload(2, "b", &[Pkg::new("b", "1-1")]),
    ]);
    let folder = farm.public();
    let by_hand = Pkg::new("by-hand", "1-1").write(&folder);
    repo_add(&farm.database(), &[by_hand]);
    run(Command::new("repo-remove").arg(farm.database()).arg("b"));
    assert_eq!(farm.index().keys().collect::<Vec<_>>(), ["by-hand", "full"]);

    farm.publish(&[farm.upload(3, "c", &[Pkg::new("c", "1-1")])]);
    farm.publish(&[farm.upload(4, "by-hand", &[Pkg::new("by-hand", "1-2")])]);
    farm.check(None);
    let theirs = tempfile::tempdir().unwrap();
    let packages: Vec<PathBuf> = farm
        .index()
        .values()
        .map(|listed| folder.join(&listed.file_name))
        .collect();
    repo_add(&theirs.path().join("farm.db.tar.zst"), &packages);
    same_entries(&folder, theirs.path());

    for name in ["by-hand", "c", "full"] {
        run(Command::new("repo-remove").arg(farm.database()).arg(name));
    }
    farm.publish(&[farm.upload(5, "d", &[Pkg::new("d", "1-1")])]);
    assert_eq!(farm.index().keys().collect::<Vec<_>>(), ["d"]);
    farm.check(None);
}

#[test]
fn every_compression_is_read_as_repo_add_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("full.tar");
    fs::write(&tar, full().tar()).unwrap();
    for (program, suffix) in [("zstd", "zst"), ("gzip", "gz"), ("xz", "xz")] {
        let packed = folder.path().join(format!("full.pkg.tar.{suffix}"));
        run(Command::new("sh")
            .args(["-c", "exec \"$0\" -c < \"$1\" > \"$2\"", program])
            .arg(&tar)
            .arg(&packed));
        let reading =
            crate::repo::package::read_package(fs::File::open(&packed).unwrap(), std::io::sink()).unwrap();
        let package = reading.package.unwrap();
        assert_eq!(
            package.info.all("depend").collect::<Vec<_>>(),
            ["glibc>=2.35", "a=1"],
            "{suffix}"
        );
        let sums = run(Command::new("sh")
            .args(["-c", "md5sum < \"$0\"; sha256sum < \"$0\""])
            .arg(&packed));
        assert_eq!(
            sums.replace("  -", ""),
            format!("{}\n{}\n", package.md5, package.sha256)
        );
        let listing = run(Command::new("sh")
            .args(["-c", "bsdtar --exclude='^.*' -tf \"$0\" | LC_ALL=C sort -u"])
            .arg(&packed));
        assert_eq!(listing.lines().collect::<Vec<_>>(), package.files, "{suffix}");
    }
}

/// pacman in a scratch root that trusts the keyring's key and knows the farm only.
struct Pacman {
    root: tempfile::TempDir,
    keys: Keyring,
}

impl Pacman {
    fn new(farm: &Farm, keyring: &Keyring) -> Self {
        Self::that_wants("Required DatabaseOptional", farm, keyring)
    }

    fn that_wants(signatures: &str, farm: &Farm, keyring: &Keyring) -> Self {
        let pacman = Self {
            root: tempfile::tempdir().unwrap(),
            keys: Keyring::empty(),
        };
        let public = pacman.root.path().join("key");
        run(keyring.gpg().arg("--output").arg(&public).arg("--export"));
        run(pacman.keys.gpg().arg("--import").arg(&public));
        let listing = run(pacman.keys.gpg().args(["--with-colons", "--list-keys"]));
        let key = listing
            .lines()
            .find_map(|line| line.strip_prefix("fpr:::::::::"))
            .unwrap();
        let trust = pacman.root.path().join("trust");
        fs::write(&trust, format!("{key}6:\n")).unwrap();
        run(pacman.keys.gpg().arg("--import-ownertrust").arg(&trust));
        fs::create_dir_all(pacman.root.path().join("var/lib/pacman")).unwrap();
        fs::create_dir_all(pacman.root.path().join("cache")).unwrap();
        let conf = format!(
            "[options]\nArchitecture = x86_64\nSigLevel = {signatures}\n\n[farm]\nServer = file://{}\n",
            farm.public().display()
        );
        fs::write(pacman.root.path().join("pacman.conf"), conf).unwrap();
        pacman
    }

    fn run(&self, arguments: &[&str]) -> String {
        let root = self.root.path();
        // pacman insists on root for some of this; under fakeroot anybody can run the test.
        let mut command = Command::new("fakeroot");
        command
            .arg("pacman")
            .arg("--root")
            .arg(root)
            .arg("--dbpath")
            .arg(root.join("var/lib/pacman"));
        command
            .arg("--config")
            .arg(root.join("pacman.conf"))
            .arg("--cachedir")
            .arg(root.join("cache"));
        command
            .arg("--gpgdir")
            .arg(self.keys.path())
            .arg("--logfile")
            .arg(root.join("log"));
        command
            .arg("--hookdir")
            .arg(root.join("hooks"))
            .arg("--noconfirm");
        run(command.args(arguments))
    }
}

/// Runs makepkg on a PKGBUILD in `folder`, as somebody who is not root; the names of the packages, sorted.
pub fn makepkg(folder: &Path, pkgbuild: &str, extension: &str) -> Vec<String> {
    fs::write(folder.join("PKGBUILD"), pkgbuild).unwrap();
    run(Command::new("chmod").arg("777").arg(folder));
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "makepkg"]);
        command
    } else {
        Command::new("makepkg")
    };
    command
        .args(["--nodeps", "--skippgpcheck", "--force"])
        .current_dir(folder)
        .env("HOME", folder)
        .env("PKGEXT", extension);
    run(command
        .env("PKGDEST", folder)
        .env("PACKAGER", "Farm <farm@example.org>"));
    let is_package = |name: &String| name.ends_with(extension);
    names(folder).into_iter().filter(is_package).collect()
}

/// A package made by makepkg itself, compressed with zstd.
fn made_by_makepkg(folder: &Path) -> PathBuf {
    let pkgbuild = "pkgname=hello\npkgver=1.0\npkgrel=1\npkgdesc='Says  \"hello\"'\narch=(any)\nurl='https://example.org/?a=b'\n\
                    license=(MIT)\ndepends=('none-such>=1')\nprovides=(greeting=1)\noptdepends=('x: for y')\nbackup=(etc/hello)\n\
                    package() { install -Dm755 /dev/stdin \"$pkgdir/usr/bin/hello\" <<< '#!/bin/sh\necho hello'; \
                    install -Dm644 /dev/null \"$pkgdir/etc/hello\"; }\n";
    let packages = makepkg(folder, pkgbuild, ".pkg.tar.zst");
    assert_eq!(packages, ["hello-1.0-1-any.pkg.tar.zst"]);
    folder.join(&packages[0])
}

#[test]
fn pacman_installs_a_signed_package_made_by_makepkg() {
    let keyring = Keyring::with_key("");
    let farm = Farm::signed(&keyring);
    let repository = farm.open();
    repository.ensure_target(&target()).unwrap();
    let pacman = Pacman::new(&farm, &keyring);
    pacman.run(&["-Sy"]);
    assert_eq!(pacman.run(&["-Sl"]), "");

    let dir = tempfile::tempdir().unwrap();
    let package = made_by_makepkg(dir.path());
    let upload = upload_of(1, "hello", dir.path().to_owned(), vec![manifest_file(&package)]);
    let uploads = [
        upload,
        farm.upload(2, "none-such", &[Pkg::new("none-such", "1-1").arch("any")]),
        farm.upload(3, "full", &[full()]),
    ];
    let report = repository
        .publish(&target(), &uploads, &Circumstances::default())
        .unwrap();
    assert!(
        report
            .outcomes
            .iter()
            .all(|(_, outcome)| matches!(outcome, UploadOutcome::Published { .. })),
        "{report:?}"
    );
    farm.check(Some(&keyring));

    pacman.run(&["-Sy"]);
    assert_eq!(pacman.run(&["-Slq"]), "full\nhello\nnone-such\n");
    assert!(pacman.run(&["-Ss", "Says"]).contains("farm/hello 1.0-1"));
    let info = pacman.run(&["-Si", "full"]);
    for text in [
        "1:2.0-1.2",
        "libfull.so=1-64",
        "b: for the \"quoted\" $(thing) ü",
        "SHA-256 Sum  Signature",
    ] {
        assert!(info.contains(text), "{text} in {info}");
    }
    pacman.run(&["-Fy"]);
    assert!(pacman.run(&["-Fl", "hello"]).contains("hello usr/bin/hello"));
    pacman.run(&["-S", "hello"]);
    assert_eq!(pacman.run(&["-Qq"]), "hello\nnone-such\n");
    assert_eq!(
        run(&mut Command::new(pacman.root.path().join("usr/bin/hello"))),
        "hello\n"
    );

    // Entries of what makepkg made are repo-add's, too.
    let theirs = tempfile::tempdir().unwrap();
    let packages: Vec<PathBuf> = farm
        .index()
        .values()
        .map(|listed| farm.public().join(&listed.file_name))
        .collect();
    repo_add(&theirs.path().join("farm.db.tar.zst"), &packages);
    same_entries(&farm.public(), theirs.path());
}

#[test]
fn pacman_that_wants_signed_databases_gets_them() {
    let keyring = Keyring::with_key("");
    let mut farm = Farm::signed(&keyring);
    farm.sign_databases = true;
    let repository = farm.open();
    repository.ensure_target(&target()).unwrap();
    let pacman = Pacman::that_wants("Required", &farm, &keyring);
    pacman.run(&["-Sy"]);
    for version in ["1-1", "2-1"] {
        let job = version[..1].parse().unwrap();
        farm.publish(&[farm.upload(job, "a", &[Pkg::new("a", version).arch("any")])]);
        // Twice: within one second it would take the old one for the newest.
        pacman.run(&["-Syy"]);
        pacman.run(&["-Fyy"]);
        assert_eq!(pacman.run(&["-Sl"]), format!("farm a {version}\n"));
        pacman.run(&["-Sw", "a"]);
        let cached = pacman
            .root
            .path()
            .join("cache")
            .join(format!("a-{version}-any.pkg.tar.zst"));
        assert!(cached.exists());
    }
    // Signatures of databases that are not signed any more would be wrong ones.
    farm.sign_databases = false;
    farm.publish(&[farm.upload(3, "b", &[Pkg::new("b", "1-1")])]);
    assert!(
        !names(&farm.public())
            .iter()
            .any(|name| name.starts_with("farm.") && name.ends_with(".sig"))
    );
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pacman.run(&["-Syy"])));
    assert!(outcome.is_err(), "pacman took a database without a signature");
}

#[test]
fn pacman_refuses_what_was_changed_after_signing() {
    let keyring = Keyring::with_key("");
    let farm = Farm::signed(&keyring);
    farm.publish(&[farm.upload(1, "a", &[Pkg::new("a", "1-1")])]);
    let path = farm.public().join("a-1-1-x86_64.pkg.tar.zst");
    let mut other = tar::Builder::new(Vec::new());
    add(&mut other, ".PKGINFO", Pkg::new("a", "1-1").pkginfo().as_bytes());
    fs::write(
        &path,
        zstd::encode_all(other.into_inner().unwrap().as_slice(), 1).unwrap(),
    )
    .unwrap();
    let pacman = Pacman::new(&farm, &keyring);
    pacman.run(&["-Sy"]);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pacman.run(&["-S", "a"])));
    assert!(
        outcome.is_err(),
        "pacman installed a package with a wrong signature"
    );
}
