//! Which commit is built, and what happens when it cannot be had.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use caur_core::model::{BuildOutcome, CommitId};

use super::farm::{Farm, git, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_branch_head_is_built_unless_a_commit_is_named() {
    let farm = Farm::new().await;
    let first = farm.push("builds", "first");
    let (report, _) = farm.run(&farm.order("builds")).await;
    assert_eq!(report.commit, Some(first.clone()));

    let second = farm.push("builds", "second");
    let (report, log) = farm.run(&farm.order("builds")).await;
    assert_eq!(report.commit, Some(second));
    assert!(String::from_utf8_lossy(&log).contains("content: second"));

    let mut order = farm.order("builds");
    order.request.build_commit = Some(first.clone());
    let (report, log) = farm.run(&order).await;
    assert_eq!(
        (report.outcome, report.commit),
        (BuildOutcome::Built, Some(first))
    );
    assert!(String::from_utf8_lossy(&log).contains("content: first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_on_no_branch_head_is_fetched() {
    let farm = Farm::new().await;
    let old = farm.push("builds", "old");
    farm.push("builds", "newer");
    git(&farm.source, &["switch", "--quiet", "--create=side"]);
    let side = farm.push("builds", "side");
    git(&farm.source, &["switch", "--quiet", "main"]);
    for (commit, content) in [(old, "content: old"), (side, "content: side")] {
        let mut order = farm.order("builds");
        order.request.build_commit = Some(commit.clone());
        let (report, log) = farm.run(&order).await;
        assert_eq!(report.commit, Some(commit));
        assert!(String::from_utf8_lossy(&log).contains(content));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hands_out_no_single_commits_is_asked_for_everything() {
    let farm = Farm::new().await;
    let old = farm.push("builds", "old");
    farm.push("builds", "newer");
    let mut order = farm.order("builds");
    order.source.url = serve_old_protocol(farm.source.clone());
    order.request.build_commit = Some(old.clone());
    let (report, log) = farm.run(&order).await;
    assert_eq!(report.commit, Some(old), "{}", String::from_utf8_lossy(&log));
    assert!(String::from_utf8_lossy(&log).contains("content: old"));

    let mut order = farm.order("builds");
    order.source.url = serve_old_protocol(farm.source.clone());
    order.request.build_commit = Some(CommitId::new("1".repeat(40)).unwrap());
    assert_eq!(farm.run(&order).await.0.outcome, BuildOutcome::Failed);
}

/// A git server that speaks the protocol's first version, in which single commits are refused.
fn serve_old_protocol(repository: PathBuf) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("git://{}/packages", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &repository);
        }
    });
    url
}

fn answer(mut stream: TcpStream, repository: &Path) {
    use std::io::Read;
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
    stream.read_exact(&mut vec![0; length - 4]).unwrap();
    let output = OwnedFd::from(stream.try_clone().unwrap());
    Command::new("git")
        .arg("upload-pack")
        .arg(repository)
        .env_remove("GIT_PROTOCOL")
        .stdin(OwnedFd::from(stream))
        .stdout(output)
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_what_does_not_exist_is_the_requests_fault() {
    let farm = Farm::new().await;
    let commit = farm.push_file("no-recipe/README", "x");
    for (pkgbase, build_commit, words) in [
        (
            "missing",
            None,
            vec!["no folder missing", commit.as_str(), "packages"],
        ),
        (
            "no-recipe",
            None,
            vec!["folder no-recipe", "no PKGBUILD", commit.as_str()],
        ),
        (
            "no-recipe",
            Some("1".repeat(40)),
            vec![
                "commit 1111111111111111111111111111111111111111 does not exist",
                "packages",
            ],
        ),
    ] {
        let mut order = farm.order(pkgbase);
        order.request.build_commit = build_commit.map(|hash| CommitId::new(hash).unwrap());
        let (report, log) = farm.run(&order).await;
        let log = String::from_utf8_lossy(&log);
        assert_eq!(report.outcome, BuildOutcome::Failed, "{log}");
        let reason = report.reason.unwrap();
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
        assert!(!log.contains("phase: build"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_is_not_built_from_an_older_state() {
    let farm = Farm::new().await;
    let commit = farm.push("builds", "x");
    assert_eq!(
        farm.run(&farm.order("builds")).await.0.outcome,
        BuildOutcome::Built
    );

    let order = farm.order("builds");
    std::fs::rename(&farm.source, farm.path("elsewhere")).unwrap();
    let (report, log) = farm.run(&order).await;
    let log = String::from_utf8_lossy(&log);
    assert_eq!(
        (report.outcome, report.commit),
        (BuildOutcome::Infrastructure, None),
        "{log}"
    );
    assert!(!log.contains("phase: build"), "{log}");
    let reason = report.reason.unwrap();
    assert!(
        reason.contains("source repository packages from /") && reason.contains("nothing older"),
        "{reason}"
    );

    // A commit is the same for ever: one that is here needs no server.
    let mut order = farm.order("builds");
    order.request.build_commit = Some(commit.clone());
    let (report, _) = farm.run(&order).await;
    assert_eq!(
        (report.outcome, report.commit),
        (BuildOutcome::Built, Some(commit.clone()))
    );

    // The server is back, and the cache was kept.
    std::fs::rename(farm.path("elsewhere"), &farm.source).unwrap();
    assert_eq!(
        farm.run(&farm.order("builds")).await.0.outcome,
        BuildOutcome::Built
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_cache_is_made_anew() {
    let farm = Farm::new().await;
    farm.push("builds", "x");
    assert_eq!(
        farm.run(&farm.order("builds")).await.0.outcome,
        BuildOutcome::Built
    );
    let cache = farm.settings.shared_dir.join("sources/packages.git");
    for break_it in [
        // What a fetch that was killed leaves behind, and worse.
        &(|cache: &Path| std::fs::write(cache.join("shallow.lock"), "").unwrap()) as &dyn Fn(&Path),
        &|cache| std::fs::write(cache.join("HEAD"), "").unwrap(),
        &|cache| std::fs::remove_dir_all(cache.join("objects")).unwrap(),
    ] {
        break_it(&cache);
        let commit = farm.push("builds", &format!("{:?}", Instant::now()));
        let (report, log) = farm.run(&farm.order("builds")).await;
        assert_eq!(
            report.outcome,
            BuildOutcome::Built,
            "{}",
            String::from_utf8_lossy(&log)
        );
        assert_eq!(report.commit, Some(commit));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_of_one_source_take_turns_in_its_cache() {
    let farm = Farm::new().await;
    let commit = farm.push("builds", "x");
    let builds: Vec<_> = (0..4).map(|_| start(&farm, farm.order("builds"))).collect();
    for build in builds {
        let (report, log) = build.end().await;
        assert_eq!(
            (report.outcome, report.commit),
            (BuildOutcome::Built, Some(commit.clone())),
            "{log}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_never_an_option_or_a_command() {
    let farm = Farm::new().await;
    farm.push("builds", "x");
    let marker = farm.path("marker");
    for url in [
        format!("--upload-pack=touch {}", marker.display()),
        format!("ext::sh -c touch% {}", marker.display()),
        format!("$(touch {})", marker.display()),
    ] {
        let mut order = farm.order("builds");
        order.source.url = url;
        let (report, _) = farm.run(&order).await;
        assert_eq!(report.outcome, BuildOutcome::Infrastructure);
        assert!(!marker.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_holds_nobody_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("git://{}/packages", silent.local_addr().unwrap());
    let farm = Farm::with(|settings| settings.overhead_timeout = 1).await;
    let mut order = farm.order("builds");
    order.source.url.clone_from(&url);
    let (report, _) = farm.run(&order).await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure);
    assert!(
        report
            .reason
            .unwrap()
            .contains("fetching the source repository took longer than 1 s")
    );

    let farm = Farm::new().await;
    let mut order = farm.order("builds");
    order.source.url = url;
    let mut build = start(&farm, order);
    build.until("fetching packages").await;
    let canceled = Instant::now();
    build.cancel.cancel();
    let (report, _) = build.end().await;
    assert_eq!(report.outcome, BuildOutcome::Canceled);
    assert!(canceled.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_with_sha256_work() {
    let farm = Farm::new().await;
    std::fs::remove_dir_all(&farm.source).unwrap();
    git(
        &farm.path(""),
        &[
            "init",
            "--quiet",
            "--initial-branch=main",
            "--object-format=sha256",
            "source",
        ],
    );
    let commit = farm.push("builds", "x");
    assert_eq!(commit.as_str().len(), 64);
    let (report, log) = farm.run(&farm.order("builds")).await;
    assert_eq!(
        report.outcome,
        BuildOutcome::Built,
        "{}",
        String::from_utf8_lossy(&log)
    );
    assert_eq!(report.commit, Some(commit));
}
