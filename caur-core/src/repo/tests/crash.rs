//! The process ends, or the disk fails, at every step of a publish: afterwards the repository is whole, and
//! publishing again succeeds.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fixture::{Farm, Keyring, Pkg, names, target};
use crate::model::Target;
use crate::repo::disk::Disk;
use crate::repo::{Recovery, Repository, Signing, Upload, UploadOutcome};

/// Tells the child process of this test binary what to do: root, gpg home, landing zone, step at which it dies.
const ORDER: &str = "CAUR_TEST_DIE_AT_STEP";

/// The publish that is disturbed: one package replaces another, one is new, one gets a stray file out of the way.
fn second_uploads(farm: &Farm) -> [Upload; 2] {
    [
        farm.upload(2, "app", &[Pkg::new("app", "1-2")]),
        farm.upload(
            3,
            "new",
            &[Pkg::new("new", "1-1"), Pkg::new("stray", "1-1").base("new")],
        ),
    ]
}

fn first_state(farm: Farm) -> Farm {
    let uploads = [
        farm.upload(1, "app", &[Pkg::new("app", "1-1")]),
        farm.upload(9, "kept", &[Pkg::new("kept", "1-1")]),
    ];
    farm.publish(&uploads);
    std::fs::write(farm.public().join("stray-1-1-x86_64.pkg.tar.zst"), "stray").unwrap();
    farm
}

fn dying_disk(last_step: usize, die: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static) -> Disk {
    let steps = AtomicUsize::new(0);
    Disk::with_fault(Arc::new(move |path| {
        if steps.fetch_add(1, Ordering::SeqCst) == last_step {
            die(path)
        } else {
            Ok(())
        }
    }))
}

/// Counts the steps of opening and publishing when nothing is wrong.
fn count_steps(farm: &Farm) -> usize {
    let farm = farm.copy();
    let steps = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&steps);
    let disk = Disk::with_fault(Arc::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }));
    let uploads = second_uploads(&farm);
    Repository::open_on(farm.options(), disk)
        .unwrap()
        .publish(&target(), &uploads)
        .unwrap();
    steps.load(Ordering::SeqCst)
}

/// Whatever happened, the repository is whole and repeating the publish completes it.
fn check_and_repeat(
    farm: &Farm,
    keyring: Option<&Keyring>,
    uploads: &[Upload],
    at: &str,
) -> Option<Recovery> {
    let repository = farm.open();
    let recovery = repository.recovered().first().map(|recovered| recovered.recovery);
    farm.check(keyring);
    let names_now: Vec<_> = farm.index().into_keys().collect();
    let before = names_now == ["app", "kept"] && farm.index()["app"].version == "1-1";
    let after = names_now == ["app", "kept", "new", "stray"] && farm.index()["app"].version == "1-2";
    assert!(before || after, "{at}: {names_now:?}");
    let report = repository.publish(&target(), uploads).unwrap();
    for (_, outcome) in &report.outcomes {
        match outcome {
            UploadOutcome::Published { .. } => assert!(before, "{at}"),
            UploadOutcome::AlreadyPublished => assert!(after, "{at}"),
            UploadOutcome::Refused(refusal) => panic!("{at}: {refusal}"),
        }
    }
    farm.check(keyring);
    assert_eq!(farm.index().len(), 4);
    let archived: Vec<_> = names(&farm.archive())
        .into_iter()
        .filter(|name| !name.ends_with(".sig"))
        .collect();
    assert_eq!(
        archived,
        ["app-1-1-x86_64.pkg.tar.zst", "stray-1-1-x86_64.pkg.tar.zst"],
        "{at}"
    );
    assert_eq!(
        farm.archive().join("app-1-1-x86_64.pkg.tar.zst.sig").exists(),
        keyring.is_some(),
        "{at}"
    );
    recovery
}

