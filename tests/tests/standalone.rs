//! `standalone`: one machine, one process, and a Redis of its own that lives and dies with it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use caur_core::link::{Direct, RedisAddress, RedisAuth, RedisLink};
use caur_core::model::JobState;
use caur_core::queue::{JobFilter, Queue};
use caur_tests::{Daemon, Farm, FarmOptions, eventually};

/// The environment of `standalone` in this farm's directory; the farm's own Redis has no part in it.
fn environment(farm: &Farm) -> Vec<(&'static str, String)> {
    let of_others = [
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_PASSWORD",
        "LANDING_ZONE_PATH",
        "REPO_PATH",
        "BUILDER_SHARED_DIR",
        "SHARED_PATH",
    ];
    let mut environment = farm.database_environment();
    environment.extend(farm.builder_environment("standalone", "2"));
    environment.retain(|(name, _)| !of_others.contains(name));
    environment.push(("CAUR_STATE_DIR", farm.path().join("state").display().to_string()));
    environment
}

fn socket(farm: &Farm) -> std::path::PathBuf {
    farm.path().join("state/redis/redis.sock")
}

/// The environment for commands that talk to the standalone queue.
fn client(farm: &Farm) -> Vec<(&'static str, String)> {
    vec![("REDIS_SOCKET", socket(farm).display().to_string())]
}

async fn start(farm: &Farm) -> Daemon {
    let mut daemon = farm.start("standalone", "standalone", &environment(farm));
    daemon.says("builder is ready", Duration::from_secs(30)).await;
    daemon
}

async fn queue(farm: &Farm) -> Queue {
    let link = RedisLink::new(Direct {
        address: RedisAddress::Unix(socket(farm)),
        auth: RedisAuth::default(),
    });
    Queue::open(link).await.unwrap()
}

/// The children of a process, by name.
fn child(of: u32, name: &str) -> u32 {
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, rest) = stat.rsplit_once(')')?;
        let parent: u32 = rest.split_ascii_whitespace().nth(1)?.parse().ok()?;
        (parent == of && head.contains(name)).then_some(pid)
    });
    let found: Vec<u32> = children.collect();
    assert_eq!(found.len(), 1, "children of {of} called {name}");
    found[0]
}

/// Waits until a process is gone. Nobody may have waited for it yet.
async fn gone(pid: u32) {
    let stat = format!("/proc/{pid}/stat");
    let gone = eventually(Duration::from_secs(20), || async {
        let text = fs::read_to_string(&stat).ok();
        let runs = text.is_some_and(|text| {
            !text
                .rsplit_once(')')
                .is_some_and(|(_, rest)| rest.starts_with(" Z"))
        });
        (!runs).then_some(())
    });
    gone.await
        .unwrap_or_else(|after| panic!("process {pid} still runs after {after:?}"));
}

async fn schedule(farm: &Farm, package: &str) {
    let arguments = [
        "schedule",
        "--target-repo",
        "test-repo",
        "--source-repo",
        "tests",
        package,
    ];
    let _ = farm.caur_with(&client(farm), &arguments, "").await.expect(0);
}

