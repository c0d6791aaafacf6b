//! Operations that are carried out once, and users who may carry out none.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use secrecy::SecretString;

use super::*;
use crate::link::{Direct, RedisAuth, RedisLink};
use crate::model::OperationMark;

fn mark(text: &str) -> OperationMark {
    OperationMark::new(text).unwrap()
}

fn done(answer: &str) -> MarkedOutcome {
    MarkedOutcome::Done {
        answer: answer.to_owned(),
    }
}

#[tokio::test]
async fn a_marked_operation_that_is_sent_twice_is_carried_out_once() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let before = farm.queue.trail(100).await.unwrap().len();
    let marked = farm.queue.marked(&mark("m1"));
    for _ in 0..3 {
        assert_eq!(
            marked.set_priority(id, 10, TESTER).await.unwrap(),
            JobState::Ready
        );
    }
    farm.queue.set_priority(id, 20, TESTER).await.unwrap();
    assert_eq!(
        marked.set_priority(id, 10, TESTER).await.unwrap(),
        JobState::Ready
    );
    assert_eq!(farm.job(id).await.priority, 20);
    assert_eq!(farm.queue.trail(100).await.unwrap().len(), before + 2);
    assert_eq!(farm.queue.outcome_of(&mark("m1")).await.unwrap(), done("ready"));
}

#[tokio::test]
async fn what_never_arrived_is_refused_when_it_arrives_after_all() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let never = mark("never");
    for _ in 0..2 {
        assert_eq!(farm.queue.outcome_of(&never).await.unwrap(), MarkedOutcome::Never);
    }
    let late = farm.queue.marked(&never).cancel(id, TESTER).await.unwrap_err();
    assert!(matches!(late, QueueError::Void { .. }), "{late:?}");
    assert!(late.to_string().contains("nothing was changed"), "{late}");
    assert_eq!(farm.queue.outcome_of(&never).await.unwrap(), MarkedOutcome::Never);
    assert_eq!(farm.state(id).await, JobState::Ready);
}

#[tokio::test]
async fn a_refusal_is_told_again() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let refused = farm
        .queue
        .marked(&mark("r"))
        .unhold(id, TESTER)
        .await
        .unwrap_err();
    assert!(matches!(refused, QueueError::Refused { .. }), "{refused:?}");
    let reason = "it is ready and not held".to_owned();
    assert_eq!(
        farm.queue.outcome_of(&mark("r")).await.unwrap(),
        MarkedOutcome::Refused { reason }
    );
    // It stays refused, though it would be carried out by now.
    farm.queue.hold(id, TESTER).await.unwrap();
    assert!(farm.queue.marked(&mark("r")).unhold(id, TESTER).await.is_err());
    assert_eq!(farm.state(id).await, JobState::Held);
}

#[tokio::test]
async fn every_operation_of_an_operator_can_be_marked() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![
            request("cancels", &[]),
            request("lib", &[]),
            request("app", &["lib"]),
            request("holds", &[]),
        ])
        .await;
    farm.register("one", Some(2)).await;
    let name = BuilderName::new("one").unwrap();
    let queue = |text: &str| farm.queue.marked(&mark(text));
    for _ in 0..2 {
        queue("cancel").cancel(ids[0], TESTER).await.unwrap();
        queue("release").release(ids[2], TESTER).await.unwrap();
        queue("hold").hold(ids[3], TESTER).await.unwrap();
        queue("unhold").unhold(ids[3], TESTER).await.unwrap();
        queue("pause").pause(None, TESTER).await.unwrap();
        queue("resume").resume(None, TESTER).await.unwrap();
        queue("pause-one").pause(Some(&name), TESTER).await.unwrap();
        queue("resume-one").resume(Some(&name), TESTER).await.unwrap();
        queue("drain").drain(&name, TESTER).await.unwrap();
        let report = queue("submit")
            .submit(vec![request("new", &[]), request("newer", &["new"])], TESTER)
            .await
            .unwrap();
        assert_eq!(report.jobs.len(), 2);
        assert_eq!(report.jobs[0].disposition, Disposition::Queued);
        let job = queue("retry").retry(ids[0], false, TESTER).await.unwrap();
        assert_eq!(job.id, ids[0]);
        farm.sound().await;
    }
    let mut entries: BTreeMap<String, usize> = BTreeMap::new();
    for entry in farm.queue.trail(100).await.unwrap() {
        *entries.entry(entry.action).or_default() += 1;
    }
    let expected = [
        ("cancel", 1),
        ("drain", 1),
        ("hold", 1),
        ("pause", 2),
        ("release", 1),
        ("resume", 2),
        ("submit", 3),
        ("unhold", 1),
    ];
    assert_eq!(
        entries,
        expected.map(|(action, count)| (action.to_owned(), count)).into()
    );
    for (text, answer) in [
        ("cancel", "canceled".to_owned()),
        ("unhold", "ready".to_owned()),
        ("drain", "1".to_owned()),
        ("submit", "2 jobs".to_owned()),
        ("retry", format!("job {} again", ids[0])),
    ] {
        assert_eq!(
            farm.queue.outcome_of(&mark(text)).await.unwrap(),
            done(&answer),
            "{text}"
        );
    }

    queue("reset").reset(6, TESTER).await.unwrap();
    queue("reset").reset(6, TESTER).await.unwrap();
    assert_eq!(farm.queue.outcome_of(&mark("reset")).await.unwrap(), done("6"));
}

