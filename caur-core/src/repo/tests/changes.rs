//! Removing, adding by hand, going back, and what the history says of it.

use std::collections::BTreeMap;

use super::fixture::{Farm, Keyring, Pkg, names, target};
use crate::model::Target;
use crate::repo::{
    AddOptions, ChangeOptions, Kind, Origin, Removal, RepoError, Selection, Upload, UploadOutcome,
};

fn origin() -> Origin {
    Origin {
        who: "ada".into(),
        reason: "because".into(),
        request: None,
    }
}

fn forced() -> ChangeOptions {
    ChangeOptions {
        force: true,
        ..ChangeOptions::default()
    }
}

fn dry() -> ChangeOptions {
    ChangeOptions {
        dry_run: true,
        ..ChangeOptions::default()
    }
}

fn named(names: &[&str]) -> Selection {
    Selection::Pkgnames(names.iter().map(|&name| name.to_owned()).collect())
}

fn keep(pkgbases: &[&str]) -> Selection {
    Selection::Keep {
        pkgbases: pkgbases.iter().map(|&name| name.to_owned()).collect(),
        on_their_way: BTreeMap::new(),
    }
}

fn removed(removal: &Removal) -> Vec<&str> {
    removal.removed.iter().map(|entry| &*entry.pkgname).collect()
}

/// A farm with `count` packages `p0`, `p1`…, each its own pkgbase.
fn farm_of(count: u64) -> Farm {
    let farm = Farm::new();
    let uploads: Vec<Upload> = (0..count)
        .map(|number| {
            let name = format!("p{number}");
            farm.upload(100 + number, &name, &[Pkg::new(&name, "1-1")])
        })
        .collect();
    farm.publish(&uploads);
    farm
}

fn listed(farm: &Farm) -> Vec<String> {
    farm.index().into_keys().collect()
}

#[test]
fn removing_by_name_and_by_pkgbase() {
    let farm = farm_of(20);
    farm.publish(&[farm.upload(
        1,
        "split",
        &[
            Pkg::new("one", "1-1").base("split"),
            Pkg::new("two", "1-1").base("split"),
        ],
    )]);
    let repository = farm.open();
    let selection = Selection::Pkgbase("split".into());
    let preview = repository
        .remove(&target(), &selection, &dry(), &origin())
        .unwrap();
    assert_eq!((removed(&preview), preview.number), (vec!["one", "two"], None));
    assert_eq!(listed(&farm).len(), 22);
    let removal = repository
        .remove(&target(), &selection, &ChangeOptions::default(), &origin())
        .unwrap();
    assert_eq!((removed(&removal), removal.number), (vec!["one", "two"], Some(4)));
    repository
        .remove(&target(), &named(&["p3"]), &ChangeOptions::default(), &origin())
        .unwrap();
    assert_eq!(listed(&farm).len(), 19);
    farm.check(None);
    let archived = names(&farm.archive());
    assert!(
        archived.contains(&"two-1-1-x86_64.pkg.tar.zst".to_owned()),
        "{archived:?}"
    );

    for selection in [named(&["p1", "nowhere"]), Selection::Pkgbase("split".into())] {
        let error = repository
            .remove(&target(), &selection, &forced(), &origin())
            .unwrap_err();
        assert!(matches!(error, RepoError::NotListed { .. }), "{error}");
    }
    let elsewhere = Target {
        repo: "other".parse().unwrap(),
        ..target()
    };
    let error = repository
        .remove(&elsewhere, &named(&["p1"]), &forced(), &origin())
        .unwrap_err();
    assert!(matches!(error, RepoError::NoTarget { .. }), "{error}");
    assert!(!farm.root().join("other").exists());
    assert_eq!(listed(&farm).len(), 19);
}

