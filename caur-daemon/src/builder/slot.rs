//! One slot of a builder: claims a job, has it built, claims the next.

use std::sync::Arc;
use std::time::Duration;

use caur_core::queue::{Claim, ClaimRequest, Claimed, QueueError, Refusal};
use color_eyre::eyre::Result;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::presence::Presence;
use super::{BuilderRole, Ear, IDLE};
use crate::outage::wait_for_redis;

/// How long a builder waits for a farm that has no database yet, and looks again whether it has room for a build.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// One slot.
pub struct Slot {
    /// Its builder.
    pub role: Arc<BuilderRole>,
    /// Its number, from 0.
    pub number: u32,
    /// What happens in the queue.
    pub ear: Ear,
    /// Whether the builder may claim.
    pub presence: Presence,
}

/// What a look at the queue led to.
enum Next {
    Build(Box<Claim>),
    Wait(Duration),
    End,
}

impl Slot {
    /// Works until `shutdown` or until the builder is drained.
    ///
    /// # Errors
    /// Only what cannot mend itself.
    pub async fn work(self, shutdown: CancellationToken) -> Result<()> {
        let mut news = self.ear.ready.subscribe();
        // The same until it was answered: a claim whose answer got lost is asked for again.
        let mut request = self.request();
        let mut claimed: Option<Box<Claim>> = None;
        while !shutdown.is_cancelled() || claimed.is_some() {
            if let Some(claim) = claimed.take() {
                claimed = self.role.attempt(*claim, &self, &shutdown).await;
                continue;
            }
            news.mark_unchanged();
            match self.look(&request).await {
                Ok(Next::Build(claim)) => {
                    claimed = Some(claim);
                    request = self.request();
                }
                Ok(Next::Wait(time)) => wait(&mut news, time, &shutdown).await,
                Ok(Next::End) => return Ok(()),
                Err(QueueError::Link { action, source }) => {
                    tracing::warn!("cannot {action}: {source}; waiting for Redis");
                    wait_for_redis(self.role.queue.link(), &source, &shutdown).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A claim for this slot.
    pub fn request(&self) -> ClaimRequest {
        ClaimRequest::new(self.role.instance.clone(), self.number, self.role.lease)
    }

    async fn look(&self, request: &ClaimRequest) -> Result<Next, QueueError> {
        if self.role.queue.farm().await?.is_none() {
            tracing::info!("no database daemon has published its configuration yet; waiting for one");
            return Ok(Next::Wait(LOOK_AGAIN));
        }
        if self.presence.note().is_some() {
            self.presence.report().await?;
            return Ok(Next::Wait(LOOK_AGAIN));
        }
        let answer = self.role.queue.claim(request).await?;
        self.judge(answer).await
    }

    async fn judge(&self, answer: Claimed) -> Result<Next, QueueError> {
        Ok(match answer {
            Claimed::Job(claim) => Next::Build(claim),
            Claimed::Nothing => Next::Wait(IDLE),
            Claimed::Refused(Refusal::Unknown) => {
                self.presence.report().await?;
                Next::Wait(Duration::from_millis(100))
            }
            Claimed::Refused(Refusal::Draining(_)) => Next::End,
            Claimed::Refused(refusal @ (Refusal::Incompatible(_) | Refusal::Paused(_) | Refusal::QueuePaused(_))) => {
                tracing::info!(slot = self.number, "no jobs: {refusal}");
                Next::Wait(IDLE)
            }
        })
    }
}

async fn wait(news: &mut watch::Receiver<u64>, time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        _ = news.changed() => {}
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
