//! Builders: how they register, what they are told, and what a job's wait has to do with them.

use super::*;

#[tokio::test]
async fn a_builder_shows_what_it_is_and_what_it_holds() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let said = BuilderReport {
        slots: 3,
        machine: Machine {
            engine: "Docker 20".into(),
            cores: 8,
            disk_free: 7,
            ..Machine::default()
        },
        ..report("i1", "one", Some(2))
    };
    farm.queue.report_status(&said).await.unwrap();
    farm.ask("i1").await.job().unwrap();
    let builders = farm.queue.builders().await.unwrap();
    assert_eq!(builders.len(), 1);
    assert_eq!((&builders[0].report, &builders[0].jobs), (&said, &vec![id]));
    assert!(builders[0].online && builders[0].takes_jobs());
    farm.queue.leave(&said).await.unwrap();
    assert!(farm.queue.builders().await.unwrap().is_empty());
    assert!(matches!(farm.ask("i1").await, Claimed::Refused(Refusal::Unknown)));
}

#[tokio::test]
async fn several_slots_take_several_jobs() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    farm.register("one", Some(2)).await;
    let instance = InstanceId::new("one").unwrap();
    for slot in 0..2 {
        let request = ClaimRequest::new(instance.clone(), slot, LEASE);
        let first = farm.queue.claim(&request).await.unwrap().job().unwrap();
        // The answer got lost, and the builder asks again.
        let again = farm.queue.claim(&request).await.unwrap().job().unwrap();
        assert_eq!(first.token, again.token);
        farm.sound().await;
    }
    assert_eq!(farm.queue.builders().await.unwrap()[0].jobs.len(), 2);
}

#[tokio::test]
async fn finishing_claims_the_next_job_in_the_same_call() {
    let farm = Fixture::new().await;
    let ids = farm.submit(vec![request("a", &[]), request("b", &["a"])]).await;
    let claim = farm.claim("one", 2).await.unwrap();
    let next = ClaimRequest::new(InstanceId::new("one").unwrap(), 0, LEASE);
    let ended = attempt(&claim, BuildOutcome::AlreadyBuilt);
    for _ in 0..2 {
        // The second time as after a lost answer.
        let claimed = farm
            .queue
            .finish_and_claim(&claim.token, &ended, &next)
            .await
            .unwrap();
        farm.sound().await;
        let claimed = claimed.job().expect("the dependant is ready by then");
        assert_eq!((claimed.job.id, claimed.token.attempt), (ids[1], 1));
    }
}

#[tokio::test]
async fn two_processes_of_one_name_are_two_builders_and_both_learn_of_it() {
    let farm = Fixture::new().await;
    let (first, second) = (report("i1", "twin", Some(2)), report("i2", "twin", Some(2)));
    assert_eq!(farm.queue.report_status(&first).await.unwrap().double, None);
    // It may be the first one's successor.
    assert_eq!(farm.queue.report_status(&second).await.unwrap().double, None);
    let double = |orders: BuilderOrders| orders.double;
    assert_eq!(
        double(farm.queue.report_status(&first).await.unwrap()).as_deref(),
        Some("i2")
    );
    assert_eq!(
        double(farm.queue.report_status(&second).await.unwrap()).as_deref(),
        Some("i1")
    );
    let builders = farm.queue.builders().await.unwrap();
    assert_eq!(builders.len(), 2);
    assert!(builders.iter().all(|builder| builder.double.is_some()));
    farm.queue.leave(&second).await.unwrap();
    farm.queue.report_status(&first).await.unwrap();
    assert_eq!(double(farm.queue.report_status(&first).await.unwrap()), None);
}

#[tokio::test]
async fn an_incompatible_builder_is_told_and_given_nothing() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    farm.register("old", Some(2)).await;
    let mut older = redis::cmd("HSET");
    older.arg(keys::builder("old")).arg("protocol").arg(0);
    farm.queue.query::<()>("test", &older).await.unwrap();
    let refused = farm.ask("old").await;
    assert!(
        matches!(refused, Claimed::Refused(Refusal::Incompatible(ref why)) if why.contains("protocol 0")),
        "{refused:?}"
    );
    assert!(farm.queue.builders().await.unwrap()[0].incompatible.is_some());
}

