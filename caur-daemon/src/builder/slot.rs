//! One slot of a builder: claims a job, has it built, claims the next.

use std::sync::Arc;
use std::time::Duration;

use caur_core::build::Adoptable;
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
    /// Whether it only brings an adopted build to its end.
    pub surplus: bool,
    /// What happens in the queue.
    pub ear: Ear,
    /// Whether the builder may claim.
    pub presence: Presence,
}

/// Something to build.
pub enum Work {
    /// A job that was claimed.
    New(Box<Claim>),
    /// A build that an earlier process of this builder began.
    Adopted(Box<Claim>, Box<Adoptable>),
}

impl Work {
    /// The job and the proof of it.
    pub fn claim(&self) -> &Claim {
        match self {
            Self::New(claim) | Self::Adopted(claim, _) => claim,
        }
    }
}

/// What a look at the queue led to.
enum Next {
    Build(Work),
    Wait(Duration),
    End,
}

impl Slot {
    /// Works until `shutdown` or until the builder is drained, beginning with `first`.
    ///
    /// # Errors
    /// Only what cannot mend itself.
    pub async fn work(self, first: Option<Work>, shutdown: CancellationToken) -> Result<()> {
        let mut news = self.ear.ready.subscribe();
        // The same until it gave a job: a claim whose answer got lost, or that went with a refused finish, is asked for
        // again.
        let mut request = self.request();
        let mut work = first;
        while !shutdown.is_cancelled() || work.is_some() {
            if let Some(now) = work.take() {
                let next = self.role.attempt(now, &self, &request, &shutdown).await;
                if next.is_some() {
                    request = self.request();
                }
                work = next.map(Work::New);
                continue;
            }
            if self.surplus {
                return Ok(());
            }
            news.mark_unchanged();
            match self.look(&request).await {
                Ok(Next::Build(claimed)) => {
                    work = Some(claimed);
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
        if self.presence.note().await.is_some() {
            self.presence.report().await?;
            return Ok(Next::Wait(LOOK_AGAIN));
        }
        let answer = self.role.queue.claim(request).await?;
        self.judge(answer).await
    }

    async fn judge(&self, answer: Claimed) -> Result<Next, QueueError> {
        Ok(match answer {
            Claimed::Job(claim) => Next::Build(Work::New(claim)),
            Claimed::Nothing => Next::Wait(IDLE),
            Claimed::Refused(Refusal::Unknown) => {
                self.presence.report().await?;
                Next::Wait(Duration::from_millis(100))
            }
            Claimed::Refused(Refusal::Draining(_)) => Next::End,
            Claimed::Refused(
                refusal @ (Refusal::Incompatible(_) | Refusal::Paused(_) | Refusal::QueuePaused(_)),
            ) => {
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
