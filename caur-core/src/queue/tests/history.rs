//! What is kept of the attempts before the last one.

use super::*;

impl Fixture {
    async fn history(&self, id: JobId) -> Vec<(u32, String)> {
        let history = self.job(id).await.history;
        history
            .into_iter()
            .map(|past| (past.attempt, past.outcome))
            .collect()
    }
}

#[tokio::test]
async fn an_attempt_appears_once_in_the_history() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    let claim = farm.claim("one", 2).await.unwrap();
    farm.finish(&claim, BuildOutcome::Infrastructure).await;
    farm.queue.cancel(id, TESTER).await.unwrap();
    farm.queue.retry(id, false, TESTER).await.unwrap();
    assert_eq!(farm.history(id).await, [(1, "infrastructure".to_owned())]);
}

#[tokio::test]
async fn the_attempt_that_was_the_last_straw_enters_the_history_with_the_next() {
    let farm = Fixture::new().await;
    let id = farm.submit(vec![request("a", &[])]).await[0];
    for builder in ["one", "two", "three"] {
        farm.let_time_pass().await;
        let claim = farm.claim(builder, 2).await.unwrap();
        farm.finish(&claim, BuildOutcome::Infrastructure).await;
    }
    assert_eq!(farm.state(id).await, JobState::InfrastructureFailed);
    let mut expected = vec![(1, "infrastructure".to_owned()), (2, "infrastructure".to_owned())];
    assert_eq!(farm.history(id).await, expected);
    farm.queue.retry(id, false, TESTER).await.unwrap();
    expected.push((3, "infrastructure-failed".to_owned()));
    assert_eq!(farm.history(id).await, expected);
}
