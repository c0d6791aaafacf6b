//! What is kept of what has ended.

use super::*;
use crate::model::{ManifestFile, PastBuild};

impl Fixture {
    async fn history_of(&self, pkgbase: &str) -> Vec<PastBuild> {
        let key = format!("repo/x86_64/{pkgbase}");
        self.queue.package_history(&key).await.unwrap()
    }

    /// Ends this many jobs, all in the same few milliseconds, and gives them newest first.
    async fn ended(&self, count: usize) -> Vec<JobId> {
        let batch = (0..count)
            .map(|number| request(&format!("p{number}"), &[]))
            .collect();
        for id in self.submit(batch).await {
            self.queue.cancel(id, TESTER).await.unwrap();
        }
        let jobs = self.queue.jobs(JobFilter { finished: count }).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect()
    }

    async fn page(&self, before: Option<&Job>, limit: usize) -> Vec<Job> {
        let before = before.map(|job| (job.finished.unwrap(), job.id));
        self.queue.finished_jobs(before, limit).await.unwrap()
    }
}

#[tokio::test]
async fn a_packages_past_tells_every_attempt_newest_first() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    for outcome in [
        BuildOutcome::Released,
        BuildOutcome::Infrastructure,
        BuildOutcome::Built,
    ] {
        farm.let_time_pass().await;
        let claim = farm.claim("one", 2).await.unwrap();
        farm.finish(&claim, outcome).await;
    }
    farm.publish().await;
    let next = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("two", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    // What was never begun is no build.
    let unbuilt = farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    farm.queue.cancel(unbuilt[0], TESTER).await.unwrap();

    let past = farm.history_of("a").await;
    let told: Vec<(JobId, u32, &str, &str, &str)> = past
        .iter()
        .map(|build| {
            (
                build.job,
                build.attempt,
                build.outcome.as_str(),
                build.builder.as_str(),
                build.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (next, 1, "failed", "two", "because"),
            (id, 3, "succeeded", "one", ""),
            (id, 2, "infrastructure", "one", "because"),
            (id, 1, "released", "one", "because"),
        ]
    );
    for build in &past {
        assert!(build.ended >= build.started, "{build:?}");
        assert!(
            build.build_seconds * 1000 <= build.ended - build.started,
            "{build:?}"
        );
    }
    assert_eq!(farm.history_of("b").await, []);
    assert_eq!(farm.history_of("never-seen").await, []);
}

#[tokio::test]
async fn the_last_twenty_builds_are_kept_as_long_as_finished_jobs() {
    let farm = Fixture::new().await;
    for number in 0..25 {
        farm.submit(vec![request("a", &[])]).await;
        let claim = farm.claim("one", 2).await.unwrap();
        let ended = Attempt {
            reason: format!("{number}\t\n{}", "x".repeat(1000)),
            ..attempt(&claim, BuildOutcome::Failed)
        };
        farm.queue.finish(&claim.token, &ended).await.unwrap();
    }
    let past = farm.history_of("a").await;
    assert_eq!(past.len(), 20);
    assert!(past[0].reason.starts_with("24  xxx") && past[0].reason.len() == 200);
    assert!(past[19].reason.starts_with("5  xxx"));
    let mut command = redis::cmd("TTL");
    command.arg(keys::past("repo/x86_64/a"));
    let seconds: u64 = farm.queue.query("test", &command).await.unwrap();
    assert!((2_500_000..=2_592_000).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_reset_forgets_the_past_of_packages() {
    let farm = Fixture::new().await;
    farm.submit(vec![request("a", &[])]).await;
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Failed).await;
    farm.queue.reset(1, TESTER).await.unwrap();
    assert_eq!(farm.history_of("a").await, []);
}

#[tokio::test]
async fn a_manifest_stays_with_a_job_that_succeeded() {
    let farm = Fixture::new().await;
    let ids = farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    assert_eq!(farm.queue.manifest(ids[0]).await.unwrap(), None);
    let claim = farm.claim("one", 2).await.unwrap();
    let mut ended = attempt(&claim, BuildOutcome::Built);
    let manifest = ended.manifest.as_mut().unwrap();
    manifest.files.push(ManifestFile {
        name: "a-1-1-any.pkg.tar.zst".into(),
        size: 7,
        sha256: "0".repeat(64),
    });
    manifest.namcap = vec!["a W: too big".into()];
    let manifest = ended.manifest.clone();
    farm.queue.finish(&claim.token, &ended).await.unwrap();
    assert_eq!(farm.queue.manifest(ids[0]).await.unwrap(), manifest);
    farm.publish().await;
    assert_eq!(farm.state(ids[0]).await, JobState::Succeeded);
    assert_eq!(farm.queue.manifest(ids[0]).await.unwrap(), manifest);

    // It tells of the last attempt, not of one before.
    farm.queue.retry(ids[0], true, TESTER).await.unwrap();
    assert_eq!(farm.queue.manifest(ids[0]).await.unwrap(), None);
    farm.queue.cancel(ids[0], TESTER).await.unwrap();

    // What was uploaded and not published is no result.
    let claim = farm.claim("one", 2).await.unwrap();
    assert_eq!(claim.job.id, ids[1]);
    farm.finish(&claim, BuildOutcome::Built).await;
    farm.queue.cancel(ids[1], TESTER).await.unwrap();
    assert_eq!(farm.queue.manifest(ids[1]).await.unwrap(), None);
}

#[tokio::test]
async fn a_manifest_goes_with_its_job() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    farm.publish().await;
    assert!(farm.queue.manifest(id).await.unwrap().is_some());
    let rules = QueueRules {
        keep_finished: 0,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    assert_eq!(farm.sweep().await.trimmed, 1);
    assert_eq!(farm.queue.manifest(id).await.unwrap(), None);
}

#[test]
fn manifests_of_older_builders_are_read_and_older_daemons_read_ours() {
    let old = r#"{"job":1,"attempt":1,"pkgbase":"a","target":{"repo":"repo","arch":"x86_64"},
        "commit":"0123456789012345678901234567890123456789","builder":"one","image":"sha256:1","files":[]}"#;
    let manifest: Manifest = serde_json::from_str(old).unwrap();
    assert_eq!(manifest.namcap, [""; 0]);
    assert!(!serde_json::to_string(&manifest).unwrap().contains("namcap"));
}

#[tokio::test]
async fn pages_of_finished_jobs_have_neither_gaps_nor_doubles() {
    let farm = Fixture::new().await;
    assert_eq!(farm.page(None, 10).await, []);
    let ids = farm.ended(60).await;
    for limit in [1, 7, 20, 59, 60, 61, 1000] {
        let mut found: Vec<Job> = Vec::new();
        loop {
            let page = farm.page(found.last(), limit).await;
            let ended = page.len() < limit;
            found.extend(page);
            if ended {
                break;
            }
        }
        let found: Vec<JobId> = found.into_iter().map(|job| job.id).collect();
        assert_eq!(found, ids, "{limit} a page");
    }
}

#[tokio::test]
async fn jobs_that_ended_in_the_same_millisecond_are_told_apart() {
    let farm = Fixture::new().await;
    let ids = farm.ended(80).await;
    for id in &ids {
        let mut commands = redis::pipe();
        commands.zadd(keys::FINISHED, id.0, 1_700_000_000_000_u64).hset(
            keys::job(*id),
            "since",
            1_700_000_000_000_u64,
        );
        farm.queue.pipeline::<()>("test", &commands).await.unwrap();
    }
    let mut expected = ids.clone();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let mut found: Vec<Job> = Vec::new();
    loop {
        let page = farm.page(found.last(), 3).await;
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    let found: Vec<JobId> = found.into_iter().map(|job| job.id).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_page_goes_on_when_jobs_leave_or_come_meanwhile() {
    let farm = Fixture::new().await;
    let ids = farm.ended(30).await;
    let first = farm.page(None, 10).await;
    // The last one that was told goes, so do some that are next, and new ones end.
    for id in [ids[9], ids[10], ids[12]] {
        farm.queue.retry(id, false, TESTER).await.unwrap();
    }
    let new = farm.submit(vec![request("new", &[])]).await[0];
    farm.queue.cancel(new, TESTER).await.unwrap();
    let second = farm.page(first.last(), 10).await;
    let second: Vec<JobId> = second.into_iter().map(|job| job.id).collect();
    let expected: Vec<JobId> = [&ids[11..12], &ids[13..22]].concat();
    assert_eq!(second, expected);
}
