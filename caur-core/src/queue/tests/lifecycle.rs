//! Submit, claim, lease, finish.

use super::*;

#[tokio::test]
async fn a_dependant_starts_strictly_after_its_dependency_is_published() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("app", &["lib"]), request("lib", &[])])
        .await;
    assert_eq!(farm.state(ids[0]).await, JobState::Waiting);
    let lib = farm.claim("one", 2).await.expect("the library is ready");
    assert_eq!(lib.job.request.pkgbase.as_str(), "lib");
    assert!(farm.claim("two", 2).await.is_none(), "the application waits");
    farm.finish(&lib, BuildOutcome::Built).await;
    assert!(farm.claim("two", 2).await.is_none(), "uploaded is not published");
    assert_eq!(farm.publish().await, 1);
    assert_eq!(farm.state(ids[1]).await, JobState::Succeeded);
    let app = farm.claim("two", 2).await.expect("the application is ready");
    assert_eq!(app.job.id, ids[0]);
}

#[tokio::test]
async fn class_and_name_decide_who_may_claim() {
    let farm = Fixture::new().await;
    farm.submit(vec![classed("big", "3"), classed("mine", "one")])
        .await;
    assert!(farm.claim("two", 2).await.is_none());
    assert_eq!(
        farm.claim("one", 1).await.unwrap().job.request.pkgbase.as_str(),
        "mine"
    );
    farm.register("one", None).await;
    assert!(
        farm.ask("one").await.job().is_none(),
        "no class: only jobs for its name"
    );
    assert_eq!(
        farm.claim("two", 3).await.unwrap().job.request.pkgbase.as_str(),
        "big"
    );
}

#[tokio::test]
async fn urgent_chains_come_first_else_the_shortest_job() {
    let farm = Fixture::new().await;
    let learn = |pkgbase: &'static str, seconds: u64| {
        let queue = farm.queue.clone();
        async move {
            let key = format!("repo/x86_64/{pkgbase}");
            queue
                .query::<()>(
                    "test",
                    redis::cmd("HSET").arg(keys::DURATIONS).arg(key).arg(seconds),
                )
                .await
                .unwrap();
        }
    };
    let others = ["o1", "o2", "o3", "o4", "o5", "o6"];
    for (pkgbase, seconds) in [("base", 30), ("next", 30), ("long", 300), ("short", 10)] {
        learn(pkgbase, seconds).await;
    }
    for other in others {
        learn(other, 35).await;
    }
    let mut batch = vec![
        request("base", &[]),
        request("next", &["base"]),
        request("long", &[]),
        request("short", &[]),
    ];
    batch.extend(others.iter().map(|other| request(other, &[])));
    farm.submit(batch).await;
    // One builder, 580 s of work: only the long job takes a quarter of it, and of the rest no chain does. The base
    // takes 30 s for each of the two that it lets go on.
    let order = ["long", "short", "base"];
    for expected in order {
        let claim = farm.claim("one", 2).await.unwrap();
        assert_eq!(claim.job.request.pkgbase.as_str(), expected);
        farm.finish(&claim, BuildOutcome::AlreadyBuilt).await;
    }
}

#[tokio::test]
async fn a_lost_builder_is_fenced_and_its_job_goes_to_another() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let lost = farm.claim("one", 2).await.unwrap();
    farm.sweep().await;
    farm.let_time_pass().await;
    assert_eq!(farm.state(id).await, JobState::Backoff);
    let stale = farm
        .queue
        .finish(&lost.token, &attempt(&lost, BuildOutcome::Built))
        .await;
    assert!(matches!(stale, Err(QueueError::Stale { .. })), "{stale:?}");
    farm.let_time_pass().await;
    assert!(farm.claim("two", 0).await.is_none(), "it shows itself");
    assert!(farm.claim("one", 2).await.is_none(), "not the same builder first");
    let second = farm.claim("two", 2).await.expect("another builder gets it");
    assert_eq!(second.token.attempt, 2);
    let stale = farm
        .queue
        .heartbeat(&lost.token, LEASE, crate::model::Phase::Build)
        .await;
    assert!(matches!(stale, Err(QueueError::Stale { .. })), "{stale:?}");
    assert_eq!(farm.state(id).await, JobState::Building);
    farm.finish(&second, BuildOutcome::Built).await;
    assert_eq!(farm.publish().await, 1);
}

#[tokio::test]
async fn the_job_that_came_with_a_refused_finish_is_given_when_asked_for_again() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let lost = farm.claim("one", 2).await.unwrap();
    farm.sweep().await;
    farm.let_time_pass().await;
    let other = farm.submit(vec![request("b", &[])]).await[0];
    let next = ClaimRequest::new(InstanceId::new("one").unwrap(), 0, LEASE);
    let ended = attempt(&lost, BuildOutcome::Built);
    let stale = farm.queue.finish_and_claim(&lost.token, &ended, &next).await;
    assert!(matches!(stale, Err(QueueError::Stale { .. })), "{stale:?}");
    let given = farm.queue.claim(&next).await.unwrap().job().unwrap();
    assert_eq!((given.token.job, given.token.attempt), (other, 1));
    farm.finish(&given, BuildOutcome::Built).await;
}

