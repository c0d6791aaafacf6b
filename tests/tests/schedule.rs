//! The command line that deployed CI calls: its forms, its output, its exit status.

use std::fs;

use caur_core::model::{BuildClass, Job, JobState};
use caur_tests::{Farm, FarmOptions, SOURCE, TARGET};
use serde_json::{Value, json};

/// A farm whose `database` has told what repositories there are.
async fn known_farm() -> Farm {
    let farm = Farm::make(FarmOptions::default()).await;
    farm.database().await.stop().await;
    farm
}

/// The packages that wait for something, with how many.
async fn edges(farm: &Farm, pkgbase: &str) -> usize {
    farm.job(pkgbase).await.unwrap().waits_for.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_with_and_without_an_equals_sign_mean_the_same() {
    let farm = known_farm().await;
    let commit = "0123456789012345678901234567890123456789:4711";
    let ran = farm
        .caur(&[
            "schedule",
            "--arch=x86_64",
            &format!("--target-repo={TARGET}"),
            &format!("--source-repo={SOURCE}"),
            &format!("--commit={commit}"),
            "--arch-mirror=https://mirror.example.org",
            "--deptree=top:top:below;below:below:",
            "top/3",
            "below",
        ])
        .await
        .expect(0);
    assert!(
        ran.stdout
            .starts_with("PACKAGE  CLASS  RESULT  JOB\ntop      3      queued  "),
        "{}",
        ran.stdout
    );
    ran.says(&[
        "no builder of class 3 or higher is known",
        "no builder of class 1 or higher is known",
    ]);
    let top = farm.job("top").await.unwrap();
    assert_eq!((top.state, top.waits_for.len()), (JobState::Waiting, 1));
    assert_eq!(top.request.class, BuildClass::Number(3));
    assert_eq!(top.request.status_commit.as_deref(), Some(commit));
    assert_eq!(
        top.request.arch_mirror.as_deref(),
        Some("https://mirror.example.org")
    );
    assert_eq!(
        top.request.build_commit, None,
        "--commit names the status, not what is built"
    );

    // The same once more with spaces, flags behind the packages, and a commit to build.
    let build = "abcdefabcdefabcdefabcdefabcdefabcdefabcd";
    let ran = farm
        .caur(&[
            "schedule",
            "top/big-one",
            "below",
            "--arch",
            "x86_64",
            "--target-repo",
            TARGET,
            "--source-repo",
            SOURCE,
            "--commit",
            commit,
            "--arch-mirror",
            "https://mirror.example.org",
            "--deptree",
            "top:top:below;below:below:",
            "--build-commit",
            build,
            "--json",
        ])
        .await
        .expect(0);
    let again = farm.job("top").await.unwrap();
    assert_eq!(again.id, top.id, "a newer request changes the queued job");
    assert_eq!(
        again.request.class,
        BuildClass::Builder("big-one".parse().unwrap())
    );
    assert_eq!(
        again.request.build_commit.as_ref().map(AsRef::as_ref),
        Some(build)
    );
    let said = ran.json();
    assert_eq!(
        said["jobs"][0],
        json!({ "package": "top", "class": "big-one", "job": top.id, "result": "replaced" })
    );
    assert_eq!(
        (&said["jobs"][1]["result"], &said["refused"]),
        (&json!("replaced"), &json!([]))
    );
    assert_eq!(said["warnings"].as_array().map(Vec::len), Some(2));
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_comes_from_a_text_from_standard_input_or_from_where_ci_leaves_it() {
    let farm = known_farm().await;
    let tree = "a:a,liba.so:;b:b:liba.so;c:c:a,b\n";
    let flags = ["schedule", "--target-repo", TARGET, "--source-repo", SOURCE];
    let packages = ["a", "b", "c"];

    // Without a tree there is no order; each newer request then changes it.
    let _ = farm.schedule(&packages).await.expect(0);
    assert_eq!(edges(&farm, "c").await, 0);
    let with_text = [&flags[..], &["--deptree", tree], &packages].concat();
    let _ = farm.caur(&with_text).await.expect(0);
    assert_eq!((edges(&farm, "b").await, edges(&farm, "c").await), (1, 2));
    let _ = farm
        .schedule(&[&["--deptree", ""][..], &packages].concat())
        .await
        .expect(0);
    assert_eq!(edges(&farm, "c").await, 0);
    let from_stdin = [&flags[..], &["--deptree", "-"], &packages].concat();
    let _ = farm
        .caur_with(&farm.redis_environment(), &from_stdin, tree)
        .await
        .expect(0);
    assert_eq!(edges(&farm, "c").await, 2);

    for variable in ["CI_BUILDS_DIR", "CI_PROJECT_DIR", "GITHUB_WORKSPACE"] {
        let _ = farm.schedule(&packages).await.expect(0);
        assert_eq!(edges(&farm, "c").await, 0, "{variable}");
        let folder = farm.path().join(variable);
        fs::create_dir_all(folder.join(".ci")).unwrap();
        fs::write(folder.join(".ci/deptree.txt"), tree).unwrap();
        let mut environment = farm.redis_environment();
        environment.push((variable, folder.display().to_string()));
        let _ = farm
            .caur_with(&environment, &[&flags[..], &packages].concat(), "")
            .await
            .expect(0);
        assert_eq!(edges(&farm, "c").await, 2, "{variable}");
    }
    // And from the current folder.
    let _ = farm.schedule(&packages).await.expect(0);
    fs::create_dir(farm.path().join("home/.ci")).unwrap();
    fs::write(farm.path().join("home/.ci/deptree.txt"), tree).unwrap();
    let _ = farm.schedule(&packages).await.expect(0);
    assert_eq!(edges(&farm, "c").await, 2);
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_names_are_warnings_and_strict_makes_them_status_2() {
    let farm = known_farm().await;
    let bad = [
        "Upper",
        "-dash",
        ".dot",
        "a b",
        "a/b/c",
        "x/bad class",
        "$(reboot)",
        "",
    ];
    let arguments = [&["--json", "--deptree", "", "good", "--"][..], &bad].concat();
    let ran = farm.schedule(&arguments).await.expect(0);
    let said = ran.json();
    assert_eq!(said["jobs"].as_array().map(Vec::len), Some(1));
    let refused: Vec<&str> = said["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["package"].as_str().unwrap())
        .collect();
    assert_eq!(refused, bad);
    for entry in said["refused"].as_array().unwrap() {
        let reason = entry["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("invalid ") && reason.contains("expected"),
            "{reason}"
        );
    }

    let table = farm.schedule(&["good", "Upper"]).await.expect(0);
    assert!(
        table.stdout.contains("refused: invalid pkgbase \"Upper\""),
        "{}",
        table.stdout
    );
    let strict = farm.schedule(&["--strict", "good", "Upper"]).await.expect(2);
    assert!(
        strict.stdout.contains("replaced"),
        "the good one is queued all the same"
    );
    let _ = farm.schedule(&["--strict", "good"]).await.expect(0);

    let nothing = farm.schedule(&["Upper", "Lower"]).await.expect(1);
    nothing.says(&["nothing was queued: all 2 packages were refused"]);
    assert!(
        nothing.stdout.contains("refused: invalid pkgbase \"Lower\""),
        "{}",
        nothing.stdout
    );
    let nothing: Value = farm.schedule(&["--json", "Upper"]).await.expect(1).json();
    assert_eq!(nothing["jobs"], json!([]));
    // clap's own: a command line that makes no sense.
    farm.caur(&["schedule"]).await.expect(2).says(&["<PKG>"]);
    farm.caur(&["schedule", "--what", "a"])
        .await
        .expect(2)
        .says(&["--what"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_dependencies_is_cut_and_told() {
    let farm = known_farm().await;
    let ran = farm
        .schedule(&["--deptree", "a:a:b;b:b:a", "a", "b"])
        .await
        .expect(0);
    ran.says(&["need each other"]);
    let states = (
        farm.job("a").await.unwrap().state,
        farm.job("b").await.unwrap().state,
    );
    assert!(matches!(
        states,
        (JobState::Ready, JobState::Waiting) | (JobState::Waiting, JobState::Ready)
    ));
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_packages_in_a_circle_need_each_other_for_comes_from_their_folders() {
    let farm = known_farm().await;
    let folder = farm.path().join("collection");
    for (pkgbase, needs) in [
        ("a", "makedepends = libb.so"),
        ("b", "checkdepends = a>=1\n\tdepends = c"),
        ("c", "checkdepends = a"),
    ] {
        fs::create_dir_all(folder.join(pkgbase)).unwrap();
        let text = format!(
            "pkgbase = {pkgbase}\n\tpkgver = 1\n\tpkgrel = 1\n\tarch = any\n\t{needs}\n\npkgname = {pkgbase}\n"
        );
        fs::write(folder.join(pkgbase).join(".SRCINFO"), text).unwrap();
    }
    let mut environment = farm.redis_environment();
    environment.push(("CI_PROJECT_DIR", folder.display().to_string()));
    let tree = "a:a:libb.so;b:b,libb.so:a,c;c:c:";
    let flags = ["schedule", "--target-repo", TARGET, "--source-repo", SOURCE];
    let arguments = [&flags[..], &["--deptree", tree, "--rebuild", "a", "b", "c"]].concat();
    let ran = farm.caur_with(&environment, &arguments, "").await.expect(0);
    ran.says(&[
        "b and a need each other: b does not wait for a, although it needs a for its tests (checkdepends)",
    ]);
    let needs = |job: Job| -> Vec<String> { job.request.needs.iter().map(ToString::to_string).collect() };
    let a = farm.job("a").await.unwrap();
    assert!(a.request.rebuild);
    assert_eq!(needs(a), ["libb.so"]);
    assert_eq!(needs(farm.job("b").await.unwrap()), ["a:check", "c:run"]);
    let shown = farm.caur(&["job", "show", "b"]).await.expect(0).stdout;
    assert!(shown.contains("Circle     does not wait for a, "), "{shown}");
    farm.check_queue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_takes_the_flags_that_ci_passes_to_all() {
    let farm = known_farm().await;
    let _ = farm.schedule(&["a"]).await.expect(0);
    let commit = "0123456789012345678901234567890123456789";
    for command in [
        &["audit"][..],
        &["job", "list"],
        &["config", "check"],
        &["queue", "stats"],
    ] {
        let flags = [
            "--commit",
            commit,
            "--arch=x86_64",
            "--target-repo",
            TARGET,
            "--source-repo",
            SOURCE,
        ];
        let _ = farm.caur(&[command, &flags].concat()).await.expect(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_the_own_configuration_says_what_exists() {
    let farm = Farm::make(FarmOptions::default()).await;
    let nothing = farm.schedule(&["a"]).await.expect(1);
    nothing.says(&[
        "PACKAGE_REPOS and PACKAGE_TARGET_REPOS are not set",
        "start the database first",
    ]);
    let arguments = ["schedule", "--target-repo", TARGET, "--source-repo", SOURCE, "a"];
    let _ = farm
        .caur_with(&farm.database_environment(), &arguments, "")
        .await
        .expect(0);
    assert_eq!(farm.job("a").await.unwrap().state, JobState::Ready);
}
