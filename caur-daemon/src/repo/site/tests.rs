//! What is asked of repositories without signatures, below a temporary folder.

use std::path::Path;

use caur_core::model::{Arch, TargetRepo};
use caur_core::repo::{AddOptions, RepositoryOptions};

use super::*;

fn target() -> Target {
    Target {
        repo: TargetRepo::new("repo").unwrap(),
        arch: Arch::new("x86_64").unwrap(),
    }
}

fn carry_out(site: &Site, action: RepoAction) -> Done {
    let request = RepoRequest::new(target(), action);
    site.carry_out(&request, BTreeMap::new(), &Origin::default())
}

#[test]
fn what_a_rule_forbids_is_refused_and_what_breaks_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site {
        repository: Arc::new(Repository::open(RepositoryOptions::new(folder.path().to_owned())).unwrap()),
        upstream: vec![folder.path().join("core.db")],
    };
    let done = carry_out(&site, RepoAction::Tidy);
    assert_eq!(done.outcome, RepoOutcome::Refused, "{done:?}");
    site.repository.ensure_target(&target()).unwrap();
    let refused = [
        RepoAction::Remove {
            pkgnames: vec!["a".to_owned()],
        },
        RepoAction::AutoRemove { keep: [].into() },
        RepoAction::Rollback { to: 99 },
        RepoAction::Transfer {
            pkgname: "no name".to_owned(),
            to: None,
        },
    ];
    for action in refused {
        let done = carry_out(&site, action.clone());
        assert_eq!(done.outcome, RepoOutcome::Refused, "{action}: {done:?}");
        assert!(!done.changed && done.left.is_empty() && !done.message.is_empty());
    }
    let mut moved = RepoRequest::new(target(), RepoAction::Tidy);
    moved.action = RepoAction::RemovePkgbase {
        pkgbase: "a".to_owned(),
    };
    moved.previewed = Some("0".repeat(64));
    let done = site.carry_out(&moved, BTreeMap::new(), &Origin::default());
    assert!(done.message.contains("has changed since"), "{done:?}");
    let failed = carry_out(&site, RepoAction::Sonames { library: None });
    assert_eq!(failed.outcome, RepoOutcome::Failed, "{failed:?}");
    let done = carry_out(&site, RepoAction::History { limit: 1 });
    assert_eq!(
        (done.outcome, done.value.as_array().unwrap().len()),
        (RepoOutcome::Done, 1)
    );
}

#[test]
fn a_removal_whose_answer_got_lost_still_knows_what_it_left_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let site = site_with(folder.path(), &["goes", "stays"]);
    let request = forced_keep_list();
    for _ in 0..2 {
        let done = site.carry_out(&request, on_their_way(&["stays"]), &asked("one"));
        assert!(done.changed, "{done:?}");
        assert_eq!(done.left, files(&["stays"]));
        assert_eq!(done.value["removed"][0]["pkgname"], "goes");
        assert_eq!(done.value["deferred"][0][0]["pkgname"], "stays");
    }
    assert_eq!(listed(&site), ["stays"]);
}

#[test]
fn a_later_round_touches_only_what_the_first_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let site = site_with(folder.path(), &["goes", "waits", "renewed", "stays"]);
    let request = forced_keep_list();
    let left = ["waits", "renewed", "stays"];
    let done = site.carry_out(&request, on_their_way(&left), &asked("one"));
    assert_eq!(done.left, files(&left));
    // Scheduled and published since; one of what was left came anew, from another pkgbase.
    add(&site, folder.path(), "new", "new", "1-1");
    add(&site, folder.path(), "renewed", "other-base", "2-1");
    for _ in 0..2 {
        // The second time, the answer got lost.
        let done = site.look_again(
            &request,
            &done.left,
            on_their_way(&["stays", "new"]),
            &asked("one.1"),
        );
        assert!(done.changed, "{done:?}");
        assert_eq!(done.value["removed"][0]["pkgname"], "waits");
        assert_eq!(done.left, files(&["stays"]));
        assert_eq!(listed(&site), ["new", "renewed", "stays"]);
    }
    let left = files(&["stays", "gone"]);
    let done = site.look_again(&request, &left, on_their_way(&[]), &asked("one.2"));
    assert!(done.changed && done.left.is_empty(), "{done:?}");
    let done = site.look_again(&request, &left, on_their_way(&[]), &asked("one.3"));
    assert_eq!(done.outcome, RepoOutcome::Done, "{done:?}");
    assert!(!done.changed && done.left.is_empty(), "{done:?}");
    assert_eq!(listed(&site), ["new", "renewed"]);
}

#[test]
fn a_later_round_without_force_is_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let site = site_with(folder.path(), &["a", "b"]);
    let mut request = forced_keep_list();
    request.force = false;
    let done = site.look_again(&request, &files(&["a", "b"]), on_their_way(&[]), &asked("one.1"));
    assert_eq!(done.outcome, RepoOutcome::Refused, "{done:?}");
    assert_eq!(listed(&site), ["a", "b"]);
}

fn site_with(folder: &Path, names: &[&str]) -> Site {
    let root = folder.join("root");
    std::fs::create_dir(&root).unwrap();
    let site = Site {
        repository: Arc::new(Repository::open(RepositoryOptions::new(root)).unwrap()),
        upstream: Vec::new(),
    };
    for name in names {
        add(&site, folder, name, name, "1-1");
    }
    site
}

fn add(site: &Site, folder: &Path, name: &str, base: &str, version: &str) {
    let info = format!("pkgname = {name}\npkgbase = {base}\npkgver = {version}\narch = any\nsize = 1\n");
    std::fs::write(folder.join(".PKGINFO"), info).unwrap();
    let file = folder.join(format!("{name}-{version}-any.pkg.tar.zst"));
    let mut tar = std::process::Command::new("tar");
    tar.current_dir(folder).args(["--zstd", "-cf"]);
    assert!(tar.arg(&file).arg(".PKGINFO").status().unwrap().success());
    let options = AddOptions {
        take_over: true,
        ..AddOptions::default()
    };
    let added = site
        .repository
        .add(&target(), &[file], options, &Origin::default());
    added.unwrap();
}

fn listed(site: &Site) -> Vec<String> {
    site.repository.index(&target()).unwrap().into_keys().collect()
}

/// Names nothing that these tests publish.
fn forced_keep_list() -> RepoRequest {
    let keep = ["nothing".to_owned()].into();
    let mut request = RepoRequest::new(target(), RepoAction::AutoRemove { keep });
    request.force = true;
    request
}

fn asked(name: &str) -> Origin {
    Origin {
        request: Some(name.to_owned()),
        ..Origin::default()
    }
}

fn on_their_way(names: &[&str]) -> BTreeMap<String, String> {
    let why = |name: &&str| ((*name).to_owned(), "on its way".to_owned());
    names.iter().map(why).collect()
}

fn files(names: &[&str]) -> BTreeMap<String, String> {
    let file = |name: &&str| ((*name).to_owned(), format!("{name}-1-1-any.pkg.tar.zst"));
    names.iter().map(file).collect()
}