#[tokio::test]
async fn a_builder_that_is_alone_gets_its_own_job_again() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Infrastructure).await;
    farm.let_time_pass().await;
    let again = farm.claim("one", 2).await.expect("nobody else could take it");
    assert_eq!(again.token.attempt, 2);
}

#[tokio::test]
async fn infrastructure_failures_end_after_three_attempts() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    for builder in ["one", "two", "three"] {
        farm.let_time_pass().await;
        let claim = farm
            .claim(builder, 2)
            .await
            .unwrap_or_else(|| panic!("no claim for {builder}"));
        farm.finish(&claim, BuildOutcome::Infrastructure).await;
    }
    let job = farm.job(id).await;
    assert_eq!(job.state, JobState::InfrastructureFailed);
    assert!(job.reason.unwrap().contains("giving up"));
}

#[tokio::test]
async fn after_an_outage_leases_are_extended_before_anything_expires() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.queue
        .query::<()>("test", redis::cmd("ZADD").arg(keys::LEASES).arg(1).arg(id.0))
        .await
        .unwrap();
    assert_eq!(
        farm.sweep().await.expired,
        0,
        "nobody swept before: that was an outage"
    );
    assert_eq!(farm.state(id).await, JobState::Building);
    farm.finish(&claim, BuildOutcome::Failed).await;
}

#[tokio::test]
async fn one_sweeper_is_elected() {
    let farm = Fixture::new().await;
    assert!(farm.sweep().await.elected);
    let other = SweepSettings {
        name: "other".into(),
        term: LEASE,
        outage: LEASE,
        grace: LEASE,
    };
    assert!(!farm.queue.sweep(&other).await.unwrap().elected);
    farm.queue.resign("other").await.unwrap();
    assert!(
        !farm.queue.sweep(&other).await.unwrap().elected,
        "nobody resigns for somebody else"
    );
    farm.queue.resign("test").await.unwrap();
    assert!(farm.queue.sweep(&other).await.unwrap().elected);
}

#[tokio::test]
async fn old_jobs_are_forgotten_but_not_while_something_is_blocked_on_them() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![
            request("lib", &[]),
            request("app", &["lib"]),
            request("old", &[]),
        ])
        .await;
    for _ in 0..2 {
        let claim = farm.claim("one", 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Failed).await;
    }
    let forgetful = QueueRules {
        keep_finished_for: Duration::ZERO,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&forgetful).await.unwrap();
    assert_eq!(farm.sweep().await.trimmed, 1);
    assert!(farm.queue.job(ids[2]).await.unwrap().is_none());
    assert_eq!(farm.state(ids[1]).await, JobState::Blocked);
    farm.sound().await;
}

#[tokio::test]
async fn a_newer_request_replaces_a_queued_job_in_place() {
    let farm = Fixture::new().await;
    let first = farm.submit(vec![request("a", &[])]).await[0];
    let report = farm
        .queue
        .submit(vec![classed("a", "7")], Asker { by: "ci", why: "" })
        .await
        .unwrap();
    assert_eq!(report.jobs[0].id, first);
    assert_eq!(report.jobs[0].disposition, Disposition::Replaced);
    farm.sound().await;
    assert!(farm.claim("one", 2).await.is_none(), "the newer class counts");
    let claim = farm.claim("one", 7).await.unwrap();
    assert_eq!(claim.job.requested_by, "ci");
}

#[tokio::test]
async fn a_newer_request_cancels_a_running_job_and_takes_its_place() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    let old = farm.claim("one", 2).await.unwrap();
    let report = farm
        .queue
        .submit(vec![request("lib", &[])], TESTER)
        .await
        .unwrap();
    let new = report.jobs[0].id;
    assert_eq!(report.jobs[0].disposition, Disposition::Succeeds(ids[0]));
    farm.sound().await;
    assert!(farm.claim("two", 2).await.is_none(), "never two at once");
    let directive = farm
        .queue
        .heartbeat(&old.token, LEASE, crate::model::Phase::Build)
        .await
        .unwrap();
    assert!(matches!(directive, Directive::Cancel { ref reason } if reason.contains(&new.to_string())));
    // Even a build that got ready in time is not published: a newer one was asked for.
    farm.finish(&old, BuildOutcome::Built).await;
    assert_eq!(farm.state(ids[0]).await, JobState::Canceled);
    assert_eq!(
        farm.job(ids[1]).await.waits_for,
        [new],
        "the application waits for the newer library"
    );
    let again = farm.claim("two", 2).await.expect("the newer one is ready");
    assert_eq!(again.job.id, new);
    farm.finish(&again, BuildOutcome::Built).await;
    farm.publish().await;
    assert_eq!(farm.state(ids[1]).await, JobState::Ready);
}

