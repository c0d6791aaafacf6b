//! A builder that dies and starts again goes on with the builds that its containers are still at.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptions,
};
use caur_core::build::{Adoptable, BuildOrder, Survivors};
use caur_core::model::{BuildOutcome, CommitId, LeaseToken, Phase};
use futures::StreamExt;

use super::farm::{Farm, Running, adopt, container_name as name, docker, start};

const MISSING: &str = "==> [caur] builder restarted; output written meanwhile is missing here\n";

/// A build of `pkgbase` that lost its process after it had begun.
async fn left_behind(farm: &mut Farm, pkgbase: &str) -> (BuildOrder, CommitId) {
    let order = farm.order(pkgbase);
    let commit = farm.push(pkgbase, &order.token.job.to_string());
    let mut build = start(farm, order.clone());
    build.until_ready().await;
    build.die().await;
    farm.restart().await;
    (order, commit)
}

async fn only(farm: &Farm) -> Adoptable {
    let mut survivors = farm.builder.adoptable().await.unwrap();
    assert_eq!((survivors.adoptable.len(), &survivors.refused[..]), (1, &[][..]));
    survivors.adoptable.remove(0)
}

async fn go_on(farm: &Farm, order: &BuildOrder) -> Running {
    let adopted = only(farm).await;
    assert_eq!(
        (adopted.token(), adopted.package()),
        (&order.token, &*order.request.key())
    );
    adopt(farm, order.clone(), adopted)
}

async fn exists(token: &LeaseToken) -> bool {
    docker()
        .inspect_container(&name(token), None::<InspectContainerOptions>)
        .await
        .is_ok()
}

