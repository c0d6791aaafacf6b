//! What an attempt went through, and that watchers hear of it.

use super::*;
use crate::model::{Phase, PhaseStart};

const PHASES: [Phase; 4] = [Phase::Fetch, Phase::Prepare, Phase::Build, Phase::Upload];

impl Fixture {
    async fn go_through(&self, claim: &Claim, phases: &[Phase]) {
        for &phase in phases {
            // A heartbeat within a phase is no new one.
            for _ in 0..2 {
                self.queue.heartbeat(&claim.token, LEASE, phase).await.unwrap();
            }
        }
        self.sound().await;
    }

    async fn phases(&self, id: JobId) -> Vec<String> {
        let phases = self.job(id).await.phases;
        assert!(phases.is_sorted_by_key(|phase| phase.since), "{phases:?}");
        phases.into_iter().map(|phase| phase.name).collect()
    }
}

#[tokio::test]
async fn the_phases_of_an_attempt_stay_with_the_job() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    assert_eq!(farm.phases(id).await, [""; 0]);
    farm.go_through(&claim, &PHASES).await;
    assert_eq!(farm.phases(id).await, ["fetch", "prepare", "build", "upload"]);
    let before = farm.queue.now().await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    assert_eq!(farm.publish().await, 1);
    let all = ["fetch", "prepare", "build", "upload", "uploaded", "publishing"];
    assert_eq!(farm.phases(id).await, all);
    let job = farm.job(id).await;
    assert_eq!((job.state, job.phase), (JobState::Succeeded, None));
    let times: Vec<u64> = job.phases.iter().map(|phase| phase.since).collect();
    assert!(times[0] >= job.started.unwrap() && times[5] <= job.finished.unwrap());
    assert!(
        times[3] <= before && times[4] >= before,
        "{times:?} around {before}"
    );
    // It fits into the small form of the job's hash.
    let mut command = redis::cmd("OBJECT");
    command.arg("ENCODING").arg(keys::job(id));
    let encoding: String = farm.queue.query("test", &command).await.unwrap();
    assert_eq!(encoding, "listpack");

    let text = serde_json::to_string(&farm.job(id).await).unwrap();
    let read: Job = serde_json::from_str(&text).unwrap();
    assert_eq!(read.phases, farm.job(id).await.phases);
    let older = text.replace("\"phases\"", "\"unknown\"");
    assert_eq!(serde_json::from_str::<Job>(&older).unwrap().phases, []);
}

#[tokio::test]
async fn the_next_claim_begins_anew() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.go_through(&claim, &PHASES[..3]).await;
    farm.finish(&claim, BuildOutcome::Failed).await;
    assert_eq!(farm.phases(id).await, ["fetch", "prepare", "build"]);
    farm.queue.retry(id, false, TESTER).await.unwrap();
    assert_eq!(farm.phases(id).await, ["fetch", "prepare", "build"]);
    let claim = farm.claim("one", 2).await.unwrap();
    assert_eq!(farm.phases(id).await, [""; 0]);
    farm.go_through(&claim, &PHASES[..1]).await;
    assert_eq!(farm.phases(id).await, ["fetch"]);
}

#[tokio::test]
async fn a_phase_that_is_entered_again_counts_from_its_first_start() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.go_through(&claim, &PHASES).await;
    farm.finish(&claim, BuildOutcome::Built).await;
    for _ in 0..30 {
        let target = target("repo");
        let claims = farm.queue.claim_uploads(&target, "p", LEASE, 9).await.unwrap();
        let retry = PublishOutcome::Retry {
            reason: "the disk is full".into(),
        };
        farm.queue.finish_publish(&claims[0].token, &retry).await.unwrap();
    }
    assert_eq!(farm.phases(id).await.len(), 6);
    farm.sound().await;
}

#[tokio::test]
async fn a_new_phase_is_an_event_and_more_of_the_same_is_none() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    let last = farm.queue.last_event().await.unwrap();
    farm.go_through(&claim, &PHASES).await;
    let events = farm.queue.events_after(&last, 100, Duration::ZERO).await.unwrap();
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (event.action.as_str(), event.reason.as_str()))
        .collect();
    let expected = PHASES.map(|phase| ("phase", phase.as_str()));
    assert_eq!(told, expected);
    for event in &events {
        let about = (
            event.job,
            event.from,
            event.to,
            event.attempt,
            event.builder.as_str(),
        );
        assert_eq!(
            about,
            (id, Some(JobState::Building), JobState::Building, 1, "one")
        );
    }
}

#[tokio::test]
async fn phases_that_this_program_does_not_know_are_kept_too() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    for name in [
        "fetch",
        "a-phase-of-a-later-version",
        "another-phase-of-it",
        "no phase",
        "build",
    ] {
        farm.queue
            .extend(&claim.token, "building", LEASE, name)
            .await
            .unwrap();
    }
    let expected = [
        "fetch",
        "a-phase-of-a-later-version",
        "another-phase-of-it",
        "build",
    ];
    assert_eq!(farm.phases(id).await, expected);
    let job = farm.queue.jobs(JobFilter::default()).await.unwrap().remove(0);
    let phases: Vec<PhaseStart> = farm.job(id).await.phases;
    assert_eq!(
        job.phases, phases,
        "a long line of them is read with the whole queue"
    );
}
