//! What a build's end means: every outcome, brought about by a real container.

use caur_core::model::{BuildOutcome, Pkgname, PublishedPackage};

use super::farm::Farm;

fn text(log: &[u8]) -> String {
    String::from_utf8_lossy(log).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_built_package_is_reported_with_all_that_it_was_made_from() {
    let farm = Farm::new().await;
    let commit = farm.push("builds", "hello");
    let order = farm.order("builds");
    let (report, log) = farm.run(&order).await;
    assert_eq!(
        (report.outcome, &report.reason),
        (BuildOutcome::Built, &None),
        "{}",
        text(&log)
    );
    assert_eq!(report.commit, Some(commit.clone()));
    assert!(
        report.image.as_ref().is_some_and(|id| id.starts_with("sha256:")),
        "{report:?}"
    );

    let names: Vec<_> = report
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["builds-1-1-any.pkg.tar.zst"],
        "an empty leftover is no package"
    );
    assert_eq!(
        std::fs::read(report.package_dir.join(names[0])).unwrap(),
        b"data\n"
    );
    assert_eq!(report.packages[0].size, 5);
    assert_eq!(
        report.packages[0].sha256,
        "6667b2d1aab6a00caa5aee5af8ad9f1465e567abf1c209d15727d57b3e8f6e5f"
    );
    assert_eq!(report.namcap, ["analysis"]);

    let log = text(&log);
    let id = report.image.unwrap();
    for line in [
        &*format!(
            "==> [caur] job {} attempt 1: repo/x86_64/builds on builder test-",
            order.token.job
        ),
        "==> [caur] phase: fetch\n",
        &format!("==> [caur] building commit {commit} of packages\n"),
        "==> [caur] phase: prepare\n",
        &id,
        "==> [caur] limits: makepkg 3600 s, whole job 5400 s, CPUs all, memory all, open files 8192\n",
        "==> [caur] phase: build\ncontent: hello\n",
        "==> [caur] built after ",
    ] {
        assert!(log.contains(line), "{line:?} is missing in\n{log}");
    }

    farm.builder.cleanup(&order.token).await.unwrap();
    assert!(!report.package_dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_statuses_have_their_outcomes() {
    let farm = Farm::new().await;
    for (pkgbase, outcome, word) in [
        ("exit-13", BuildOutcome::AlreadyBuilt, "found this version"),
        ("exit-123", BuildOutcome::Skipped, "asked to be skipped"),
        ("exit-124", BuildOutcome::TimedOut, "3600 s"),
        ("exit-137", BuildOutcome::Infrastructure, "killed from outside"),
        ("exit-75", BuildOutcome::Infrastructure, "environment"),
        ("exit-12", BuildOutcome::Failed, "the PKGBUILD has an error"),
        (
            "exit-4",
            BuildOutcome::Failed,
            "a function of the PKGBUILD failed",
        ),
        ("empty", BuildOutcome::Failed, "built no package"),
        ("links", BuildOutcome::Failed, "links-1-1-any.pkg.tar.zst"),
    ] {
        let (report, log) = farm.build(pkgbase).await;
        let log = text(&log);
        assert_eq!(report.outcome, outcome, "{pkgbase}: {log}");
        let reason = report.reason.unwrap();
        assert!(reason.contains(word), "{pkgbase}: {reason}");
        assert!(report.packages.is_empty());
        let last = log.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("==> [caur] {} after ", outcome.as_str())),
            "{last}"
        );
        assert!(last.ends_with(&reason), "{last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_kill_after_makepkgs_time_is_a_timeout() {
    let farm = Farm::with(|settings| settings.timeout = 1).await;
    let (report, log) = farm.build("late-137").await;
    assert_eq!(report.outcome, BuildOutcome::TimedOut, "{}", text(&log));
    // With the time that the package asks for, the same kill came from outside.
    farm.push_file("late-137/.CI/config", "BUILDER_EXTRA_TIMEOUT=60\n");
    let (report, log) = farm.run(&farm.order("late-137")).await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure, "{}", text(&log));
    assert!(
        text(&log).contains("limits: makepkg 60 s, whole job 1860 s"),
        "{}",
        text(&log)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_long_as_a_whole_is_ended() {
    let farm = Farm::with(|settings| (settings.timeout, settings.overhead_timeout) = (1, 4)).await;
    let (report, log) = farm.build("polite").await;
    assert_eq!(report.outcome, BuildOutcome::TimedOut, "{}", text(&log));
    assert!(report.reason.unwrap().contains("whole job took longer than 5 s"));
    assert!((5..15).contains(&report.seconds), "{}", report.seconds);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_is_told_apart_from_a_failure() {
    let farm = Farm::with(|settings| settings.limits_ram = 64).await;
    let (report, log) = farm.build("starves").await;
    assert_eq!(
        report.outcome,
        BuildOutcome::OutOfMemory,
        "{report:?}\n{}",
        text(&log)
    );
    assert!(report.reason.unwrap().contains("64 MiB"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_is_lost() {
    let farm = Farm::new().await;
    let (report, log) = farm.build("floods").await;
    assert_eq!(
        report.outcome,
        BuildOutcome::Failed,
        "it builds nothing: {report:?}"
    );
    let start = find(&log, b"content: floods\n").unwrap() + b"content: floods\n".len();
    let end = find(&log, b"==> [caur] failed after").unwrap();
    let output = &log[start..end];
    assert_eq!(output.len(), (20 << 20) + b"last words".len());
    assert!(find(output, b"last words").is_some());
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_container_sees_what_the_contract_promises() {
    let build_dir = tempfile::tempdir().unwrap();
    let farm = Farm::with(|settings| {
        settings.timeout = 77;
        settings.makeflags = Some("-j3".to_owned());
        settings.limits_nofile = 1234;
        settings.limits_cpus = 0.5;
        settings.build_dir_host = Some(build_dir.path().to_owned());
    })
    .await;
    farm.push_file(
        "tells/.SRCINFO",
        "pkgbase = tells\npkgname = tells\npkgname = tells-docs\n",
    );
    farm.push("tells", "x");
    let repository = farm.path("repository");
    std::fs::create_dir_all(repository.join("repo/x86_64")).unwrap();
    std::fs::write(repository.join("repo/x86_64/repo.db"), "").unwrap();

    let mut order = farm.order("tells");
    order.local_repository = Some(repository.clone());
    order.published = vec![
        published("other", "other", "2-1"),
        published("tells", "tells", "1-1"),
    ];
    let (report, log) = farm.run(&order).await;
    let log = text(&log);
    assert_eq!(report.outcome, BuildOutcome::AlreadyBuilt, "{log}");
    for line in [
        "BUILDER_TIMEOUT=77\n",
        "CI_CODE_SKIP=123\n",
        "MAKEFLAGS=-j3\n",
        "BUILDER_HOSTNAME=test-",
        "[repo]\nSigLevel = Never\nServer = file:///repo_root/repo/x86_64\n",
        "files: 1234 1234\n",
        "filler: other-2-1-any.pkg.tar\n",
        "caches can be written\n",
        "CPUs 0.5, memory all, open files 1234",
    ] {
        assert!(log.contains(line), "{line:?} is missing in\n{log}");
    }
    for line in ["filler: tells", "PACKAGE_REPO", "repo_root can be written"] {
        assert!(!log.contains(line), "{line:?} is there in\n{log}");
    }
    assert!(
        farm.settings
            .shared_dir
            .join("srcdest_cache/repo/tells/kept")
            .exists()
    );
    let made = build_dir.path().join(format!("{}.1/made", order.token.job));
    assert!(made.exists());
    farm.builder.cleanup(&order.token).await.unwrap();
    assert!(!made.exists());

    order.published.push(published("tells-docs", "tells", "1-1"));
    let (_, log) = farm.run(&order).await;
    assert!(text(&log).contains("filler: tells-1-1-any.pkg.tar\nfiller: tells-docs-1-1-any.pkg.tar\n"));
}

fn published(pkgname: &str, pkgbase: &str, version: &str) -> PublishedPackage {
    PublishedPackage {
        pkgname: Pkgname::new(pkgname).unwrap(),
        pkgbase: pkgbase.parse().unwrap(),
        version: version.to_owned(),
        file_name: format!("{pkgname}-{version}-any.pkg.tar.zst"),
        size: 1,
        build_date: 1,
        provides: Vec::new(),
    }
}