#[test]
fn more_than_a_tenth_needs_force_and_an_empty_keep_list_is_refused() {
    let farm = farm_of(20);
    let repository = farm.open();
    let options = ChangeOptions::default();
    let three = named(&["p1", "p2", "p3"]);
    let error = repository
        .remove(&target(), &three, &options, &origin())
        .unwrap_err();
    assert!(
        matches!(
            error,
            RepoError::TooMany {
                removed: 3,
                listed: 20,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        removed(&repository.remove(&target(), &three, &dry(), &origin()).unwrap()).len(),
        3
    );
    repository
        .remove(&target(), &named(&["p1", "p2"]), &options, &origin())
        .unwrap();
    repository
        .remove(&target(), &named(&["p3", "p4"]), &forced(), &origin())
        .unwrap();
    let error = repository
        .remove(&target(), &keep(&[]), &forced(), &origin())
        .unwrap_err();
    assert!(matches!(error, RepoError::EmptyKeepList), "{error}");
    assert_eq!(listed(&farm).len(), 16);
}

#[test]
fn a_keep_list_removes_all_else_and_what_a_pkgbase_no_longer_produces() {
    let farm = Farm::new();
    let uploads = [
        farm.upload(
            1,
            "gone",
            &[Pkg::new("gone", "1-1"), Pkg::new("gone-doc", "1-1").base("gone")],
        ),
        farm.upload(
            2,
            "split",
            &[
                Pkg::new("tool", "1-1").base("split"),
                Pkg::new("old-part", "1-1").base("split"),
            ],
        ),
        farm.upload(3, "stays", &[Pkg::new("stays", "3-1")]),
        farm.upload(4, "renamed", &[Pkg::new("app", "1-1").base("renamed")]),
    ];
    farm.publish(&uploads);
    farm.publish(&[farm.upload(5, "split", &[Pkg::new("tool", "2-1").base("split")])]);
    let repository = farm.open();
    let mut selection = keep(&["split", "stays", "another"]);
    if let Selection::Keep { on_their_way, .. } = &mut selection {
        on_their_way.insert("app".into(), "job 7 of new-name builds it".into());
    }
    let removal = repository
        .remove(&target(), &selection, &forced(), &origin())
        .unwrap();
    assert_eq!(removed(&removal), ["gone", "gone-doc", "old-part"]);
    let (entry, why) = &removal.deferred[0];
    assert_eq!((&*entry.pkgname, &**why), ("app", "job 7 of new-name builds it"));
    assert_eq!(listed(&farm), ["app", "stays", "tool"]);

    let nothing = repository
        .remove(
            &target(),
            &keep(&["split", "stays", "renamed"]),
            &ChangeOptions::default(),
            &origin(),
        )
        .unwrap();
    assert_eq!((nothing.removed.len(), nothing.number), (0, None));
}

#[test]
fn a_request_is_carried_out_once() {
    let farm = farm_of(20);
    let repository = farm.open();
    let origin = Origin {
        request: Some("r1".into()),
        ..origin()
    };
    let options = ChangeOptions::default();
    let first = repository
        .remove(&target(), &named(&["p1"]), &options, &origin)
        .unwrap();
    let again = repository
        .remove(&target(), &named(&["p1"]), &options, &origin)
        .unwrap();
    assert_eq!((removed(&first), first.number), (removed(&again), again.number));
    assert_eq!(repository.history(&target()).unwrap().len(), 3);
}

#[test]
fn a_change_that_was_decided_on_another_state_is_refused() {
    let farm = farm_of(20);
    let repository = farm.open();
    let preview = repository
        .remove(&target(), &named(&["p1"]), &dry(), &origin())
        .unwrap();
    let options = ChangeOptions {
        expect: Some(preview.snapshot.parse().unwrap()),
        ..ChangeOptions::default()
    };
    farm.publish(&[farm.upload(1, "new", &[Pkg::new("new", "1-1")])]);
    let error = repository
        .remove(&target(), &named(&["p1"]), &options, &origin())
        .unwrap_err();
    assert!(matches!(error, RepoError::Moved { .. }), "{error}");
    let error = repository
        .rollback(&target(), 1, &options, &origin())
        .unwrap_err();
    assert!(matches!(error, RepoError::Moved { .. }), "{error}");
    assert_eq!(listed(&farm).len(), 21);
}

#[test]
fn the_history_says_who_did_what_and_any_kept_state_comes_back() {
    let keyring = Keyring::with_key("");
    let mut farm = Farm::signed(&keyring);
    farm.keeping.snapshots = 4;
    farm.publish(&[farm.upload(1, "app", &[Pkg::new("app", "1-1")])]);
    farm.publish(&[
        farm.upload(2, "app", &[Pkg::new("app", "2-1")]),
        farm.upload(3, "lib", &[Pkg::new("lib", "1-1")]),
    ]);
    let repository = farm.open();
    repository
        .remove(&target(), &named(&["lib"]), &forced(), &origin())
        .unwrap();

    let history = repository.history(&target()).unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|record| (record.number, record.kind, record.packages))
        .collect();
    assert_eq!(
        told,
        [
            (4, Kind::Remove, 1),
            (3, Kind::Publish, 2),
            (2, Kind::Publish, 1),
            (1, Kind::Create, 0)
        ]
    );
    assert_eq!((&*history[0].who, &*history[0].reason), ("ada", "because"));
    assert_eq!(history[1].jobs.len(), 2);
    let change = &history[1].difference.changed[0];
    assert_eq!(
        (&*change.pkgname, &*change.from, &*change.to),
        ("app", "1-1", "2-1")
    );
    let difference = repository.difference(&target(), 2, Some(3)).unwrap();
    assert_eq!(difference, history[1].difference);

    let before = std::fs::read(farm.database()).unwrap();
    let preview = repository.rollback(&target(), 2, &dry(), &origin()).unwrap();
    assert_eq!((preview.difference.changed.len(), preview.number), (1, None));
    assert_eq!(std::fs::read(farm.database()).unwrap(), before);
    let rollback = repository.rollback(&target(), 2, &forced(), &origin()).unwrap();
    assert_eq!(
        (rollback.difference, rollback.number),
        (preview.difference, Some(5))
    );
    assert_eq!(farm.index()["app"].version, "1-1");
    farm.check(Some(&keyring));
    repository.rollback(&target(), 3, &forced(), &origin()).unwrap();
    assert_eq!(
        (farm.index()["app"].version.as_str(), farm.index().len()),
        ("2-1", 2)
    );
    farm.check(Some(&keyring));
    let error = repository
        .rollback(&target(), 2, &forced(), &origin())
        .unwrap_err();
    assert!(
        matches!(&error, RepoError::NoSnapshot { number: 2, kept, .. } if kept == &[3, 4, 5, 6]),
        "{error}"
    );
}

#[test]
fn a_state_whose_files_are_lost_is_not_restored() {
    let farm = farm_of(2);
    farm.publish(&[farm.upload(1, "p0", &[Pkg::new("p0", "2-1")])]);
    std::fs::remove_file(farm.archive().join("p0-1-1-x86_64.pkg.tar.zst")).unwrap();
    let before = std::fs::read(farm.database()).unwrap();
    let error = farm
        .open()
        .rollback(&target(), 2, &forced(), &origin())
        .unwrap_err();
    assert!(
        matches!(&error, RepoError::Gone { files, .. } if files == &["p0-1-1-x86_64.pkg.tar.zst"]),
        "{error}"
    );
    assert_eq!(std::fs::read(farm.database()).unwrap(), before);
    farm.check(None);
}

#[test]
fn a_publish_whose_answer_was_lost_does_not_bring_an_old_version_back() {
    let farm = Farm::new();
    let old = farm.upload(1, "app", &[Pkg::new("app", "1-1")]);
    farm.publish(std::slice::from_ref(&old));
    farm.publish(&[farm.upload(2, "app", &[Pkg::new("app", "2-1")])]);
    let outcomes = farm.publish(&[old]);
    assert!(
        matches!(outcomes[0], UploadOutcome::AlreadyPublished),
        "{outcomes:?}"
    );
    assert_eq!(farm.index()["app"].version, "2-1");
}

#[test]
fn files_added_by_hand_are_taken_all_or_none() {
    let keyring = Keyring::with_key("");
    let farm = Farm::signed(&keyring);
    let repository = farm.open();
    let folder = tempfile::tempdir().unwrap();
    let files = [
        Pkg::new("a", "1-1").write(folder.path()),
        Pkg::new("b", "1-1").write(folder.path()),
    ];
    let options = AddOptions::default();
    let report = repository.add(&target(), &files, options, &origin()).unwrap();
    assert_eq!(
        (report.added.len(), report.unchanged.len(), report.number),
        (2, 0, Some(2))
    );
    farm.check(Some(&keyring));
    // As repo-add has it: the file lies in the repository already.
    let inside = Pkg::new("c", "1-1").write(&farm.public());
    let report = repository
        .add(&target(), &[inside.clone(), files[0].clone()], options, &origin())
        .unwrap();
    assert_eq!((report.added.len(), report.unchanged.len()), (1, 1));
    farm.check(Some(&keyring));
    let again = repository.add(&target(), &[inside], options, &origin()).unwrap();
    assert_eq!((again.added.len(), again.number), (0, None));

    let bad = folder.path().join("d-1-1-x86_64.pkg.tar.zst");
    std::fs::write(&bad, "no package").unwrap();
    let good = Pkg::new("e", "1-1").write(folder.path());
    let error = repository
        .add(&target(), &[good, bad], options, &origin())
        .unwrap_err();
    assert!(matches!(error, RepoError::Refused(_)), "{error}");
    assert_eq!(listed(&farm), ["a", "b", "c"]);
    let older = Pkg::new("a", "0-1").write(folder.path());
    let strict = AddOptions {
        prevent_downgrade: true,
        ..options
    };
    let error = repository
        .add(&target(), &[older], strict, &origin())
        .unwrap_err();
    assert!(error.to_string().contains("0-1"), "{error}");
    farm.check(Some(&keyring));
}
