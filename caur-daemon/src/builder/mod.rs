//! The `builder` role: claim, build, upload, say what came of it.
//!
//! Every slot is a task that claims one job after the other. Beside them run the presence, which reports what the
//! builder has and learns whether it may go on, and the ear, which hears what happens in the queue.

mod attempt;
mod presence;
mod slot;

use std::sync::Arc;
use std::time::Duration;

use caur_core::build::Builder;
use caur_core::config::BuilderSettings;
use caur_core::log::LogLimits;
use caur_core::model::{BuildOutcome, BuilderName, InstanceId, JobId, LeaseToken};
use caur_core::queue::{Attempt, Claim, Queue, QueueError, Signal};
use color_eyre::eyre::Result;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::delivery::Delivery;
use crate::outage::wait_for_redis;
use presence::Presence;
use slot::{Slot, Work};

/// How long an idle builder waits for news before it asks by itself.
const IDLE: Duration = Duration::from_secs(20);
/// Cancels that may wait to be heard.
const CANCELS: usize = 256;

/// A builder with everything it needs.
pub struct BuilderRole {
    /// The queue it works for.
    pub queue: Queue,
    /// Its name.
    pub name: BuilderName,
    /// This process.
    pub instance: InstanceId,
    /// Its settings.
    pub settings: BuilderSettings,
    /// How long a claim lasts without a heartbeat.
    pub lease: Duration,
    /// How much of a log is kept.
    pub log: LogLimits,
    /// What runs the builds.
    pub builder: Builder,
    /// Where packages go.
    pub delivery: Delivery,
}

/// What happens in the queue, as the builder's tasks hear it.
#[derive(Clone)]
pub struct Ear {
    /// Changes when a job may have become ready.
    ready: watch::Sender<u64>,
    /// Jobs that somebody wants stopped.
    cancels: broadcast::Sender<JobId>,
    /// Rung when somebody paused, resumed or drained a builder.
    modes: Arc<Notify>,
}

impl Ear {
    fn new() -> Self {
        Self {
            ready: watch::Sender::new(0),
            cancels: broadcast::Sender::new(CANCELS),
            modes: Arc::new(Notify::new()),
        }
    }

