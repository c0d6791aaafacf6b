//! Uploads, failed dependencies and the package index.

use super::*;
use crate::model::{FarmConfig, Pkgname, PublishedPackage, SourceSettings};

fn package(name: &str) -> PublishedPackage {
    PublishedPackage {
        pkgname: Pkgname::new(name).unwrap(),
        pkgbase: Pkgbase::new(name).unwrap(),
        version: "1-1".into(),
        file_name: format!("{name}-1-1-x86_64.pkg.tar.zst"),
        size: 1,
        build_date: 1,
        provides: vec![format!("lib{name}.so")],
    }
}

#[tokio::test]
async fn a_failed_dependency_blocks_until_it_succeeds() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    let lib = farm.claim("one", 2).await.unwrap();
    farm.finish(&lib, BuildOutcome::Failed).await;
    let app = farm.job(ids[1]).await;
    assert_eq!(
        (app.state, app.reason.as_deref()),
        (JobState::Blocked, Some("dependency lib failed"))
    );
    assert!(farm.claim("one", 2).await.is_none());

    let again = farm.submit(vec![request("lib", &[])]).await[0];
    let app = farm.job(ids[1]).await;
    assert_eq!((app.state, app.waits_for), (JobState::Waiting, vec![again]));
    let lib = farm.claim("one", 2).await.unwrap();
    farm.finish(&lib, BuildOutcome::Built).await;
    farm.publish().await;
    assert_eq!(farm.state(ids[1]).await, JobState::Ready);
}

#[tokio::test]
async fn a_blocked_job_that_its_dependency_now_needs_is_let_go() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib:check"])])
        .await;
    let lib = farm.claim("one", 2).await.unwrap();
    farm.finish(&lib, BuildOutcome::Failed).await;
    assert_eq!(farm.state(ids[1]).await, JobState::Blocked);
    // They need each other now: app is not to wait for the new lib, and so no longer for the failed one either.
    let again = farm.submit(vec![request("lib", &["app"])]).await[0];
    let (app, lib) = (farm.job(ids[1]).await, farm.job(again).await);
    assert_eq!(
        (app.state, lib.state, lib.waits_for),
        (JobState::Ready, JobState::Waiting, vec![app.id])
    );
}

#[tokio::test]
async fn a_retry_closes_no_circle_with_what_is_blocked_on_it() {
    let farm = Fixture::new().await;
    let lib = farm.submit(vec![request("lib", &["app"])]).await[0];
    let app = farm.submit(vec![request("app", &["lib"])]).await[0];
    farm.queue.cancel(lib, TESTER).await.unwrap();
    assert_eq!(farm.state(app).await, JobState::Blocked);
    farm.queue.retry(lib, false, TESTER).await.unwrap();
    farm.sound().await;
    assert_eq!(farm.claim("one", 2).await.unwrap().job.id, lib);
}

#[tokio::test]
async fn a_dependant_goes_on_where_the_target_has_the_packages() {
    let farm = Fixture::new().await;
    farm.queue
        .publish_index(&target("repo"), &[package("foo")])
        .await
        .unwrap();
    let ids = farm
        .submit(vec![request("foo", &[]), request("app", &["foo"])])
        .await;
    let foo = farm.claim("one", 2).await.unwrap();
    farm.finish(&foo, BuildOutcome::TimedOut).await;
    assert_eq!(farm.state(ids[0]).await, JobState::TimedOut);
    assert_eq!(farm.state(ids[1]).await, JobState::Ready);
}

#[tokio::test]
async fn refused_packages_fail_the_job_with_the_reason() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    assert_eq!(farm.queue.upload_targets().await.unwrap(), [target("repo")]);
    let upload = &farm
        .queue
        .claim_uploads(&target("repo"), "p", LEASE, 9)
        .await
        .unwrap()[0];
    assert!(farm.queue.upload_targets().await.unwrap().is_empty());
    let refused = PublishOutcome::Refused {
        reason: "pkgbase differs".into(),
    };
    farm.queue.finish_publish(&upload.token, &refused).await.unwrap();
    farm.sound().await;
    let job = farm.job(id).await;
    assert_eq!(
        (job.state, job.reason.as_deref()),
        (JobState::Failed, Some("pkgbase differs"))
    );
}

