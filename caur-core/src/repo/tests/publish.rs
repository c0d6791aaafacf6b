//! What a publish promises when all goes well.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::fixture::{Farm, Keyring, Pkg, names, target};
use crate::model::{JobId, Target};
use crate::repo::{Circumstances, Refusal, RepoError, Repository, UploadOutcome};

#[test]
fn a_new_target_has_empty_databases_and_lists() {
    let farm = Farm::new();
    farm.open().ensure_target(&target()).unwrap();
    assert_eq!(
        names(&farm.public()),
        [
            "farm.db",
            "farm.db.tar.zst",
            "farm.files",
            "farm.files.tar.zst",
            "index.html",
            "packages.json"
        ]
    );
    farm.check(None);
    let before = fs::read(farm.database()).unwrap();
    farm.open().ensure_target(&target()).unwrap();
    assert_eq!(fs::read(farm.database()).unwrap(), before);
}

#[test]
fn many_uploads_are_published_in_one_transaction_and_the_bad_one_stops_nobody() {
    let keyring = Keyring::with_key("");
    let farm = Farm::signed(&keyring);
    let split = [
        Pkg::new("lib", "1-1").base("split").info("provides = so=1-64\n"),
        Pkg::new("tool", "1-1").base("split").arch("any"),
    ];
    let uploads = [
        farm.upload(1, "split", &split),
        farm.upload(2, "other", &[Pkg::new("thief", "1-1").base("someone")]),
        farm.upload(3, "app", &[Pkg::new("app", "2:1.0-3")]),
    ];
    let repository = farm.open();
    let report = repository
        .publish(&target(), &uploads, &Circumstances::default())
        .unwrap();
    let jobs: Vec<u64> = report.outcomes.iter().map(|(job, _)| job.0).collect();
    assert_eq!(jobs, [1, 2, 3]);
    let [
        (_, UploadOutcome::Published { packages }),
        (_, UploadOutcome::Refused(_)),
        (_, UploadOutcome::Published { .. }),
    ] = report.outcomes.as_slice()
    else {
        panic!("{:?}", report.outcomes);
    };
    assert_eq!(
        (packages[0].pkgname.as_str(), packages[0].provides.as_slice()),
        ("lib", ["so".to_owned()].as_slice())
    );
    assert_eq!(farm.index().keys().collect::<Vec<_>>(), ["app", "lib", "tool"]);
    let listed = repository.packages(&target()).unwrap();
    assert_eq!(listed[0].file_name, "app-2:1.0-3-x86_64.pkg.tar.zst");
    assert_eq!(
        (listed[2].pkgname.as_str(), listed[2].pkgbase.as_str()),
        ("tool", "split")
    );
    farm.check(Some(&keyring));
    for name in names(&farm.public()) {
        let mode = fs::metadata(farm.public().join(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o644, "{name}");
    }
    let mode = fs::metadata(farm.root().join("farm/.caur"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn superseded_files_move_to_the_archive_with_their_signatures() {
    let keyring = Keyring::with_key("");
    let farm = Farm::signed(&keyring);
    farm.publish(&[
        farm.upload(1, "app", &[Pkg::new("app", "1-1")]),
        farm.upload(2, "b", &[Pkg::new("b", "1-1")]),
    ]);
    farm.publish(&[farm.upload(3, "app", &[Pkg::new("app", "1-2")])]);
    farm.check(Some(&keyring));
    assert_eq!(
        names(&farm.archive()),
        ["app-1-1-x86_64.pkg.tar.zst", "app-1-1-x86_64.pkg.tar.zst.sig"]
    );
    assert!(!farm.public().join("app-1-1-x86_64.pkg.tar.zst").exists());
    assert_eq!(farm.index()["app"].version, "1-2");
    assert_eq!(farm.index()["b"].version, "1-1");
}

#[test]
fn an_upload_that_was_published_and_removed_is_recognised() {
    let farm = Farm::new();
    let upload = farm.upload(1, "app", &[Pkg::new("app", "1-1")]);
    let repository = farm.open();
    repository
        .publish(
            &target(),
            std::slice::from_ref(&upload),
            &Circumstances::default(),
        )
        .unwrap();
    fs::remove_dir_all(&upload.dir).unwrap();
    let again = repository
        .publish(
            &target(),
            std::slice::from_ref(&upload),
            &Circumstances::default(),
        )
        .unwrap();
    assert!(
        matches!(again.outcomes[0].1, UploadOutcome::AlreadyPublished),
        "{:?}",
        again.outcomes
    );
    let mut other = upload;
    other.manifest.job = JobId(2);
    other.manifest.files[0].sha256 = "0".repeat(64);
    let outcome = &repository
        .publish(&target(), &[other], &Circumstances::default())
        .unwrap()
        .outcomes[0]
        .1;
    assert!(
        matches!(outcome, UploadOutcome::Refused(Refusal::NoFolder(_))),
        "{outcome:?}"
    );
}

#[test]
fn publishing_the_same_files_again_changes_nothing() {
    let farm = Farm::new();
    let upload = farm.upload(
        1,
        "app",
        &[Pkg::new("app", "1-1"), Pkg::new("app-doc", "1-1").base("app")],
    );
    let repository = farm.open();
    let first = repository
        .publish(
            &target(),
            std::slice::from_ref(&upload),
            &Circumstances::default(),
        )
        .unwrap();
    let second = repository
        .publish(
            &target(),
            std::slice::from_ref(&upload),
            &Circumstances::default(),
        )
        .unwrap();
    assert!(
        matches!(second.outcomes[0].1, UploadOutcome::AlreadyPublished),
        "{:?}",
        second.outcomes
    );
    assert_eq!(first.snapshot, second.snapshot);

    // One of the files got lost: it comes back.
    fs::remove_file(farm.public().join("app-1-1-x86_64.pkg.tar.zst")).unwrap();
    let third = repository
        .publish(&target(), &[upload], &Circumstances::default())
        .unwrap();
    assert!(matches!(third.outcomes[0].1, UploadOutcome::Published { .. }));
    farm.check(None);
}

#[test]
fn two_uploads_of_one_pkgbase_supersede_each_other_in_their_order() {
    let farm = Farm::new();
    let uploads = [
        farm.upload(1, "app", &[Pkg::new("app", "1-1")]),
        farm.upload(2, "app", &[Pkg::new("app", "1-2")]),
    ];
    farm.publish(&uploads);
    assert_eq!(farm.index()["app"].version, "1-2");
    assert_eq!(names(&farm.archive()), ["app-1-1-x86_64.pkg.tar.zst"]);
    farm.check(None);
}

#[test]
fn a_stray_file_in_the_way_is_archived() {
    let farm = Farm::new();
    farm.open().ensure_target(&target()).unwrap();
    fs::write(farm.public().join("app-1-1-x86_64.pkg.tar.zst"), "stray").unwrap();
    farm.publish(&[farm.upload(1, "app", &[Pkg::new("app", "1-1")])]);
    farm.check(None);
    assert_eq!(
        fs::read_to_string(farm.archive().join("app-1-1-x86_64.pkg.tar.zst")).unwrap(),
        "stray"
    );
}

#[test]
fn the_lists_cover_all_architectures_of_a_target() {
    let farm = Farm::new();
    let arm = Target {
        repo: "farm".parse().unwrap(),
        arch: "aarch64".parse().unwrap(),
    };
    let mut upload = farm.upload(1, "a", &[Pkg::new("a", "1-1").arch("aarch64")]);
    upload.manifest.target = arm.clone();
    let repository = farm.open();
    repository
        .publish(&arm, &[upload], &Circumstances::default())
        .unwrap();
    repository
        .publish(
            &target(),
            &[farm.upload(2, "b", &[Pkg::new("b", "1-1")])],
            &Circumstances::default(),
        )
        .unwrap();
    assert_eq!(
        fs::read_to_string(farm.root().join("farm/pkgs.txt")).unwrap(),
        "a-1-1\nb-1-1\n"
    );
    assert_eq!(
        fs::read_to_string(farm.root().join("farm/pkgs.files.txt")).unwrap(),
        "a-1-1-aarch64.pkg.tar.zst\nb-1-1-x86_64.pkg.tar.zst\n"
    );
    assert_eq!(repository.packages(&arm).unwrap().len(), 1);
}

#[test]
fn a_target_is_locked_by_one_at_a_time_and_a_root_must_exist() {
    let farm = Farm::new();
    farm.open().ensure_target(&target()).unwrap();
    let lock = fs::File::open(farm.root().join("farm/.caur/x86_64/lock")).unwrap();
    lock.lock().unwrap();
    let mut options = farm.options();
    options.patience = Duration::ZERO;
    let error = Repository::open(options.clone())
        .unwrap()
        .ensure_target(&target())
        .unwrap_err();
    assert!(matches!(error, RepoError::Locked { .. }), "{error}");
    let other = Target {
        arch: "aarch64".parse().unwrap(),
        ..target()
    };
    Repository::open(options.clone())
        .unwrap()
        .ensure_target(&other)
        .unwrap();
    lock.unlock().unwrap();
    Repository::open(options.clone())
        .unwrap()
        .ensure_target(&target())
        .unwrap();
    options.root.push("missing");
    let error = Repository::open(options).err().unwrap().to_string();
    assert!(
        error.contains("open the repository root") && error.contains("missing"),
        "{error}"
    );
}

#[test]
fn a_database_that_lost_its_content_is_never_overwritten() {
    let farm = Farm::new();
    farm.publish(&[farm.upload(1, "a", &[Pkg::new("a", "1-1")])]);
    fs::write(farm.database(), "").unwrap();
    let error = farm
        .open()
        .publish(
            &target(),
            &[farm.upload(2, "b", &[Pkg::new("b", "1-1")])],
            &Circumstances::default(),
        )
        .unwrap_err();
    assert!(error.to_string().contains("the file is empty"), "{error}");
    assert_eq!(fs::read(farm.database()).unwrap(), b"");
}

#[test]
fn two_file_systems_are_refused_before_anything_is_published() {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        println!("skipped: no /dev/shm");
        return;
    };
    let farm = Farm::new();
    fs::create_dir(farm.root().join("farm")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), farm.public()).unwrap();
    let error = farm.open().ensure_target(&target()).unwrap_err();
    assert!(matches!(error, RepoError::TwoFileSystems { .. }), "{error}");
    assert_eq!(names(elsewhere.path()), [""; 0]);
}

#[test]
fn threads_share_a_repository() {
    let farm = Farm::new();
    let repository = farm.open();
    let targets: Vec<Target> = [("farm", "x86_64"), ("farm", "aarch64"), ("other", "x86_64")]
        .into_iter()
        .map(|(repo, arch)| Target {
            repo: repo.parse().unwrap(),
            arch: arch.parse().unwrap(),
        })
        .collect();
    let jobs: Vec<_> = (0..12)
        .map(|job| {
            let target = &targets[usize::try_from(job).unwrap() % targets.len()];
            let name = format!("p{job}");
            let mut upload = farm.upload(job, &name, &[Pkg::new(&name, "1-1").arch("any")]);
            upload.manifest.target = target.clone();
            (target, upload)
        })
        .collect();
    std::thread::scope(|scope| {
        for (target, upload) in jobs {
            let repository = &repository;
            scope.spawn(move || {
                repository
                    .publish(target, &[upload], &Circumstances::default())
                    .unwrap()
            });
        }
    });
    for target in &targets {
        assert_eq!(repository.packages(target).unwrap().len(), 4);
    }
    assert_eq!(
        fs::read_to_string(farm.root().join("farm/pkgs.txt"))
            .unwrap()
            .lines()
            .count(),
        8
    );
}
