//! What operators do from the command line, and what it does to a real builder.

use std::process::Command;
use std::time::{Duration, Instant};

use caur_core::model::{Job, JobState};
use caur_tests::{Farm, FarmOptions, engine_socket, eventually, run};
use serde_json::{Value, json};

/// The only builder of the farm, as `builders list` tells of it.
async fn only_builder(farm: &Farm) -> Value {
    let list = farm.caur(&["builders", "list", "--json"]).await.expect(0).json();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    list[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_gives_no_job_and_a_drained_builder_ends_after_its_job() {
    let farm = Farm::make(FarmOptions::default()).await;
    let held = format!("build() {{ {}; }}", farm.files.gate("build"));
    farm.source.package("quick", "").package("held", &held);
    let _database = farm.database().await;
    let mut builder = farm.builder("builder", "2").await;
    let name = farm.builder_name("builder");

    let _ = farm.ada(&["queue", "pause"]).await.expect(0);
    let _ = farm.schedule(&["quick"]).await.expect(0);
    // A builder that may claim does so within milliseconds.
    let claimed = eventually(Duration::from_secs(2), || async {
        farm.job("quick").await.filter(|job| job.attempt > 0)
    });
    assert!(claimed.await.is_err(), "{}", farm.report().await);
    let _ = farm.ada(&["queue", "resume"]).await.expect(0);
    farm.wait_for("quick", JobState::Succeeded).await;

    let seen = only_builder(&farm).await;
    assert_eq!(
        (&seen["name"], &seen["state"], &seen["class"], &seen["slots"]),
        (&json!(name), &json!("online"), &json!(2), &json!(1))
    );
    assert!(seen["machine"]["cores"].as_u64() > Some(0) && seen["machine"]["disk_free"].as_u64() > Some(0));
    let _ = farm
        .ada(&["builders", "pause", &name, "--reason", "new disk"])
        .await
        .expect(0);
    let seen = only_builder(&farm).await;
    assert_eq!(
        (&seen["state"], &seen["why"]),
        (&json!("paused"), &json!("paused by ada: new disk"))
    );
    let _ = farm.schedule(&["held"]).await.expect(0);
    let why = "Why        every builder that could take it takes no jobs now: ";
    farm.shows("held", &format!("{why}{name} (paused by ada: new disk)\n"))
        .await;
    let _ = farm.ada(&["builders", "resume", &name]).await.expect(0);

    farm.files.arrived("build", 1).await;
    let drained = farm
        .ada(&["builders", "drain", &name, "--json"])
        .await
        .expect(0)
        .json();
    assert_eq!(
        (&drained["builder"], &drained["processes"]),
        (&json!(name), &json!(1))
    );
    let list = farm.caur(&["builders", "list"]).await.expect(0).stdout;
    farm.shows("held", "Forecast   done in ").await;
    let line = list.lines().nth(1).unwrap_or_default();
    assert!(
        line.starts_with(&format!("{name}  draining  2      1      held  ")),
        "{list}"
    );
    let _ = farm.schedule(&["quick"]).await.expect(0);
    assert_eq!(farm.job("held").await.unwrap().state, JobState::Building);
    assert!(builder.has_ended().is_none(), "it finishes its job first");
    farm.files.open("build");
    assert!(builder.end(Duration::from_secs(60)).await.success());
    farm.wait_for("held", JobState::Succeeded).await;
    let left = farm.job("quick").await.unwrap();
    assert_eq!(
        (left.state, left.attempt),
        (JobState::Ready, 0),
        "it takes nothing more"
    );
    farm.check_queue().await;
}

/// Running containers of a job.
async fn containers(job: &Job) -> String {
    let mut command = Command::new("docker");
    command
        .args([
            "-H",
            &format!("unix://{}", engine_socket().display()),
            "ps",
            "-q",
            "--filter",
        ])
        .arg(format!("label=org.caur.job={}", job.id));
    run(command, "").await.expect(0).stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_build_ends_at_once_and_can_be_retried() {
    let farm = Farm::make(FarmOptions::default()).await;
    let held = format!("build() {{ {}; }}", farm.files.gate("build"));
    farm.source.package("held", &held);
    let _database = farm.database().await;
    let _builder = farm.builder("builder", "1").await;
    let _ = farm.schedule(&["held"]).await.expect(0);
    farm.files.arrived("build", 1).await;
    let job = farm.job("held").await.unwrap();
    assert_ne!(containers(&job).await, "");

    let canceled = farm
        .ada(&["job", "cancel", "held", "--reason", "no use"])
        .await
        .expect(0);
    let begin = Instant::now();
    let ended = eventually(Duration::from_secs(20), || async {
        farm.queue()
            .job(job.id)
            .await
            .unwrap()
            .filter(|job| job.state.is_final())
    });
    let ended = ended.await.expect("it ends");
    let took = begin.elapsed();
    println!("final {} ms after the command returned", took.as_millis());
    assert!(
        canceled.stdout.ends_with("building, and being stopped\n"),
        "{}",
        canceled.stdout
    );
    assert_eq!(ended.state, JobState::Canceled);
    assert_eq!(ended.reason.as_deref(), Some("canceled by ada: no use"));
    assert_eq!(containers(&job).await, "", "the container is gone by then");
    // Two seconds are promised; the third is for a machine that does much else.
    assert!(took < Duration::from_secs(3), "{took:?}");
    let log = farm.caur(&["job", "log", "held"]).await.expect(0).stdout;
    assert!(
        log.ends_with("==> [caur] canceled: canceled by ada: no use\n"),
        "{log}"
    );

    farm.files.open("build");
    let _ = farm.ada(&["job", "retry", "held"]).await.expect(0);
    let again = farm.wait_for("held", JobState::Succeeded).await;
    assert_eq!((again.id, again.attempt), (job.id, 2));
    let name = farm.builder_name("builder");
    farm.shows(
        "held",
        &format!("Before     attempt 1: canceled on {name} after "),
    )
    .await;
    farm.check_queue().await;
}
