//! What is kept, for how long, and what happens when memory runs out.

use super::*;
use crate::log::LogWriter;
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

async fn write_log(farm: &Fixture, claim: &Claim, bytes: usize) {
    for piece in 0..bytes / 65536 {
        let text = char::from(b'a' + u8::try_from(piece % 26).unwrap())
            .to_string()
            .repeat(65536);
        LogWriter::append(farm.queue.link(), &claim.token, &text, LEASE)
            .await
            .unwrap();
    }
}

async fn size_of_logs(farm: &Fixture) -> u64 {
    let size: Option<u64> = farm
        .queue
        .query("test", redis::cmd("GET").arg(keys::LOG_LIVE))
        .await
        .unwrap();
    size.unwrap_or(0)
}

#[tokio::test]
async fn all_live_logs_together_keep_to_their_budget() {
    let farm = Fixture::new().await;
    let budget = 4 << 20;
    let rules = QueueRules {
        log_live_bytes: budget,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    farm.submit(vec![request("a", &[]), request("b", &[])]).await;
    let (loud, quiet) = (
        farm.claim("one", 2).await.unwrap(),
        farm.claim("two", 2).await.unwrap(),
    );
    write_log(&farm, &quiet, 1 << 20).await;
    write_log(&farm, &loud, 16 << 20).await;
    let size = size_of_logs(&farm).await;
    assert!(size <= budget + 65536, "{size}");
    farm.sound().await;
    // The quiet one lost nothing, the loud one its middle.
    let mut reader = crate::log::LogReader::new(farm.queue.link().clone(), quiet.job.id, 1);
    let mut bytes = 0;
    while let Some(chunk) = reader.next(Duration::ZERO).await.unwrap() {
        let crate::log::LogChunk::Data(data) = chunk else {
            panic!("{chunk:?}")
        };
        bytes += data.len();
    }
    assert_eq!(bytes, 1 << 20);
    let mut reader = crate::log::LogReader::new(farm.queue.link().clone(), loud.job.id, 1);
    let (mut cuts, mut first, mut last) = (0, None, 0);
    while let Some(chunk) = reader.next(Duration::ZERO).await.unwrap() {
        match chunk {
            crate::log::LogChunk::Data(data) => {
                first.get_or_insert(data[0]);
                last = data[data.len() - 1];
            }
            crate::log::LogChunk::Cut(_) => cuts += 1,
            crate::log::LogChunk::End { .. } => {}
        }
    }
    assert_eq!((cuts, first, last), (1, Some(b'a'), b'a' + (255 % 26)));
}

#[tokio::test]
async fn ended_logs_are_removed_by_their_budget_oldest_first() {
    let farm = Fixture::new().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.extend(farm.submit(vec![request(name, &[])]).await);
        let claim = farm.claim("one", 2).await.unwrap();
        write_log(&farm, &claim, 1 << 20).await;
        farm.finish(&claim, BuildOutcome::Failed).await;
    }
    assert_eq!(farm.sweep().await.logs, 0);
    let rules = QueueRules {
        log_kept_bytes: 2 << 20,
        ..QueueRules::default()
    };
    farm.queue.publish_rules(&rules).await.unwrap();
    assert_eq!(farm.sweep().await.logs, 1);
    let length = async |id: JobId| -> usize {
        let mut command = redis::cmd("XLEN");
        command.arg(format!("{{caur}}:build:log:{id}.1"));
        farm.queue.query("test", &command).await.unwrap()
    };
    assert_eq!(length(ids[0]).await, 0);
    assert!(length(ids[1]).await > 0 && length(ids[2]).await > 0);
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