#[tokio::test]
async fn a_later_library_holds_an_earlier_dependant() {
    let farm = Fixture::new().await;
    let app = farm.submit(vec![request("app", &["lib"])]).await[0];
    assert_eq!(farm.state(app).await, JobState::Ready);
    let lib = farm.submit(vec![request("lib", &[])]).await[0];
    let job = farm.job(app).await;
    assert_eq!((job.state, job.waits_for), (JobState::Waiting, vec![lib]));
    assert_eq!(farm.claim("one", 2).await.unwrap().job.id, lib);
}

#[tokio::test]
async fn finishing_twice_is_harmless() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    farm.finish(&claim, BuildOutcome::Built).await;
    assert_eq!(farm.state(id).await, JobState::Uploaded);
}

#[tokio::test]
async fn a_released_job_is_ready_again_at_once() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Released).await;
    assert_eq!(farm.claim("one", 2).await.unwrap().token.attempt, 2);
}

#[tokio::test]
async fn events_tell_every_transition() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    farm.publish().await;
    let events = farm.queue.events_after("0", 100, Duration::ZERO).await.unwrap();
    let states: Vec<&str> = events.iter().map(|event| event.to.as_str()).collect();
    assert_eq!(
        states,
        [
            "waiting",
            "ready",
            "building",
            "uploaded",
            "publishing",
            "succeeded"
        ]
    );
    assert_eq!(events[0].by, "test");
    assert!(events.windows(2).all(|pair| pair[1].from == Some(pair[0].to)));
}

#[tokio::test]
async fn waiting_for_work_misses_nothing() {
    let farm = Fixture::new().await;
    let limit = Duration::from_secs(20);
    let mut waiter = farm.queue.builder_signals();
    waiter.begin().await.unwrap();
    farm.submit(vec![request("a", &[])]).await;
    // The job became ready between the first look and the wait.
    assert_eq!(waiter.wait(limit).await.unwrap(), [Signal::Ready]);
    let waiting = tokio::spawn(async move { waiter.wait(limit).await });
    farm.submit(vec![request("b", &[])]).await;
    assert_eq!(waiting.await.unwrap().unwrap(), [Signal::Ready]);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let farm = Fixture::new().await;
    farm.queue
        .query::<()>("test", redis::cmd("SET").arg(keys::SCHEMA).arg(99))
        .await
        .unwrap();
    let refused = Queue::open(farm.queue.link().clone()).await;
    assert!(matches!(refused, Err(QueueError::NewerSchema { stored: 99, .. })));
}

#[tokio::test]
async fn a_redis_without_append_only_file_is_told_apart() {
    let farm = Fixture::new().await;
    assert!(!farm.queue.is_durable().await.unwrap());
    let durable = RedisServer::start_with(crate::testing::RedisOptions {
        password: None,
        tcp: false,
        durable: true,
    });
    assert!(
        Queue::open(durable.link())
            .await
            .unwrap()
            .is_durable()
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn names_that_lua_takes_for_numbers_are_names() {
    let farm = Fixture::new().await;
    let names = ["nan", "inf", "0x1f", "1e5", "123456789012"];
    farm.submit(
        names
            .iter()
            .enumerate()
            .map(|(i, name)| classed(&format!("p{i}"), name))
            .collect(),
    )
    .await;
    assert!(farm.claim("big", u32::MAX).await.is_none());
    for (index, name) in names.iter().enumerate() {
        assert_eq!(
            farm.claim(name, 0).await.unwrap().job.request.pkgbase.as_str(),
            format!("p{index}")
        );
    }
}

#[tokio::test]
async fn a_circle_over_a_job_that_is_scheduled_again_does_not_lock() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &["b"]), request("b", &["a"])])
        .await;
    farm.submit(vec![request("b", &["a"])]).await;
    farm.submit(vec![request("a", &["b"])]).await;
    let first = farm.claim("one", 2).await.expect("one of the two is ready");
    farm.submit(vec![JobRequest {
        needs: vec![Need::make("a"), Need::make("b")],
        ..first.job.request.clone()
    }])
    .await;
    farm.finish(&first, BuildOutcome::Canceled).await;
    for _ in 0..2 {
        let next = farm.claim("one", 2).await.expect("nothing waits in a circle");
        farm.finish(&next, BuildOutcome::Built).await;
        farm.publish().await;
    }
}

#[tokio::test]
async fn a_job_that_pauses_waits_for_a_later_dependency_too() {
    let farm = Fixture::new().await;
    let app = farm.submit(vec![request("app", &["lib"])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Infrastructure).await;
    let lib = farm.submit(vec![request("lib", &[])]).await[0];
    farm.let_time_pass().await;
    assert_eq!(farm.job(app).await.waits_for, [lib]);
    assert_eq!(farm.claim("two", 2).await.unwrap().job.id, lib);
}
