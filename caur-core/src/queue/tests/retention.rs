//! What is kept, for how long, and what happens when memory runs out.

use super::*;
use crate::model::Phase;

#[tokio::test]
async fn finished_jobs_are_forgotten_by_count() {
    let farm = Fixture::new().await;
    let rules = QueueRules {
        keep_finished: 2,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.extend(farm.submit(vec![request(&format!("p{number}"), &[])]).await);
        let claim = farm.claim("one", 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Failed).await;
    }
    assert_eq!(farm.sweep().await.trimmed, 3);
    let kept = farm.queue.jobs(JobFilter { finished: 10 }).await.unwrap();
    let kept: Vec<JobId> = kept.into_iter().map(|job| job.id).collect();
    assert_eq!(kept, [ids[4], ids[3]]);
}

#[tokio::test]
async fn nothing_of_a_forgotten_job_is_left() {
    let farm = Fixture::new().await;
    let before = key_count(&farm).await;
    let id = farm.submit(vec![request("a", &[]), request("b", &["a"])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    let long = "because ".repeat(30);
    let failed = Attempt {
        reason: long.clone(),
        ..attempt(&claim, BuildOutcome::Failed)
    };
    farm.queue.finish(&claim.token, &failed).await.unwrap();
    assert_eq!(farm.job(id).await.reason, Some(long));
    let rules = QueueRules {
        keep_finished: 0,
        blocked: Duration::ZERO,
        log_kept_for: Duration::ZERO,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    for _ in 0..3 {
        farm.sweep().await;
    }
    assert!(
        farm.queue
            .jobs(JobFilter { finished: 9 })
            .await
            .unwrap()
            .is_empty()
    );
    let after = key_count(&farm).await;
    let new: Vec<&String> = after.iter().filter(|key| !before.contains(key)).collect();
    let of_jobs: Vec<_> = new.iter().filter(|key| key.contains(&id.to_string())).collect();
    assert!(of_jobs.is_empty(), "{new:?}");
}

async fn key_count(farm: &Fixture) -> Vec<String> {
    farm.queue
        .query("test", redis::cmd("KEYS").arg("*"))
        .await
        .unwrap()
}

#[tokio::test]
async fn at_maxmemory_work_still_comes_to_its_end() {
    let farm = Fixture::new().await;
    let ids = farm
        .submit(vec![request("a", &[]), request("b", &[]), request("c", &["a"])])
        .await;
    let claim = farm.claim("one", 2).await.unwrap();
    for setting in [["maxmemory-policy", "noeviction"], ["maxmemory", "1"]] {
        farm.queue
            .query::<()>("test", redis::cmd("CONFIG").arg("SET").arg(&setting))
            .await
            .unwrap();
    }
    let full = farm
        .queue
        .submit(vec![request("d", &[])], TESTER)
        .await
        .unwrap_err();
    assert!(full.to_string().contains("maxmemory"), "{full}");
    farm.queue
        .heartbeat(&claim.token, LEASE, Phase::Build)
        .await
        .unwrap();
    farm.finish(&claim, BuildOutcome::Built).await;
    assert_eq!(farm.publish().await, 1);
    assert_eq!(farm.state(ids[0]).await, JobState::Succeeded);
    for _ in 0..2 {
        let claim = farm.claim("one", 2).await.expect("claims work");
        farm.finish(&claim, BuildOutcome::Failed).await;
    }
    farm.sweep().await;
}
