//! Waiting for a condition, bounded.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(30);

/// Looks until `probe` gives something, at most `limit`.
///
/// # Errors
/// How long was waited in vain.
pub async fn eventually<T, F>(limit: Duration, mut probe: impl FnMut() -> F) -> Result<T, Duration>
where
    F: Future<Output = Option<T>>,
{
    let begin = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return Ok(found);
        }
        if begin.elapsed() > limit {
            return Err(begin.elapsed());
        }
        tokio::time::sleep(PACE).await;
    }
}
