//! What is the farm's fault, and what becomes of it.

use super::*;

async fn lose(farm: &Fixture, builder: &str) {
    farm.claim(builder, 2)
        .await
        .unwrap_or_else(|| panic!("no claim for {builder}"));
    farm.sweep().await;
    farm.let_time_pass().await;
}

#[tokio::test]
async fn a_job_that_takes_down_builders_visits_no_more_than_two() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("bomb", &[])]).await[0];
    farm.register("three", Some(2)).await;
    lose(&farm, "one").await;
    assert_eq!(farm.state(id).await, JobState::Backoff);
    farm.let_time_pass().await;
    lose(&farm, "two").await;
    let job = farm.job(id).await;
    assert_eq!(job.state, JobState::InfrastructureFailed);
    assert!(job.reason.unwrap().contains("it took down one two, giving up"));
    assert_eq!(job.history.len(), 1, "the last attempt is told by the job itself");
    assert!(farm.ask("three").await.job().is_none());
}

#[tokio::test]
async fn pauses_grow_and_are_spread() {
    let farm = Fixture::new().await;
    let mut delays: Vec<Vec<u64>> = vec![Vec::new(), Vec::new()];
    for number in 0..6 {
        let id = farm.submit(vec![request(&format!("p{number}"), &[])]).await[0];
        for (attempt, delays) in delays.iter_mut().enumerate() {
            let claim = farm.claim(&format!("b{number}-{attempt}"), 2).await.unwrap();
            farm.finish(&claim, BuildOutcome::Infrastructure).await;
            let Why::Backoff { until, .. } = farm.queue.why(&farm.job(id).await).await.unwrap() else {
                panic!("it pauses");
            };
            delays.push(until - farm.job(id).await.since);
            farm.let_time_pass().await;
        }
        let claim = farm.claim(&format!("b{number}-2"), 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Skipped).await;
    }
    assert!(
        delays[0].iter().all(|delay| (5000..=7500).contains(delay)),
        "{delays:?}"
    );
    assert!(
        delays[1].iter().all(|delay| (20_000..=30_000).contains(delay)),
        "{delays:?}"
    );
    assert!(delays[0].iter().any(|delay| *delay != delays[0][0]), "{delays:?}");
}

#[tokio::test]
async fn a_builder_with_three_failures_in_a_row_pauses_itself_and_says_so() {
    let farm = Fixture::new().await;
    let names = ["a", "b", "c", "d", "e"];
    farm.submit(names.iter().map(|name| request(name, &[])).collect())
        .await;
    farm.register("other", Some(2)).await;
    for outcome in [
        BuildOutcome::Infrastructure,
        BuildOutcome::Infrastructure,
        // A package that does not build is not the builder's failure.
        BuildOutcome::Failed,
        BuildOutcome::Infrastructure,
        BuildOutcome::Infrastructure,
    ] {
        let claim = farm.claim("bad", 2).await.expect("it still takes jobs");
        farm.finish(&claim, outcome).await;
    }
    farm.let_time_pass().await;
    // Its own failures it avoids; a fresh job it takes, and fails the third time.
    farm.submit(vec![request("f", &[])]).await;
    let claim = farm.claim("bad", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Infrastructure).await;
    let paused = farm.ask("bad").await;
    assert!(
        matches!(paused, Claimed::Refused(Refusal::Paused(ref why)) if why.contains("3 infrastructure failures in a row")),
        "{paused:?}"
    );
    let status = farm.queue.builders().await.unwrap();
    let bad = status
        .iter()
        .find(|builder| builder.report.name.as_str() == "bad")
        .unwrap();
    assert!(bad.paused.as_ref().unwrap().starts_with("paused itself"));
    assert!(!bad.takes_jobs());
    let trail = farm.queue.trail(1).await.unwrap();
    assert_eq!(
        (trail[0].by.as_str(), trail[0].about.as_str()),
        ("bad", "builder bad")
    );
    // Resuming forgives.
    farm.queue
        .resume(Some(&BuilderName::new("bad").unwrap()), TESTER)
        .await
        .unwrap();
    farm.let_time_pass().await;
    assert!(!matches!(farm.ask("bad").await, Claimed::Refused(_)));
}

#[tokio::test]
async fn a_pause_of_its_own_ends_by_itself_and_one_more_failure_renews_it() {
    let farm = Fixture::new().await;
    let rules = QueueRules {
        self_pause: Duration::ZERO,
        attempts: 9,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    farm.submit(vec![request("a", &[])]).await;
    for _ in 0..3 {
        let claim = farm.claim("bad", 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Infrastructure).await;
        farm.let_time_pass().await;
    }
    let rules = QueueRules {
        self_pause: LEASE,
        ..rules
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    let claim = farm.claim("bad", 2).await.expect("the pause is over");
    farm.finish(&claim, BuildOutcome::Infrastructure).await;
    assert!(matches!(
        farm.ask("bad").await,
        Claimed::Refused(Refusal::Paused(_))
    ));
}

#[tokio::test]
async fn rules_decide_about_failed_dependencies() {
    use crate::model::FailedDependency;
    for (rule, expected) in [
        (FailedDependency::Published, JobState::Blocked),
        (FailedDependency::Block, JobState::Blocked),
        (FailedDependency::Ignore, JobState::Ready),
    ] {
        let farm = Fixture::new().await;
        let rules = QueueRules {
            failed_dependency: rule,
            ..QueueRules::default()
        };
        farm.queue.publish_rules(&rules).await.unwrap();
        let ids = farm
            .submit(vec![request("lib", &[]), request("app", &["lib"])])
            .await;
        let claim = farm.claim("one", 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Failed).await;
        assert_eq!(farm.state(ids[1]).await, expected, "{rule:?}");
    }
}

#[tokio::test]
async fn a_blocked_job_ends_after_its_time_with_that_reason() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    let Why::Blocked { on, until } = farm.queue.why(&farm.job(ids[1]).await).await.unwrap() else {
        panic!("it is blocked");
    };
    assert_eq!((on[0].job, on[0].state), (ids[0], JobState::Failed));
    assert_eq!(until, farm.job(ids[1]).await.since + 7 * 86_400_000);
    assert_eq!(farm.sweep().await.given_up, 0);
    let rules = QueueRules {
        blocked: Duration::ZERO,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    assert_eq!(farm.sweep().await.given_up, 1);
    let job = farm.job(ids[1]).await;
    assert_eq!(
        (job.state, job.reason.as_deref()),
        (
            JobState::Failed,
            Some("dependency lib failed, and nobody mended it in time")
        )
    );
}

#[tokio::test]
async fn a_blocked_job_goes_on_once_the_target_lists_what_it_needs() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    let lib = crate::model::PublishedPackage {
        pkgname: crate::model::Pkgname::new("lib").unwrap(),
        pkgbase: Pkgbase::new("lib").unwrap(),
        version: "1-1".into(),
        file_name: "lib-1-1-any.pkg.tar.zst".into(),
        size: 1,
        build_date: 1,
        provides: Vec::new(),
    };
    farm.queue
        .publish_index(&target("other"), std::slice::from_ref(&lib))
        .await
        .unwrap();
    assert_eq!(farm.state(ids[1]).await, JobState::Blocked, "another target");
    farm.queue.publish_index(&target("repo"), &[lib]).await.unwrap();
    assert_eq!(farm.state(ids[1]).await, JobState::Ready);
    farm.sound().await;
}
