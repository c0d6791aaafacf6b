//! Signatures that are missing or do not hold, by real keys.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::fixture::{Farm, Keyring, entries, run, target};
use super::{A, farm, findings, report, request, signed, write_entries};
use crate::repo::check::{CheckRequest, Finding, SignatureFault, check};
use crate::repo::{RepoError, SignError, Signing};

#[test]
fn signatures_that_do_not_hold_are_told_apart() {
    let keyring = Keyring::with_key("");
    let whole = farm(Some(&keyring));
    let signature = format!("{A}.sig");
    let faults = |farm: &Farm, keyring: &Keyring| -> Vec<_> {
        let found = report(farm, &signed(keyring)).findings;
        let file = |file: &String| assert_eq!(file, A);
        let told = found.into_iter().map(|finding| match finding {
            Finding::SignatureBad { file: name, fault } => {
                file(&name);
                Some(fault)
            }
            Finding::SignatureDiffers { file: name, .. } => {
                file(&name);
                None
            }
            other => panic!("{other:?}"),
        });
        told.collect()
    };

    let farm = whole.copy();
    fs::remove_file(farm.public().join(&signature)).unwrap();
    let missing = Finding::SignatureMissing {
        package: "a".into(),
        file: A.into(),
    };
    assert_eq!(report(&farm, &signed(&keyring)).findings, [missing]);
    assert_eq!(findings(&farm), [], "nobody asked for signatures");

    let farm = whole.copy();
    fs::copy(
        farm.public().join("b-1-1-x86_64.pkg.tar.zst.sig"),
        farm.public().join(&signature),
    )
    .unwrap();
    let found = faults(&farm, &keyring);
    assert_eq!(found, [Some(SignatureFault::Wrong), None]);
    let differs = Finding::SignatureDiffers {
        package: "a".into(),
        file: A.into(),
    };
    assert_eq!(findings(&farm), [differs], "this shows without gpg");

    fs::write(farm.public().join(&signature), "no signature").unwrap();
    let found = faults(&farm, &keyring);
    assert!(
        matches!(found.as_slice(), [Some(SignatureFault::Unreadable { .. }), None]),
        "{found:?}"
    );

    let stranger = Keyring::with_key("");
    let found = report(&whole, &signed(&stranger)).findings;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|finding| matches!(
        finding,
        Finding::SignatureBad { fault: SignatureFault::KeyUnknown { key }, .. } if key.len() == 16
    )));

    let farm = whole.copy();
    fs::remove_file(farm.public().join(&signature)).unwrap();
    sign_with_expired_key(&keyring, &[], "1d", &farm.public().join(A));
    let found = faults(&farm, &keyring);
    assert!(
        matches!(found.as_slice(), [None, Some(SignatureFault::KeyExpired { .. })]),
        "{found:?}"
    );

    let other = Keyring::empty();
    run(other.gpg().arg("--import").arg(exported(&keyring, &whole)));
    fs::remove_file(farm.public().join(&signature)).unwrap();
    sign_with_expired_key(
        &other,
        &["--default-sig-expire", "1d"],
        "never",
        &farm.public().join(A),
    );
    assert_eq!(faults(&farm, &other), [Some(SignatureFault::Expired), None]);

    revoke(&keyring, "farm@example.org");
    let found = report(&whole, &signed(&keyring)).findings;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|finding| matches!(
        finding,
        Finding::SignatureBad {
            fault: SignatureFault::KeyRevoked { .. },
            ..
        }
    )));
}

/// Makes a key that has expired, and a signature from when it had not.
fn sign_with_expired_key(keyring: &Keyring, more: &[&str], valid_for: &str, file: &Path) {
    let then = ["--faked-system-time", "20200101T000000!", "--passphrase", ""];
    let user = "Old <old@example.org>";
    run(keyring
        .gpg()
        .args(then)
        .args(["--quick-gen-key", user, "ed25519", "sign", valid_for]));
    run(keyring
        .gpg()
        .args(then)
        .args(more)
        .args(["--local-user", "old@example.org", "--detach-sign"])
        .arg(file));
}

fn exported(keyring: &Keyring, farm: &Farm) -> PathBuf {
    let path = farm.root().join("key");
    run(keyring.gpg().arg("--output").arg(&path).arg("--export"));
    path
}

fn revoke(keyring: &Keyring, user: &str) {
    let listing = run(keyring.gpg().args(["--with-colons", "--list-keys", user]));
    let key = listing
        .lines()
        .find_map(|line| line.strip_prefix("fpr:::::::::"))
        .unwrap();
    let certificate = keyring
        .path()
        .join("openpgp-revocs.d")
        .join(format!("{}.rev", &key[..40]));
    // A colon keeps it from being imported by mistake.
    let text = fs::read_to_string(certificate)
        .unwrap()
        .replace(":-----BEGIN", "-----BEGIN");
    let path = keyring.path().join("revocation");
    fs::write(&path, text).unwrap();
    run(keyring.gpg().arg("--import").arg(path));
}

#[test]
fn a_signed_database_is_checked_too() {
    let keyring = Keyring::with_key("");
    let farm = farm(Some(&keyring));
    run(keyring.gpg().arg("--detach-sign").arg(farm.database()));
    let link = Finding::LinkMissing {
        link: "farm.db.sig".into(),
        expected: "farm.db.tar.zst.sig".into(),
    };
    assert_eq!(report(&farm, &signed(&keyring)).findings, [link]);
    symlink("farm.db.tar.zst.sig", farm.public().join("farm.db.sig")).unwrap();
    let whole = report(&farm, &signed(&keyring));
    assert_eq!((whole.findings, whole.signatures_checked), (vec![], 3));
    let same = entries(&farm.database());
    write_entries(&farm.database(), &same);
    let wrong = Finding::SignatureBad {
        file: "farm.db.tar.zst".into(),
        fault: SignatureFault::Wrong,
    };
    assert_eq!(report(&farm, &signed(&keyring)).findings, [wrong]);
}

#[test]
fn a_gpg_home_that_does_not_exist_is_an_error() {
    let farm = farm(None);
    let request = CheckRequest {
        signatures: Signing::Gpg {
            home: "/nonexistent".into(),
            key: None,
        },
        ..request()
    };
    let error = check(&farm.root(), &target(), &request).unwrap_err();
    assert!(matches!(error, RepoError::Sign(SignError::NoHome(_))), "{error}");
}
