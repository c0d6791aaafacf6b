//! What operators do to jobs, builders and the queue.

use super::*;
use crate::model::Phase;

#[tokio::test]
async fn a_queued_job_is_canceled_at_once_and_its_dependants_are_blocked() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    let state = farm.queue.cancel(ids[0], TESTER).await.unwrap();
    farm.sound().await;
    assert_eq!(state, JobState::Canceled);
    let reason = farm.job(ids[0]).await.reason;
    assert_eq!(reason.as_deref(), Some("canceled by test: because"));
    assert_eq!(farm.state(ids[1]).await, JobState::Blocked);
    let again = farm.queue.cancel(ids[0], TESTER).await;
    assert!(
        matches!(again, Err(QueueError::Refused { ref reason, .. }) if reason.contains("ended already")),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_running_jobs_builder_hears_of_the_cancel_at_once() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    let mut signals = farm.queue.builder_signals();
    signals.begin().await.unwrap();
    assert_eq!(farm.queue.cancel(id, TESTER).await.unwrap(), JobState::Building);
    assert_eq!(
        farm.job(id).await.canceling.as_deref(),
        Some("canceled by test: because")
    );
    let heard = signals.wait(Duration::from_secs(20)).await.unwrap();
    assert_eq!(heard, [Signal::Cancel(id)]);
    let directive = farm
        .queue
        .heartbeat(&claim.token, LEASE, Phase::Build)
        .await
        .unwrap();
    assert!(matches!(directive, Directive::Cancel { .. }));
    // Whatever the builder says then, the job is canceled.
    farm.finish(&claim, BuildOutcome::Built).await;
    assert_eq!(farm.state(id).await, JobState::Canceled);
}

#[tokio::test]
async fn a_cancel_outlives_its_builder() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    farm.claim("one", 2).await.unwrap();
    farm.queue.cancel(id, TESTER).await.unwrap();
    farm.sweep().await;
    farm.let_time_pass().await;
    assert_eq!(farm.state(id).await, JobState::Canceled);
}

#[tokio::test]
async fn an_upload_can_be_canceled_until_it_is_being_published() {
    let farm = Fixture::new().await;
    let ids = farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    for _ in 0..2 {
        let claim = farm.claim("one", 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Built).await;
    }
    assert_eq!(
        farm.queue.cancel(ids[0], TESTER).await.unwrap(),
        JobState::Canceled
    );
    farm.sound().await;
    let target = target("repo");
    let claims = farm.queue.claim_uploads(&target, "p", LEASE, 9).await.unwrap();
    assert_eq!(claims.len(), 1);
    let late = farm.queue.cancel(ids[1], TESTER).await;
    assert!(
        matches!(late, Err(QueueError::Refused { ref reason, .. }) if reason.contains("past canceling")),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_retry_keeps_the_number_the_inputs_and_the_history() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("lib", &[])]).await[0];
    let app = farm.submit(vec![request("app", &["lib"])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    assert_eq!(farm.state(app).await, JobState::Blocked);

    let job = farm.queue.retry(id, false, TESTER).await.unwrap();
    farm.sound().await;
    assert_eq!((job.id, job.state, job.attempt), (id, JobState::Ready, 1));
    assert_eq!(job.history.len(), 1);
    assert_eq!(
        (
            job.history[0].attempt,
            job.history[0].outcome.as_str(),
            job.history[0].builder.as_str()
        ),
        (1, "failed", "one")
    );
    assert_eq!(farm.state(app).await, JobState::Waiting, "it has hope again");
    let again = farm.claim("one", 2).await.unwrap();
    assert_eq!((again.job.id, again.token.attempt), (id, 2));
    let twice = farm.queue.retry(id, false, TESTER).await;
    assert!(matches!(twice, Err(QueueError::Refused { .. })), "{twice:?}");
    farm.finish(&again, BuildOutcome::Built).await;
    farm.publish().await;
    assert_eq!(farm.state(app).await, JobState::Ready);

    let rebuilt = farm.queue.retry(id, true, TESTER).await.unwrap();
    assert!(rebuilt.request.rebuild && rebuilt.packages.is_empty());
}

#[tokio::test]
async fn a_job_whose_place_is_taken_cannot_be_retried() {
    let farm = Fixture::new().await;
    let old = farm.submit(vec![request("a", &[])]).await[0];
    farm.queue.cancel(old, TESTER).await.unwrap();
    let new = farm.submit(vec![request("a", &[])]).await[0];
    let refused = farm
        .queue
        .retry(old, false, TESTER)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains(&new.to_string()), "{refused}");
    farm.sound().await;
}

#[tokio::test]
async fn a_held_job_stays_until_it_is_let_go() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    assert_eq!(farm.queue.hold(ids[0], TESTER).await.unwrap(), JobState::Held);
    assert_eq!(farm.queue.hold(ids[1], TESTER).await.unwrap(), JobState::Held);
    farm.sound().await;
    assert!(farm.claim("one", 2).await.is_none());
    // A newer request does not let it go.
    farm.submit(vec![request("lib", &[])]).await;
    assert_eq!(farm.state(ids[0]).await, JobState::Held);
    assert_eq!(farm.queue.unhold(ids[0], TESTER).await.unwrap(), JobState::Ready);
    assert_eq!(
        farm.queue.unhold(ids[1], TESTER).await.unwrap(),
        JobState::Waiting
    );
    farm.sound().await;
    let wrong = farm.queue.unhold(ids[0], TESTER).await;
    assert!(matches!(wrong, Err(QueueError::Refused { .. })), "{wrong:?}");
}

