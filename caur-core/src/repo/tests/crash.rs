//! The process ends, or the disk fails, at every step of what changes a repository: afterwards it is whole, in the
//! state before or after, and doing it again succeeds.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use super::fixture::{Farm, Keyring, Pkg, names, target};
use crate::model::Manifest;
use crate::repo::check::{CheckRequest, Severity};
use crate::repo::disk::Disk;
use crate::repo::{
    ChangeOptions, Circumstances, Origin, Recovery, RepoError, Repository, Selection, Signing, Upload,
    UploadOutcome,
};

/// Tells the child process of this test binary what to do, as JSON of [`Order`].
const ORDER: &str = "CAUR_TEST_DIE_AT_STEP";

/// What is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// One package replaces another, one is new, one gets a stray file out of the way.
    Publish,
    /// A package goes, its file to the archive.
    Remove,
    /// Back to the state before that, with the file out of the archive.
    Rollback,
}

#[derive(Serialize, Deserialize)]
struct Order {
    root: PathBuf,
    home: Option<PathBuf>,
    sign_databases: bool,
    operation: Operation,
    uploads: Vec<(Manifest, PathBuf)>,
    /// The step at which the process ends.
    step: usize,
}

type Versions = BTreeMap<String, String>;

fn versions(farm: &Farm) -> Versions {
    let index = farm.index().into_iter();
    index.map(|(name, listed)| (name, listed.version)).collect()
}

fn expected(versions: &[(&str, &str)]) -> Versions {
    let pairs = versions.iter();
    pairs
        .map(|&(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

impl Operation {
    pub const ALL: [Self; 3] = [Self::Publish, Self::Remove, Self::Rollback];

    /// A farm on which it can be done. The rollback's has what the removal leaves.
    pub fn start(self, keyring: Option<&Keyring>) -> Farm {
        let mut farm = keyring.map_or_else(Farm::new, Farm::signed);
        farm.sign_databases = keyring.is_some();
        let uploads = [
            farm.upload(1, "app", &[Pkg::new("app", "1-1")]),
            farm.upload(9, "kept", &[Pkg::new("kept", "1-1")]),
        ];
        farm.publish(&uploads);
        match self {
            Self::Publish => {
                std::fs::write(farm.public().join("stray-1-1-x86_64.pkg.tar.zst"), "stray").unwrap();
            }
            Self::Remove => {}
            Self::Rollback => Self::Remove.run(&farm.open(), &[]).unwrap(),
        }
        farm
    }

    pub fn uploads(self, farm: &Farm) -> Vec<Upload> {
        match self {
            Self::Publish => vec![
                farm.upload(2, "app", &[Pkg::new("app", "1-2")]),
                farm.upload(
                    3,
                    "new",
                    &[Pkg::new("new", "1-1"), Pkg::new("stray", "1-1").base("new")],
                ),
            ],
            Self::Remove | Self::Rollback => Vec::new(),
        }
    }

    pub fn run(self, repository: &Repository, uploads: &[Upload]) -> Result<(), RepoError> {
        let origin = Origin {
            request: Some(format!("{self:?}")),
            ..Origin::default()
        };
        let options = ChangeOptions {
            force: true,
            ..ChangeOptions::default()
        };
        match self {
            Self::Publish => {
                let report = repository.publish(&target(), uploads, &Circumstances::default())?;
                let refused =
                    |(_, outcome): &(_, UploadOutcome)| matches!(outcome, UploadOutcome::Refused(_));
                assert!(!report.outcomes.iter().any(refused), "{report:?}");
            }
            Self::Remove => {
                let selection = Selection::Pkgnames(vec!["app".into()]);
                let removal = repository.remove(&target(), &selection, &options, &origin)?;
                assert_eq!((removal.removed.len(), removal.listed), (1, 2));
            }
            Self::Rollback => {
                let rollback = repository.rollback(&target(), 2, &options, &origin)?;
                assert_eq!(rollback.difference.added.len(), 1);
            }
        }
        Ok(())
    }

    fn before(self) -> Versions {
        match self {
            Self::Publish | Self::Remove => expected(&[("app", "1-1"), ("kept", "1-1")]),
            Self::Rollback => expected(&[("kept", "1-1")]),
        }
    }

    fn after(self) -> Versions {
        match self {
            Self::Publish => expected(&[("app", "1-2"), ("kept", "1-1"), ("new", "1-1"), ("stray", "1-1")]),
            Self::Remove => expected(&[("kept", "1-1")]),
            Self::Rollback => expected(&[("app", "1-1"), ("kept", "1-1")]),
        }
    }

    fn archived_after(self) -> &'static [&'static str] {
        match self {
            Self::Publish => &["app-1-1-x86_64.pkg.tar.zst", "stray-1-1-x86_64.pkg.tar.zst"],
            Self::Remove => &["app-1-1-x86_64.pkg.tar.zst"],
            Self::Rollback => &[],
        }
    }
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

/// Counts the steps of opening and the operation when nothing is wrong.
fn count_steps(operation: Operation, start: &Farm) -> usize {
    let farm = start.copy();
    let steps = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&steps);
    let disk = Disk::with_fault(Arc::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }));
    let repository = Repository::open_on(farm.options(), disk).unwrap();
    operation.run(&repository, &operation.uploads(&farm)).unwrap();
    steps.load(Ordering::SeqCst)
}

