//! `job list`, `job show` and `job log` against running builds.

use std::process::Command;
use std::time::Duration;

use caur_core::model::JobState;
use caur_tests::{Daemon, Farm, FarmOptions};

/// `job log -f` as a process of its own, whose standard output is its log here.
fn follow(farm: &Farm, name: &str, pkgbase: &str) -> Daemon {
    let mut command: Command = farm.program(&farm.redis_environment());
    command.args(["job", "log", "-f", pkgbase]);
    Daemon::start(name, &mut command, &farm.path().join("logs").join(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn following_a_log_from_before_the_build_shows_all_of_it_and_ends_with_it() {
    let farm = Farm::make(FarmOptions::default()).await;
    let gate = farm.files.gate("middle");
    farm.source.package(
        "talks",
        &format!(
            "build() {{ for i in {{1..500}}; do echo \"before $i of 500\"; done; {gate}; \
             for i in {{1..500}}; do echo \"after $i of 500\"; done; }}"
        ),
    );
    let _database = farm.database().await;
    let _ = farm.schedule(&["talks"]).await.expect(0);
    let mut early = follow(&farm, "early", "talks");
    early
        .says("is ready; waiting for it to start", Duration::from_secs(20))
        .await;
    let never = farm.caur(&["job", "log", "talks"]).await.expect(1);
    never.says(&["has no log: it was never started (ready)"]);

    let _builder = farm.builder("builder", "1").await;
    farm.files.arrived("middle", 1).await;
    // What is there shows while the build goes on; who comes late gets it too.
    early.says("before 500 of 500", Duration::from_secs(20)).await;
    let mut late = follow(&farm, "late", "talks");
    late.says("before 500 of 500", Duration::from_secs(20)).await;
    let so_far = farm.caur(&["job", "log", "talks"]).await.expect(0).stdout;
    assert!(
        so_far.contains("before 1 of 500") && !so_far.contains("after"),
        "{so_far}"
    );
    farm.files.open("middle");
    farm.wait_for("talks", JobState::Succeeded).await;
    assert!(early.end(Duration::from_secs(20)).await.success());
    assert!(late.end(Duration::from_secs(20)).await.success());

    let whole = farm.caur(&["job", "log", "talks"]).await.expect(0).stdout;
    let waiting = "waiting for it to start\n";
    let early = early.log();
    let (_, early) = early.split_once(waiting).unwrap();
    assert_eq!(early, whole);
    assert_eq!(late.log(), whole);
    for part in ["before", "after"] {
        let said: Vec<&str> = whole.lines().filter(|line| line.starts_with(part)).collect();
        let expected: Vec<String> = (1..=500).map(|i| format!("{part} {i} of 500")).collect();
        assert_eq!(said, expected);
    }
    assert!(whole.contains("==> [caur] published talks-1.0-1-any.pkg.tar.zst in test-repo/x86_64\n"));
    assert!(whole.ends_with("==> [caur] succeeded\n"), "{whole}");

    let lines = farm
        .caur(&["job", "log", "--json", "talks"])
        .await
        .expect(0)
        .stdout;
    let mut text = String::new();
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        text.push_str(value["data"].as_str().unwrap_or_default());
    }
    assert_eq!(format!("{text}==> [caur] succeeded\n"), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_build_prints_only_colours_reach_the_terminal() {
    let farm = Farm::make(FarmOptions::default()).await;
    farm.source.package(
        "artist",
        r"build() {
  printf '\e[1;31mred\e[0m\n'
  printf 'clear\e[2J\e[H title\e]0;owned\a clipboard\e]52;c;aGk=\e\\ end\n'
  printf '10%%\r20%%\rdone\n'
  printf 'bell\a and \xff\xfe bytes\n'
}",
    );
    let _database = farm.database().await;
    let _builder = farm.builder("builder", "1").await;
    let _ = farm.schedule(&["artist"]).await.expect(0);
    farm.wait_for("artist", JobState::Succeeded).await;
    let log = farm.caur(&["job", "log", "artist"]).await.expect(0).stdout;
    assert!(log.contains("\x1b[1;31mred\x1b[0m\n"), "{log:?}");
    assert!(log.contains("clear title clipboard end\n"), "{log:?}");
    assert!(log.contains("10%\n20%\ndone\n"), "{log:?}");
    assert!(
        log.contains("bell\u{fffd} and \u{fffd}\u{fffd} bytes\n"),
        "{log:?}"
    );
    assert!(!log.contains(['\x07', '\r']), "{log:?}");
    for sequence in log.split('\x1b').skip(1) {
        let (parameters, _) = sequence.split_once('m').unwrap_or_default();
        assert!(
            parameters.starts_with('[') && parameters[1..].bytes().all(|b| b.is_ascii_digit() || b == b';'),
            "{sequence:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_says_why_everywhere() {
    let farm = Farm::make(FarmOptions::default()).await;
    farm.source
        .package("broken", "build() { echo 'cannot find the thing'; return 7; }")
        .package("behind", "");
    let _database = farm.database().await;
    let _builder = farm.builder("builder", "1").await;
    let _ = farm
        .schedule(&[
            "--deptree",
            "broken:broken:;behind:behind:broken",
            "broken",
            "behind",
        ])
        .await
        .expect(0);
    let broken = farm.wait_for("broken", JobState::Failed).await;
    let behind = farm.wait_for("behind", JobState::Blocked).await;
    let reason = broken.reason.unwrap();
    assert!(reason.contains("exit status 4"), "{reason}");
    let log = farm.caur(&["job", "log", "broken"]).await.expect(0).stdout;
    assert!(log.contains("cannot find the thing\n"), "{log}");
    assert!(log.ends_with(&format!("==> [caur] failed: {reason}\n")), "{log}");

    let list = farm.caur(&["job", "list"]).await.expect(0).stdout;
    let head = "STATE    PACKAGE  TARGET";
    assert!(list.starts_with(head), "{list}");
    assert!(list.contains("dependency broken failed"), "{list}");
    let jobs = farm.caur(&["job", "list", "--json"]).await.expect(0).json();
    let states: Vec<_> = jobs
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["pkgbase"].as_str().unwrap(), job["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        states,
        [("behind", "blocked"), ("broken", "failed")],
        "live jobs first"
    );
    let unfinished = farm
        .caur(&["job", "list", "--json", "--finished", "0"])
        .await
        .expect(0)
        .json();
    assert_eq!(unfinished.as_array().map(Vec::len), Some(1));

    let id = broken.id.to_string();
    for name in ["broken", "test-repo/x86_64/broken", &id] {
        let shown = farm.caur(&["job", "show", name]).await.expect(0).stdout;
        for line in [
            "Package    test-repo/x86_64/broken\n",
            "State      failed since ",
            &format!("Why        {reason}\n"),
            &format!("Commit     {}\n", farm.source.head()),
            &format!("Builder    {}\n", farm.builder_name("builder")),
        ] {
            assert!(shown.contains(line), "{line:?} is not in:\n{shown}");
        }
        let json = farm.caur(&["job", "show", "--json", name]).await.expect(0).json();
        assert_eq!(
            (json["id"].as_u64(), json["attempt"].as_u64()),
            (Some(broken.id.0), Some(1))
        );
    }
    let blocked = farm.caur(&["job", "show", "behind"]).await.expect(0).stdout;
    let waits = format!("Waits for  broken (failed, job {id})\n");
    assert!(blocked.contains(&waits), "{blocked}");
    assert_eq!(behind.waits_for, [broken.id]);

    let unknown = farm.caur(&["job", "show", "nobody"]).await.expect(1);
    unknown.says(&["there is no job for \"nobody\"", "job list"]);
    farm.caur(&["job", "log", "12345"])
        .await
        .expect(1)
        .says(&["there is no job 12345"]);
}