    /// Listens until `shutdown`. After an outage everybody looks again.
    async fn listen(self, queue: Queue, shutdown: CancellationToken) -> Result<()> {
        let mut signals = queue.builder_signals();
        while !shutdown.is_cancelled() {
            let heard = tokio::select! {
                heard = signals.wait(IDLE) => heard,
                () = shutdown.cancelled() => return Ok(()),
            };
            match heard {
                Ok(heard) => heard.into_iter().for_each(|signal| self.tell(signal)),
                Err(QueueError::Link { action, source }) => {
                    tracing::warn!("cannot {action}: {source}; waiting for Redis");
                    wait_for_redis(queue.link(), &source, &shutdown).await;
                    self.tell(Signal::Ready);
                    self.tell(Signal::Mode("*".to_owned()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn tell(&self, signal: Signal) {
        match signal {
            Signal::Ready => self.ready.send_modify(|count| *count += 1),
            // Nobody listens while nothing is built.
            Signal::Cancel(job) => drop(self.cancels.send(job)),
            Signal::Mode(_) => {
                self.modes.notify_one();
                self.ready.send_modify(|count| *count += 1);
            }
            Signal::Uploaded | Signal::Asked | Signal::Answered(_) => {}
        }
    }
}

impl BuilderRole {
    /// Works until `shutdown`, or until it is drained; running jobs are handed back in the first case and brought to
    /// their end in the second.
    ///
    /// # Errors
    /// Only what cannot mend itself: a queue that this program cannot read.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        let role = Arc::new(self);
        let ear = Ear::new();
        let helpers = CancellationToken::new();
        let presence = Presence::new(Arc::clone(&role), ear.clone());
        presence.report_first(&shutdown).await?;
        let mut adopted = role.take_over(&shutdown).await?;
        tracing::info!(
            builder = %role.name, instance = %role.instance, class = ?role.settings.class,
            slots = role.settings.slots, "builder is ready"
        );

        let mut tasks = JoinSet::new();
        tasks.spawn(ear.clone().listen(role.queue.clone(), helpers.clone()));
        tasks.spawn(presence.clone().keep(helpers.clone()));
        let mut slots = JoinSet::new();
        // Where there are fewer slots than before, the rest of the old builds is still brought to its end.
        let tasks_needed = role
            .settings
            .slots
            .max(u32::try_from(adopted.len()).unwrap_or(u32::MAX));
        for number in 0..tasks_needed {
            let slot = Slot {
                role: Arc::clone(&role),
                number,
                surplus: number >= role.settings.slots,
                ear: ear.clone(),
                presence: presence.clone(),
            };
            slots.spawn(slot.work(adopted.pop(), shutdown.clone()));
        }
        let outcome = loop {
            tokio::select! {
                ended = slots.join_next() => match ended {
                    None => break Ok(()),
                    Some(ended) => ended??,
                },
                ended = tasks.join_next(), if !tasks.is_empty() => {
                    if let Some(Err(error)) = ended.transpose()?  {
                        break Err(error);
                    }
                }
            }
        };
        helpers.cancel();
        presence.leave().await;
        while tasks.join_next().await.is_some() {}
        outcome
    }

    /// Takes over the builds that an earlier process of this name left running, as far as their leases are still ours,
    /// and removes everything else that it left.
    async fn take_over(&self, shutdown: &CancellationToken) -> Result<Vec<Work>> {
        if let Some(lock) = self.builder.twin() {
            tracing::warn!(
                "another process holds {}: what earlier builders left behind here is not touched",
                lock.display()
            );
            return Ok(Vec::new());
        }
        let mut works = Vec::new();
        let survivors = match self.builder.adoptable().await {
            Ok(survivors) => survivors,
            Err(error) => {
                tracing::warn!("cannot look for builds of an earlier process: {error}");
                return Ok(works);
            }
        };
        for refused in survivors.refused {
            tracing::warn!("cannot go on with {}: {}", refused.container, refused.reason);
            if let Some(token) = &refused.token {
                self.give_back(token, &refused.reason, shutdown).await?;
            }
        }
        for build in survivors.adoptable {
            if let Some(claim) = self.adopt(build.token(), shutdown).await? {
                tracing::info!(job = %claim.token.job, "going on with {}", build.package());
                works.push(Work::Adopted(Box::new(claim), Box::new(build)));
            }
        }
        let kept: Vec<LeaseToken> = works.iter().map(|work| work.claim().token.clone()).collect();
        match self.builder.orphans(|token| kept.contains(token)).await {
            Ok(removed) => {
                for container in removed {
                    tracing::warn!(
                        container,
                        "removed a container that an earlier process left behind"
                    );
                }
            }
            Err(error) => tracing::warn!("cannot remove what an earlier process left behind: {error}"),
        }
        Ok(works)
    }

    /// Hands a job back with which an earlier process of this builder was charged.
    async fn give_back(&self, token: &LeaseToken, why: &str, shutdown: &CancellationToken) -> Result<()> {
        if self.adopt(token, shutdown).await?.is_none() {
            return Ok(());
        }
        let ended = Attempt {
            outcome: BuildOutcome::Infrastructure,
            reason: format!("the builder was restarted and cannot go on: {why}"),
            commit: None,
            manifest: None,
            took: Duration::ZERO,
        };
        match self.queue.finish(token, &ended).await {
            Ok(()) => Ok(()),
            // It returns with its lease.
            Err(QueueError::Link { .. } | QueueError::Stale { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn adopt(&self, token: &LeaseToken, shutdown: &CancellationToken) -> Result<Option<Claim>> {
        while !shutdown.is_cancelled() {
            match self.queue.adopt(token, &self.instance, self.lease).await {
                Ok(claim) => return Ok(claim),
                Err(QueueError::Link { action, source }) => {
                    tracing::warn!("cannot {action}: {source}; waiting for Redis");
                    wait_for_redis(self.queue.link(), &source, shutdown).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}
