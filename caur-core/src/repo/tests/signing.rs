//! Signing with real keys, and without.

use std::fs;
use std::path::{Path, PathBuf};

use super::fixture::{Farm, Keyring, Pkg, names, run, target};
use crate::repo::sign::signature_path;
use crate::repo::{Circumstances, RepoError, Repository, SignError, Signing};

fn open_error(farm: &Farm) -> SignError {
    match Repository::open(farm.options()).err() {
        Some(RepoError::Sign(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_key_or_home_is_reported_when_the_repository_is_opened() {
    let keyring = Keyring::empty();
    let error = open_error(&Farm::signed(&keyring));
    assert!(matches!(error, SignError::NoSecretKey { .. }), "{error}");
    assert!(error.to_string().contains("--import"), "{error}");

    let mut farm = Farm::new();
    farm.signing = Signing::Gpg {
        home: farm.root().join("none"),
        key: None,
    };
    assert!(matches!(open_error(&farm), SignError::NoHome(_)));

    let keyring = Keyring::with_key("");
    farm.signing = Signing::Gpg {
        home: keyring.path().to_owned(),
        key: Some("nobody@example.org".into()),
    };
    let error = open_error(&farm);
    assert!(error.to_string().contains("nobody@example.org"), "{error}");
    farm.signing = Signing::Gpg {
        home: keyring.path().to_owned(),
        key: Some("farm@example.org".into()),
    };
    farm.open();
}

#[test]
fn an_expired_key_is_reported() {
    let keyring = Keyring::empty();
    run(keyring
        .gpg()
        .args(["--faked-system-time", "20200101T000000!", "--passphrase", ""])
        .args([
            "--quick-gen-key",
            "Old <old@example.org>",
            "ed25519",
            "sign",
            "1d",
        ]));
    let farm = Farm::signed(&keyring);
    assert!(matches!(open_error(&farm), SignError::Expired { .. }));
    // It may also expire while the daemon runs.
    let file = farm.root().join("file");
    fs::write(&file, "x").unwrap();
    let error = keyring.signing().sign(&[file]).unwrap_err();
    assert!(matches!(error, SignError::Expired { .. }), "{error}");
}

#[test]
fn a_locked_key_fails_the_publish_and_leaves_nothing() {
    let keyring = Keyring::with_key("secret");
    run(std::process::Command::new("gpgconf")
        .arg("--homedir")
        .arg(keyring.path())
        .args(["--kill", "gpg-agent"]));
    let farm = Farm::signed(&keyring);
    let repository = farm.open();
    let error = repository
        .publish(
            &target(),
            &[farm.upload(1, "a", &[Pkg::new("a", "1-1")])],
            &Circumstances::default(),
        )
        .unwrap_err();
    assert!(matches!(error, RepoError::Sign(SignError::Locked(_))), "{error}");
    assert!(farm.index().is_empty());
    assert!(!names(&farm.public()).iter().any(|name| name.contains(".pkg.tar")));
    farm.check(None);
}

const WITHOUT_GPG: &str = "CAUR_TEST_WITHOUT_GPG";

/// Not a test of its own: the body of the process that the next one starts.
#[test]
fn looks_for_gpg_when_told_to() {
    if std::env::var_os(WITHOUT_GPG).is_some() {
        let signing = Signing::Gpg {
            home: std::env::temp_dir(),
            key: None,
        };
        println!("said: {}", signing.check().unwrap_err());
    }
}

#[test]
fn a_missing_gpg_is_reported_with_the_package_to_install() {
    let output = run(std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "repo::tests::signing::looks_for_gpg_when_told_to",
            "--nocapture",
        ])
        .env(WITHOUT_GPG, "1")
        .env("PATH", "/nonexistent"));
    assert!(
        output.contains("said: could not start gpg") && output.contains("package gnupg"),
        "{output}"
    );
}

/// The fingerprints of the keyring's primary key and subkeys.
fn fingerprints(keyring: &Keyring) -> Vec<String> {
    let listing = run(keyring.gpg().args(["--with-colons", "--list-secret-keys"]));
    listing
        .lines()
        .filter_map(|line| line.strip_prefix("fpr:::::::::"))
        .map(|rest| rest.trim_end_matches(':').to_owned())
        .collect()
}

/// A primary key that only certifies and a subkey that signs, which expires as told, from the year 2020 on.
fn with_subkey(expires: &str) -> Keyring {
    let keyring = Keyring::empty();
    let gpg = |arguments: &[&str]| {
        run(keyring
            .gpg()
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .args(["--faked-system-time", "20200101T000000!"])
            .args(arguments))
    };
    gpg(&[
        "--quick-gen-key",
        "Farm <farm@example.org>",
        "ed25519",
        "cert",
        "never",
    ]);
    let primary = &fingerprints(&keyring)[0];
    gpg(&["--quick-add-key", primary, "ed25519", "sign", expires]);
    keyring
}

/// The fingerprint of the key that made a signature.
fn signer(keyring: &Keyring, file: &Path) -> String {
    let output = run(keyring
        .gpg()
        .args(["--status-fd", "1", "--verify"])
        .arg(signature_path(file))
        .arg(file));
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG "));
    line.unwrap().split(' ').next().unwrap().to_owned()
}

fn files(folder: &Path, count: usize) -> Vec<PathBuf> {
    let files: Vec<PathBuf> = (0..count)
        .map(|n| folder.join(format!("{n}.pkg.tar.zst")))
        .collect();
    for file in &files {
        fs::write(file, file.as_os_str().as_encoded_bytes()).unwrap();
    }
    files
}

#[test]
fn many_files_are_signed_each_for_itself() {
    let keyring = Keyring::with_key("");
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), 12);
    keyring.signing().sign(&files).unwrap();
    let key = &fingerprints(&keyring)[0];
    for file in &files {
        assert_eq!(&signer(&keyring, file), key);
    }
    assert_eq!(names(folder.path()).len(), 24);
    keyring.signing().sign(&[]).unwrap();
}