#[tokio::test]
async fn a_released_job_starts_whatever_it_waits_for() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    assert_eq!(farm.queue.release(ids[1], TESTER).await.unwrap(), JobState::Ready);
    farm.sound().await;
    assert!(farm.job(ids[1]).await.released);
    // A later batch does not tie it again.
    farm.submit(vec![request("lib", &[])]).await;
    assert_eq!(farm.state(ids[1]).await, JobState::Ready);

    // Blocked and pausing jobs too; but never two of one package at once.
    let running = farm.claim("one", 2).await.unwrap();
    let successor = farm.submit(vec![running.job.request.clone()]).await[0];
    let refused = farm.queue.release(successor, TESTER).await;
    assert!(
        matches!(refused, Err(QueueError::Refused { ref reason, .. }) if reason.contains("same package")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_operators_priority_comes_before_everything_else() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("a", &[]), request("b", &[]), request("c", &[])])
        .await;
    farm.queue.set_priority(ids[2], 10, TESTER).await.unwrap();
    farm.queue.set_priority(ids[0], -10, TESTER).await.unwrap();
    farm.sound().await;
    let too_much = farm.queue.set_priority(ids[1], 101, TESTER).await.unwrap_err();
    assert!(
        too_much.to_string().contains("between -100 and 100"),
        "{too_much}"
    );
    for expected in [ids[2], ids[1], ids[0]] {
        let claim = farm.claim("one", 2).await.unwrap();
        assert_eq!(claim.job.id, expected);
        farm.finish(&claim, BuildOutcome::Skipped).await;
    }
}

#[tokio::test]
async fn a_paused_queue_gives_no_jobs_and_says_why() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    farm.register("one", Some(2)).await;
    farm.queue.pause(None, TESTER).await.unwrap();
    let refused = farm.ask("one").await;
    assert!(
        matches!(refused, Claimed::Refused(Refusal::QueuePaused(ref why)) if why == "paused by test: because"),
        "{refused:?}"
    );
    let why = farm.queue.why(&farm.job(id).await).await.unwrap();
    assert!(
        matches!(why, Why::QueuePaused { ref pause } if pause.by == "test"),
        "{why:?}"
    );
    farm.queue.resume(None, TESTER).await.unwrap();
    assert!(farm.ask("one").await.job().is_some());
}

#[tokio::test]
async fn builders_are_paused_resumed_and_drained_by_name() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    farm.register("one", Some(2)).await;
    let name = BuilderName::new("one").unwrap();
    farm.queue.pause(Some(&name), TESTER).await.unwrap();
    let orders = farm.register("one", Some(2)).await;
    assert_eq!(orders.paused.as_deref(), Some("paused by test: because"));
    assert!(matches!(
        farm.ask("one").await,
        Claimed::Refused(Refusal::Paused(_))
    ));
    farm.queue.resume(Some(&name), TESTER).await.unwrap();
    let claim = farm.ask("one").await.job().unwrap();

    farm.queue.drain(&name, TESTER).await.unwrap();
    farm.finish(&claim, BuildOutcome::Skipped).await;
    assert!(matches!(
        farm.ask("one").await,
        Claimed::Refused(Refusal::Draining(_))
    ));
    // A process that is started later under the same name is not concerned.
    farm.queue
        .report_status(&report("later", "one", Some(2)))
        .await
        .unwrap();
    assert!(farm.ask("later").await.job().is_some());

    let stranger = BuilderName::new("stranger").unwrap();
    let refused = farm.queue.pause(Some(&stranger), TESTER).await;
    assert!(matches!(refused, Err(QueueError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn the_trail_says_who_asked_for_what_and_why() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    farm.queue
        .hold(
            id,
            Asker {
                by: "ann",
                why: "too hot",
            },
        )
        .await
        .unwrap();
    farm.queue
        .pause(None, Asker { by: "bob", why: "" })
        .await
        .unwrap();
    let trail = farm.queue.trail(10).await.unwrap();
    let told: Vec<_> = trail
        .iter()
        .map(|entry| {
            (
                entry.action.as_str(),
                entry.about.as_str(),
                entry.by.as_str(),
                entry.why.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("pause", "queue", "bob", ""),
            ("hold", "repo/x86_64/a", "ann", "too hot"),
            (
                "submit",
                "repo/x86_64/a",
                "test",
                "1 queued, 0 replaced, 0 again: because"
            ),
        ]
    );
    let events = farm.queue.events_after("0", 100, Duration::ZERO).await.unwrap();
    let last = events.last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.by.as_str(), last.reason.as_str()),
        ("hold", "ann", "held by ann: too hot")
    );
}

#[tokio::test]
async fn a_reset_leaves_an_empty_sound_queue_and_stops_what_runs() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[]), request("b", &["a"]), classed("c", "one")])
        .await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    let claim = farm.claim("one", 2).await.unwrap();
    let other = farm.queue.reset(2, TESTER).await;
    assert!(matches!(other, Err(QueueError::Refused { .. })), "{other:?}");
    assert_eq!(farm.state(claim.job.id).await, JobState::Building);
    farm.queue.reset(3, TESTER).await.unwrap();
    farm.sound().await;
    let lost = farm.queue.heartbeat(&claim.token, LEASE, Phase::Build).await;
    assert!(matches!(lost, Err(QueueError::Stale { .. })), "{lost:?}");
    assert!(
        farm.queue
            .jobs(JobFilter { finished: 10 })
            .await
            .unwrap()
            .is_empty()
    );
    farm.submit(vec![request("a", &[])]).await;
    assert!(farm.claim("one", 2).await.is_some());
}
