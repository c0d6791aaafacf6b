//! Every rule that an upload can break. None of these uploads may be signed or published, not even in part.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::fixture::{Farm, Pkg, add, manifest_file, run, target, upload_of};
use crate::model::{ManifestFile, Pkgbase, Pkgname};
use crate::repo::disk::Disk;
use crate::repo::intake::take_in;
use crate::repo::verify::{Rules, verify};
use crate::repo::{Policy, ProtectedNames, Refusal, Upload, UploadOutcome};

/// An upload of the file `name` with the given content, which the manifest names rightly.
pub fn upload(farm: &Farm, name: &str, content: &[u8]) -> Upload {
    let mut upload = farm.upload(1, "app", &[]);
    fs::write(upload.dir.join(name), content).unwrap();
    upload.manifest.files.push(manifest_file(&upload.dir.join(name)));
    upload
}

pub fn refused(name: &str, content: &[u8]) -> Refusal {
    let farm = Farm::new();
    let upload = upload(&farm, name, content);
    let refusal = farm.refused(&upload);
    nothing_left(&farm.root());
    refusal
}

/// Checks that no package, whole or in part, and no signature lies anywhere below `folder`.
pub fn nothing_left(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(
            !name.contains(".pkg.tar") && !name.ends_with(".sig"),
            "{}",
            entry.path().display()
        );
        if entry.file_type().unwrap().is_dir() {
            nothing_left(&entry.path());
        }
    }
}

fn refused_package(package: &Pkg) -> Refusal {
    refused(&package.file_name(), &package.bytes())
}

pub fn app() -> Pkg {
    Pkg::new("app", "1-1")
}

pub const APP: &str = "app-1-1-x86_64.pkg.tar.zst";

/// Publishes what is refused together with a good package of the same upload: it must not get through either.
#[test]
fn a_refusal_takes_the_whole_upload() {
    let farm = Farm::new();
    let upload = farm.upload(1, "app", &[app(), Pkg::new("other", "1-1")]);
    assert!(matches!(farm.refused(&upload), Refusal::OtherPkgbase { .. }));
}

#[test]
fn an_upload_of_nothing_or_for_another_target() {
    let farm = Farm::new();
    assert!(matches!(
        farm.refused(&farm.upload(1, "app", &[])),
        Refusal::Empty
    ));
    let mut elsewhere = farm.upload(2, "app", &[app()]);
    elsewhere.manifest.target.repo = "other".parse().unwrap();
    assert!(matches!(farm.refused(&elsewhere), Refusal::OtherTarget { .. }));
}

#[test]
fn a_folder_that_is_missing_or_a_link() {
    let farm = Farm::new();
    let mut upload = farm.upload(1, "app", &[app()]);
    let link = farm.folder.path().join("link");
    symlink(&upload.dir, &link).unwrap();
    upload.dir = link;
    assert!(matches!(farm.refused(&upload), Refusal::NoFolder(_)));
    upload.dir = farm.folder.path().join("missing");
    assert!(matches!(farm.refused(&upload), Refusal::NoFolder(_)));
}

#[test]
fn files_that_the_manifest_and_the_folder_do_not_agree_on() {
    let farm = Farm::new();
    let mut missing = farm.upload(1, "app", &[app()]);
    fs::remove_file(missing.dir.join(APP)).unwrap();
    assert!(matches!(farm.refused(&missing), Refusal::Missing(name) if name == APP));
    missing.manifest.files.push(missing.manifest.files[0].clone());
    assert!(matches!(farm.refused(&missing), Refusal::ListedTwice(name) if name == APP));

    for extra in ["pacman-9-1-x86_64.pkg.tar.zst", "x.pkg.tar", "x.pkg.tar.zst.part"] {
        let farm = Farm::new();
        let upload = farm.upload(1, "app", &[app()]);
        fs::write(upload.dir.join(extra), "x").unwrap();
        assert!(matches!(farm.refused(&upload), Refusal::NotInManifest(name) if name == extra));
    }

    let farm = Farm::new();
    let upload = farm.upload(1, "app", &[app()]);
    for harmless in ["manifest.json", "app.namcap"] {
        fs::write(upload.dir.join(harmless), "x").unwrap();
    }
    assert!(matches!(
        farm.publish(&[upload])[0],
        UploadOutcome::Published { .. }
    ));
}

#[test]
fn signatures_brought_along() {
    let farm = Farm::new();
    let upload = farm.upload(1, "app", &[app()]);
    fs::write(upload.dir.join(format!("{APP}.sig")), "x").unwrap();
    assert!(matches!(farm.refused(&upload), Refusal::Signature(name) if name.ends_with(".sig")));
    assert!(matches!(
        refused("app-1-1-x86_64.pkg.tar.zst.sig", b"x"),
        Refusal::Signature(_)
    ));
}