#[tokio::test]
async fn a_restarted_builder_goes_on_with_its_build() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let claim = farm.claim("before", 2).await.unwrap();
    farm.register("after", Some(2)).await;
    let after = InstanceId::new("after").unwrap();
    let adopted = farm
        .queue
        .adopt(&claim.token, &after, LEASE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(adopted.token, claim.token);
    assert_eq!(farm.job(claim.job.id).await.instance.as_deref(), Some("after"));
    farm.finish(&adopted, BuildOutcome::Built).await;
    assert!(
        farm.queue
            .adopt(&claim.token, &after, LEASE)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn why_a_job_waits() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![
            request("lib", &[]),
            request("app", &["lib"]),
            classed("big", "7"),
            classed("mine", "two"),
        ])
        .await;
    let why = async |id: JobId| farm.queue.why(&farm.job(id).await).await.unwrap();
    let Why::Dependencies { on } = why(ids[1]).await else {
        panic!()
    };
    assert_eq!(
        (on[0].job, on[0].state, &on[0].names),
        (ids[0], JobState::Ready, &vec!["lib".to_owned()])
    );
    assert!(matches!(why(ids[0]).await, Why::NoBuilder { online, .. } if online.is_empty()));
    farm.register("one", Some(2)).await;
    assert!(matches!(why(ids[0]).await, Why::Next));
    let Why::NoBuilder { class, online } = why(ids[2]).await else {
        panic!()
    };
    assert_eq!(
        (class.to_string(), online),
        ("7".to_owned(), vec!["2".to_owned()])
    );
    assert!(matches!(why(ids[3]).await, Why::NoBuilder { .. }));

    let claim = farm.claim("one", 2).await.unwrap();
    assert_eq!(why(claim.job.id).await, Why::Nothing);
    let again = farm.submit(vec![request("other", &[])]).await[0];
    assert!(
        matches!(why(again).await, Why::Busy { slots: 1, ahead: 0 }),
        "{:?}",
        why(again).await
    );
    let successor = farm.submit(vec![claim.job.request.clone()]).await[0];
    assert_eq!(
        why(successor).await,
        Why::Predecessor {
            job: claim.job.id,
            state: JobState::Building
        }
    );
    farm.queue
        .pause(Some(&BuilderName::new("one").unwrap()), TESTER)
        .await
        .unwrap();
    let Why::BuildersStopped { builders } = why(again).await else {
        panic!()
    };
    assert_eq!(builders["one"], "paused by test: because");
    farm.queue.hold(again, TESTER).await.unwrap();
    assert_eq!(
        why(again).await,
        Why::Held {
            reason: "held by test: because".into()
        }
    );
}

#[tokio::test]
async fn every_job_that_can_be_built_has_an_expected_start_and_end() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![
            request("lib", &[]),
            request("app", &["lib"]),
            classed("big", "7"),
            request("held", &[]),
        ])
        .await;
    farm.queue.hold(ids[3], TESTER).await.unwrap();
    assert!(farm.queue.forecast().await.unwrap().is_empty(), "nobody is there");
    farm.register("one", Some(2)).await;
    let now = farm.queue.now().await.unwrap();
    let spans = farm.queue.forecast().await.unwrap();
    let (lib, app) = (spans[&ids[0]], spans[&ids[1]]);
    let default = super::plan::DEFAULT_EXPECTED * 1000;
    assert!(lib.start.abs_diff(now) < 10_000, "{lib:?} {now}");
    assert_eq!((lib.end - lib.start, app.start), (default, lib.end));
    assert_eq!(app.end - app.start, default);
    assert!(!spans.contains_key(&ids[2]) && !spans.contains_key(&ids[3]));

    let claim = farm.claim("one", 2).await.unwrap();
    let started = farm.job(claim.job.id).await.started.unwrap();
    let spans = farm.queue.forecast().await.unwrap();
    assert_eq!(spans[&ids[0]].end, started + default);
    farm.queue.pause(None, TESTER).await.unwrap();
    let spans = farm.queue.forecast().await.unwrap();
    assert!(spans.contains_key(&ids[0]) && !spans.contains_key(&ids[1]));
}