#[tokio::test]
async fn a_conflict_with_another_submit_uses_no_mark_up() {
    let farm = Fixture::new().await;
    let submits = (0..8).map(|number| {
        let queue = farm.queue.marked(&mark(&format!("s{number}")));
        async move {
            queue
                .submit(vec![request(&format!("p{number}"), &[])], TESTER)
                .await
        }
    });
    for report in futures::future::join_all(submits).await {
        assert_eq!(report.unwrap().jobs.len(), 1);
    }
    farm.sound().await;
    assert_eq!(farm.queue.jobs(JobFilter::default()).await.unwrap().len(), 8);
}

/// Calls, repetitions and questions in any order: the effect comes at most once, and what was said of it stays true.
#[tokio::test]
async fn whatever_the_order_an_operation_happens_once_or_never() {
    let farm = Fixture::new().await;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    for round in 0..60 {
        let marks: Vec<OperationMark> = (0..3).map(|number| mark(&format!("{round}.{number}"))).collect();
        let mut said: BTreeMap<&OperationMark, MarkedOutcome> = BTreeMap::new();
        for _ in 0..dice.random_range(3..15) {
            let mark = &marks[dice.random_range(0..marks.len())];
            if dice.random_bool(0.6) {
                let asker = Asker {
                    by: "test",
                    why: mark.as_str(),
                };
                let called = farm.queue.marked(mark).pause(None, asker).await;
                let void = matches!(called, Err(QueueError::Void { .. }));
                let never = said.get(mark) == Some(&MarkedOutcome::Never);
                assert_eq!(void, never, "seed {seed}, {mark}: {called:?}");
                if !void {
                    called.unwrap();
                    said.insert(mark, done("0"));
                }
            } else {
                let outcome = farm.queue.outcome_of(mark).await.unwrap();
                let expected = said.entry(mark).or_insert(MarkedOutcome::Never);
                assert_eq!(outcome, *expected, "seed {seed}, {mark}");
            }
        }
        let trail = farm.queue.trail(20).await.unwrap();
        for mark in &marks {
            let happened = trail.iter().filter(|entry| entry.why == mark.as_str()).count();
            let expected = usize::from(said.get(mark) == Some(&done("0")));
            assert_eq!(happened, expected, "seed {seed}, {mark}");
        }
    }
}

#[tokio::test]
async fn what_came_of_an_operation_is_forgotten_after_a_day() {
    let farm = Fixture::new().await;
    farm.queue.marked(&mark("m")).pause(None, TESTER).await.unwrap();
    farm.queue.outcome_of(&mark("void")).await.unwrap();
    for kept in ["m", "void"] {
        let mut command = redis::cmd("TTL");
        command.arg(keys::mark(&mark(kept)));
        let seconds: u64 = farm.queue.query("test", &command).await.unwrap();
        assert!((86_000..=86_400).contains(&seconds), "{kept}: {seconds}");
    }
}

/// What `docs/OPERATIONS.md` says to give a user, by the name that it uses there.
fn documented(user: &str) -> Vec<String> {
    let text = include_str!("../../../../docs/OPERATIONS.md");
    let start = format!("user {user} on >PASSWORD ");
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(&start))
        .unwrap_or_else(|| panic!("docs/OPERATIONS.md has no line {start:?}"));
    line.split(' ').map(str::to_owned).collect()
}

