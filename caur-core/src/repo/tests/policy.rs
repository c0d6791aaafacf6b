//! What a repository's owner can forbid beyond the rules that nobody can turn off.

use std::fs;

use super::fixture::{Farm, Pkg, target};
use super::refusals::{APP, app};
use crate::repo::disk::Disk;
use crate::repo::intake::take_in;
use crate::repo::{Attitude, Policy, Refusal, UploadOutcome};

/// Publishes `first`, then an upload of `second` under `policy`, which must be refused, and without it is not.
fn refused_by(policy: Policy, first: Pkg, second: Pkg) -> Refusal {
    let mut farm = Farm::new();
    farm.publish(&[farm.upload(1, "app", &[first])]);
    let upload = farm.upload(2, "app", &[second]);
    farm.policy = policy;
    let refusal = farm.refused(&upload);
    farm.policy = Policy::default();
    assert!(matches!(
        farm.publish(&[upload])[0],
        UploadOutcome::Published { .. }
    ));
    farm.check(None);
    refusal
}

#[test]
fn what_the_policy_forbids() {
    let newer = |lines: &str| Pkg::new("app", "1-2").info(lines);
    let policy = Policy {
        replaces: Attitude::Refuse,
        ..Policy::default()
    };
    let refusal = refused_by(policy, app(), newer("replaces = pacman\nreplaces = glibc<3\n"));
    assert!(
        matches!(&refusal, Refusal::Replaces { values, .. } if values == "pacman, glibc<3"),
        "{refusal}"
    );
    let policy = Policy {
        groups: Attitude::Refuse,
        ..Policy::default()
    };
    let refusal = refused_by(policy, app(), newer("group = base\n"));
    assert!(matches!(&refusal, Refusal::Groups { values, .. } if values == "base"));
    let policy = Policy {
        conflicts: Attitude::Refuse,
        ..Policy::default()
    };
    let refusal = refused_by(policy, app(), newer("conflict = other\n"));
    assert!(matches!(&refusal, Refusal::Conflicts { values, .. } if values == "other"));
}

#[test]
fn versions_that_go_down() {
    let policy = Policy {
        downgrades: Attitude::Refuse,
        ..Policy::default()
    };
    for (published, older) in [("1-10", "1-9"), ("1:1-1", "2-1"), ("1.0-1", "1.0rc1-1")] {
        let refusal = refused_by(policy, Pkg::new("app", published), Pkg::new("app", older));
        assert!(
            matches!(&refusal, Refusal::Downgrade { version, published: p, .. } if version == older && p == published),
            "{refusal}"
        );
    }
    let mut farm = Farm::new();
    farm.policy = policy;
    for (job, version) in [(1, "1-9"), (2, "1-10"), (3, "1:0-1"), (4, "01:0-1")] {
        let upload = farm.upload(job, "app", &[Pkg::new("app", version)]);
        assert!(matches!(
            farm.publish(&[upload])[0],
            UploadOutcome::Published { .. }
        ));
    }
}

#[test]
fn sizes_beyond_the_limits_before_anything_is_copied() {
    let mut farm = Farm::new();
    let two = [Pkg::new("app", "1-1"), Pkg::new("lib", "1-1").base("app")];
    let upload = farm.upload(1, "app", &two);
    let size = |number: usize| upload.manifest.files[number].size;
    farm.policy.largest_package = size(0).min(size(1)) - 1;
    assert!(
        matches!(farm.refused(&upload), Refusal::TooLarge { file, size: s, .. } if file == APP && s == size(0))
    );
    farm.policy = Policy {
        largest_upload: size(0) + size(1) - 1,
        ..Policy::default()
    };
    assert!(
        matches!(farm.refused(&upload), Refusal::UploadTooLarge { size: s, .. } if s == size(0) + size(1))
    );
    farm.policy.largest_upload += 1;

    // The manifest is what counts at first; a file that is larger than it says is not copied either.
    let mut lying = upload.clone();
    lying.manifest.files[1].size = u64::MAX;
    assert!(matches!(farm.refused(&lying), Refusal::TooLarge { .. }));
    let path = upload.dir.join(&upload.manifest.files[1].name);
    let honest = fs::read(&path).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let staging = farm.folder.path().join("staging");
    let taken = take_in(&Disk::default(), &upload, &target(), &farm.policy, &staging).unwrap();
    assert!(matches!(taken, Err(Refusal::Size { found, .. }) if found == 1 << 40));
    assert!(!staging.exists());
    fs::write(&path, honest).unwrap();
    assert!(matches!(
        farm.publish(&[upload])[0],
        UploadOutcome::Published { .. }
    ));
}

#[test]
fn debug_packages_where_none_are_wanted() {
    let mut farm = Farm::new();
    farm.policy.debug_packages = Attitude::Refuse;
    let upload = farm.upload(1, "app", &[app(), Pkg::new("app-debug", "1-1").base("app")]);
    assert!(matches!(farm.refused(&upload), Refusal::Debug(_)));
    farm.policy.debug_packages = Attitude::Accept;
    assert!(matches!(
        farm.publish(&[upload])[0],
        UploadOutcome::Published { .. }
    ));
}
