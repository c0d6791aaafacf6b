//! Files that are missing, damaged, too many.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::super::fixture::{Pkg, run};
use super::{A, edit, farm, findings, report, request};
use crate::repo::check::{CheckRequest, FileKind, Finding};

type Damage<'a> = &'a dyn Fn(&Path);

#[test]
fn damaged_files_are_named() {
    let whole = farm(None);
    let (package, file) = (|| "a".to_owned(), || A.to_owned());
    let size = fs::metadata(whole.public().join(A)).unwrap().len();
    let kind = |found| Finding::NotRegular {
        package: package(),
        file: file(),
        found,
    };
    let cases: [(&str, Damage<'_>, Finding); 7] = [
        (
            "gone",
            &|path| fs::remove_file(path).unwrap(),
            Finding::FileMissing {
                package: package(),
                file: file(),
            },
        ),
        (
            "longer",
            &|path| fs::write(path, [fs::read(path).unwrap(), b"x".to_vec()].concat()).unwrap(),
            Finding::FileSize {
                package: package(),
                file: file(),
                expected: size,
                found: size + 1,
            },
        ),
        (
            "a folder",
            &|path| fs::remove_file(path).and_then(|()| fs::create_dir(path)).unwrap(),
            kind(FileKind::Folder),
        ),
        (
            "a pipe",
            &|path| {
                fs::remove_file(path).unwrap();
                run(Command::new("mkfifo").arg(path));
            },
            kind(FileKind::Special),
        ),
        (
            "a dead link",
            &|path| {
                fs::remove_file(path)
                    .and_then(|()| symlink("nothing", path))
                    .unwrap();
            },
            kind(FileKind::DeadLink),
        ),
        (
            "a link",
            &|path| {
                fs::rename(path, path.with_extension("real")).unwrap();
                symlink(path.with_extension("real").file_name().unwrap(), path).unwrap();
            },
            kind(FileKind::LinkToFile),
        ),
        (
            "unlisted",
            &|path| drop(Pkg::new("c", "1-1").write(path.parent().unwrap())),
            Finding::Orphan {
                file: "c-1-1-x86_64.pkg.tar.zst".into(),
            },
        ),
    ];
    for (what, damage, expected) in cases {
        let farm = whole.copy();
        damage(&farm.public().join(A));
        let mut found = findings(&farm);
        // What the link leads to is a package without entry, too.
        found.retain(|finding| !matches!(finding, Finding::Duplicate { .. }));
        assert_eq!(found, [expected], "{what}");
    }
}

#[test]
fn another_content_of_the_same_size_is_found_by_its_hash() {
    let farm = farm(None);
    let path = farm.public().join(A);
    let mut content = fs::read(&path).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&path, &content).unwrap();
    let expected = Finding::FileHash {
        package: "a".into(),
        file: A.into(),
        expected: farm.index()["a"].sha256.clone().unwrap(),
        found: run(Command::new("sha256sum").arg(&path))[..64].to_owned(),
    };
    assert!(
        expected
            .to_string()
            .contains(&farm.index()["a"].sha256.clone().unwrap())
    );
    assert_eq!(findings(&farm), std::slice::from_ref(&expected));
    // Reading for libraries finds it as well, and takes nothing from the wrong file.
    let only_sonames = CheckRequest {
        hashes: false,
        ..request()
    };
    assert_eq!(report(&farm, &only_sonames).findings, [expected]);
    let names_only = CheckRequest {
        sonames: false,
        ..only_sonames
    };
    assert_eq!(report(&farm, &names_only).findings, []);
}

#[test]
fn a_file_that_is_no_package_is_found_although_its_hash_is_right() {
    let farm = farm(None);
    let path = farm.public().join(A);
    fs::write(&path, [0x28, 0xb5, 0x2f, 0xfd, 0]).unwrap();
    let hash = run(Command::new("sha256sum").arg(&path))[..64].to_owned();
    let listed = farm.index().remove("a").unwrap();
    edit(&farm, |text| {
        text.replace(listed.sha256.as_ref().unwrap(), &hash)
            .replace(&format!("%CSIZE%\n{}\n", listed.size), "%CSIZE%\n5\n")
    });
    let found = findings(&farm);
    let [Finding::PackageUnreadable { package, file, .. }] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((package.as_str(), file.as_str()), ("a", A));
}

#[test]
fn surplus_files_are_told_apart_unless_they_are_known() {
    let farm = farm(None);
    let newer = Pkg::new("a", "1-2").write(&farm.public());
    let orphan = Pkg::new("a-b", "1-1").write(&farm.public());
    let signature = farm.public().join("gone-1-1-any.pkg.tar.zst.sig");
    fs::write(&signature, "x").unwrap();
    fs::write(farm.public().join("farm.db.tar.zst.old"), "of repo-add").unwrap();
    fs::write(farm.public().join("index.html"), "").unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        findings(&farm),
        [
            Finding::SignatureWithoutPackage {
                file: name(&signature)
            },
            Finding::Orphan { file: name(&orphan) },
            Finding::Duplicate {
                package: "a".into(),
                file: name(&newer),
                listed: A.into(),
            },
        ]
    );
    let known = CheckRequest {
        retired: [&newer, &orphan, &signature]
            .into_iter()
            .map(|path| name(path))
            .collect(),
        ..request()
    };
    assert_eq!(report(&farm, &known).findings, []);
}
