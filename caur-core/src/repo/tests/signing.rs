//! Signing with real keys, and without.

use std::fs;

use super::fixture::{Farm, Keyring, Pkg, names, run, target};
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
    assert!(matches!(open_error(&farm), SignError::Unusable { .. }));
    // It may also expire while the daemon runs.
    let file = farm.root().join("file");
    fs::write(&file, "x").unwrap();
    let error = keyring.signing().sign(&[file]).unwrap_err();
    assert!(matches!(error, SignError::Unusable { .. }), "{error}");
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
    assert_eq!(names(&farm.public()).len(), 4);
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
