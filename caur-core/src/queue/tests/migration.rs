//! Older queues are brought up to date; newer ones are left alone.

use super::*;

/// What a queue of schema 1 held, as commands: `data/schema-1.jsonl`, made by the last program that wrote it.
async fn schema_1() -> RedisServer {
    let server = RedisServer::start();
    let text = include_str!("data/schema-1.jsonl");
    let link = server.link();
    for line in text.lines() {
        let words: Vec<String> = serde_json::from_str(line).unwrap();
        let mut command = redis::cmd(&words[0]);
        command.arg(&words[1..]);
        link.run(|mut connection| async move { command.query_async::<()>(&mut connection).await })
            .await
            .unwrap();
    }
    server
}

#[tokio::test]
async fn a_queue_of_schema_1_goes_on_as_schema_2() {
    let server = schema_1().await;
    let farm = Fixture {
        queue: Queue::open(server.link()).await.unwrap(),
        server,
    };
    farm.sound().await;
    let jobs = farm.queue.jobs(JobFilter { finished: 100 }).await.unwrap();
    let mut states: Vec<(String, JobState)> = jobs
        .iter()
        .map(|job| (job.request.pkgbase.to_string(), job.state))
        .collect();
    states.sort();
    let expected = [
        ("app", JobState::Waiting),
        ("behind", JobState::Blocked),
        ("big", JobState::Ready),
        ("broken", JobState::Failed),
        ("done", JobState::Succeeded),
        ("fails", JobState::Failed),
        ("lib", JobState::Ready),
        ("mine", JobState::Ready),
        ("retry", JobState::Backoff),
        // It was to be stopped in favour of a newer request, and has lost its builder, which speaks the old schema.
        ("runs", JobState::Ready),
        ("runs", JobState::Canceled),
        ("skips", JobState::Skipped),
        ("slow", JobState::TimedOut),
        ("up", JobState::Uploaded),
        ("up2", JobState::Uploaded),
    ];
    assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state)));
    let done = jobs
        .iter()
        .find(|job| job.request.pkgbase.as_str() == "done")
        .unwrap();
    assert_eq!(
        (done.packages.len(), done.requested_by.as_str(), done.attempt),
        (1, "test", 1)
    );
    let app = jobs
        .iter()
        .find(|job| job.request.pkgbase.as_str() == "app")
        .unwrap();
    assert_eq!(app.request.needs, [Need::make("lib")]);
    assert_eq!(app.request.names.len(), 2);
    assert_eq!(farm.queue.farm().await.unwrap().unwrap().builder_image, "image:1");
    assert!(
        !farm
            .queue
            .events_after("0", 1000, Duration::ZERO)
            .await
            .unwrap()
            .is_empty()
    );

    // It works: everything that can be built is built and published.
    farm.let_time_pass().await;
    farm.register("one", Some(9)).await;
    farm.register("two", Some(9)).await;
    loop {
        let claimed = match farm.claim("one", 9).await {
            Some(claim) => Some(claim),
            None => farm.claim("two", 9).await,
        };
        if let Some(claim) = &claimed {
            farm.finish(claim, BuildOutcome::Built).await;
        }
        if farm.publish().await == 0 && claimed.is_none() {
            break;
        }
    }
    let left = farm.queue.jobs(JobFilter::default()).await.unwrap();
    let left: Vec<&str> = left.iter().map(|job| job.request.pkgbase.as_str()).collect();
    assert_eq!(left, ["behind"]);
    // Once more changes nothing.
    Queue::open(farm.queue.link().clone()).await.unwrap();
    farm.sound().await;
}

#[tokio::test]
async fn programs_of_schema_1_are_refused_wherever_they_begin() {
    let server = schema_1().await;
    Queue::open(server.link()).await.unwrap();
    let link = server.link();
    let run = async |words: &[&str]| -> Result<redis::Value, crate::link::LinkError> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        link.run(|mut connection| async move { command.query_async(&mut connection).await })
            .await
    };
    // A program that starts now reads this and refuses.
    assert_eq!(
        run(&["GET", "{caur}:config:schema"]).await.unwrap(),
        redis::Value::BulkString(b"2".to_vec())
    );
    // One that runs begins a claim and a submit with these commands, and stops there.
    let claim = run(&["ZADD", "{caur}:build:seen", "1", "one"])
        .await
        .unwrap_err()
        .to_string();
    assert!(claim.contains("WRONGTYPE"), "{claim}");
    let submit = run(&["INCR", "{caur}:queue:graph"])
        .await
        .unwrap_err()
        .to_string();
    assert!(submit.contains("not an integer"), "{submit}");
    // Its heartbeats, finishes and log lines look for a job's state here, and find themselves stale.
    let left = run(&["KEYS", "{caur}:queue:*"]).await.unwrap();
    let left: Vec<String> = redis::from_redis_value(left).unwrap();
    assert_eq!(left, ["{caur}:queue:graph"]);
}

#[tokio::test]
async fn a_program_that_runs_through_an_upgrade_changes_nothing_any_more() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.queue
        .query::<()>("test", redis::cmd("SET").arg(keys::SCHEMA).arg(3))
        .await
        .unwrap();
    let newer = |error: QueueError| matches!(error, QueueError::NewerSchema { stored: 3, known: 2 });
    let finish = farm
        .queue
        .finish(&claim.token, &attempt(&claim, BuildOutcome::Built))
        .await;
    assert!(newer(finish.unwrap_err()));
    assert!(newer(
        farm.queue
            .submit(vec![request("b", &[])], TESTER)
            .await
            .unwrap_err()
    ));
    let request = ClaimRequest::new(InstanceId::new("one").unwrap(), 0, LEASE);
    assert!(newer(farm.queue.claim(&request).await.unwrap_err()));
    let jobs = farm.queue.jobs(JobFilter::default()).await.unwrap();
    assert_eq!((jobs.len(), jobs[0].state), (1, JobState::Building));
}
