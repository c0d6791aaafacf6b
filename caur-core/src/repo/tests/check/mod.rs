//! `repo check`: every kind of damage, done to real files, is found and named.

mod databases;
mod dependencies;
mod files;
mod signatures;
mod sonames;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture::{Farm, Keyring, Pkg, add, entries, run, target};
use crate::repo::check::{CheckReport, CheckRequest, Finding, Severity, check};
use crate::repo::database::DatabaseEntry;
use crate::repo::{Keeping, RepoError};

const A: &str = "a-1-1-x86_64.pkg.tar.zst";

fn request() -> CheckRequest {
    CheckRequest {
        threads: 2,
        ..CheckRequest::default()
    }
}

fn report(farm: &Farm, request: &CheckRequest) -> CheckReport {
    check(&farm.root(), &target(), request).unwrap()
}

fn findings(farm: &Farm) -> Vec<Finding> {
    report(farm, &request()).findings
}

/// A farm with the packages a and b.
fn farm(keyring: Option<&Keyring>) -> Farm {
    let farm = keyring.map_or_else(Farm::new, Farm::signed);
    farm.publish(&[
        farm.upload(1, "a", &[Pkg::new("a", "1-1")]),
        farm.upload(2, "b", &[Pkg::new("b", "1-1").info("depend = a>=1\n")]),
    ]);
    farm
}

fn signed(keyring: &Keyring) -> CheckRequest {
    CheckRequest {
        signatures: keyring.signing(),
        ..request()
    }
}

/// Writes a database anew with other entries, which need not make sense.
fn write_entries(path: &Path, entries: &[DatabaseEntry]) {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in entries {
        for (name, content) in &entry.members {
            add(&mut archive, &format!("{}/{name}", entry.directory), content);
        }
    }
    let packed = zstd::encode_all(archive.into_inner().unwrap().as_slice(), 1).unwrap();
    fs::write(path, packed).unwrap();
}

/// Changes the texts `desc` of both databases.
fn edit(farm: &Farm, change: impl Fn(&str) -> String) {
    for kind in ["db", "files"] {
        let path = farm.public().join(format!("farm.{kind}.tar.zst"));
        let mut entries = entries(&path);
        for entry in &mut entries {
            let (_, text) = entry.members.iter_mut().find(|(name, _)| name == "desc").unwrap();
            *text = change(str::from_utf8(text).unwrap()).into_bytes();
        }
        write_entries(&path, &entries);
    }
}

/// The databases of another repository with these packages: without and with files.
fn upstream(farm: &Farm, packages: &[Pkg]) -> [PathBuf; 2] {
    let folder = farm.folder.path().join("upstream");
    fs::create_dir(&folder).unwrap();
    let files: Vec<PathBuf> = packages.iter().map(|package| package.write(&folder)).collect();
    run(Command::new("repo-add")
        .arg(folder.join("core.db.tar.gz"))
        .args(files));
    ["core.db", "core.files"].map(|name| folder.join(name))
}

#[test]
fn an_intact_target_has_no_findings_whoever_made_it() {
    let keyring = Keyring::with_key("");
    let ours = farm(Some(&keyring));
    let report = report(&ours, &signed(&keyring));
    assert_eq!(report.findings, []);
    assert_eq!((report.packages, report.signatures_checked), (2, 2));
    let sizes = ours.index().values().map(|listed| listed.size).sum::<u64>();
    assert_eq!(report.bytes_hashed, sizes);
    assert_eq!(report.worst(), None);

    let theirs = Farm::new();
    fs::create_dir_all(theirs.public()).unwrap();
    let packages =
        [Pkg::new("a", "1-1"), Pkg::new("b", "1-1").arch("any")].map(|p| p.write(&theirs.public()));
    for package in packages {
        run(Command::new("repo-add").arg(theirs.database()).arg(package));
    }
    assert_eq!(findings(&theirs), []);
}

#[test]
fn a_target_that_does_not_exist_is_an_error() {
    let error = check(&Farm::new().root(), &target(), &request()).unwrap_err();
    assert!(matches!(error, RepoError::NoTarget { .. }), "{error}");
}

#[test]
fn a_report_is_json_with_a_kind_and_lines_cannot_steer_a_terminal() {
    let farm = farm(None);
    fs::write(farm.public().join("x\u{1b}[31m-1-1-any.pkg.tar.zst"), "").unwrap();
    let report = report(&farm, &request());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["kind"], "orphan");
    assert_eq!(json["findings"][0]["file"], "x\u{1b}[31m-1-1-any.pkg.tar.zst");
    assert_eq!(json["packages"], 2);
    assert_eq!(json["sonames"]["packages_read"], 2);
    assert_eq!(
        report.findings[0].to_string(),
        "x\\u{1b}[31m-1-1-any.pkg.tar.zst is not listed"
    );
    assert_eq!(report.worst(), Some(Severity::Warning));
}

#[test]
fn a_check_changes_nothing() {
    let keyring = Keyring::with_key("");
    let farm = farm(Some(&keyring));
    fs::remove_file(farm.public().join(A)).unwrap();
    Pkg::new("c", "1-1").write(&farm.public());
    let state = || {
        let mut find = Command::new("find");
        let find = find.arg(farm.root()).args(["-printf", "%p %s %m %T@ %C@ %l\n"]);
        let listing = run(find);
        let mut lines: Vec<String> = listing.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let before = state();
    assert_eq!(report(&farm, &signed(&keyring)).findings.len(), 2);
    assert_eq!(state(), before);
}

/// It takes no lock: what it sees belongs together all the same, whatever is published meanwhile.
#[test]
fn a_check_during_publishes_finds_no_error() {
    let mut farm = farm(None);
    farm.keeping = Keeping::default();
    let uploads: Vec<_> = (2..32)
        .map(|version| farm.upload(10 + version, "a", &[Pkg::new("a", &format!("{version}-1"))]))
        .collect();
    let done = AtomicBool::new(false);
    let checks = std::thread::scope(|scope| {
        scope.spawn(|| {
            for upload in &uploads {
                farm.publish(std::slice::from_ref(upload));
            }
            done.store(true, Ordering::Release);
        });
        let mut checks = 0;
        loop {
            let last = done.load(Ordering::Acquire);
            let report = report(&farm, &request());
            // Which files were superseded meanwhile, nobody has told it.
            let superseded = |finding: &Finding| matches!(finding, Finding::Duplicate { .. });
            assert!(report.findings.iter().all(superseded), "{:?}", report.findings);
            assert_eq!(report.packages, 2);
            checks += 1;
            if last {
                return checks;
            }
        }
    });
    assert!(checks > 3, "{checks}");
    assert_eq!(farm.index()["a"].version, "31-1");
}