#[test]
fn content_that_is_not_what_the_manifest_says() {
    let farm = Farm::new();
    let upload = farm.upload(1, "app", &[app()]);
    let mut content = app().bytes();
    content.push(0);
    fs::write(upload.dir.join(APP), &content).unwrap();
    assert!(matches!(farm.refused(&upload), Refusal::Size { expected, found, .. } if found == expected + 1));
    content.pop();
    content[20] ^= 1;
    fs::write(upload.dir.join(APP), &content).unwrap();
    assert!(matches!(farm.refused(&upload), Refusal::Hash { file, .. } if file == APP));
}

#[test]
fn links_pipes_folders_and_devices() {
    let farm = Farm::new();
    let upload = farm.upload(1, "app", &[app()]);
    let path = upload.dir.join(APP);
    let again = |make: &dyn Fn(&Path)| {
        let _ = fs::remove_file(&path);
        make(&path);
        assert!(matches!(farm.refused(&upload), Refusal::NotRegular(name) if name == APP));
    };
    let secret = farm.folder.path().join("secret");
    fs::write(&secret, app().bytes()).unwrap();
    again(&|path| symlink(&secret, path).unwrap());
    again(&|path| drop(run(Command::new("mkfifo").arg(path))));
    again(&|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()));
    // Only root may create devices, and not in every container.
    let device = |path: &Path, kind: &[&str]| Command::new("mknod").arg(path).args(kind).output().unwrap();
    let trial = farm.folder.path().join("device");
    for kind in [["c", "1", "5"], ["b", "7", "0"]] {
        let _ = fs::remove_file(&trial);
        if device(&trial, &kind).status.success() {
            again(&|path| assert!(device(path, &kind).status.success()));
        } else {
            println!("mknod is not permitted: devices are left out");
        }
    }
    again(&|path| fs::create_dir(path).unwrap());
}

#[test]
fn names_that_could_lead_elsewhere() {
    for name in [
        "../app-1-1-x86_64.pkg.tar.zst",
        "/etc/passwd",
        ".app.pkg.tar.zst",
        "-rf.pkg.tar.zst",
        "",
        ".",
        "..",
        "app$(id)-1-1-x86_64.pkg.tar.zst",
        "app\n-1-1-x86_64.pkg.tar.zst",
        "app\0.pkg.tar.zst",
        "ä.pkg.tar.zst",
        "a b",
        &"a".repeat(252),
    ] {
        let farm = Farm::new();
        let file = ManifestFile {
            name: name.into(),
            size: 1,
            sha256: String::new(),
        };
        let upload = upload_of(1, "app", farm.folder.path().join("landing"), vec![file]);
        assert!(
            matches!(farm.refused(&upload), Refusal::BadFileName(bad) if bad == name),
            "{name:?}"
        );
    }
    assert!(
        matches!(refused("app-1-2-x86_64.pkg.tar.zst", &app().bytes()), Refusal::FileName { expected, .. } if expected == APP)
    );
    assert!(matches!(
        refused("pacman.conf", &app().bytes()),
        Refusal::FileName { .. }
    ));
    let gzip = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&app().tar()).unwrap();
        encoder.finish().unwrap()
    };
    assert!(matches!(
        refused("app-1-1-x86_64.pkg.tar.gz", &gzip),
        Refusal::FileName { .. }
    ));
    assert!(matches!(refused(APP, &gzip), Refusal::NotZstd(_)));
    assert!(matches!(refused(APP, &app().tar()), Refusal::NotZstd(_)));
}

#[test]
fn packages_that_are_not_what_the_job_built() {
    assert!(
        matches!(refused_package(&app().base("other")), Refusal::OtherPkgbase { found, .. } if found == "other")
    );
    assert!(
        matches!(refused_package(&app().arch("aarch64")), Refusal::OtherArch { found, .. } if found == "aarch64")
    );
    let mut package = app();
    // The last ones are no versions yet; some day they may be, and mean who knows what.
    for version in [
        "$(id)-1", "1/2-1", "1", "1-1-1", "1:2:3-1", "1-r1", "1-1.2.3", "v1|2-1",
    ] {
        package.version = version.into();
        let refusal = refused(APP, &package.bytes());
        assert!(
            matches!(&refusal, Refusal::BadValue { what: "version", value, .. } if value == version),
            "{refusal}"
        );
    }
    package = app();
    package.name = "../app".into();
    assert!(matches!(
        refused(APP, &package.bytes()),
        Refusal::BadValue { what: "pkgname", .. }
    ));
    let farm = Farm::new();
    let upload = farm.upload(1, "app", &[app(), app().arch("any")]);
    assert!(matches!(farm.refused(&upload), Refusal::Twice(name) if name == "app"));
}

