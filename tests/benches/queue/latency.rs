//! How long a job that became ready waits for an idle builder.

use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::mpsc;

use super::farm::{ASKER, Bench, request};
use caur_tests::measure::{Measured, percentile};

const ROUNDS: usize = 300;
const WAIT: Duration = Duration::from_secs(20);

/// From the call that makes a job ready to the claim in a waiting builder's hands, against a message from `PUBLISH`
/// to its subscriber.
pub async fn ready_to_claimed() -> Vec<Measured> {
    let bench = Bench::new().await;
    let client = bench.client("idle").await;
    let (claimed, mut claims) = mpsc::channel(1);
    let builder = tokio::spawn(async move {
        let mut signals = client.queue.builder_signals();
        signals.begin().await.expect("Redis answers");
        loop {
            let answer = client
                .queue
                .claim(&client.request())
                .await
                .expect("Redis answers");
            match answer.job() {
                Some(claim) => {
                    let now = Instant::now();
                    client.finish(&claim).await;
                    if claimed.send(now).await.is_err() {
                        return;
                    }
                }
                None => drop(signals.wait(WAIT).await.expect("Redis answers")),
            }
        }
    });

    let redis = redis::Client::open(format!("redis+unix://{}", bench.server.socket().display()))
        .expect("a valid address");
    let mut subscriber = redis.get_async_pubsub().await.expect("Redis answers");
    subscriber.subscribe("channel").await.expect("Redis answers");
    let mut messages = subscriber.on_message();
    let link = bench.server.link();

    let (mut ready, mut published) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        let id = bench
            .queue
            .submit(vec![request(&format!("job{number}"))], ASKER)
            .await
            .expect("it is taken")
            .jobs[0]
            .id;
        // The builder has it at once; what is measured is a retry of it, which one script makes ready.
        claims.recv().await.expect("the builder works");
        let begin = Instant::now();
        bench.queue.retry(id, false, ASKER).await.expect("it has ended");
        let at = claims.recv().await.expect("the builder works");
        ready.push(at.saturating_duration_since(begin));

        let begin = Instant::now();
        link.run(|mut connection| async move {
            redis::cmd("PUBLISH")
                .arg("channel")
                .arg("message")
                .exec_async(&mut connection)
                .await
        })
        .await
        .expect("Redis answers");
        messages.next().await.expect("the message comes");
        published.push(begin.elapsed());
    }
    builder.abort();
    let (ready, published) = (percentile(&mut ready, 95), percentile(&mut published, 95));
    vec![Measured::new(
        "job ready to claimed by an idle builder, p95, over PUBLISH",
        ready.saturating_sub(published).as_secs_f64() * 1e3,
        "ms",
        Some(20.0),
        format!("{ready:.2?} (the call that makes it ready included) and {published:.2?}"),
    )]
}
