//! Containers that are canceled, killed, left behind, or cannot be made at all.

use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptions,
    RemoveContainerOptionsBuilder,
};
use caur_core::build::{Builder, LabelledContainer};
use caur_core::model::{BuildOutcome, BuilderName, LeaseToken, Phase};

use super::farm::{Farm, container_name as name, docker, engine, start, unique};

async fn exists(name: &str) -> bool {
    docker()
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
        .is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_even_a_stubborn_build_within_two_seconds() {
    let farm = Farm::alone().await;
    farm.push("stubborn", "x");
    let mut build = start(&farm, farm.order("stubborn"));
    build.until_ready().await;
    assert_eq!(*build.phase.borrow(), Phase::Build);
    let container = name(&build.token);
    let canceled = Instant::now();
    build.cancel.cancel();
    let (report, log) = build.end().await;
    let took = canceled.elapsed();
    assert_eq!(report.outcome, BuildOutcome::Canceled, "{log}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!exists(&container).await);
    assert!(
        log.lines()
            .last()
            .unwrap()
            .starts_with("==> [caur] canceled after"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_build_may_tidy_up_when_it_is_canceled() {
    let farm = Farm::alone().await;
    farm.push("polite", "x");
    let mut build = start(&farm, farm.order("polite"));
    build.until_ready().await;
    let canceled = Instant::now();
    build.cancel.cancel();
    let (report, log) = build.end().await;
    assert_eq!(report.outcome, BuildOutcome::Canceled, "{log}");
    assert!(
        canceled.elapsed() < Duration::from_secs(2),
        "{:?}",
        canceled.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_taken_away_is_never_a_success() {
    let farm = Farm::new().await;
    farm.push("polite", "x");
    let mut build = start(&farm, farm.order("polite"));
    build.until_ready().await;
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    docker()
        .remove_container(&name(&build.token), Some(force))
        .await
        .unwrap();
    let (report, log) = build.end().await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure, "{log}");
    assert!(report.packages.is_empty());

    let mut build = start(&farm, farm.order("polite"));
    build.until_ready().await;
    let container = name(&build.token);
    docker()
        .kill_container(&container, None::<KillContainerOptions>)
        .await
        .unwrap();
    let (report, log) = build.end().await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure, "{log}");
    assert!(report.reason.unwrap().contains("killed from outside"));
    assert!(!exists(&container).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_name_the_attempt_and_orphans_are_removed() {
    let farm = Farm::new().await;
    farm.push("polite", "x");
    let mut build = start(&farm, farm.order("polite"));
    build.until_ready().await;
    let token = build.token.clone();
    let found = farm.builder.containers().await.unwrap();
    let [
        LabelledContainer {
            name: found_name,
            token: found_token,
            running: true,
            ..
        },
    ] = &found[..]
    else {
        panic!("one running container, not {found:?}");
    };
    assert_eq!((found_name, found_token), (&name(&token), &Some(token.clone())));
    let inspected = docker()
        .inspect_container(&name(&token), None::<InspectContainerOptions>)
        .await
        .unwrap();
    let labels = inspected.config.unwrap().labels.unwrap();
    assert_eq!(labels["org.caur.job"], token.job.to_string());
    assert_eq!(
        (&*labels["org.caur.attempt"], &*labels["org.caur.nonce"]),
        ("1", "nonce")
    );
    assert!(labels["org.caur.builder"].starts_with("test-"));

    let none: Vec<String> = Vec::new();
    assert_eq!(farm.builder.orphans(|alive| *alive == token).await.unwrap(), none);
    let other_name: BuilderName = format!("test-{}", unique()).parse().unwrap();
    let other = Builder::connect(farm.settings.clone(), &engine(), other_name)
        .await
        .unwrap();
    assert_eq!(
        other.orphans(|_| false).await.unwrap(),
        none,
        "those of others are left alone"
    );
    assert!(exists(&name(&token)).await);

    // The same attempt under another lease is somebody else's.
    let stale = LeaseToken {
        nonce: "older".to_owned(),
        ..token.clone()
    };
    assert_eq!(
        farm.builder.orphans(|alive| *alive == stale).await.unwrap(),
        [name(&token)]
    );
    assert!(!exists(&name(&token)).await);
    let (report, _) = build.end().await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure);
    assert!(
        !report.package_dir.exists(),
        "the directories of an orphan go, too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_that_name_is_replaced_when_it_is_ours() {
    let farm = Farm::new().await;
    farm.push("exit-13", "x");
    let mut build = start(&farm, farm.order("exit-13"));
    build.until("phase: build").await;
    let (report, _) = build.end().await;
    assert_eq!(report.outcome, BuildOutcome::AlreadyBuilt);

    let order = farm.order("exit-13");
    let options = CreateContainerOptionsBuilder::default()
        .name(&name(&order.token))
        .build();
    let body = ContainerCreateBody {
        image: Some(farm.image.clone()),
        ..ContainerCreateBody::default()
    };
    docker().create_container(Some(options), body).await.unwrap();
    let (report, _) = farm.run(&order).await;
    assert_eq!(
        report.outcome,
        BuildOutcome::Infrastructure,
        "a stranger's container is not touched"
    );
    assert!(exists(&name(&order.token)).await);
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    docker()
        .remove_container(&name(&order.token), Some(force))
        .await
        .unwrap();

    let order = farm.order("exit-13");
    let options = CreateContainerOptionsBuilder::default()
        .name(&name(&order.token))
        .build();
    let labels = [
        ("org.caur.builder".to_owned(), farm.name.clone()),
        (
            "org.caur.shared".to_owned(),
            farm.settings.shared_dir.display().to_string(),
        ),
    ];
    let body = ContainerCreateBody {
        image: Some(farm.image.clone()),
        labels: Some(labels.into()),
        ..ContainerCreateBody::default()
    };
    docker().create_container(Some(options), body).await.unwrap();
    let (report, log) = farm.run(&order).await;
    assert_eq!(
        report.outcome,
        BuildOutcome::AlreadyBuilt,
        "{}",
        String::from_utf8_lossy(&log)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_directory_may_have_two_names() {
    let real = tempfile::tempdir().unwrap();
    let alias = tempfile::tempdir().unwrap();
    let seen_as = alias.path().join("shared");
    std::os::unix::fs::symlink(real.path(), &seen_as).unwrap();
    let farm = Farm::with(|settings| {
        settings.shared_dir = seen_as;
        settings.shared_path = Some(real.path().to_owned());
    })
    .await;
    assert_eq!(farm.build("builds").await.0.outcome, BuildOutcome::Built);

    let farm = Farm::with(|settings| settings.shared_path = Some("/nowhere/on/this/host".into())).await;
    let (report, _) = farm.build("builds").await;
    assert_eq!(report.outcome, BuildOutcome::Infrastructure);
    let reason = report.reason.unwrap();
    assert!(
        reason.contains("/nowhere/on/this/host") && reason.contains("builder.shared_path"),
        "{reason}"
    );
}