async fn wait_for(farm: &Farm, pkgbase: &str, state: JobState) -> caur_core::model::Job {
    let queue = queue(farm).await;
    let queue = &queue;
    let found = eventually(Duration::from_secs(60), || async move {
        let jobs = queue.jobs(JobFilter { finished: 100 }).await.ok()?;
        jobs.into_iter()
            .find(|job| job.request.pkgbase.as_str() == pkgbase && job.state == state)
    });
    found
        .await
        .unwrap_or_else(|after| panic!("{pkgbase} is not {state} after {after:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_during_a_build_hands_the_job_back_and_a_restart_goes_on() {
    let farm = Farm::make(FarmOptions::default()).await;
    let held = format!("build() {{ {}; }}", farm.files.gate("build"));
    farm.source.package("held", &held);
    let mut daemon = start(&farm).await;
    let redis = child(daemon.id(), "redis-server");
    schedule(&farm, "held").await;
    farm.files.arrived("build", 1).await;

    let begin = Instant::now();
    daemon.terminate();
    let status = daemon.end(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}");
    println!("ended {:?} after SIGTERM", begin.elapsed());
    gone(redis).await;

    let daemon = start(&farm).await;
    farm.files.open("build");
    let job = wait_for(&farm, "held", JobState::Succeeded).await;
    assert_eq!(job.attempt, 2);
    let events = queue(&farm)
        .await
        .events_after("0", 100, Duration::ZERO)
        .await
        .unwrap();
    let back = events
        .iter()
        .find(|event| event.from == Some(JobState::Building) && event.to == JobState::Ready)
        .expect("the job was handed back");
    assert!(back.reason.contains("shuts down"), "{}", back.reason);
    let log = ["job", "log", "held", "--attempt", "1"];
    let log = farm.caur_with(&client(&farm), &log, "").await.expect(0).stdout;
    assert!(
        log.ends_with(&format!("==> [caur] ready: {}\n", back.reason)),
        "{log}"
    );
    caur_tests::Published::read(&farm.path().join("state/repo"), "test-repo", "x86_64").check(&farm.key);
    let audit = farm.caur_with(&client(&farm), &["audit"], "").await.expect(0);
    assert_eq!(audit.stdout, "the queue is sound\n");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_ends_with_its_killed_parent_and_keeps_its_data() {
    let farm = Farm::make(FarmOptions::default()).await;
    let held = format!("build() {{ {}; }}", farm.files.gate("build"));
    farm.source.package("held", &held).package("next", "");
    let mut daemon = start(&farm).await;
    let redis = child(daemon.id(), "redis-server");
    schedule(&farm, "held").await;
    farm.files.arrived("build", 1).await;
    schedule(&farm, "next").await;
    daemon.kill();
    gone(redis).await;

    let mut daemon = start(&farm).await;
    // The queue knows whose the build is, and it goes on.
    daemon.says("going on with", Duration::from_secs(20)).await;
    farm.files.open("build");
    assert_eq!(wait_for(&farm, "next", JobState::Succeeded).await.attempt, 1);
    assert_eq!(wait_for(&farm, "held", JobState::Succeeded).await.attempt, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_its_package() {
    let farm = Farm::make(FarmOptions::default()).await;

    // Nothing is installed at all.
    let mut bare = environment(&farm);
    bare.push(("PATH", farm.path().join("home").display().to_string()));
    let ran = farm.caur_with(&bare, &["standalone"], "").await.expect(1);
    ran.says(&[
        "needs redis-server or valkey-server",
        "install the package redis-server (Debian) or valkey (Arch)",
    ]);

    // A Redis, but no container engine.
    let mut without_engine = environment(&farm);
    without_engine.retain(|(name, _)| *name != "DOCKER_SOCKET");
    let socket = farm.path().join("no.sock").display().to_string();
    without_engine.push(("DOCKER_SOCKET", socket.clone()));
    let ran = farm
        .caur_with(&without_engine, &["standalone"], "")
        .await
        .expect(1);
    ran.says(&["no container engine", &socket, "install docker", "DOCKER_SOCKET"]);
    assert!(
        !has_process_with(&farm.path().join("state")),
        "its Redis has ended"
    );

    // No git, no gpg: everything else is there.
    for (program, package) in [("gpg", "install the package gnupg"), ("git", "install git")] {
        let folder = farm.path().join(format!("without-{program}"));
        fs::create_dir(&folder).unwrap();
        for name in ["redis-server", "setpriv", "gpg", "gpg-agent", "gpgconf", "git"] {
            let search = std::env::var_os("PATH").unwrap();
            let real = std::env::split_paths(&search)
                .map(|dir| dir.join(name))
                .find(|path| path.is_file());
            if let (Some(real), true) = (real, name != program) {
                std::os::unix::fs::symlink(real, folder.join(name)).unwrap();
            }
        }
        let mut without = environment(&farm);
        without.push(("PATH", folder.display().to_string()));
        farm.caur_with(&without, &["standalone"], "")
            .await
            .expect(1)
            .says(&[program, package]);
    }

    let mut nowhere = environment(&farm);
    nowhere.retain(|(name, _)| *name != "CAUR_STATE_DIR");
    let ran = farm.caur_with(&nowhere, &["standalone"], "").await.expect(1);
    ran.says(&["standalone.state_dir is not set", "CAUR_STATE_DIR"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_in_the_same_directory_is_refused_and_harms_nothing() {
    let farm = Farm::make(FarmOptions::default()).await;
    let first = start(&farm).await;
    let second = farm
        .caur_with(&environment(&farm), &["standalone"], "")
        .await
        .expect(1);
    second.says(&["another standalone runs in", "state"]);
    assert!(queue(&farm).await.audit().await.unwrap().is_empty());
    first.stop().await;
}

/// Whether any process works in this folder.
fn has_process_with(folder: &Path) -> bool {
    let folder = folder.to_string_lossy().into_owned();
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&folder)
    })
}