#[tokio::test]
async fn a_lost_publisher_is_fenced_and_its_uploads_return() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    farm.sweep().await;
    let lost = farm
        .queue
        .claim_uploads(&target("repo"), "p", LEASE, 9)
        .await
        .unwrap();
    farm.let_time_pass().await;
    assert_eq!(farm.state(id).await, JobState::Uploaded);
    let stale = farm.queue.heartbeat_publish(&lost[0].token, LEASE).await;
    assert!(matches!(stale, Err(QueueError::Stale { .. })), "{stale:?}");
    assert_eq!(farm.publish().await, 1);
    let job = farm.job(id).await;
    assert_eq!(
        (job.state, job.packages),
        (JobState::Succeeded, vec!["a-1-1-any.pkg.tar.zst".to_owned()])
    );
}

#[tokio::test]
async fn an_end_is_known_again_whatever_happened_to_the_job_since() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let build = farm.claim("one", 2).await.unwrap();
    farm.finish(&build, BuildOutcome::Built).await;
    let later = PublishOutcome::Retry {
        reason: "disk full".into(),
    };
    let mistaken = farm.queue.finish_publish(&build.token, &later).await;
    assert!(matches!(mistaken, Err(QueueError::Stale { .. })), "{mistaken:?}");
    farm.publish().await;
    // The builder never heard the answer, and asks after the job was published.
    farm.finish(&build, BuildOutcome::Built).await;
}

#[tokio::test]
async fn a_request_during_publishing_waits_for_it() {
    let farm = Fixture::new().await;
    let old = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    let new = farm.submit(vec![request("a", &[])]).await[0];
    assert_ne!(old, new);
    assert!(farm.claim("one", 2).await.is_none());
    farm.publish().await;
    assert_eq!(farm.state(old).await, JobState::Succeeded);
    assert_eq!(farm.claim("one", 2).await.unwrap().job.id, new);
}

#[tokio::test]
async fn index_and_configuration_come_back_as_published() {
    let farm = Fixture::new().await;
    assert_eq!(farm.queue.farm().await.unwrap(), None);
    let config = FarmConfig {
        sources: [(
            SourceRepo::new("src").unwrap(),
            SourceSettings {
                url: "file:///src".into(),
            },
        )]
        .into(),
        builder_image: "image".into(),
        ..FarmConfig::default()
    };
    farm.queue.publish_farm(&config).await.unwrap();
    assert_eq!(farm.queue.farm().await.unwrap(), Some(config));

    let many: Vec<_> = (0..3000)
        .map(|number| package(&format!("p{number:04}")))
        .collect();
    farm.queue.publish_index(&target("repo"), &many).await.unwrap();
    assert_eq!(farm.queue.index(&target("repo")).await.unwrap(), many);
    farm.queue
        .publish_index(&target("repo"), &many[..1])
        .await
        .unwrap();
    assert_eq!(farm.queue.index(&target("repo")).await.unwrap(), many[..1]);
}

#[tokio::test]
async fn a_manifest_about_another_job_is_not_believed() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("mine", &[]), request("other", &[])])
        .await;
    let claim = farm.claim("one", 2).await.unwrap();
    let mut lie = attempt(&claim, BuildOutcome::Built);
    lie.manifest.as_mut().unwrap().pkgbase = Pkgbase::new("victim").unwrap();
    farm.queue.finish(&claim.token, &lie).await.unwrap();
    let honest = farm.claim("one", 2).await.unwrap();
    farm.finish(&honest, BuildOutcome::Built).await;
    let claims = farm
        .queue
        .claim_uploads(&target("repo"), "p", LEASE, 9)
        .await
        .unwrap();
    let refused = claims[0].manifest.as_ref().unwrap_err();
    assert!(
        refused.contains("repo/x86_64/victim") && refused.contains("repo/x86_64/mine"),
        "{refused}"
    );
    assert!(claims[1].manifest.is_ok());
}

#[tokio::test]
async fn an_unreadable_manifest_holds_up_no_other_upload() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("bad", &[]), request("good", &[])]).await;
    for _ in 0..2 {
        let claim = farm.claim("one", 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Built).await;
    }
    let bad = farm.queue.live_job("repo/x86_64/bad").await.unwrap().unwrap().id;
    let key = format!("{{caur}}:build:result:{bad}");
    let mut spoil = redis::cmd("SET");
    spoil.arg(key).arg("{not JSON");
    farm.queue.query::<()>("test", &spoil).await.unwrap();
    let claims = farm
        .queue
        .claim_uploads(&target("repo"), "p", LEASE, 9)
        .await
        .unwrap();
    let (readable, unreadable): (Vec<_>, Vec<_>) = claims.iter().partition(|claim| claim.manifest.is_ok());
    assert_eq!((readable.len(), unreadable.len()), (1, 1));
    assert_eq!(unreadable[0].key, "repo/x86_64/bad");
}
