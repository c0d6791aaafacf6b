//! Packages that move from one pkgbase to another: with the owner's leave, or not at all.

use std::collections::BTreeSet;

use super::fixture::{Farm, Pkg, target};
use crate::model::{Pkgbase, Pkgname};
use crate::repo::{AddOptions, Circumstances, Origin, Refusal, Repository, Upload, UploadOutcome};

fn outcome(repository: &Repository, upload: Upload, circumstances: &Circumstances) -> UploadOutcome {
    let report = repository.publish(&target(), &[upload], circumstances).unwrap();
    report.outcomes.into_iter().next().unwrap().1
}

fn owner_of(farm: &Farm, name: &str) -> String {
    farm.index()[name].pkgbase.clone()
}

#[test]
fn a_package_moves_only_when_its_owner_lets_it_go() {
    let farm = Farm::new();
    farm.publish(&[farm.upload(
        1,
        "old",
        &[Pkg::new("x", "1-1").base("old"), Pkg::new("old", "1-1")],
    )]);
    let repository = farm.open();
    let nobody_says = Circumstances::default();
    let mut job = 10;
    let mut taker = |version: &str| {
        job += 1;
        farm.upload(job, "new", &[Pkg::new("x", version).base("new")])
    };
    let refused = outcome(&repository, taker("2-1"), &nobody_says);
    assert!(
        matches!(refused, UploadOutcome::Refused(Refusal::Owned { .. })),
        "{refused:?}"
    );

    // Its owner is still in the collection; then nobody knows the collection; then the heir is not in it.
    let collection = |names: &[&str]| Circumstances {
        collection: Some(names.iter().map(|name| Pkgbase::new(*name).unwrap()).collect()),
        ..Circumstances::default()
    };
    for names in [&["old", "new"][..], &["other"]] {
        let refused = outcome(&repository, taker("2-1"), &collection(names));
        assert!(
            matches!(refused, UploadOutcome::Refused(Refusal::Owned { .. })),
            "{refused:?}"
        );
    }
    let moved = outcome(&repository, taker("2-1"), &collection(&["new"]));
    assert!(matches!(moved, UploadOutcome::Published { .. }), "{moved:?}");
    assert_eq!(owner_of(&farm, "x"), "new");
    farm.check(None);

    // By permission, which counts once.
    let back = |job| farm.upload(job, "old", &[Pkg::new("x", &format!("{job}-1")).base("old")]);
    let (name, old) = (Pkgname::new("x").unwrap(), Pkgbase::new("old").unwrap());
    repository.transfer(&target(), &name, Some(&old)).unwrap();
    repository.transfer(&target(), &name, None).unwrap();
    assert!(matches!(
        outcome(&repository, back(30), &nobody_says),
        UploadOutcome::Refused(_)
    ));
    repository.transfer(&target(), &name, Some(&old)).unwrap();
    assert!(matches!(
        outcome(&repository, back(31), &nobody_says),
        UploadOutcome::Published { .. }
    ));
    assert!(matches!(
        outcome(&repository, taker("40-1"), &nobody_says),
        UploadOutcome::Refused(_)
    ));
    assert!(matches!(
        outcome(&repository, back(32), &nobody_says),
        UploadOutcome::Published { .. }
    ));

    // In one transaction with its removal.
    let removing = Circumstances {
        remove: BTreeSet::from(["x".to_owned()]),
        ..Circumstances::default()
    };
    assert!(matches!(
        outcome(&repository, taker("50-1"), &removing),
        UploadOutcome::Published { .. }
    ));
    assert_eq!(owner_of(&farm, "x"), "new");
    farm.check(None);
}

#[test]
fn a_package_moves_with_the_upload_that_gives_it_up_or_not_at_all() {
    for giver_is_good in [true, false] {
        let farm = Farm::new();
        farm.publish(&[farm.upload(
            1,
            "old",
            &[Pkg::new("x", "1-1").base("old"), Pkg::new("old", "1-1")],
        )]);
        let taker = farm.upload(2, "new", &[Pkg::new("x", "2-1").base("new")]);
        let mut giver = farm.upload(3, "old", &[Pkg::new("old", "2-1")]);
        if !giver_is_good {
            giver.manifest.files[0].sha256 = "0".repeat(64);
        }
        let outcomes = farm.publish(&[taker, giver]);
        if giver_is_good {
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, UploadOutcome::Published { .. })),
                "{outcomes:?}"
            );
            assert_eq!(owner_of(&farm, "x"), "new");
        } else {
            assert!(
                matches!(&outcomes[0], UploadOutcome::Refused(Refusal::Owned { .. })),
                "{outcomes:?}"
            );
            assert!(
                matches!(&outcomes[1], UploadOutcome::Refused(Refusal::Hash { .. })),
                "{outcomes:?}"
            );
            assert_eq!(owner_of(&farm, "x"), "old");
        }
        farm.check(None);
    }
}

#[test]
fn two_uploads_of_one_transaction_cannot_bring_the_same_package() {
    let farm = Farm::new();
    let outcomes = farm.publish(&[
        farm.upload(1, "a", &[Pkg::new("x", "1-1").base("a")]),
        farm.upload(2, "b", &[Pkg::new("x", "2-1").base("b")]),
    ]);
    assert!(
        matches!(&outcomes[1], UploadOutcome::Refused(Refusal::Owned { owner, .. }) if owner == "a"),
        "{outcomes:?}"
    );
    assert_eq!(owner_of(&farm, "x"), "a");
}

#[test]
fn what_its_pkgbase_left_behind_may_be_taken_and_what_came_by_hand_is_nobodys_to_take() {
    let farm = Farm::new();
    farm.publish(&[farm.upload(
        1,
        "old",
        &[Pkg::new("x", "1-1").base("old"), Pkg::new("old", "1-1")],
    )]);
    farm.publish(&[farm.upload(2, "old", &[Pkg::new("old", "2-1")])]);
    let repository = farm.open();
    let upload = farm.upload(3, "new", &[Pkg::new("x", "2-1").base("new")]);
    let moved = outcome(&repository, upload, &Circumstances::default());
    assert!(matches!(moved, UploadOutcome::Published { .. }), "{moved:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = Pkg::new("keyring", "1-1").base("by-hand").write(folder.path());
    repository
        .add(&target(), &[file], AddOptions::default(), &Origin::default())
        .unwrap();
    let collection = Circumstances {
        collection: Some(BTreeSet::from([Pkgbase::new("thief").unwrap()])),
        ..Circumstances::default()
    };
    let upload = farm.upload(4, "thief", &[Pkg::new("keyring", "2-1").base("thief")]);
    let refused = outcome(&repository, upload, &collection);
    assert!(
        matches!(refused, UploadOutcome::Refused(Refusal::Owned { .. })),
        "{refused:?}"
    );
}