/// Whatever happened, the repository is whole and repeating the operation completes it.
pub fn check_and_repeat(
    operation: Operation,
    farm: &Farm,
    keyring: Option<&Keyring>,
    uploads: &[Upload],
    at: &str,
) -> Option<Recovery> {
    let repository = farm.open();
    let recovered = repository.recovered().first();
    let recovery = recovered.map(|recovered| recovered.recovery);
    // The packages hold no libraries, and looking for some would leave a cache.
    let request = CheckRequest {
        sonames: false,
        ..CheckRequest::default()
    };
    let report = repository.check(&target(), &request).unwrap();
    // A stray file is what the publish finds in its way: a warning.
    assert_ne!(
        report.worst(),
        Some(Severity::Error),
        "{at}: {:?}",
        report.findings
    );
    farm.check(keyring);
    let now = versions(farm);
    assert!(
        now == operation.before() || now == operation.after(),
        "{at}: {now:?}"
    );
    operation
        .run(&repository, uploads)
        .unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(versions(farm), operation.after(), "{at}");
    repository.tidy(&target()).unwrap();
    farm.check(keyring);
    let archived = names(&farm.archive());
    let packages = archived.iter().filter(|name| !name.ends_with(".sig"));
    assert_eq!(packages.collect::<Vec<_>>(), operation.archived_after(), "{at}");
    let signature = archived
        .iter()
        .any(|name| name == "app-1-1-x86_64.pkg.tar.zst.sig");
    assert_eq!(
        signature,
        keyring.is_some() && operation != Operation::Rollback,
        "{at}"
    );
    assert!(repository.tidy(&target()).unwrap().is_empty(), "{at}");
    // Every change is in the history, once.
    let numbers: Vec<u64> = repository
        .history(&target())
        .unwrap()
        .iter()
        .map(|record| record.number)
        .collect();
    let expected = if operation == Operation::Rollback { 4 } else { 3 };
    assert_eq!(numbers, (1..=expected).rev().collect::<Vec<_>>(), "{at}");
    recovery
}

/// Not a test of its own: the body of the process that `killed_at_every_step` starts.
#[test]
fn dies_when_told_to() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let order: Order = serde_json::from_str(&order).unwrap();
    let mut options = Farm::new().options();
    options.root = order.root;
    options.sign_databases = order.sign_databases;
    if let Some(home) = order.home {
        options.signing = Signing::Gpg { home, key: None };
    }
    let uploads: Vec<_> = order
        .uploads
        .into_iter()
        .map(|(manifest, dir)| Upload { manifest, dir })
        .collect();
    let disk = dying_disk(order.step, |_| {
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::KILL)?;
        unreachable!("killed");
    });
    let repository = Repository::open_on(options, disk).unwrap();
    order.operation.run(&repository, &uploads).unwrap();
}

