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
