//! `repo check --fix`: what a check finds and what of it can be mended.

use std::fs;
use std::process::Command;

use super::fixture::{Farm, Keyring, Pkg, run, target};
use crate::repo::check::{CheckRequest, Finding};
use crate::repo::{Kind, Origin, Repository};

fn findings(repository: &Repository) -> Vec<Finding> {
    repository
        .check(&target(), &CheckRequest::default())
        .unwrap()
        .findings
}

#[test]
fn what_is_safe_is_mended_and_nothing_else() {
    let keyring = Keyring::with_key("");
    let farm = Farm::signed(&keyring);
    for (job, name) in (1..).zip(["a", "b", "c", "d"]) {
        farm.publish(&[farm.upload(job, name, &[Pkg::new(name, "1-1")])]);
    }
    let repository = farm.open();
    assert!(findings(&repository).is_empty());
    let public = farm.public();
    let file = |name: &str| public.join(format!("{name}-1-1-x86_64.pkg.tar.zst"));
    let signature = |name: &str| public.join(format!("{name}-1-1-x86_64.pkg.tar.zst.sig"));

    // Another program forgot one database, a link is gone, a signature is lost, another one is not the database's.
    let files = public.join("farm.files.tar.zst");
    let kept = fs::read(farm.database()).unwrap();
    run(Command::new("repo-remove").arg(farm.database()).arg("a"));
    fs::write(farm.database(), kept).unwrap();
    assert!(!fs::read(&files).unwrap().is_empty());
    fs::remove_file(public.join("farm.db")).unwrap();
    fs::remove_file(signature("b")).unwrap();
    run(keyring
        .gpg()
        .arg("--output")
        .arg(signature("c"))
        .args(["--set-notation", "n@example.org=x", "--detach-sign"])
        .arg(file("c")));
    // This one cannot be mended: its content is another one.
    fs::write(file("d"), Pkg::new("d", "1-1").file("usr/x", "x").bytes()).unwrap();
    let found = findings(&repository);
    assert!(found.len() >= 5, "{found:#?}");

    let origin = Origin::default();
    let report = repository.mend(&target(), &found, &origin).unwrap();
    assert_eq!(report.entries, ["a", "b", "c"]);
    assert_eq!(report.signatures, ["b"]);
    let left = findings(&repository);
    assert!(!left.is_empty());
    for finding in &left {
        let text = finding.to_string();
        assert!(text.contains("d-1-1"), "{text}");
    }
    assert_eq!(repository.history(&target()).unwrap()[0].kind, Kind::Mend);
    let again = repository.mend(&target(), &left, &origin).unwrap();
    assert_eq!((again.entries.len(), again.number), (0, None));
}

#[test]
fn a_repair_signs_nothing() {
    let keyring = Keyring::with_key("");
    let mut farm = Farm::new();
    farm.publish(&[farm.upload(1, "a", &[Pkg::new("a", "1-1")])]);
    farm.signing = keyring.signing();
    let repository = farm.open();
    let found = findings(&repository);
    assert!(
        matches!(&found[..], [Finding::SignatureMissing { .. }]),
        "{found:?}"
    );
    repository.mend(&target(), &found, &Origin::default()).unwrap();
    assert!(!farm.public().join("a-1-1-x86_64.pkg.tar.zst.sig").exists());
    assert_eq!(findings(&repository), found);
}