#[test]
fn killed_at_every_step() {
    let keyring = Keyring::with_key("");
    for operation in Operation::ALL {
        let start = operation.start(Some(&keyring));
        let steps = count_steps(operation, &start);
        assert!(steps > 25, "only {steps} steps");
        let mut recoveries = Vec::new();
        for step in 0..steps {
            let farm = start.copy();
            let uploads = operation.uploads(&farm);
            let told = uploads
                .iter()
                .map(|upload| (upload.manifest.clone(), upload.dir.clone()));
            let order = Order {
                root: farm.root(),
                home: Some(keyring.path().to_owned()),
                sign_databases: true,
                operation,
                uploads: told.collect(),
                step,
            };
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "repo::tests::crash::dies_when_told_to"])
                .env(ORDER, serde_json::to_string(&order).unwrap())
                .output()
                .unwrap();
            assert!(
                std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9),
                "{operation:?}, step {step} of {steps}: {output:?}"
            );
            let at = format!("{operation:?} killed at step {step}");
            recoveries.extend(check_and_repeat(operation, &farm, Some(&keyring), &uploads, &at));
        }
        println!(
            "{operation:?}: killed at each of {steps} steps; recovered from a record: {}",
            recoveries.len()
        );
        assert!(recoveries.contains(&Recovery::RolledBack) && recoveries.contains(&Recovery::Completed));
    }
}

#[test]
fn killed_while_publishing_and_again_while_recovering() {
    for operation in Operation::ALL {
        let start = operation.start(None);
        let steps = count_steps(operation, &start);
        let mut tested = 0;
        for first in 0..steps {
            for second in 0.. {
                let farm = start.copy();
                let uploads = operation.uploads(&farm);
                let Ok(repository) = Repository::open_on(farm.options(), gone_from(first)) else {
                    break;
                };
                // What fails after the change counts is no failure of it.
                let _ = operation.run(&repository, &uploads);
                drop(repository);
                // What cannot be settled is left for whoever works on the target next.
                let _ = Repository::open_on(farm.options(), gone_from(second));
                let left = names(&farm.root().join("farm/.caur/x86_64"));
                let recovered = !left.iter().any(|name| name == "intent.json" || name == "staging");
                let at = format!("{operation:?} gone at {first}, then at {second}");
                check_and_repeat(operation, &farm, None, &uploads, &at);
                tested += 1;
                if recovered {
                    break;
                }
            }
        }
        println!("{operation:?}: {tested} pairs of ends");
        assert!(tested > 2 * steps, "only {tested} pairs of {steps} steps");
    }
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
    for operation in Operation::ALL {
        let start = operation.start(Some(&keyring));
        let steps = count_steps(operation, &start);
        for step in 0..steps {
            // No space left, and a fault of the disk.
            let (code, words) = [(28, "No space left on device"), (5, "Input/output error")][step % 2];
            let farm = start.copy();
            let uploads = operation.uploads(&farm);
            let disk = dying_disk(step, move |_| Err(io::Error::from_raw_os_error(code)));
            let at = format!("{operation:?}: {words} at step {step}");
            let outcome = Repository::open_on(farm.options(), disk)
                .and_then(|repository| operation.run(&repository, &uploads));
            match outcome {
                // The same process settles it, there is nothing to find for the next one.
                Err(error) => {
                    assert!(error.to_string().contains(words), "{at}: {error}");
                    farm.check(Some(&keyring));
                }
                Ok(()) => assert_eq!(versions(&farm), operation.after(), "{at}"),
            }
            let recovery = check_and_repeat(operation, &farm, Some(&keyring), &uploads, &at);
            assert_eq!(recovery, None, "{at}");
        }
        println!("{operation:?}: the disk failed at each of {steps} steps");
    }
}
