//! Parts of the farm are killed at bad moments. Nothing is lost, nothing is published twice or in part.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use caur_core::model::JobState;
use caur_tests::{Farm, FarmOptions, TARGET, eventually};

/// Seconds that a lease lasts here.
const LEASE: u32 = 4;

fn quick_lease() -> FarmOptions {
    FarmOptions {
        lease: LEASE,
        ..FarmOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_builders_job_is_built_by_another_and_published_once() {
    let farm = Farm::make(quick_lease()).await;
    let held = format!("build() {{ {}; }}", farm.files.gate("build"));
    farm.source.package("held", &held).package("behind", "");
    let _database = farm.database().await;
    let mut first = farm.builder("first", "1").await;
    let tree = "held:held:;behind:behind:held";
    let _ = farm
        .schedule(&["--deptree", tree, "behind", "held"])
        .await
        .expect(0);
    farm.files.arrived("build", 1).await;

    let _second = farm.builder("second", "1").await;
    first.kill();
    farm.files.arrived("build", 2).await;
    let job = farm.job("held").await.unwrap();
    assert_eq!((job.state, job.attempt), (JobState::Building, 2));
    assert_eq!(job.builder, Some(farm.builder_name("second")));
    farm.files.open("build");
    farm.wait_for("behind", JobState::Succeeded).await;

    assert_eq!(farm.times("held", JobState::Succeeded).await, 1);
    assert_eq!(farm.times("held", JobState::Publishing).await, 1);
    let log = farm
        .caur(&["job", "log", "held", "--attempt", "1"])
        .await
        .expect(0);
    assert!(log.stdout.contains("lost: its lease ran out"), "{}", log.stdout);
    let published = farm.published();
    published.check(&farm.key);
    assert_eq!(published.names(), ["behind", "held"].into());
    assert_eq!(farm.uploads(), [""; 0]);
    farm.check_queue().await;

    // The killed builder's container is still there until its builder comes back.
    let mut first = farm.builder("first", "1").await;
    first
        .says(
            "removed a container that an earlier process left",
            Duration::from_secs(10),
        )
        .await;
}

/// A `gpg` that stands still before it signs, for as long as the test wants.
struct HeldGpg(PathBuf);

impl HeldGpg {
    fn make(farm: &Farm) -> Self {
        let folder = farm.path().join("bin");
        fs::create_dir(&folder).unwrap();
        let search = std::env::var_os("PATH").unwrap();
        let real = std::env::split_paths(&search)
            .map(|folder| folder.join("gpg"))
            .find(|path| path.is_file())
            .unwrap();
        let (shown, real) = (folder.display(), real.display());
        let script = format!(
            "#!/bin/bash\nif [[ \" $* \" == *\" --detach-sign \"* && -e {shown}/hold ]]; then\n  : >{shown}/arrived\n  \
             while [[ -e {shown}/hold ]]; do sleep 0.02; done\nfi\nexec {real} \"$@\"\n"
        );
        fs::write(folder.join("gpg"), script).unwrap();
        fs::set_permissions(folder.join("gpg"), fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn search_path(&self) -> String {
        format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap())
    }

    fn hold(&self) {
        fs::write(self.0.join("hold"), "").unwrap();
    }

    async fn arrived(&self) {
        let arrived = self.0.join("arrived");
        let came = eventually(Duration::from_secs(60), || async {
            fs::remove_file(&arrived).ok()
        });
        came.await.expect("the database signs");
    }

    fn release(&self) {
        fs::remove_file(self.0.join("hold")).unwrap();
    }
}

/// Where in a publish the database is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Signing,
    FirstFilePlaced,
    DatabaseReplaced,
}

/// Lets gpg go on and spins until the first public sign of `moment`, since it passes quickly.
fn release_and_spin(farm: &Farm, gpg: &HeldGpg, moment: Moment) {
    let before = farm.published().package_files();
    let database = farm.repository().join(TARGET).join(format!("x86_64/{TARGET}.db"));
    let inode = || fs::metadata(&database).unwrap().ino();
    let old = inode();
    let begin = Instant::now();
    let came = || match moment {
        Moment::Signing => true,
        Moment::FirstFilePlaced => farm.published().package_files() != before,
        Moment::DatabaseReplaced => inode() != old,
    };
    gpg.release();
    while !came() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "{moment:?} does not come"
        );
        std::hint::spin_loop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_leaves_a_whole_repository_and_its_jobs_are_done_after_a_restart() {
    let farm = Farm::make(FarmOptions {
        lease: 2,
        ..FarmOptions::default()
    })
    .await;
    let gpg = HeldGpg::make(&farm);
    let mut environment = farm.database_environment();
    environment.push(("PATH", gpg.search_path()));
    let mut database = farm.database_with(&environment).await;
    let _builder = farm.builder("builder", "1").await;

    let mut expected = Vec::new();
    for (number, moment) in [Moment::Signing, Moment::FirstFilePlaced, Moment::DatabaseReplaced]
        .into_iter()
        .enumerate()
    {
        // Several packages, so that there is something between the first and the last.
        let name = format!("split-{number}");
        let names: Vec<String> = (0..6).map(|part| format!("{name}-{part}")).collect();
        let functions: String = names
            .iter()
            .map(|name| format!("package_{name}() {{ :; }}\n"))
            .collect();
        farm.source.pkgbuild(
            &name,
            &format!(
                "pkgbase={name}\npkgname=({})\npkgver=1\npkgrel=1\npkgdesc=Test\narch=(any)\n{functions}",
                names.join(" ")
            ),
        );
        gpg.hold();
        let _ = farm.schedule(&[&name]).await.expect(0);
        gpg.arrived().await;
        assert_eq!(farm.job(&name).await.unwrap().state, JobState::Publishing);
        if let Moment::Signing = moment {
            database.kill();
            gpg.release();
        } else {
            tokio::task::block_in_place(|| release_and_spin(&farm, &gpg, moment));
            database.kill();
        }

        // What clients see now is whole, be it the old state or the new one.
        farm.published().check_listed(&farm.key);
        database = farm.database_with(&environment).await;
        farm.wait_for(&name, JobState::Succeeded).await;
        expected.extend(names);
        let published = farm.published();
        published.check(&farm.key);
        assert_eq!(
            published.names(),
            expected.iter().map(String::as_str).collect(),
            "{moment:?}"
        );
        assert_eq!(farm.times(&name, JobState::Succeeded).await, 1, "{moment:?}");
    }
    assert_eq!(farm.uploads(), [""; 0]);
    farm.check_queue().await;
    let all: Vec<&str> = expected.iter().map(String::as_str).collect();
    let _ = farm.client().install(&all).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_redis_during_builds_loses_nothing() {
    let mut farm = Farm::make(quick_lease()).await;
    let lines = "for i in {1..300}; do echo \"line $i of 300\"; done";
    let held = format!("build() {{ {}; {lines}; }}", farm.files.gate("build"));
    farm.source
        .package("one", &held)
        .package("two", &held)
        .package("behind", "");
    let _database = farm.database().await;
    let _first = farm.builder("first", "1").await;
    let _second = farm.builder("second", "1").await;
    let tree = "one:one:;two:two:;behind:behind:one,two";
    let _ = farm
        .schedule(&["--deptree", tree, "one", "two", "behind"])
        .await
        .expect(0);
    farm.files.arrived("build", 2).await;

    farm.redis.kill();
    farm.files.open("build");
    let away = farm.caur(&["job", "list"]).await.expect(1);
    away.says(&["cannot reach Redis at 127.0.0.1"]);
    // Longer than a lease: nobody could extend one in this time, so nobody may lose one.
    tokio::time::sleep(Duration::from_secs(u64::from(LEASE) + 1)).await;
    farm.redis.revive();

    for name in ["one", "two", "behind"] {
        let job = farm.wait_for(name, JobState::Succeeded).await;
        assert_eq!(job.attempt, 1, "{name}");
        assert_eq!(farm.times(name, JobState::Succeeded).await, 1, "{name}");
    }
    for name in ["one", "two"] {
        let log = farm.caur(&["job", "log", name]).await.expect(0).stdout;
        let written: Vec<&str> = log.lines().filter(|line| line.ends_with("of 300")).collect();
        let expected: Vec<String> = (1..=300).map(|i| format!("line {i} of 300")).collect();
        assert_eq!(written, expected, "{name}");
    }
    let published = farm.published();
    published.check(&farm.key);
    assert_eq!(published.names(), ["behind", "one", "two"].into());
    assert_eq!(farm.uploads(), [""; 0]);
    farm.check_queue().await;
}