#[test]
fn a_package_without_pkgbase_is_its_own() {
    let mut archive = tar::Builder::new(Vec::new());
    add(
        &mut archive,
        ".PKGINFO",
        app().pkginfo().replace("pkgbase = app\n", "").as_bytes(),
    );
    let farm = Farm::new();
    let upload = upload(
        &farm,
        APP,
        &zstd::encode_all(archive.into_inner().unwrap().as_slice(), 1).unwrap(),
    );
    assert!(matches!(
        farm.publish(&[upload])[0],
        UploadOutcome::Published { .. }
    ));
    farm.check(None);
}

#[test]
fn names_that_belong_to_somebody_else() {
    let mut farm = Farm::new();
    farm.publish(&[farm.upload(1, "owner", &[Pkg::new("tool", "1-1").base("owner")])]);
    let thief = farm.upload(2, "thief", &[Pkg::new("tool", "9-1").base("thief")]);
    let refusal = farm.refused(&thief);
    assert!(
        matches!(&refusal, Refusal::Owned { pkgname, owner, .. } if pkgname == "tool" && owner == "owner")
    );
    assert!(
        refusal.to_string().contains("tool-9-1-x86_64.pkg.tar.zst"),
        "{refusal}"
    );

    // Who comes first in one transaction owns the name from then on.
    let uploads = [
        farm.upload(3, "a", &[Pkg::new("new", "1-1").base("a")]),
        farm.upload(4, "b", &[Pkg::new("new", "2-1").base("b")]),
    ];
    let outcomes = farm.publish(&uploads);
    assert!(matches!(outcomes[0], UploadOutcome::Published { .. }));
    assert!(matches!(&outcomes[1], UploadOutcome::Refused(Refusal::Owned { owner, .. }) if owner == "a"));

    let upstream = Farm::new();
    upstream.publish(&[upstream.upload(1, "pacman", &[Pkg::new("pacman", "6-1")])]);
    farm.protected.protect_database(&upstream.database()).unwrap();
    farm.protected.protect(Pkgname::new("glibc").unwrap());
    let pacman = farm.upload(5, "evil", &[Pkg::new("pacman", "9-1").base("evil")]);
    assert!(matches!(farm.refused(&pacman), Refusal::Protected { pkgname, .. } if pkgname == "pacman"));
    let glibc = farm.upload(6, "glibc", &[Pkg::new("glibc", "9-1")]);
    assert!(matches!(farm.refused(&glibc), Refusal::Protected { .. }));
    farm.protected
        .allow(Pkgbase::new("glibc").unwrap(), Pkgname::new("glibc").unwrap());
    assert!(matches!(
        farm.publish(&[glibc])[0],
        UploadOutcome::Published { .. }
    ));
    // A pkgbase of the distribution's own kind may use them all.
    let pacman = farm.upload(7, "toolbox", &[Pkg::new("pacman", "9-1").base("toolbox")]);
    assert!(matches!(farm.refused(&pacman), Refusal::Protected { .. }));
    farm.protected.allow_all(Pkgbase::new("toolbox").unwrap());
    assert!(matches!(
        farm.publish(&[pacman])[0],
        UploadOutcome::Published { .. }
    ));
    farm.check(None);
}

#[test]
fn a_published_file_never_gets_other_content() {
    let farm = Farm::new();
    farm.publish(&[farm.upload(1, "app", &[app()])]);
    let rebuilt = farm.upload(2, "app", &[app().file("usr/new", "x")]);
    let refusal = farm.refused(&rebuilt);
    assert!(matches!(refusal, Refusal::OtherContent(_)));
    assert!(refusal.to_string().contains("bumped pkgrel"), "{refusal}");
    assert_eq!(farm.open().packages(&target()).unwrap().len(), 1);
    farm.check(None);
}

#[test]
fn a_name_moves_only_when_it_may() {
    let farm = Farm::new();
    farm.publish(&[farm.upload(1, "old", &[Pkg::new("tool", "1-1").base("old")])]);
    let upload = farm.upload(2, "heir", &[Pkg::new("tool", "1-2").base("heir")]);
    let staging = farm.folder.path().join("staging");
    let (protected, policy) = (ProtectedNames::default(), Policy::default());
    let rules = Rules {
        protected: &protected,
        policy: &policy,
    };
    for may in [true, false] {
        let _ = fs::remove_dir_all(&staging);
        let taken = take_in(&Disk::default(), &upload, &target(), &policy, &staging)
            .unwrap()
            .unwrap();
        let may_move = |pkgname: &Pkgname, owner: &str| {
            assert_eq!((pkgname.as_str(), owner), ("tool", "old"));
            may
        };
        let outcome = verify(&upload.manifest, taken, &farm.index(), rules, may_move, |_, _| {
            false
        });
        match outcome {
            Ok(verified) => assert!(may && verified.len() == 1 && !verified[0].listed),
            Err(refusal) => assert!(!may && matches!(refusal, Refusal::Owned { .. }), "{refusal}"),
        }
    }
}
