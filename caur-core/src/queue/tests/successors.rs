//! A request for a package whose older job still runs.

use super::*;

#[tokio::test]
async fn a_running_job_stays_known_when_its_successor_is_canceled() {
    let farm = Fixture::new().await;
    let old = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    let new = farm.submit(vec![request("a", &[])]).await[0];
    farm.queue.cancel(new, TESTER).await.unwrap();
    farm.sound().await;
    let live = farm.queue.live_job("repo/x86_64/a").await.unwrap().unwrap();
    assert_eq!(live.id, old);

    let report = farm.queue.submit(vec![request("a", &[])], TESTER).await.unwrap();
    assert_eq!(report.jobs[0].disposition, Disposition::Succeeds(old));
    assert!(farm.claim("two", 2).await.is_none(), "never two at once");
    farm.finish(&claim, BuildOutcome::Canceled).await;
    assert_eq!(farm.claim("two", 2).await.unwrap().job.id, report.jobs[0].id);
}

#[tokio::test]
async fn a_refused_release_changes_nothing() {
    let farm = Fixture::new().await;
    let lib = farm.submit(vec![request("lib", &[]), request("app", &[])]).await[0];
    farm.claim("one", 2).await.unwrap();
    let app = farm.claim("one", 2).await.unwrap().job.id;
    let new = farm.submit(vec![request("app", &["lib"])]).await[0];
    for held in [false, true] {
        if held {
            farm.queue.hold(new, TESTER).await.unwrap();
        }
        let refused = farm.queue.release(new, TESTER).await;
        assert!(matches!(refused, Err(QueueError::Refused { .. })), "{refused:?}");
        let job = farm.job(new).await;
        assert_eq!((job.waits_for, job.released), (vec![lib, app], false));
    }
}
