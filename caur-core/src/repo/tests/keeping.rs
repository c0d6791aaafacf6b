//! What becomes of files that no database lists any more, and of what other programs leave.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::fixture::{Farm, Keyring, Pkg, names, run, target};
use crate::repo::{
    ChangeOptions, Circumstances, Keeping, Kind, Origin, Refusal, RepoError, Selection, UploadOutcome,
};

const OLD: &str = "app-1-1-x86_64.pkg.tar.zst";

fn remove_app(farm: &Farm) {
    let options = ChangeOptions {
        force: true,
        ..ChangeOptions::default()
    };
    let selection = Selection::Pkgnames(vec!["app".into()]);
    farm.open()
        .remove(&target(), &selection, &options, &Origin::default())
        .unwrap();
}

/// A farm that published `app` twice, with files kept for these times.
fn farm(keyring: &Keyring, grace: Duration, retention: Duration, snapshots: usize) -> Farm {
    let mut farm = Farm::signed(keyring);
    farm.keeping = Keeping {
        grace,
        retention,
        snapshots,
    };
    farm.publish(&[farm.upload(1, "app", &[Pkg::new("app", "1-1")])]);
    farm.publish(&[farm.upload(2, "app", &[Pkg::new("app", "2-1")])]);
    farm
}

const LONG: Duration = Duration::from_hours(1);

#[test]
fn superseded_and_removed_files_stay_for_the_time_of_grace() {
    let keyring = Keyring::with_key("");
    let mut farm = farm(&keyring, LONG, LONG, 9);
    remove_app(&farm);
    assert!(farm.open().tidy(&target()).unwrap().is_empty());
    let public = names(&farm.public());
    for file in [OLD, "app-2-1-x86_64.pkg.tar.zst"] {
        assert!(
            public.contains(&file.to_owned()) && public.contains(&format!("{file}.sig")),
            "{public:?}"
        );
    }
    assert_eq!(names(&farm.archive()), [""; 0]);
    // Then they go, with their signatures.
    farm.keeping.grace = Duration::ZERO;
    let report = farm.open().tidy(&target()).unwrap();
    assert_eq!(report.archived, [OLD, "app-2-1-x86_64.pkg.tar.zst"]);
    assert_eq!(names(&farm.archive()).len(), 4);
    assert!(!names(&farm.public()).iter().any(|name| name.contains(".pkg.tar")));
    farm.check(Some(&keyring));
}

#[test]
fn the_archive_keeps_what_a_snapshot_needs_and_deletes_the_rest() {
    let keyring = Keyring::with_key("");
    let mut farm = farm(&keyring, Duration::ZERO, Duration::ZERO, 3);
    // Kept are the snapshots 1 to 3; the second one lists the old file.
    assert_eq!(farm.open().tidy(&target()).unwrap().deleted, [""; 0]);
    assert_eq!(names(&farm.archive()), [OLD.to_owned(), format!("{OLD}.sig")]);
    farm.publish(&[farm.upload(3, "b", &[Pkg::new("b", "1-1")])]);
    assert!(farm.archive().join(OLD).exists());
    farm.publish(&[farm.upload(4, "c", &[Pkg::new("c", "1-1")])]);
    farm.open().tidy(&target()).unwrap();
    assert_eq!(names(&farm.archive()), [""; 0]);
    // One that no snapshot needs stays for its time all the same.
    farm.keeping = Keeping {
        grace: Duration::ZERO,
        retention: LONG,
        snapshots: 1,
    };
    remove_app(&farm);
    assert!(farm.open().tidy(&target()).unwrap().is_empty());
    assert_eq!(names(&farm.archive()).len(), 2);
    farm.check(Some(&keyring));
}

#[test]
fn within_the_time_of_grace_a_name_means_one_content() {
    let keyring = Keyring::with_key("");
    let mut farm = farm(&keyring, LONG, LONG, 9);
    remove_app(&farm);
    let other = Pkg::new("app", "2-1").file("usr/share/other", "x");
    let outcomes = farm.publish(&[farm.upload(3, "app", std::slice::from_ref(&other))]);
    assert!(
        matches!(&outcomes[0], UploadOutcome::Refused(Refusal::OtherContent(_))),
        "{outcomes:?}"
    );
    // The very same file takes its place again, with the signature that clients may have.
    let signature = fs::read(farm.public().join("app-2-1-x86_64.pkg.tar.zst.sig")).unwrap();
    let outcomes = farm.publish(&[farm.upload(4, "app", &[Pkg::new("app", "2-1")])]);
    assert!(
        matches!(&outcomes[0], UploadOutcome::Published { .. }),
        "{outcomes:?}"
    );
    assert_eq!(
        fs::read(farm.public().join("app-2-1-x86_64.pkg.tar.zst.sig")).unwrap(),
        signature
    );
    farm.check(Some(&keyring));
    // After it the name is free, and both contents fit into the archive.
    farm.keeping.grace = Duration::ZERO;
    remove_app(&farm);
    let outcomes = farm.publish(&[farm.upload(5, "app", &[other])]);
    assert!(
        matches!(&outcomes[0], UploadOutcome::Published { .. }),
        "{outcomes:?}"
    );
    remove_app(&farm);
    farm.open().tidy(&target()).unwrap();
    let archived = names(&farm.archive());
    assert_eq!(archived.len(), 5, "{archived:?}");
    let rollback = |to| {
        let options = ChangeOptions {
            force: true,
            ..ChangeOptions::default()
        };
        farm.open()
            .rollback(&target(), to, &options, &Origin::default())
            .unwrap();
        farm.check(Some(&keyring));
        farm.index()["app"].sha256.clone()
    };
    let first = rollback(5);
    // One name cannot change its content at once.
    let options = ChangeOptions {
        force: true,
        ..ChangeOptions::default()
    };
    let error = farm
        .open()
        .rollback(&target(), 7, &options, &Origin::default())
        .unwrap_err();
    assert!(matches!(error, RepoError::Taken { .. }), "{error}");
    remove_app(&farm);
    assert_ne!(first, rollback(7));
}

