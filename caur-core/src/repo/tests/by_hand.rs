//! Packages that an operator adds: their own pkgbase, any compression, and liberties that have to be asked for.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fixture::{Farm, Pkg, names, run, target};
use crate::model::Pkgname;
use crate::repo::database::{Index, Listed};
use crate::repo::disk::Disk;
use crate::repo::intake::{TakenIn, take_in_file};
use crate::repo::verify::{Liberties, Rules, Verified, verify_by_hand};
use crate::repo::{Policy, ProtectedNames, Refusal};

/// A folder for what is added and one for the copies.
struct Desk {
    folder: tempfile::TempDir,
    protected: ProtectedNames,
    policy: Policy,
    liberties: Liberties,
    index: Index,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            protected: ProtectedNames::default(),
            policy: Policy::default(),
            liberties: Liberties::default(),
            index: Index::new(),
        }
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn take(&self, path: &Path) -> Result<TakenIn, Refusal> {
        let staging = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let outcome = take_in_file(&Disk::default(), path, &self.policy, &staging).unwrap();
        if let Ok(taken) = &outcome {
            assert_eq!(fs::read(&taken.staged).unwrap(), fs::read(path).unwrap());
        }
        outcome
    }

    fn verify(&self, packages: Vec<TakenIn>) -> Result<Vec<Verified>, Refusal> {
        let rules = Rules {
            protected: &self.protected,
            policy: &self.policy,
        };
        let same = |listed: &Listed, package: &crate::repo::package::Package| {
            listed.sha256.as_ref() == Some(&package.sha256)
        };
        verify_by_hand(&target(), packages, &self.index, rules, self.liberties, same)
    }

    fn add(&self, name: &str, content: &[u8]) -> Result<Vec<Verified>, Refusal> {
        let taken = self.take(&self.put(name, content))?;
        self.verify(vec![taken])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn any_compression_whose_suffix_fits() {
    let desk = Desk::new();
    let app = Pkg::new("app", "1:2-1").base("apps");
    let tar = app.tar();
    let packed = [
        ("", tar.clone()),
        (".zst", app.bytes()),
        (".gz", gzip(&tar)),
        (".xz", xz(&tar)),
    ];
    for (suffix, content) in &packed {
        let verified = desk
            .add(&format!("app-1:2-1-x86_64.pkg.tar{suffix}"), content)
            .unwrap();
        assert_eq!(verified[0].pkgname.as_str(), "app");
        assert_eq!(verified[0].taken.package.info.pkgbase(), "apps");
        for (other, _) in &packed {
            if other != suffix {
                let refusal = desk
                    .add(&format!("app-1:2-1-x86_64.pkg.tar{other}"), content)
                    .unwrap_err();
                assert!(
                    matches!(&refusal, Refusal::FileName { expected, .. } if expected.ends_with(&format!(".pkg.tar{suffix}"))),
                    "{refusal}"
                );
            }
        }
    }
}

#[test]
fn the_rules_of_identity_hold() {
    let desk = Desk::new();
    let add = |package: &Pkg| desk.add(&package.file_name(), &package.bytes()).unwrap_err();
    assert!(matches!(
        add(&Pkg::new("app", "1-1").arch("aarch64")),
        Refusal::OtherArch { .. }
    ));
    assert!(matches!(
        add(&Pkg::new("app", "1-1").base("../app")),
        Refusal::BadValue { what: "pkgbase", .. }
    ));
    assert!(matches!(
        add(&Pkg::new("app", "1-r1")),
        Refusal::BadValue { what: "version", .. }
    ));
    let app = Pkg::new("app", "1-1");
    assert!(matches!(
        desk.add("app-1-2-x86_64.pkg.tar.zst", &app.bytes()),
        Err(Refusal::FileName { .. })
    ));
    let (one, two) = (
        app.write(desk.folder.path()),
        app.arch("any").write(desk.folder.path()),
    );
    let both = vec![desk.take(&one).unwrap(), desk.take(&two).unwrap()];
    assert!(matches!(desk.verify(both), Err(Refusal::Twice(name)) if name == "app"));
}

#[test]
fn only_regular_files_of_a_decent_size() {
    let mut desk = Desk::new();
    let app = Pkg::new("app", "1-1");
    let path = desk.folder.path().join(app.file_name());
    assert!(matches!(desk.take(&path), Err(Refusal::NoFile(_))));
    let content = desk.put("content", &app.bytes());
    let again = |make: &dyn Fn()| {
        make();
        assert!(matches!(desk.take(&path), Err(Refusal::NotRegular(name)) if name == app.file_name()));
        run(Command::new("rm").arg("-rf").arg(&path));
    };
    again(&|| symlink(&content, &path).unwrap());
    again(&|| fs::create_dir(&path).unwrap());
    again(&|| drop(run(Command::new("mkfifo").arg(&path))));
    for name in ["-rf", "a b.pkg.tar.zst", ".hidden"] {
        let path = desk.put(name, &app.bytes());
        assert!(matches!(desk.take(&path), Err(Refusal::BadFileName(bad)) if bad == name));
    }
    let signature = desk.put("app-1-1-x86_64.pkg.tar.zst.sig", b"x");
    assert!(matches!(desk.take(&signature), Err(Refusal::Signature(_))));

    fs::rename(content, &path).unwrap();
    desk.policy.largest_package = 10;
    let staging = desk.folder.path().join("staging");
    let outcome = take_in_file(&Disk::default(), &path, &desk.policy, &staging).unwrap();
    assert!(matches!(outcome, Err(Refusal::TooLarge { limit: 10, .. })));
    assert!(names(&staging).is_empty());
    desk.policy = Policy::default();
    take_in_file(&Disk::default(), &path, &desk.policy, &staging)
        .unwrap()
        .unwrap();
    let outcome = take_in_file(&Disk::default(), &path, &desk.policy, &staging).unwrap();
    assert!(matches!(outcome, Err(Refusal::ListedTwice(_))));
}

#[test]
fn names_of_others_have_to_be_asked_for() {
    let farm = Farm::new();
    farm.publish(&[farm.upload(1, "owner", &[Pkg::new("tool", "1-1").base("owner")])]);
    let mut desk = Desk {
        index: farm.index(),
        ..Desk::new()
    };
    let tool = Pkg::new("tool", "1-2").base("heir");
    let refusal = desk.add(&tool.file_name(), &tool.bytes()).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Owned { owner, .. } if owner == "owner"),
        "{refusal}"
    );
    assert!(refusal.to_string().contains("`repo transfer tool`"), "{refusal}");
    desk.liberties.owned_names = true;
    assert!(!desk.add(&tool.file_name(), &tool.bytes()).unwrap()[0].listed);

    desk.protected.protect(Pkgname::new("tool").unwrap());
    assert!(matches!(
        desk.add(&tool.file_name(), &tool.bytes()),
        Err(Refusal::Protected { .. })
    ));
    desk.liberties.protected_names = true;
    desk.add(&tool.file_name(), &tool.bytes()).unwrap();
}