async fn wait_for_its_end(token: &LeaseToken) {
    let docker = docker();
    let mut wait = docker.wait_container(&name(token), None::<WaitContainerOptions>);
    // A status other than 0 is an error to this client.
    let _status = wait.next().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_build_is_gone_on_with_and_reported_as_a_whole() {
    let mut farm = Farm::new().await;
    let (order, commit) = left_behind(&mut farm, "waits").await;
    // A newer state of the source repository and other settings are not this build's.
    farm.push("waits", "newer");
    let none: Vec<String> = Vec::new();
    let alive = |token: &LeaseToken| *token == order.token;
    assert_eq!(farm.builder.orphans(alive).await.unwrap(), none);

    let mut build = go_on(&farm, &order).await;
    build.until(MISSING).await;
    assert_eq!(*build.phase.borrow(), Phase::Build);
    farm.let_go(&order.token, 0);
    let (report, log) = build.end().await;
    assert_eq!(
        (report.outcome, &report.reason),
        (BuildOutcome::Built, &None),
        "{log}"
    );
    assert_eq!(report.commit, Some(commit));
    let image = docker().inspect_image(&farm.image).await.unwrap().id;
    assert_eq!(report.image, image);
    let names: Vec<_> = report.packages.iter().map(|package| &*package.name).collect();
    assert_eq!(names, ["waits-1-1-any.pkg.tar.zst"]);
    assert_eq!(
        std::fs::read(report.package_dir.join(names[0])).unwrap(),
        b"data\n"
    );
    assert_eq!(report.namcap, ["analysis"]);
    assert!(log.contains("went on\n==> [caur] built after "), "{log}");
    farm.builder.cleanup(&order.token).await.unwrap();
    assert!(!exists(&order.token).await);
    assert!(!report.package_dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_ended_while_nobody_watched_still_has_its_outcome() {
    let mut farm = Farm::new().await;
    for (status, outcome, packages) in [
        (0, BuildOutcome::Built, 1),
        (4, BuildOutcome::Failed, 0),
        (123, BuildOutcome::Skipped, 0),
    ] {
        let (order, commit) = left_behind(&mut farm, "waits").await;
        farm.let_go(&order.token, status);
        wait_for_its_end(&order.token).await;
        let (report, log) = go_on(&farm, &order).await.end().await;
        assert_eq!(
            (report.outcome, report.packages.len()),
            (outcome, packages),
            "{log}"
        );
        assert_eq!(report.commit, Some(commit));
        assert!(log.starts_with(MISSING), "{log}");
        assert_eq!(exists(&order.token).await, outcome == BuildOutcome::Built);
        farm.builder.cleanup(&order.token).await.unwrap();
        assert!(!exists(&order.token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_outlive_a_process_that_dies_while_it_uploads_them() {
    let mut farm = Farm::new().await;
    let commit = farm.push("builds", "x");
    let order = farm.order("builds");
    let (built, _) = farm.run(&order).await;
    assert_eq!(built.outcome, BuildOutcome::Built);
    for _ in 0..2 {
        farm.restart().await;
        let (report, log) = go_on(&farm, &order).await.end().await;
        assert_eq!(
            (report.outcome, &report.packages),
            (BuildOutcome::Built, &built.packages),
            "{log}"
        );
        assert_eq!(
            (report.commit, report.image),
            (Some(commit.clone()), built.image.clone())
        );
    }
    farm.builder.cleanup(&order.token).await.unwrap();
    let Survivors { adoptable, refused } = farm.builder.adoptable().await.unwrap();
    assert!(adoptable.is_empty() && refused.is_empty());
    assert!(!exists(&order.token).await && !built.package_dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_build_is_counted_from_its_own_beginning() {
    let mut farm = Farm::with(|settings| (settings.timeout, settings.overhead_timeout) = (1, 4)).await;
    let begun = Instant::now();
    let (order, _) = left_behind(&mut farm, "polite").await;
    // More time for builds from now on is no more time for this one.
    farm.settings.timeout = 3600;
    farm.restart().await;
    let (report, log) = go_on(&farm, &order).await.end().await;
    assert_eq!(report.outcome, BuildOutcome::TimedOut, "{log}");
    assert!(report.reason.unwrap().contains("whole job took longer than 5 s"));
    assert!((5..15).contains(&report.seconds), "{}", report.seconds);
    assert!(begun.elapsed() >= Duration::from_secs(5));

    // One that began with the new limit, and was killed long before it.
    let (order, _) = left_behind(&mut farm, "waits").await;
    farm.let_go(&order.token, 137);
    wait_for_its_end(&order.token).await;
    let (report, log) = go_on(&farm, &order).await.end().await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_makepkgs_time_is_a_timeout_for_a_later_process_too() {
    let mut farm = Farm::with(|settings| settings.timeout = 1).await;
    farm.push("late-137", "x");
    let order = farm.order("late-137");
    let mut build = start(&farm, order.clone());
    build.until("content: x").await;
    build.die().await;
    farm.restart().await;
    wait_for_its_end(&order.token).await;
    let (report, log) = go_on(&farm, &order).await.end().await;
    assert_eq!(report.outcome, BuildOutcome::TimedOut, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_an_adopted_build_within_two_seconds() {
    let mut farm = Farm::alone().await;
    let (order, _) = left_behind(&mut farm, "stubborn").await;
    let mut build = go_on(&farm, &order).await;
    build.until(MISSING).await;
    let canceled = Instant::now();
    build.cancel.cancel();
    let (report, log) = build.end().await;
    let took = canceled.elapsed();
    assert_eq!(report.outcome, BuildOutcome::Canceled, "{log}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!exists(&order.token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_vanishes_after_adoption_is_never_a_success() {
    let mut farm = Farm::new().await;
    let (order, _) = left_behind(&mut farm, "polite").await;
    let adopted = only(&farm).await;
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    docker()
        .remove_container(&name(&order.token), Some(force))
        .await
        .unwrap();
    let (report, log) = adopt(&farm, order, adopted).end().await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_complete_is_refused_with_its_reason_and_stays_an_orphan() {
    let mut farm = Farm::new().await;
    let refusal = async |farm: &Farm, token: &LeaseToken, words: &str| {
        let Survivors { adoptable, refused } = farm.builder.adoptable().await.unwrap();
        assert!(adoptable.is_empty(), "{adoptable:?}");
        let [refused] = &refused[..] else {
            panic!("one is refused, not {refused:?}");
        };
        assert!(refused.reason.contains(words), "{}", refused.reason);
        assert_eq!(
            (&refused.container, &refused.token),
            (&name(token), &Some(token.clone()))
        );
        assert_eq!(farm.builder.orphans(|_| false).await.unwrap(), [name(token)]);
    };

    let (order, _) = left_behind(&mut farm, "waits").await;
    let workspace = farm
        .settings
        .shared_dir
        .join(format!("jobs/{}.1", order.token.job));
    std::fs::remove_dir_all(&workspace).unwrap();
    refusal(&farm, &order.token, "is gone").await;

    let (order, _) = left_behind(&mut farm, "waits").await;
    let workspace = farm
        .settings
        .shared_dir
        .join(format!("jobs/{}.1", order.token.job));
    std::fs::write(workspace.join("lease.json"), "{").unwrap();
    refusal(&farm, &order.token, "whose its directory is").await;

    // One that another version of the program made, without a record, or with one that it cannot read.
    for (record, started, words) in [
        (None, true, "no label org.caur.record"),
        (Some("{}"), true, "cannot be read"),
        (None, false, "never started"),
    ] {
        let token = farm.order("waits").token;
        make(&farm, &token, record, started).await;
        refusal(&farm, &token, words).await;
    }
}

async fn make(farm: &Farm, token: &LeaseToken, record: Option<&str>, started: bool) {
    let shared = farm.settings.shared_dir.display().to_string();
    let job = token.job.to_string();
    let labels = [
        ("org.caur.builder", Some(&*farm.name)),
        ("org.caur.shared", Some(&shared)),
        ("org.caur.job", Some(&job)),
        ("org.caur.attempt", Some("1")),
        ("org.caur.nonce", Some(&token.nonce)),
        ("org.caur.record", record),
    ];
    let labels: HashMap<_, _> = labels
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
        .collect();
    let body = ContainerCreateBody {
        image: Some(farm.image.clone()),
        labels: Some(labels),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default()
        .name(&name(token))
        .build();
    docker().create_container(Some(options), body).await.unwrap();
    if started {
        docker()
            .start_container(&name(token), None::<StartContainerOptions>)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_something_else_leaves_the_container_alone() {
    let mut farm = Farm::new().await;
    let (order, _) = left_behind(&mut farm, "waits").await;
    let other = farm.order("waits");
    let (report, _) = adopt(&farm, other, only(&farm).await).end().await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure);
    assert!(
        report
            .reason
            .unwrap()
            .contains("is not the build of repo/x86_64/waits")
    );
    assert!(exists(&order.token).await);
    farm.let_go(&order.token, 0);
    let (report, _) = go_on(&farm, &order).await.end().await;
    assert_eq!(report.outcome, BuildOutcome::Built);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_touches_nothing_until_it_is_alone() {
    let mut farm = Farm::new().await;
    farm.push("waits", "x");
    let order = farm.order("waits");
    let mut build = start(&farm, order.clone());
    build.until_ready().await;

    let twin = farm.another().await;
    let lock = farm
        .settings
        .shared_dir
        .join(format!("builders/{}.lock", farm.name));
    assert_eq!((farm.builder.twin(), twin.twin()), (None, Some(&*lock)));
    let Survivors { adoptable, refused } = twin.adoptable().await.unwrap();
    assert!(adoptable.is_empty() && refused.is_empty());
    let none: Vec<String> = Vec::new();
    assert_eq!(twin.orphans(|_| false).await.unwrap(), none);
    assert!(exists(&order.token).await);
    assert!(
        farm.settings
            .shared_dir
            .join(format!("jobs/{}.1", order.token.job))
            .exists()
    );

    // The first one dies, and the other inherits.
    build.die().await;
    farm.builder = twin.into();
    let build = go_on(&farm, &order).await;
    farm.let_go(&order.token, 0);
    let (report, log) = build.end().await;
    assert_eq!(report.outcome, BuildOutcome::Built, "{log}");
}