#[test]
fn a_failure_leaves_no_signature_and_names_the_file() {
    let keyring = Keyring::with_key("");
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(folder.path(), 6);
    let missing = folder.path().join("missing.pkg.tar.zst");
    files.insert(4, missing.clone());
    let error = keyring.signing().sign(&files).unwrap_err();
    assert!(
        matches!(&error, SignError::Failed { path, .. } if *path == missing),
        "{error}"
    );
    assert!(error.to_string().contains("missing.pkg.tar.zst"), "{error}");
    assert_eq!(names(folder.path()).len(), 6);
}

#[test]
fn a_subkey_signs_without_the_primary_key() {
    let keyring = with_subkey("never");
    let [primary, subkey] = &fingerprints(&keyring)[..] else {
        panic!("two keys")
    };
    // Only the subkey goes to the machine that signs, as is good practice.
    let exported = keyring.path().join("subkey");
    run(keyring
        .gpg()
        .args(["--pinentry-mode", "loopback", "--passphrase", "", "--output"])
        .arg(&exported)
        .arg("--export-secret-subkeys")
        .arg(format!("{subkey}!")));
    let machine = Keyring::empty();
    run(machine.gpg().arg("--import").arg(&exported));
    let folder = tempfile::tempdir().unwrap();
    for key in [
        None,
        Some("farm@example.org".to_owned()),
        Some(primary.clone()),
        Some(format!("{subkey}!")),
        Some(format!("0x{}!", &subkey[subkey.len() - 16..])),
    ] {
        let signing = Signing::Gpg {
            home: machine.path().to_owned(),
            key: key.clone(),
        };
        signing.check().unwrap();
        let files = files(folder.path(), 1);
        signing.sign(&files).unwrap();
        assert_eq!(&signer(&machine, &files[0]), subkey, "{key:?}");
    }
    // The primary key itself is not there.
    let signing = Signing::Gpg {
        home: machine.path().to_owned(),
        key: Some(format!("{primary}!")),
    };
    let error = signing.check().unwrap_err();
    assert!(matches!(error, SignError::NoSecretKey { .. }), "{error}");
    let error = signing.sign(&files(folder.path(), 1)).unwrap_err();
    assert!(matches!(error, SignError::NoSecretKey { .. }), "{error}");
}

