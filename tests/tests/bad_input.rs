//! What operators, CI and package folders get wrong: each is told clearly, and nothing is lost.

use std::fs;
use std::time::{Duration, Instant};

use caur_core::model::JobState;
use caur_core::testing::free_port;
use caur_tests::{FOREIGN_HOST_KEY, Farm, FarmOptions, SOURCE, TARGET, changed, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_what_does_not_exist_queues_nothing() {
    let farm = Farm::make(FarmOptions::default()).await;
    let database = farm.database().await;
    let target = [
        "schedule",
        "--target-repo",
        "nowhere",
        "--source-repo",
        SOURCE,
        "a",
    ];
    farm.caur(&target)
        .await
        .expect(1)
        .says(&["unknown target repository nowhere: known are test-repo"]);
    let source = [
        "schedule",
        "--target-repo",
        TARGET,
        "--source-repo",
        "nothing",
        "a",
    ];
    farm.caur(&source)
        .await
        .expect(1)
        .says(&["unknown source repository nothing: known are tests"]);
    // The defaults are not among what this farm has either.
    farm.caur(&["schedule", "a"])
        .await
        .expect(1)
        .says(&["chaotic-aur"]);
    let invalid = ["schedule", "--target-repo", "../up", "a"];
    farm.caur(&invalid)
        .await
        .expect(1)
        .says(&["--target-repo", "invalid target repository \"../up\""]);

    for (tree, place) in [
        ("a:a", "entry 1"),
        ("a:a:b;b:b:c:d", "entry 2"),
        ("<html>\n<body>", "entry 1"),
    ] {
        let ran = farm.schedule(&["--deptree", tree, "a"]).await.expect(1);
        ran.says(&["the dependency tree of --deptree is malformed", place]);
    }
    let ran = farm.schedule(&["--build-commit", "main", "a"]).await.expect(1);
    ran.says(&["--build-commit", "invalid commit \"main\""]);
    let list = farm.caur(&["job", "list", "--json"]).await.expect(0);
    assert_eq!(list.stdout, "[]\n");
    farm.check_queue().await;
    database.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_no_builder_serves_is_accepted_with_a_warning() {
    let farm = Farm::make(FarmOptions::default()).await;
    let _database = farm.database().await;
    let _builder = farm.builder("small", "2").await;
    let seen = eventually(Duration::from_secs(10), || async {
        let builders = farm.queue().builders().await.ok()?;
        (!builders.is_empty()).then_some(())
    });
    seen.await.expect("the builder shows itself");
    let ran = farm.schedule(&["huge/9", "mine/elsewhere"]).await.expect(0);
    ran.says(&["no builder of class 9 or higher is known: its jobs wait until one comes"]);
    ran.says(&["no builder is called elsewhere: its jobs wait until one comes"]);
    let own = format!("mine/{}", farm.builder_name("small"));
    farm.source.package("mine", "");
    let ran = farm.schedule(&[&own]).await.expect(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    farm.wait_for("mine", JobState::Succeeded).await;
    let huge = farm.job("huge").await.unwrap();
    assert_eq!((huge.state, huge.attempt), (JobState::Ready, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_cannot_be_used_is_explained() {
    let farm = Farm::make(FarmOptions {
        ssh: true,
        ..FarmOptions::default()
    })
    .await;
    let port = free_port().to_string();
    let closed = format!("cannot reach Redis at 127.0.0.1:{port}");
    let direct = farm.redis_environment();
    let tunnel = farm.builder_redis_environment();
    let host = format!("127.0.0.1:{}", farm.sshd.as_ref().unwrap().port());
    let cases: [(Vec<_>, &[&str]); 9] = [
        (
            changed(direct.clone(), &[("REDIS_PORT", &port)]),
            &[&closed, "is the server running"],
        ),
        (
            changed(direct.clone(), &[("REDIS_PASSWORD", "wrong")]),
            &["refused the password", "REDIS_PASSWORD"],
        ),
        (
            changed(direct.clone(), &[("REDIS_PASSWORD", "")]),
            &["asks for a password", "set REDIS_PASSWORD"],
        ),
        (
            changed(direct, &[("REDIS_HOST", "no-such-host.invalid")]),
            &["cannot reach Redis at no-such-host.invalid"],
        ),
        (
            changed(tunnel.clone(), &[("REDIS_SSH_HOSTKEY", FOREIGN_HOST_KEY)]),
            &["THE SSH HOST KEY OF", &host, "HAS CHANGED"],
        ),
        (
            changed(tunnel.clone(), &[("REDIS_SSH_HOSTKEY", "")]),
            &[
                "SSH host key",
                "is unknown",
                "add this line to",
                "ssh-ed25519 AAAA",
            ],
        ),
        (
            changed(tunnel.clone(), &[("REDIS_SSH_HOSTKEY", "no key at all")]),
            &["the pinned SSH host key", "REDIS_SSH_HOSTKEY"],
        ),
        (
            changed(tunnel.clone(), &[("REDIS_SSH_KEY", "/nonexistent/key")]),
            &["no usable SSH key", "/nonexistent/key"],
        ),
        (
            changed(tunnel.clone(), &[("REDIS_SSH_PORT", &port)]),
            &["cannot reach the SSH server", &port],
        ),
    ];
    for (environment, words) in &cases {
        let begin = Instant::now();
        let ran = farm.caur_with(environment, &["job", "list"], "").await.expect(1);
        ran.says(words);
        assert_eq!(ran.stdout, "");
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{words:?} took {:?}",
            begin.elapsed()
        );
    }
    // The account may reach this Redis and nothing else.
    let elsewhere = changed(tunnel.clone(), &[("REDIS_PORT", &port)]);
    farm.caur_with(&elsewhere, &["job", "list"], "")
        .await
        .expect(1)
        .says(&["refused to connect to 127.0.0.1"]);
    let _ = farm.caur_with(&tunnel, &["job", "list"], "").await.expect(0);
    // Roles say the same as commands.
    let mut role = changed(farm.database_environment(), &[("REDIS_PASSWORD", "wrong")]);
    farm.caur_with(&role, &["database"], "")
        .await
        .expect(1)
        .says(&["refused the password"]);
    role = changed(
        farm.builder_environment("b", "1"),
        &[("REDIS_SSH_HOSTKEY", FOREIGN_HOST_KEY)],
    );
    farm.caur_with(&role, &["builder"], "")
        .await
        .expect(1)
        .says(&["HAS CHANGED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_without_engine_or_image_takes_nothing_down_with_it() {
    let farm = Farm::make(FarmOptions::default()).await;
    farm.source.package("a", "");
    let _database = farm.database().await;
    let _ = farm.schedule(&["a"]).await.expect(0);
    let socket = farm.path().join("no.sock").display().to_string();
    let environment = changed(
        farm.builder_environment("none", "1"),
        &[("DOCKER_SOCKET", &socket)],
    );
    let ran = farm.caur_with(&environment, &["builder"], "").await.expect(1);
    ran.says(&["no container engine", &socket, "install docker", "DOCKER_SOCKET"]);
    assert_eq!(farm.job("a").await.unwrap().attempt, 0);

    let image = "127.0.0.1:1/no-such-image:latest";
    let environment = changed(
        farm.builder_environment("blind", "1"),
        &[("BUILDER_IMAGE", image)],
    );
    let mut blind = farm.start("builder", "blind", &environment);
    blind.says("builder is ready", Duration::from_secs(20)).await;
    let job = farm.wait_for("a", JobState::Backoff).await;
    let reason = job.reason.unwrap();
    assert!(
        reason.contains("cannot use the build image") && reason.contains(image),
        "{reason}"
    );
    // It is the farm's fault, so the job is not lost: another builder makes it.
    let _good = farm.builder("good", "1").await;
    let job = farm.wait_for("a", JobState::Succeeded).await;
    assert_eq!((job.attempt, job.builder), (2, Some(farm.builder_name("good"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_or_commit_that_does_not_exist_fails_the_job_and_names_both() {
    let farm = Farm::make(FarmOptions::default()).await;
    let before = farm.source.head();
    farm.source.package("later", "");
    let _database = farm.database().await;
    let _builder = farm.builder("builder", "1").await;
    let _ = farm
        .schedule(&["--build-commit", &before, "later"])
        .await
        .expect(0);
    let unknown = "0123456789012345678901234567890123456789";
    let _ = farm
        .schedule(&["--build-commit", unknown, "lost"])
        .await
        .expect(0);
    let _ = farm.schedule(&["never"]).await.expect(0);
    let head = farm.source.head();
    for (pkgbase, words) in [
        ("later", ["has no folder later", &*before]),
        ("lost", [unknown, "does not exist in source repository tests"]),
        ("never", ["has no folder never", &*head]),
    ] {
        let reason = farm.wait_for(pkgbase, JobState::Failed).await.reason.unwrap();
        for word in words {
            assert!(reason.contains(word), "{word:?} is not in {reason:?}");
        }
        let log = farm.caur(&["job", "log", pkgbase]).await.expect(0).stdout;
        assert!(log.ends_with(&format!("==> [caur] failed: {reason}\n")), "{log}");
    }
    // With the right commit it builds.
    let _ = farm.schedule(&["--build-commit", &head, "later"]).await.expect(0);
    let job = farm.wait_for("later", JobState::Succeeded).await;
    assert_eq!(job.built_commit.as_ref().map(AsRef::as_ref), Some(&*head));
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_errors_name_key_source_and_what_is_expected() {
    let farm = Farm::make(FarmOptions::default()).await;
    let file = farm.path().join("caur.toml");
    fs::write(
        &file,
        "[redis]\nhost = \"localhost\"\npasword = \"geheim\"\n\n[builder]\ntimeout = \"soon\"\n",
    )
    .unwrap();
    let shown = file.display().to_string();
    let environment = changed(
        farm.redis_environment(),
        &[
            ("REDIS_PORT", "six"),
            ("PACKAGE_REPOS", "{\"a\": {\"url\": }}"),
            ("BUILDER_TIMEOUT", "-1"),
        ],
    );
    let arguments = ["--config", &shown, "--set", "queue.leese=5", "job", "list"];
    let ran = farm.caur_with(&environment, &arguments, "").await.expect(1);
    // All at once, not one after the other.
    ran.says(&[
        &format!("unknown setting redis.pasword ({shown}:3); did you mean redis.password?"),
        &format!("builder.timeout ({shown}:6): \"soon\" cannot be used: expected "),
        "redis.port (environment variable REDIS_PORT): \"six\" cannot be used: expected ",
        "packages.repos (environment variable PACKAGE_REPOS), line 1, column ",
        "builder.timeout (environment variable BUILDER_TIMEOUT): \"-1\" cannot be used",
        "unknown setting queue.leese (command line); did you mean queue.lease?",
    ]);
    assert!(!ran.stderr.contains("geheim"), "secrets are not shown");

    fs::write(&file, "[redis\n").unwrap();
    let ran = farm.caur(&["--config", &shown, "job", "list"]).await.expect(1);
    ran.says(&[&format!("{shown}:1:"), "not valid TOML"]);
    let ran = farm
        .caur(&["--config", "/nonexistent.toml", "job", "list"])
        .await
        .expect(1);
    ran.says(&["cannot read the configuration file /nonexistent.toml"]);

    let ran = farm.caur(&["database"]).await.expect(1);
    ran.says(&[
        "database.landing_zone is not set, which the database role needs: set LANDING_ZONE_PATH to ",
        "packages.repos is not set, which the database role needs: set PACKAGE_REPOS to ",
        "packages.target_repos is not set",
    ]);
    let missing = changed(
        farm.builder_environment("b", "1"),
        &[("BUILDER_SHARED_DIR", "/nonexistent")],
    );
    let ran = farm.caur_with(&missing, &["builder"], "").await.expect(1);
    ran.says(&[
        "builder.shared_dir",
        "/nonexistent is no directory that this process can see",
    ]);
    let no_key = changed(
        farm.database_environment(),
        &[("GPG_PATH", &farm.path().join("home").display().to_string())],
    );
    let ran = farm.caur_with(&no_key, &["database"], "").await.expect(1);
    ran.says(&["has no secret key", "--import"]);

    let odd = changed(farm.redis_environment(), &[("REDIS_PASWORD", "x")]);
    let ran = farm.caur_with(&odd, &["config", "check"], "").await.expect(0);
    ran.says(&["REDIS_PASWORD means nothing to caur; did you mean REDIS_PASSWORD?"]);
    assert!(!ran.stdout.contains("a password with"), "secrets are masked");
    let line = ran
        .stdout
        .lines()
        .find(|line| line.starts_with("redis.password "))
        .unwrap();
    assert!(line.ends_with("environment variable REDIS_PASSWORD"), "{line}");
    assert!(
        farm.caur(&["config", "check", "--json"])
            .await
            .expect(0)
            .json()
            .is_array()
    );
}
