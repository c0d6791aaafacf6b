//! One hostile upload of each kind, against a repository that signs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::fixture::{Farm, Keyring, Pkg, manifest_file, run, target};
use super::raw::{Raw, bomb, pack, with};
use super::refusals::{APP, app, nothing_left};
use crate::model::Pkgname;
use crate::repo::{Upload, UploadOutcome};

/// What it is, and how a good upload becomes it.
type Kind<'a> = (&'static str, &'a dyn Fn(&mut Upload));

#[test]
fn nothing_of_a_hostile_upload_is_signed_or_left() {
    let keyring = Keyring::with_key("");
    let mut farm = Farm::signed(&keyring);
    farm.protected.protect(Pkgname::new("pacman").unwrap());
    let make = |upload: &mut Upload, change: &dyn Fn(&Path)| change(&upload.dir.join(APP));
    let packed = |package: Pkg| move |path: &Path| fs::write(path, package.bytes()).unwrap();
    let truth = |upload: &mut Upload| {
        upload.manifest.files = vec![manifest_file(&upload.dir.join(APP))];
    };
    let kinds: [Kind; 20] = [
        ("another pkgbase's package", &|u| {
            make(u, &packed(app().base("other")));
            truth(u);
        }),
        ("a name of the distribution", &|u| {
            u.manifest.files = vec![manifest_file(
                &Pkg::new("pacman", "9-1").base("app").write(&u.dir),
            )];
            fs::remove_file(u.dir.join(APP)).unwrap();
        }),
        ("a path in a file name", &|u| {
            u.manifest.files[0].name = format!("../1.1/{APP}");
        }),
        ("a dot file", &|u| u.manifest.files[0].name = format!(".{APP}")),
        ("a shell's command in a file name", &|u| {
            u.manifest.files[0].name = format!("$(touch x){APP}");
        }),
        ("a newline in a file name", &|u| {
            u.manifest.files[0].name = format!("a\n{APP}");
        }),
        ("a link", &|u| {
            make(u, &|path| {
                fs::rename(path, path.with_file_name("elsewhere")).unwrap();
                symlink("elsewhere", path).unwrap();
            });
        }),
        ("a pipe", &|u| {
            make(u, &|path| {
                fs::remove_file(path).unwrap();
                run(Command::new("mkfifo").arg(path));
            });
        }),
        ("a truncated archive", &|u| {
            make(u, &|path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
            });
            truth(u);
        }),
        ("a decompression bomb", &|u| {
            make(u, &|path| fs::write(path, bomb()).unwrap());
            truth(u);
        }),
        ("two .PKGINFO", &|u| {
            make(
                u,
                &packed(app().file(".PKGINFO", &Pkg::new("pacman", "9-1").pkginfo())),
            );
            truth(u);
        }),
        ("invalid UTF-8", &|u| {
            make(u, &|path| {
                let tar = String::from_utf8(app().tar()).unwrap();
                let at = tar.find("A package").unwrap();
                let mut tar = tar.into_bytes();
                tar[at] = 0xff;
                fs::write(path, zstd::encode_all(tar.as_slice(), 1).unwrap()).unwrap();
            });
            truth(u);
        }),
        ("another architecture", &|u| {
            make(u, &packed(app().arch("aarch64")));
            truth(u);
        }),
        ("a wrong hash", &|u| u.manifest.files[0].sha256 = "0".repeat(64)),
        ("a wrong size", &|u| u.manifest.files[0].size += 1),
        ("an extra file", &|u| {
            drop(Pkg::new("pacman", "9-1").write(&u.dir));
        }),
        ("a missing file", &|u| fs::remove_file(u.dir.join(APP)).unwrap()),
        ("a version of the future", &|u| {
            make(u, &packed(Pkg::new("app", "1-r1")));
            truth(u);
        }),
        ("a signature brought along", &|u| {
            fs::write(u.dir.join(format!("{APP}.sig")), "x").unwrap();
        }),
        ("a path out of the package", &|u| {
            make(u, &|path| {
                let member = Raw::new(b'0', b"../etc/passwd", b"x").bytes();
                fs::write(path, pack(&with(&[member]))).unwrap();
            });
            truth(u);
        }),
    ];
    let repository = farm.open();
    for (job, (kind, change)) in (1..).zip(kinds) {
        let mut upload = farm.upload(job, "app", &[app()]);
        change(&mut upload);
        let report = repository
            .publish(&target(), &[upload], &crate::repo::Circumstances::default())
            .unwrap();
        match &report.outcomes[0].1 {
            UploadOutcome::Refused(refusal) => println!("{kind}: {refusal}"),
            other => panic!("{kind}: {other:?}"),
        }
        nothing_left(&farm.root());
        assert!(farm.index().is_empty());
    }
}
