//! What the real builder does besides building: several jobs at once, restarts, cancels, too little room, quiet idling.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use caur_core::model::JobState;
use caur_core::queue::Asker;
use caur_tests::{Farm, FarmOptions, changed, eventually};
use futures::StreamExt;

const OPERATOR: Asker<'_> = Asker {
    by: "test",
    why: "not needed",
};
/// How soon a running job has to be over once somebody canceled it.
const CANCEL: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_builder_goes_on_with_its_build() {
    let farm = Farm::make(FarmOptions::default()).await;
    let held = format!("build() {{ {}; }}", farm.files.gate("build"));
    farm.source.package("held", &held);
    let _database = farm.database().await;
    let mut builder = farm.builder("one", "1").await;
    let _ = farm.schedule(&["held"]).await.expect(0);
    farm.files.arrived("build", 1).await;
    builder.kill();

    let mut builder = farm.builder("one", "1").await;
    builder
        .says("going on with test-repo/x86_64/held", Duration::from_secs(20))
        .await;
    farm.files.open("build");
    let job = farm.wait_for("held", JobState::Succeeded).await;
    assert_eq!(job.attempt, 1, "it is the same attempt");
    assert_eq!(farm.files.arrivals("build"), 1, "it was built once");
    let log = farm.caur(&["job", "log", "held"]).await.expect(0).stdout;
    for words in [
        "Starting makepkg",
        "builder restarted",
        "published held-1.0-1-any.pkg.tar.zst",
    ] {
        assert!(log.contains(words), "{words:?} is not in {log}");
    }
    farm.published().check(&farm.key);
    farm.check_queue().await;
    builder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_build_at_the_same_time_and_a_drained_builder_ends() {
    let farm = Farm::make(FarmOptions::default()).await;
    let held = format!("build() {{ {}; }}", farm.files.gate("both"));
    farm.source.package("left", &held).package("right", &held);
    let _database = farm.database().await;
    let environment = changed(farm.builder_environment("wide", "1"), &[("BUILDER_SLOTS", "2")]);
    let mut builder = farm.start("builder", "wide", &environment);
    builder.says("builder is ready", Duration::from_secs(30)).await;
    let _ = farm.schedule(&["left", "right"]).await.expect(0);
    farm.files.arrived("both", 2).await;
    let builders = farm.queue().builders().await.unwrap();
    assert_eq!(
        (builders.len(), builders[0].jobs.len(), builders[0].report.slots),
        (1, 2, 2)
    );
    assert!(builders[0].report.machine.cores > 0 && builders[0].report.machine.engine.starts_with("Docker"));

    farm.queue()
        .drain(&builders[0].report.name, OPERATOR)
        .await
        .unwrap();
    farm.files.open("both");
    for name in ["left", "right"] {
        farm.wait_for(name, JobState::Succeeded).await;
    }
    assert!(builder.end(Duration::from_secs(30)).await.success());
    assert!(
        farm.queue().builders().await.unwrap().is_empty(),
        "it said good-bye"
    );
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_upload_stops_within_two_seconds() {
    let farm = Farm::make(FarmOptions {
        ssh: true,
        ..FarmOptions::default()
    })
    .await;
    let large = "package() { install -d \"$pkgdir/usr/share/large\"; head -c 60M /dev/urandom >\"$pkgdir/usr/share/large/data\"; }";
    farm.source.package("large", large);
    let _database = farm.database().await;
    // Only the upload goes through SSH, and so can be made to stand still.
    let environment = changed(farm.builder_environment("one", "1"), &[("REDIS_SSH_HOST", "")]);
    let mut builder = farm.start("builder", "one", &environment);
    builder.says("builder is ready", Duration::from_secs(30)).await;
    let _ = farm.schedule(&["large"]).await.expect(0);
    let begun = eventually(Duration::from_secs(90), || async {
        farm.uploads().into_iter().find(|name| name.ends_with(".part"))
    });
    begun.await.expect("the upload begins");
    let sshd = farm.sshd.as_ref().unwrap();
    sshd.freeze_sessions();
    let id = farm.job("large").await.unwrap().id;
    let begin = Instant::now();
    farm.queue().cancel(id, OPERATOR).await.unwrap();
    farm.wait_for("large", JobState::Canceled).await;
    let took = begin.elapsed();
    println!("the upload was given up after {took:.2?}");
    assert!(took < CANCEL, "{took:?}");
    sshd.cut_sessions();
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_without_room_takes_no_job_and_says_so() {
    let farm = Farm::make(FarmOptions::default()).await;
    farm.source.package("a", "");
    let _database = farm.database().await;
    let environment = changed(
        farm.builder_environment("full", "1"),
        &[("BUILDER_MIN_FREE_DISK", "1000000000")],
    );
    let mut builder = farm.start("builder", "full", &environment);
    builder
        .says(
            "builder.min_free_disk asks for 1000000000",
            Duration::from_secs(30),
        )
        .await;
    let _ = farm.schedule(&["a"]).await.expect(0);
    let job = farm.wait_for("a", JobState::Ready).await;
    let shown = farm.caur(&["job", "show", "a"]).await.expect(0).stdout;
    assert!(shown.contains("builder.min_free_disk"), "{shown}");
    assert_eq!(job.attempt, 0);
    // With room it builds.
    let _roomy = farm.builder("roomy", "1").await;
    farm.wait_for("a", JobState::Succeeded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_one_name_both_say_so() {
    let farm = Farm::make(FarmOptions::default()).await;
    let _database = farm.database().await;
    let mut first = farm.builder("twin", "1").await;
    let mut second = farm.builder("twin", "1").await;
    // On one machine they also share a directory, which belongs to the first.
    second
        .says("another process holds", Duration::from_secs(10))
        .await;
    for builder in [&mut first, &mut second] {
        builder.says("also calls itself", Duration::from_secs(60)).await;
    }
    let builders = farm.queue().builders().await.unwrap();
    let instances: BTreeSet<_> = builders.iter().map(|builder| &builder.report.instance).collect();
    assert_eq!(instances.len(), 2);
    assert!(builders.iter().all(|builder| builder.double.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_builder_asks_less_than_once_a_second() {
    const WATCHED: Duration = Duration::from_secs(30);
    let farm = Farm::make(FarmOptions::default()).await;
    // Its configuration stays where the builder looks for it.
    farm.database().await.stop().await;
    let _builder = farm.builder("idle", "1").await;
    let redis = redis::Client::open(farm.redis_url()).unwrap();
    let mut monitor = redis.get_async_monitor().await.unwrap();
    let mut seen = Vec::new();
    let lines = async {
        let mut lines = monitor.on_message::<String>();
        while let Some(line) = lines.next().await {
            // What scripts do inside the server is marked so.
            if !line.contains(" lua]") {
                seen.push(line);
            }
        }
    };
    // Nothing else talks to this server: what is counted is the builder.
    let _time_is_up = tokio::time::timeout(WATCHED, lines).await;
    println!("{} commands in {WATCHED:?}", seen.len());
    assert!(
        seen.len() < usize::try_from(WATCHED.as_secs()).unwrap(),
        "{seen:#?}"
    );
}
