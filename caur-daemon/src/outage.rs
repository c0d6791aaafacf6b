//! Waiting for Redis, without asking it all the time.

use std::time::Duration;

use caur_core::link::{LinkError, RedisLink};
use tokio_util::sync::CancellationToken;

/// The least pause after a loss.
const LOST: Duration = Duration::from_millis(500);
/// The pause after a refusal, such as a full memory or a missing right, which the connection outlives.
const REFUSED: Duration = Duration::from_secs(5);

/// Waits until Redis may carry out what it did not because of `error`, or until `stop`.
pub async fn wait_for_redis(link: &RedisLink, error: &LinkError, stop: &CancellationToken) {
    let pause = if error.is_transient() { LOST } else { REFUSED };
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = stop.cancelled() => return,
    }
    link.wait_until_up(stop).await;
}
