//! Repositories from the command line: on files, as anyone with a pacman repository may use it, and through Redis, as CI
//! and operators do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use caur_core::model::{
    BuildOutcome, BuilderName, BuilderReport, CommitId, InstanceId, JobState, Machine, Manifest, ManifestFile,
};
use caur_core::queue::{Attempt, ClaimRequest};
use caur_tests::{
    Farm, FarmOptions, Published, Ran, SOURCE, SigningKey, TARGET, changed, eventually, package_file,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PATIENCE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_mins(1);

/// A folder with packages and repositories, and the program without Redis.
struct Desk {
    farm: Farm,
    packages: PathBuf,
}

impl Desk {
    async fn new() -> Self {
        let farm = Farm::make(FarmOptions::default()).await;
        let packages = farm.path().join("packages");
        fs::create_dir(&packages).unwrap();
        Self { farm, packages }
    }

    fn root(&self) -> PathBuf {
        self.farm.repository()
    }

    fn package(&self, base: &str, name: &str, version: &str) -> String {
        package_file(&self.packages, base, name, version)
            .display()
            .to_string()
    }

    /// `caur-daemon repo COMMAND --root … --target …` with nothing in its environment.
    async fn repo(&self, arguments: &[&str]) -> Ran {
        let root = self.root();
        let place = ["--root", root.to_str().unwrap(), "--target", TARGET];
        let arguments = [&["repo"], arguments, &place].concat();
        self.farm
            .caur_with(&[("USER", "ada".to_owned())], &arguments, "")
            .await
    }

    fn published(&self) -> Published {
        self.farm.published()
    }

    fn database(&self) -> PathBuf {
        self.root()
            .join(TARGET)
            .join("x86_64")
            .join(format!("{TARGET}.db.tar.zst"))
    }

    /// Adds `a`, `b` … one by one, unsigned.
    async fn add_each(&self, names: &[&str]) {
        for name in names {
            let file = self.package(name, name, "1-1");
            let _ = self.repo(&["add", "--no-sign", &file]).await.expect(0);
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn names(published: &Published) -> Vec<&str> {
    published.names().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_kept_without_redis() {
    let desk = Desk::new().await;
    let (one, two) = (
        desk.package("split", "split-a", "1-1"),
        desk.package("split", "split-b", "1-1"),
    );
    let added = desk
        .repo(&["add", "--no-sign", &one, &two])
        .await
        .expect(0)
        .stdout;
    assert_eq!(
        added,
        "PACKAGE  VERSION  PKGBASE  RESULT\nsplit-a  1-1      split    added\nsplit-b  1-1      split    added\n"
    );
    let newer = desk.package("split", "split-a", "2-1");
    let other = desk.package("other", "other", "1-1");
    let report = desk
        .repo(&[
            "add",
            "--no-sign",
            "--reason",
            "by hand",
            "--json",
            &newer,
            &two,
            &other,
        ])
        .await
        .expect(0)
        .json();
    assert_eq!(report["added"].as_array().unwrap().len(), 2);
    assert_eq!(report["unchanged"][0]["pkgname"], "split-b");
    let older = desk.package("split", "split-a", "1-1");
    let refused = desk.repo(&["add", "--no-sign", "-p", &older]).await.expect(1);
    refused.says(&["split-a", "nothing was changed"]);
    assert_eq!(names(&desk.published()), ["other", "split-a", "split-b"]);

    let list = desk.repo(&["list", "--json"]).await.expect(0).json();
    assert_eq!(list[1]["pkgname"], "split-a");
    assert_eq!(list[1]["version"], "2-1");
    let shown = desk.repo(&["show", "split"]).await.expect(0).stdout;
    assert_eq!(shown.matches("Pkgbase    split\n").count(), 2, "{shown}");
    let checked = desk.repo(&["check"]).await.expect(0).stdout;
    assert!(checked.contains("3 packages: 0 errors"), "{checked}");

    let history = desk.repo(&["history"]).await.expect(0).stdout;
    let line = history.lines().nth(1).unwrap();
    assert!(
        line.starts_with("3 ") && line.ends_with("ada   add     +1 -0 ~1  3         yes   by hand"),
        "{history}"
    );
    let records = desk.repo(&["history", "--json"]).await.expect(0).json();
    let state = |index: usize| records["value"][index]["number"].as_u64().unwrap().to_string();
    let (newest, before) = (state(0), state(1));
    let diff = desk.repo(&["diff", &before, &newest]).await.expect(0).stdout;
    assert!(
        diff.contains("+  other    1-1\n~  split-a  1-1 > 2-1\n"),
        "{diff}"
    );

    // More than a tenth goes only with force; nothing goes with a dry run.
    let dry = desk
        .repo(&["remove", "other", "--dry-run", "--force"])
        .await
        .expect(0);
    assert!(
        dry.stdout.contains("1 of 3 packages would be removed"),
        "{}",
        dry.stdout
    );
    let refused = desk.repo(&["remove", "other"]).await.expect(1);
    refused.says(&["refused: this removes 1 of the 3 packages", "more than a tenth"]);
    assert_eq!(desk.published().names().len(), 3);
    let gone = desk
        .repo(&["remove", "--pkgbase", "split", "--force"])
        .await
        .expect(0);
    assert!(gone.stdout.contains("2 of 3 packages removed"), "{}", gone.stdout);
    assert_eq!(names(&desk.published()), ["other"]);
    let unknown = desk.repo(&["remove", "nothing", "--force"]).await.expect(1);
    unknown.says(&["does not list nothing"]);

    // Back to where it was, files and all: first only told, and not if somebody was faster.
    let told = desk.repo(&["rollback", "--to", &newest]).await.expect(0).stdout;
    assert!(told.contains("2 packages added, 0 removed, 0 changed"), "{told}");
    let hint = told.lines().last().unwrap();
    let expect = hint.rsplit(' ').next().unwrap().to_owned();
    assert!(
        hint.starts_with("nothing was changed; to go on: repo rollback"),
        "{hint}"
    );
    let extra = desk.package("extra", "extra", "1-1");
    let _ = desk.repo(&["add", "--no-sign", &extra]).await.expect(0);
    let rollback = ["rollback", "--to", &newest, "--yes", "--force"];
    let refused = desk
        .repo(&[&rollback[..], &["--expect", &expect]].concat())
        .await
        .expect(1);
    refused.says(&["has changed since this was previewed"]);
    let _ = desk.repo(&rollback).await.expect(0);
    assert_eq!(names(&desk.published()), ["other", "split-a", "split-b"]);
    assert_eq!(desk.published().packages["split-a"].version(), "2-1");
    let _ = desk.repo(&["check"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_repo_add_began_goes_on_and_what_is_wrong_is_found() {
    let desk = Desk::new().await;
    let folder = desk.root().join(TARGET).join("x86_64");
    fs::create_dir_all(&folder).unwrap();
    let old = package_file(&folder, "old", "old", "1-1");
    run(Command::new("repo-add").arg("-q").arg(desk.database()).arg(&old));
    let new = desk.package("new", "new", "1-1");
    let _ = desk.repo(&["add", "--no-sign", &new]).await.expect(0);
    assert_eq!(names(&desk.published()), ["new", "old"]);
    let third = package_file(&folder, "third", "third", "1-1");
    run(Command::new("repo-add")
        .arg("-q")
        .arg(desk.database())
        .arg(&third));
    run(Command::new("repo-remove")
        .arg("-q")
        .arg(desk.database())
        .arg("old"));
    let clean = desk.repo(&["check", "--fix"]).await.expect(0).stdout;
    assert!(clean.contains("2 packages: 0 errors"), "{clean}");
    let _ = desk.repo(&["remove", "third", "--force"]).await.expect(0);
    assert_eq!(names(&desk.published()), ["new"]);

    let file = folder.join("new-1-1-any.pkg.tar.zst");
    let mut content = fs::read(&file).unwrap();
    content[20] ^= 1;
    fs::write(&file, content).unwrap();
    let _ = desk.repo(&["check", "--no-hashes"]).await.expect(0);
    let found = desk.repo(&["check", "--json"]).await.expect(1).json();
    assert_eq!(found["value"]["errors"], 1);
    let text = found["value"]["findings"][0]["text"].as_str().unwrap();
    assert!(text.contains("new-1-1-any.pkg.tar.zst"), "{text}");
    let trouble = desk
        .repo(&["check", "--upstream", "/nonexistent/core.db"])
        .await
        .expect(2);
    trouble.says(&["/nonexistent/core.db"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_and_databases_are_signed_with_the_named_keyring() {
    let desk = Desk::new().await;
    let home = desk.farm.key.home().display().to_string();
    let file = desk.package("a", "a", "1-1");
    let signed = ["--gpg-home", &home, "--sign-databases"];
    let _ = desk
        .repo(&[&["add", &file], &signed[..]].concat())
        .await
        .expect(0);
    desk.published().check(&desk.farm.key);
    let database = desk.database();
    let signature = PathBuf::from(format!("{}.sig", database.display()));
    assert!(desk.farm.key.has_signed(&database, &signature));
    let _ = desk.repo(&[&["check"], &signed[..2]].concat()).await.expect(0);
    // Another key's signature is found.
    let other = SigningKey::make(&desk.farm.path().join("other-gpg"));
    let _ = desk
        .repo(&["check", "--gpg-home", &other.home().display().to_string()])
        .await
        .expect(1);
    let _ = desk
        .repo(&["remove", "a", "--force", "--gpg-home", &home, "--sign-databases"])
        .await
        .expect(0);
    assert!(desk.farm.key.has_signed(&database, &signature));
    let nobody = desk.repo(&["add", &file]).await.expect(1);
    nobody.says(&["gpg home", "does not exist"]);
}

/// The names that a database or the queue lists.
async fn listed(farm: &Farm) -> Vec<String> {
    let list = farm
        .caur(&["repo", "list", "--target", TARGET, "--json"])
        .await
        .expect(0)
        .json();
    let list = list.as_array().unwrap().clone();
    list.iter()
        .map(|package| package["pkgname"].as_str().unwrap().to_owned())
        .collect()
}

async fn requests(farm: &Farm) -> Vec<Value> {
    let requests = farm.caur(&["repo", "requests", "--json"]).await.expect(0).json();
    requests.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn ci_and_operators_change_a_repository_through_redis() {
    let desk = Desk::new().await;
    let farm = &desk.farm;
    let all = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    desk.add_each(&all).await;
    let mut unsigned = farm.database_environment();
    unsigned.push(("DATABASE_SIGN", "false".to_owned()));

    // Nobody answers yet.
    let late = farm
        .ada(&[
            "repo",
            "remove",
            "l",
            "--target",
            TARGET,
            "--timeout",
            "1",
            "--reason",
            "old",
        ])
        .await
        .expect(3);
    late.says(&[
        "no database has answered within 1 s",
        "the request is still there",
    ]);
    let id = requests(farm).await[0]["id"].as_str().unwrap().to_owned();
    assert!(late.stderr.contains(&id), "{}", late.stderr);
    let waiting = farm.caur(&["repo", "requests", &id]).await.expect(0).stdout;
    assert!(
        waiting.contains("ada  test-repo/x86_64  remove l  waiting"),
        "{waiting}"
    );
    let mut database = farm.database_with(&unsigned).await;
    database.says("1 of 12 packages removed", PATIENCE).await;
    let answered = || async {
        let answer = farm.caur(&["repo", "requests", &id]).await.expect(0).stdout;
        (answer == "1 of 12 packages removed\n").then_some(())
    };
    eventually(PATIENCE, answered).await.unwrap();
    assert_eq!(listed(farm).await, all[..11]);

    // A keep-list: told first, guarded, then carried out.
    let keep = |names: &[&str], more: &[&str]| {
        let arguments = [&["auto-repo-remove", "--target-repo", TARGET], more, names].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            farm.ada(&arguments).await
        }
    };
    let dry = keep(&all[..10], &["--dry-run"]).await.expect(0).stdout;
    assert!(dry.contains("1 of 11 packages would be removed"), "{dry}");
    let many = keep(
        &all[..5],
        &["--commit", "0123456789012345678901234567890123456789:7"],
    )
    .await
    .expect(1);
    many.says(&["refused: this removes 6 of the 11 packages", "--force"]);
    let garbled = keep(&["a", "b c"], &[]).await.expect(1);
    garbled.says(&["no names of packages", "b c"]);
    let _ = keep(&[], &[]).await.expect(2);
    assert_eq!(listed(farm).await.len(), 11);
    let done = keep(&all[..10], &[]).await.expect(0).stdout;
    assert!(
        done.contains("k        1-1      k        removed\n1 of 11 packages removed\n"),
        "{done}"
    );
    let forced = keep(&all[..5], &["--force", "--json"]).await.expect(0).json();
    assert_eq!(forced["outcome"], "done");
    assert_eq!(forced["value"]["removed"].as_array().unwrap().len(), 5);
    assert_eq!(listed(farm).await, all[..5]);
    assert_eq!(names(&desk.published()), all[..5]);

    // What was done, and back again.
    let history = farm
        .caur(&["repo", "history", "--target", TARGET, "--json"])
        .await
        .expect(0)
        .json();
    let records = &history["value"];
    assert_eq!(
        (&records[0]["kind"], &records[0]["who"], &records[2]["reason"]),
        (&"auto-remove".into(), &"ada".into(), &"old".into())
    );
    let before = records[1]["number"].to_string();
    let rollback = ["repo", "rollback", "--target", TARGET, "--to", &before];
    let told = farm.ada(&rollback).await.expect(0).stdout;
    assert!(told.contains("5 packages added, 0 removed, 0 changed"), "{told}");
    assert_eq!(listed(farm).await.len(), 5);
    let _ = farm.ada(&[&rollback[..], &["--yes"]].concat()).await.expect(0);
    assert_eq!(listed(farm).await, all[..10]);

    let checked = farm
        .caur(&["repo", "check", "--target", TARGET])
        .await
        .expect(0)
        .stdout;
    assert!(checked.contains("10 packages: 0 errors"), "{checked}");
    let _ = farm
        .ada(&["repo", "transfer", "--target", TARGET, "a", "--to", "b"])
        .await
        .expect(0);
    let elsewhere = farm
        .ada(&["repo", "remove", "--target", "nowhere", "a"])
        .await
        .expect(1);
    elsewhere.says(&["refused: there is no repository nowhere/x86_64"]);

    let trail = farm.caur(&["queue", "actions"]).await.expect(0).stdout;
    for line in [
        "repo-remove       test-repo/x86_64       remove l: old",
        "auto-repo-remove  test-repo/x86_64       keep 10 pkgbases",
        "auto-repo-remove  test-repo/x86_64       1 of 11 packages removed",
        "repo-rollback     test-repo/x86_64       back to ",
        "repo-transfer     test-repo/x86_64       give a to b",
    ] {
        assert!(trail.contains(line), "{line:?} is not in:\n{trail}");
    }
    assert!(requests(farm).await.is_empty());
    farm.check_queue().await;
    database.stop().await;
}

/// Uploads the package `name` for the job of the pkgbase `base`, as a builder would.
async fn build(farm: &Farm, base: &str, name: &str, version: &str) {
    let queue = farm.queue();
    let instance = InstanceId::new("one").unwrap();
    let report = BuilderReport {
        instance: instance.clone(),
        name: BuilderName::new("one").unwrap(),
        class: Some(9),
        slots: 1,
        version: "0.0.0".into(),
        machine: Machine::default(),
        note: None,
    };
    queue.report_status(&report).await.unwrap();
    let claim = queue.claim(&ClaimRequest::new(instance, 0, LEASE)).await.unwrap();
    let claim = claim.job().expect("a job is ready");
    assert_eq!(claim.job.request.pkgbase.as_str(), base);
    let folder = farm
        .landing_zone()
        .join(format!("{}.{}", claim.token.job, claim.token.attempt));
    fs::create_dir(&folder).unwrap();
    let file = package_file(&folder, base, name, version);
    let content = fs::read(&file).unwrap();
    let manifest = Manifest {
        job: claim.token.job,
        attempt: claim.token.attempt,
        pkgbase: claim.job.request.pkgbase.clone(),
        target: claim.job.request.target.clone(),
        commit: CommitId::new("0123456789012345678901234567890123456789").unwrap(),
        builder: report.name.clone(),
        image: "sha256:1".into(),
        namcap: Vec::new(),
        files: vec![ManifestFile {
            name: file.file_name().unwrap().to_str().unwrap().to_owned(),
            size: content.len() as u64,
            sha256: hex::encode(Sha256::digest(&content)),
        }],
    };
    let attempt = Attempt {
        outcome: BuildOutcome::Built,
        reason: String::new(),
        commit: Some(manifest.commit.clone()),
        manifest: Some(manifest),
        took: Duration::from_secs(1),
    };
    queue.finish(&claim.token, &attempt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_on_its_way_to_another_pkgbase_is_not_removed_before() {
    let desk = Desk::new().await;
    let farm = &desk.farm;
    let others = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    // They were there before; what is added by hand is nobody's to take.
    let folder = desk.root().join(TARGET).join("x86_64");
    fs::create_dir_all(&folder).unwrap();
    for name in ["moved", "dropped"] {
        let file = package_file(&folder, "old", name, "1-1");
        run(Command::new("repo-add").arg("-q").arg(desk.database()).arg(&file));
    }
    desk.add_each(&others).await;
    let mut unsigned = farm.database_environment();
    unsigned.push(("DATABASE_SIGN", "false".to_owned()));
    let _database = farm.database_with(&unsigned).await;

    // The folder was renamed, and its PKGBUILD makes one package less.
    let mut tree: String = others.iter().map(|name| format!("{name}:{name}:;")).collect();
    tree += "new:moved:glibc;gone:dropped:glibc";
    let _ = farm
        .schedule(&["--deptree", &tree, "new", "gone"])
        .await
        .expect(0);
    let collection = farm
        .queue()
        .collection(&[SOURCE.parse().unwrap()])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(collection.len(), others.len() + 2);
    let arguments = [&["auto-repo-remove", "--target", TARGET, "new"], &others[..]].concat();
    let told = farm.ada(&arguments).await.expect(0).stdout;
    let (moved, dropped) = (farm.job("new").await.unwrap(), farm.job("gone").await.unwrap());
    assert!(
        told.contains(&format!(
            "stays for now: on its way from new (job {}, ready)",
            moved.id
        )) && told.contains("2 stay until the jobs that bring them anew have ended"),
        "{told}"
    );
    let left = requests(farm).await;
    assert_eq!((left.len(), &left[0]["round"]), (1, &1.into()));

    // One job brings the package anew, under its new pkgbase; the other will never bring it.
    let _ = farm.ada(&["job", "hold", "gone"]).await.expect(0);
    build(farm, "new", "moved", "2-1").await;
    farm.wait_for("new", JobState::Succeeded).await;
    assert_eq!(desk.published().packages["moved"].version(), "2-1");
    assert!(desk.published().names().contains("dropped"));
    let _ = farm
        .ada(&["job", "cancel", &dropped.id.to_string()])
        .await
        .expect(0);
    let removed = || async {
        let names = listed(farm).await;
        (!names.contains(&"dropped".to_owned())).then_some(names)
    };
    let names = eventually(PATIENCE, removed).await.unwrap();
    assert!(names.contains(&"moved".to_owned()));
    let nothing_left = || async { requests(farm).await.is_empty().then_some(()) };
    eventually(PATIENCE, nothing_left).await.unwrap();
    farm.check_queue().await;
}

/// The environment of a database with the target `other` too, and without signatures.
fn two_targets(farm: &Farm) -> Vec<(&'static str, String)> {
    let target = json!({ "extra_repos": [], "extra_keyrings": [] });
    let targets = json!({ TARGET: target, "other": target }).to_string();
    changed(
        farm.database_environment(),
        &[("PACKAGE_TARGET_REPOS", &targets), ("DATABASE_SIGN", "false")],
    )
}

/// Schedules a pkgbase without dependencies for a target and uploads its package.
async fn upload(farm: &Farm, target: &str, base: &str) {
    let flags = ["schedule", "--target-repo", target, "--source-repo", SOURCE];
    let _ = farm.caur(&[&flags[..], &[base]].concat()).await.expect(0);
    build(farm, base, base, "1-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_others_have_locked_holds_up_no_other() {
    let farm = Farm::make(FarmOptions::default()).await;
    let database = farm.database_with(&two_targets(&farm)).await;
    let lock = File::open(farm.repository().join(TARGET).join(".caur/x86_64/lock")).unwrap();
    lock.lock().unwrap();

    upload(&farm, TARGET, "waits").await;
    farm.wait_for("waits", JobState::Publishing).await;
    upload(&farm, TARGET, "later").await;
    for name in ["first", "second"] {
        upload(&farm, "other", name).await;
        farm.wait_for(name, JobState::Succeeded).await;
    }
    assert_eq!(farm.job("waits").await.unwrap().state, JobState::Publishing);
    assert_eq!(farm.job("later").await.unwrap().state, JobState::Uploaded);
    assert_eq!(farm.published().names(), [].into());

    lock.unlock().unwrap();
    for name in ["waits", "later"] {
        farm.wait_for(name, JobState::Succeeded).await;
    }
    assert_eq!(farm.published().names(), ["later", "waits"].into());
    assert!(!database.log().contains("publishing to"), "{}", database.log());
    database.stop().await;
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_target_keeps_no_other_from_being_published() {
    let farm = Farm::make(FarmOptions::default()).await;
    let environment = two_targets(&farm);
    farm.database_with(&environment).await.stop().await;
    let damaged = farm
        .repository()
        .join(TARGET)
        .join(format!("x86_64/{TARGET}.db.tar.zst"));
    let content = fs::read(&damaged).unwrap();
    fs::write(&damaged, "no archive").unwrap();

    // Where it is the only one, the role says so and ends.
    let unsigned = changed(farm.database_environment(), &[("DATABASE_SIGN", "false")]);
    let mut alone = farm.start("database", "alone", &unsigned);
    assert!(!alone.end(PATIENCE).await.success());
    assert!(
        alone.log().contains("cannot prepare any repository"),
        "{}",
        alone.log()
    );

    let mut database = farm.database_with(&environment).await;
    let words = format!("cannot prepare the repository {TARGET}/x86_64: ");
    database.says(&words, PATIENCE).await;
    upload(&farm, TARGET, "waits").await;
    let words = format!("publishing to {TARGET}/x86_64 failed, next try in 2s");
    database.says(&words, PATIENCE).await;
    upload(&farm, "other", "goes").await;
    farm.wait_for("goes", JobState::Succeeded).await;
    assert_eq!(farm.job("waits").await.unwrap().attempt, 1);

    fs::write(&damaged, content).unwrap();
    farm.wait_for("waits", JobState::Succeeded).await;
    assert_eq!(farm.published().names(), ["waits"].into());
    database.stop().await;
    farm.check_queue().await;
}

/// Sets when `folder` and what lies in it were written.
fn age(folder: &Path, age: Duration) {
    let then = SystemTime::now() - age;
    for entry in fs::read_dir(folder).unwrap() {
        File::open(entry.unwrap().path())
            .unwrap()
            .set_modified(then)
            .unwrap();
    }
    File::open(folder).unwrap().set_modified(then).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_uploads_that_nobody_waits_for_leave_the_landing_zone() {
    let farm = Farm::make(FarmOptions::default()).await;
    farm.database().await.stop().await;
    let _ = farm.schedule(&["live", "over"]).await.expect(0);
    let over = farm.job("over").await.unwrap();
    let _ = farm.ada(&["job", "cancel", "over"]).await.expect(0);
    let days = |count: u64| Duration::from_hours(24 * count);
    let live = {
        build(&farm, "live", "live", "1-1").await;
        let job = farm.job("live").await.unwrap();
        assert_eq!(job.state, JobState::Uploaded);
        format!("{}.{}", job.id, job.attempt)
    };
    let zone = farm.landing_zone();
    age(&zone.join(&live), days(400));
    for (name, since) in [
        ("123.1", days(2)),
        ("124.1.part", days(2)),
        ("125.1", Duration::from_mins(1)),
        ("notes", days(400)),
        (&*format!("{}.1", over.id), Duration::ZERO),
    ] {
        fs::create_dir(zone.join(name)).unwrap();
        fs::write(zone.join(name).join("file"), "x").unwrap();
        age(&zone.join(name), since);
    }
    // Its folder is old, and somebody writes to it.
    fs::create_dir(zone.join("126.1.part")).unwrap();
    fs::write(zone.join("126.1.part/file"), "x").unwrap();
    File::open(zone.join("126.1.part"))
        .unwrap()
        .set_modified(SystemTime::now() - days(2))
        .unwrap();

    let database = farm.database().await;
    farm.wait_for("live", JobState::Succeeded).await;
    let tidied = || async {
        let mut left = farm.uploads();
        left.sort();
        (left == ["125.1", "126.1.part", "notes"]).then_some(())
    };
    let tidied = eventually(PATIENCE, tidied).await;
    assert!(tidied.is_ok(), "{:?}", farm.uploads());
    assert!(farm.published().names().contains("live"));
    database.stop().await;
}