async fn log_in(server: &RedisServer, user: &str) -> RedisLink {
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg(user).arg("on").arg(">secret");
    command.arg(documented(user));
    server
        .link()
        .run(|mut connection| async move { command.exec_async(&mut connection).await })
        .await
        .unwrap();
    RedisLink::new(Direct {
        auth: RedisAuth {
            username: Some(user.to_owned()),
            password: Some(SecretString::from("secret")),
            ..RedisAuth::default()
        },
        ..server.direct()
    })
}

#[tokio::test]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("lib", &[]), request("app", &["lib"])])
        .await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    farm.publish().await;
    farm.sweep().await;

    let viewer = Queue::open(log_in(&farm.server, "viewer").await).await.unwrap();
    assert!(!viewer.may_operate().await.unwrap());
    let jobs = viewer.jobs(JobFilter { finished: 10 }).await.unwrap();
    assert_eq!(jobs.len(), 2);
    for job in &jobs {
        assert_eq!(viewer.job(job.id).await.unwrap().as_ref(), Some(job));
        viewer.why(job).await.unwrap();
    }
    assert_eq!(viewer.finished_jobs(None, 10).await.unwrap().len(), 1);
    assert_eq!(viewer.builders().await.unwrap().len(), 1);
    assert!(!viewer.trail(10).await.unwrap().is_empty());
    assert!(!viewer.statistics(24).await.unwrap().samples.is_empty());
    assert_eq!(viewer.package_history("repo/x86_64/lib").await.unwrap().len(), 1);
    assert!(viewer.manifest(ids[0]).await.unwrap().is_some());
    assert!(viewer.paused().await.unwrap().is_none());
    viewer.index(&target("repo")).await.unwrap();
    viewer.forecast().await.unwrap();
    viewer.size().await.unwrap();
    let none = viewer.events_after("0", 100, Duration::ZERO).await.unwrap();
    let waited = viewer
        .events_after("0", 100, Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(none, waited);
    let followed = viewer.event_follower("0").next(100, Duration::from_secs(1)).await;
    assert_eq!(followed.unwrap().events, none);
    // What a log reader asks.
    let mut command = redis::cmd("XREAD");
    let log = format!("{{caur}}:build:log:{}.1", ids[0]);
    command.arg("COUNT").arg(10).arg("STREAMS").arg(log).arg("0");
    let entries: redis::Value = viewer.query("read a log", &command).await.unwrap();
    assert_ne!(entries, redis::Value::Nil);

    for refused in [
        viewer.cancel(ids[1], TESTER).await.map(|_| ()),
        viewer.pause(None, TESTER).await.map(|_| ()),
        viewer.submit(vec![request("b", &[])], TESTER).await.map(|_| ()),
        viewer.publish_rules(&QueueRules::default()).await,
    ] {
        let refused = refused.unwrap_err();
        assert!(refused.is_forbidden(), "{refused:?}");
    }
}

#[tokio::test]
async fn an_operator_may_do_what_operators_do() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    farm.register("one", Some(2)).await;
    let link = log_in(&farm.server, "operator").await;
    let operator = Queue::open(link).await.unwrap();
    assert!(operator.may_operate().await.unwrap());
    let name = BuilderName::new("one").unwrap();
    operator.hold(id, TESTER).await.unwrap();
    operator.unhold(id, TESTER).await.unwrap();
    operator.set_priority(id, 1, TESTER).await.unwrap();
    operator.marked(&mark("m")).cancel(id, TESTER).await.unwrap();
    operator.retry(id, false, TESTER).await.unwrap();
    operator.release(id, TESTER).await.unwrap();
    operator.submit(vec![request("b", &["a"])], TESTER).await.unwrap();
    operator.pause(Some(&name), TESTER).await.unwrap();
    operator.drain(&name, TESTER).await.unwrap();
    operator.resume(Some(&name), TESTER).await.unwrap();
    operator.pause(None, TESTER).await.unwrap();
    farm.sound().await;

    // What belongs to the database it may not touch.
    let refused = operator.publish_rules(&QueueRules::default()).await.unwrap_err();
    assert!(refused.is_forbidden(), "{refused:?}");
}