/// Not a test of its own: the body of the process that `killed_at_every_step` starts.
#[test]
fn dies_when_told_to() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let (root, home, step, uploads): (PathBuf, PathBuf, usize, Vec<(crate::model::Manifest, PathBuf)>) =
        serde_json::from_str(&order).unwrap();
    let mut options = Farm::new().options();
    options.root = root;
    options.signing = Signing::Gpg { home, key: None };
    let uploads: Vec<_> = uploads
        .into_iter()
        .map(|(manifest, dir)| Upload { manifest, dir })
        .collect();
    let disk = dying_disk(step, |_| {
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::KILL)?;
        unreachable!("killed");
    });
    let target: Target = uploads[0].manifest.target.clone();
    Repository::open_on(options, disk)
        .unwrap()
        .publish(&target, &uploads)
        .unwrap();
}

#[test]
fn killed_at_every_step() {
    let keyring = Keyring::with_key("");
    let start = first_state(Farm::signed(&keyring));
    let steps = count_steps(&start);
    assert!(steps > 40, "only {steps} steps");
    let mut recoveries = Vec::new();
    for step in 0..steps {
        let farm = start.copy();
        let uploads = second_uploads(&farm);
        let told: Vec<_> = uploads
            .iter()
            .map(|upload| (&upload.manifest, &upload.dir))
            .collect();
        let order = serde_json::to_string(&(farm.root(), keyring.path(), step, told)).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "repo::tests::crash::dies_when_told_to"])
            .env(ORDER, order)
            .output()
            .unwrap();
        assert!(
            std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9),
            "step {step} of {steps}: {output:?}"
        );
        recoveries.extend(check_and_repeat(
            &farm,
            Some(&keyring),
            &uploads,
            &format!("killed at step {step}"),
        ));
    }
    println!(
        "killed at each of {steps} steps; recovered from a record: {}",
        recoveries.len()
    );
    assert!(recoveries.contains(&Recovery::RolledBack) && recoveries.contains(&Recovery::Completed));
}

#[test]
fn killed_while_publishing_and_again_while_recovering() {
    let start = first_state(Farm::new());
    let steps = count_steps(&start);
    let mut tested = 0;
    for first in 0..steps {
        for second in 0.. {
            let farm = start.copy();
            let uploads = second_uploads(&farm);
            let Ok(repository) = Repository::open_on(farm.options(), gone_from(first)) else {
                break;
            };
            repository.publish(&target(), &uploads).unwrap_err();
            drop(repository);
            let recovered = Repository::open_on(farm.options(), gone_from(second)).is_ok();
            check_and_repeat(
                &farm,
                None,
                &uploads,
                &format!("gone at {first}, then at {second}"),
            );
            tested += 1;
            if recovered {
                break;
            }
        }
    }
    println!("{tested} pairs of ends");
}

/// A disk that fails from some step on: for what lies on it the same as the end of the process.
fn gone_from(step: usize) -> Disk {
    let steps = AtomicUsize::new(0);
    Disk::with_fault(Arc::new(move |_| {
        if steps.fetch_add(1, Ordering::SeqCst) >= step {
            Err(io::Error::other("gone"))
        } else {
            Ok(())
        }
    }))
}

#[test]
fn the_disk_fails_once_at_every_step() {
    let keyring = Keyring::with_key("");
    let start = first_state(Farm::signed(&keyring));
    let steps = count_steps(&start);
    for step in 0..steps {
        let farm = start.copy();
        let uploads = second_uploads(&farm);
        let disk = dying_disk(step, |_| Err(io::Error::from_raw_os_error(28)));
        let at = format!("no space at step {step}");
        match Repository::open_on(farm.options(), disk) {
            Ok(repository) => match repository.publish(&target(), &uploads) {
                // The same process settles it, there is nothing to find for the next one.
                Err(error) => {
                    assert!(
                        error.to_string().contains("No space left on device"),
                        "{at}: {error}"
                    );
                    farm.check(Some(&keyring));
                }
                Ok(_) => assert_eq!(farm.index().len(), 4, "{at}"),
            },
            Err(error) => assert!(
                error.to_string().contains("No space left on device"),
                "{at}: {error}"
            ),
        }
        assert_eq!(
            check_and_repeat(&farm, Some(&keyring), &uploads, &at),
            None,
            "{at}"
        );
    }
}