#[test]
fn what_other_programs_leave_is_found_and_nothing_is_lost() {
    let keyring = Keyring::with_key("");
    let mut farm = farm(&keyring, Duration::ZERO, LONG, 9);
    let public = farm.public();
    fs::write(public.join("orphan-1-1-any.pkg.tar.zst"), "x").unwrap();
    let lone = public.join("lone-1-1-any.pkg.tar.zst.sig");
    fs::write(&lone, "x").unwrap();
    fs::write(public.join("README"), "mine").unwrap();
    fs::write(farm.archive().join("ancient-1-1-x86_64.pkg.tar.xz"), "x").unwrap();
    // The file of a listed package was moved away by hand.
    fs::rename(
        public.join("app-2-1-x86_64.pkg.tar.zst"),
        farm.archive().join("app-2-1-x86_64.pkg.tar.zst"),
    )
    .unwrap();
    farm.publish(&[farm.upload(3, "b", &[Pkg::new("b", "1-1")])]);
    fs::remove_file(public.join("b-1-1-x86_64.pkg.tar.zst")).unwrap();

    farm.keeping.grace = LONG;
    let report = farm.open().tidy(&target()).unwrap();
    assert_eq!(report.orphans, ["orphan-1-1-any.pkg.tar.zst"]);
    assert_eq!(report.restored, ["app-2-1-x86_64.pkg.tar.zst"]);
    assert_eq!(report.missing, ["b-1-1-x86_64.pkg.tar.zst"]);
    assert!(
        report.lone_signatures.is_empty() && lone.exists(),
        "somebody may be copying it here"
    );
    assert!(report.deleted.is_empty() && farm.archive().join("ancient-1-1-x86_64.pkg.tar.xz").exists());

    let old = SystemTime::now() - 2 * LONG;
    fs::File::open(&lone).unwrap().set_modified(old).unwrap();
    let report = farm.open().tidy(&target()).unwrap();
    assert_eq!(report.lone_signatures, ["lone-1-1-any.pkg.tar.zst.sig"]);
    assert!(report.orphans.is_empty(), "{report:?}");
    farm.keeping.grace = Duration::ZERO;
    let report = farm.open().tidy(&target()).unwrap();
    assert_eq!(report.archived, ["orphan-1-1-any.pkg.tar.zst"]);
    assert_eq!(fs::read_to_string(public.join("README")).unwrap(), "mine");
}

#[test]
fn architectures_keep_their_packages_for_any_apart_in_the_archive_they_share() {
    let mut farm = Farm::new();
    farm.keeping = Keeping {
        grace: Duration::ZERO,
        retention: Duration::ZERO,
        snapshots: 3,
    };
    let arm = crate::model::Target {
        arch: "aarch64".parse().unwrap(),
        ..target()
    };
    let repository = farm.open();
    for (job, version) in (1..).zip(["1-1", "2-1"]) {
        let upload = farm.upload(job, "app", &[Pkg::new("app", version).arch("any")]);
        for target in [target(), arm.clone()] {
            let mut upload = upload.clone();
            upload.manifest.target = target.clone();
            repository
                .publish(&target, &[upload], &Circumstances::default())
                .unwrap();
        }
    }
    // One of them does not need the old file any more; the other one still does.
    for job in 10..14 {
        let name = format!("p{job}");
        farm.publish(&[farm.upload(job, &name, &[Pkg::new(&name, "1-1")])]);
    }
    for target in [&target(), &arm, &target()] {
        repository.tidy(target).unwrap();
    }
    let options = ChangeOptions {
        force: true,
        ..ChangeOptions::default()
    };
    repository
        .rollback(&arm, 2, &options, &Origin::default())
        .unwrap();
    assert!(farm.root().join("farm/aarch64/app-1-1-any.pkg.tar.zst").exists());
    assert_eq!(repository.index(&arm).unwrap()["app"].version, "1-1");
}