#[test]
fn one_of_several_keys_is_chosen_by_user_or_fingerprint() {
    let keyring = Keyring::with_key("");
    run(keyring
        .gpg()
        .args(["--pinentry-mode", "loopback", "--passphrase", ""])
        .args([
            "--quick-gen-key",
            "Other <other@example.org>",
            "ed25519",
            "sign",
            "never",
        ]));
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), 1);
    let [first, second] = &fingerprints(&keyring)[..] else {
        panic!("two keys")
    };
    for (key, expected) in [
        ("farm@example.org".to_owned(), first),
        ("other@example.org".to_owned(), second),
        (second.clone(), second),
        (format!("{first}!"), first),
    ] {
        let signing = Signing::Gpg {
            home: keyring.path().to_owned(),
            key: Some(key),
        };
        signing.check().unwrap();
        signing.sign(&files).unwrap();
        assert_eq!(&signer(&keyring, &files[0]), expected);
    }
}

#[test]
fn an_expired_subkey_is_reported() {
    let keyring = with_subkey("1d");
    let farm = Farm::signed(&keyring);
    let error = open_error(&farm);
    assert!(matches!(error, SignError::Expired { .. }), "{error}");
    assert!(error.to_string().contains("--quick-set-expire"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = keyring.signing().sign(&files(folder.path(), 3)).unwrap_err();
    assert!(matches!(error, SignError::Expired { .. }), "{error}");
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
fn a_revoked_key_is_reported() {
    let keyring = Keyring::with_key("");
    let key = &fingerprints(&keyring)[0];
    let certificate = keyring.path().join(format!("openpgp-revocs.d/{key}.rev"));
    // gpg puts a colon before the certificate, so that nobody imports it by accident.
    let text = fs::read_to_string(certificate)
        .unwrap()
        .replace(":-----BEGIN", "-----BEGIN");
    let certificate = keyring.path().join("revocation");
    fs::write(&certificate, text).unwrap();
    run(keyring.gpg().arg("--import").arg(certificate));
    let error = open_error(&Farm::signed(&keyring));
    assert!(matches!(error, SignError::Revoked { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    for key in [None, Some(key.clone()), Some("farm@example.org".into())] {
        let signing = Signing::Gpg {
            home: keyring.path().to_owned(),
            key,
        };
        let error = signing.sign(&files(folder.path(), 2)).unwrap_err();
        assert!(matches!(error, SignError::Revoked { .. }), "{error}");
        assert_eq!(names(folder.path()).len(), 2);
    }
}

#[test]
fn a_key_that_may_not_sign_is_reported() {
    let keyring = Keyring::empty();
    run(keyring
        .gpg()
        .args(["--pinentry-mode", "loopback", "--passphrase", ""])
        .args([
            "--quick-gen-key",
            "Farm <farm@example.org>",
            "ed25519",
            "cert",
            "never",
        ]));
    let error = open_error(&Farm::signed(&keyring));
    assert!(matches!(error, SignError::Unfit { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = keyring.signing().sign(&files(folder.path(), 1)).unwrap_err();
    assert!(matches!(error, SignError::Unfit { .. }), "{error}");
}

#[test]
fn a_locked_key_leaves_no_signature() {
    let keyring = Keyring::with_key("secret");
    run(std::process::Command::new("gpgconf")
        .arg("--homedir")
        .arg(keyring.path())
        .args(["--kill", "gpg-agent"]));
    let folder = tempfile::tempdir().unwrap();
    let error = keyring.signing().sign(&files(folder.path(), 4)).unwrap_err();
    assert!(matches!(error, SignError::Locked(_)), "{error}");
    assert!(error.to_string().contains("gpg-preset-passphrase"), "{error}");
    assert_eq!(names(folder.path()).len(), 4);
}