#[test]
fn changes_by_repo_add_and_repo_remove_are_part_of_the_history() {
    let keyring = Keyring::with_key("");
    let farm = farm(&keyring, LONG, LONG, 9);
    let by_hand = Pkg::new("by-hand", "1-1").write(&farm.public());
    run(Command::new("repo-add").arg(farm.database()).arg(by_hand));
    run(Command::new("repo-remove").arg(farm.database()).arg("app"));
    let repository = farm.open();
    let history = repository.history(&target()).unwrap();
    assert_eq!((history[0].number, history[0].kind), (4, Kind::Outside));
    assert_eq!(history[0].difference.added[0].pkgname, "by-hand");
    assert_eq!(history[0].difference.removed[0].pkgname, "app");
    let options = ChangeOptions {
        force: true,
        ..ChangeOptions::default()
    };
    repository
        .rollback(&target(), 3, &options, &Origin::default())
        .unwrap();
    assert_eq!(farm.index().into_keys().collect::<Vec<_>>(), ["app"]);
    farm.check(Some(&keyring));
}

#[test]
fn a_database_that_is_lost_comes_back_and_one_of_another_kind_is_not_replaced() {
    let keyring = Keyring::with_key("");
    let farm = farm(&keyring, LONG, LONG, 9);
    let before = farm.index();
    for name in ["farm.db.tar.zst", "farm.files.tar.zst", "farm.db"] {
        fs::remove_file(farm.public().join(name)).unwrap();
    }
    farm.open().ensure_target(&target()).unwrap();
    assert_eq!(farm.index(), before);
    farm.check(Some(&keyring));
    // Damaged, it is a matter for a rollback.
    fs::write(farm.database(), "damaged").unwrap();
    let options = ChangeOptions {
        force: true,
        ..ChangeOptions::default()
    };
    let repository = farm.open();
    let newest = repository.history(&target()).unwrap()[0].number;
    repository
        .rollback(&target(), newest, &options, &Origin::default())
        .unwrap();
    assert_eq!(farm.index(), before);
    farm.check(Some(&keyring));
    // The state, too: the history goes on.
    fs::remove_file(farm.root().join("farm/.caur/x86_64/state.json")).unwrap();
    let newest = farm.open().history(&target()).unwrap()[0].number;
    farm.publish(&[farm.upload(7, "late", &[Pkg::new("late", "1-1")])]);
    assert!(farm.open().history(&target()).unwrap()[0].number > newest);
    // Only the files database: it is made anew from the packages.
    fs::remove_file(farm.public().join("farm.files.tar.zst")).unwrap();
    farm.open().ensure_target(&target()).unwrap();
    farm.check(Some(&keyring));

    let other = Farm::new();
    fs::create_dir_all(other.public()).unwrap();
    let package = Pkg::new("a", "1-1").write(&other.public());
    run(Command::new("repo-add")
        .arg(other.public().join("farm.db.tar.gz"))
        .arg(package));
    let link = fs::read_link(other.public().join("farm.db")).unwrap();
    let error = other.open().ensure_target(&target()).unwrap_err();
    assert!(matches!(error, RepoError::OtherDatabase { .. }), "{error}");
    assert_eq!(fs::read_link(other.public().join("farm.db")).unwrap(), link);
}

#[test]
fn a_database_that_another_program_changed_during_a_transaction_keeps_what_was_placed() {
    let keyring = Keyring::with_key("");
    let farm = farm(&keyring, LONG, LONG, 9);
    let upload = farm.upload(3, "app", &[Pkg::new("app", "3-1")]);
    let database = farm.database();
    // The process ends right after the new database is in place; then repo-remove is used by hand.
    let renamed = std::sync::atomic::AtomicBool::new(false);
    let disk = crate::repo::disk::Disk::with_fault(std::sync::Arc::new(move |path| {
        use std::sync::atomic::Ordering;
        if renamed.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("gone"));
        }
        if path == database {
            renamed.store(true, Ordering::SeqCst);
        }
        Ok(())
    }));
    let repository = crate::repo::Repository::open_on(farm.options(), disk).unwrap();
    let outcome = repository.publish(&target(), &[upload], &Circumstances::default());
    assert!(outcome.is_err());
    drop(repository);
    assert_eq!(farm.index()["app"].version, "3-1");
    run(Command::new("repo-remove").arg(farm.database()).arg("app"));

    let repository = farm.open();
    assert!(
        farm.public().join("app-3-1-x86_64.pkg.tar.zst").exists(),
        "clients ask for it"
    );
    let again = farm.upload(8, "late", &[Pkg::new("late", "1-1")]);
    repository
        .publish(&target(), &[again], &Circumstances::default())
        .unwrap();
    assert!(farm.public().join("app-3-1-x86_64.pkg.tar.zst").exists());
    farm.check(Some(&keyring));
}
