//! One attempt: keep the lease, build, upload, say what came of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caur_core::build::{BuildOrder, BuildReport};
use caur_core::log::LogWriter;
use caur_core::model::{BuildOutcome, FarmConfig, JobId, LeaseToken, Manifest, Phase};
use caur_core::queue::{Attempt, Claim, ClaimRequest, Claimed, Directive, Queue, QueueError};
use color_eyre::eyre::eyre;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::BuilderRole;
use super::slot::{Slot, Work};
use crate::outage::wait_for_redis;

/// How often a lease is extended at least.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long log and outcome may each take to reach Redis once the builder shuts down.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long the rest of a log may take to reach Redis.
const LOG_CLOSE: Duration = Duration::from_secs(20);

/// Why a running attempt is stopped from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stop {
    /// The queue wants it.
    Canceled(String),
    /// The job is not ours any more.
    Lost,
    /// The builder shuts down.
    Shutdown,
}

/// Stops an attempt once, for the first reason that comes.
#[derive(Clone, Default)]
struct StopSwitch {
    token: CancellationToken,
    reason: Arc<Mutex<Option<Stop>>>,
}

impl StopSwitch {
    fn stop(&self, reason: Stop) {
        let mut slot = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(reason);
        self.token.cancel();
    }

    fn reason(&self) -> Option<Stop> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl BuilderRole {
    /// One attempt from claim to finish, and the next claim where there is one. Whatever happens is told to the queue.
    ///
    /// The next claim is made with `next`; without an answer it may have been carried out, and asking again gives the job.
    pub async fn attempt(
        &self,
        work: Work,
        slot: &Slot,
        next: &ClaimRequest,
        shutdown: &CancellationToken,
    ) -> Option<Box<Claim>> {
        let claim = work.claim().clone();
        let (job, attempt) = (claim.token.job, claim.token.attempt);
        let package = claim.job.request.key();
        tracing::info!(%job, attempt, %package, "building {package}");
        let started = Instant::now();
        let (phase, phases) = watch::channel(Phase::Fetch);
        let switch = StopSwitch::default();
        let lease = tokio::spawn(
            LeaseKeeper {
                queue: self.queue.clone(),
                token: claim.token.clone(),
                lease: self.lease,
                phases,
                cancels: slot.ear.cancels.subscribe(),
                switch: switch.clone(),
                shutdown: shutdown.clone(),
            }
            .keep(),
        );
        let (link, token) = (self.queue.link().clone(), claim.token.clone());
        let writer = match work {
            Work::New(_) => LogWriter::start(link, token, self.log),
            Work::Adopted(..) => LogWriter::resume(link, token, self.log),
        };

        let mut ended = self
            .build_and_upload(work, writer.sender(), &phase, &switch)
            .await;
        tokio::select! {
            () = writer.close(LOG_CLOSE) => {}
            () = after(shutdown, LAST_WORDS) => {}
        }
        match switch.reason() {
            Some(Stop::Canceled(reason)) => {
                ended.outcome = BuildOutcome::Canceled;
                ended.reason = reason;
            }
            // What is known by now stays known; what the shutdown broke off is built again.
            Some(Stop::Shutdown)
                if matches!(
                    ended.outcome,
                    BuildOutcome::Canceled | BuildOutcome::Infrastructure
                ) =>
            {
                ended.outcome = BuildOutcome::Released;
                ended.reason = format!("builder {} shuts down", self.name);
            }
            Some(Stop::Shutdown | Stop::Lost) | None => {}
        }
        ended.took = started.elapsed();
        let next = self.finish(&claim, &ended, slot, next, shutdown).await;
        lease.abort();
        tracing::info!(
            %job, attempt, %package, outcome = ended.outcome.as_str(), seconds = ended.took.as_secs(),
            "{package}: {} {}", ended.outcome.as_str(), ended.reason
        );
        if let Err(error) = self.builder.cleanup(&claim.token).await {
            tracing::warn!(%job, attempt, "cannot clean up after {package}: {error}");
        }
        next
    }

    async fn build_and_upload(
        &self,
        work: Work,
        log: mpsc::Sender<Vec<u8>>,
        phase: &watch::Sender<Phase>,
        switch: &StopSwitch,
    ) -> Attempt {
        let claim = work.claim().clone();
        let (order, farm) = match self.order(&claim).await {
            Ok(found) => found,
            Err(ended) => {
                say(&log, &ended.reason).await;
                return ended;
            }
        };
        let (sender, cancel) = (log.clone(), switch.token.clone());
        let report = match work {
            Work::New(_) => self.builder.run(&order, sender, phase, cancel).await,
            Work::Adopted(_, build) => self.builder.adopt(&order, *build, sender, phase, cancel).await,
        };
        let mut ended = Attempt {
            outcome: report.outcome,
            reason: report.reason.clone().unwrap_or_default(),
            commit: report.commit.clone(),
            manifest: None,
            took: Duration::ZERO,
        };
        if report.outcome != BuildOutcome::Built {
            return ended;
        }
        let Some(manifest) = self.manifest(&claim, &report) else {
            ended.outcome = BuildOutcome::Infrastructure;
            "the build does not say which commit and image it used".clone_into(&mut ended.reason);
            return ended;
        };
        let _receivers_may_be_gone = phase.send(Phase::Upload);
        let delivery = self.delivery.deliver(
            &manifest,
            &report.package_dir,
            &farm,
            &self.settings,
            &switch.token,
        );
        // Whatever of a transfer that was given up still arrives belongs to an attempt that is over, and is removed.
        let delivered = tokio::select! {
            delivered = delivery => delivered,
            () = switch.token.cancelled() => Err(eyre!("stopped on the way")),
        };
        match delivered {
            Ok(text) => say(&log, &text).await,
            Err(error) => {
                ended.outcome = BuildOutcome::Infrastructure;
                ended.reason = format!("upload failed: {error:#}");
                say(&log, &ended.reason).await;
            }
        }
        ended.manifest = Some(manifest);
        ended
    }

    fn manifest(&self, claim: &Claim, report: &BuildReport) -> Option<Manifest> {
        Some(Manifest {
            job: claim.token.job,
            attempt: claim.token.attempt,
            pkgbase: claim.job.request.pkgbase.clone(),
            target: claim.job.request.target.clone(),
            commit: report.commit.clone()?,
            builder: self.name.clone(),
            image: report.image.clone()?,
            files: report.packages.clone(),
            namcap: report.namcap.clone(),
        })
    }

    /// Everything that the build needs to know, as the farm publishes it now.
    async fn order(&self, claim: &Claim) -> Result<(BuildOrder, FarmConfig), Attempt> {
        let request = &claim.job.request;
        let ended = |outcome, reason| Attempt {
            outcome,
            reason,
            commit: None,
            manifest: None,
            took: Duration::ZERO,
        };
        let infrastructure = |reason: String| ended(BuildOutcome::Infrastructure, reason);
        let farm = self
            .queue
            .farm()
            .await
            .map_err(|error| infrastructure(error.to_string()))?
            .ok_or_else(|| {
                infrastructure("no database daemon has published its configuration yet".to_owned())
            })?;
        let published = self
            .queue
            .index(&request.target)
            .await
            .map_err(|error| infrastructure(error.to_string()))?;
        let unknown = |what: &str, name: &dyn std::fmt::Display| {
            ended(
                BuildOutcome::Failed,
                format!("unknown {what} {name}: the database's configuration has none of that name"),
            )
        };
        let source = farm
            .sources
            .get(&request.source)
            .ok_or_else(|| unknown("source repository", &request.source))?
            .clone();
        let target = farm
            .targets
            .get(&request.target.repo)
            .ok_or_else(|| unknown("target repository", &request.target.repo))?
            .clone();
        let image = self
            .settings
            .image
            .clone()
            .unwrap_or_else(|| farm.builder_image.clone());
        if image.is_empty() {
            return Err(infrastructure(
                "no build image is configured: set BUILDER_IMAGE".to_owned(),
            ));
        }
        let order = BuildOrder {
            token: claim.token.clone(),
            request: request.clone(),
            source,
            target,
            published,
            image,
            local_repository: self.delivery.local_repository().cloned(),
        };
        Ok((order, farm))
    }

    /// Tells the queue, through outages of Redis, for as long as the job is ours, and claims the next job in the same
    /// call. A shutdown gives it a few seconds; a job that is not told about returns with its lease.
    async fn finish(
        &self,
        claim: &Claim,
        ended: &Attempt,
        slot: &Slot,
        next: &ClaimRequest,
        shutdown: &CancellationToken,
    ) -> Option<Box<Claim>> {
        let (job, attempt) = (claim.token.job, claim.token.attempt);
        let telling = async {
            loop {
                match self.tell(claim, ended, slot, next, shutdown).await {
                    Ok(Claimed::Job(next)) => return Some(next),
                    Ok(Claimed::Nothing | Claimed::Refused(_)) => return None,
                    Err(QueueError::Link { source, .. }) => {
                        tracing::warn!(%job, attempt, "cannot report the outcome: {source}; waiting for Redis");
                        wait_for_redis(self.queue.link(), &source, &CancellationToken::new()).await;
                    }
                    Err(error) => {
                        tracing::warn!(%job, attempt, "{error}");
                        return None;
                    }
                }
            }
        };
        tokio::select! {
            next = telling => next,
            () = after(shutdown, LAST_WORDS) => {
                tracing::warn!(%job, attempt, "leaving without reporting the outcome; the job returns with its lease");
                None
            }
        }
    }

    async fn tell(
        &self,
        claim: &Claim,
        ended: &Attempt,
        slot: &Slot,
        next: &ClaimRequest,
        shutdown: &CancellationToken,
    ) -> Result<Claimed, QueueError> {
        if shutdown.is_cancelled() || slot.surplus || slot.presence.note().await.is_some() {
            self.queue.finish(&claim.token, ended).await?;
            return Ok(Claimed::Nothing);
        }
        self.queue.finish_and_claim(&claim.token, ended, next).await
    }
}

/// Returns this long after `shutdown`.
async fn after(shutdown: &CancellationToken, time: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(time).await;
}

async fn say(log: &mpsc::Sender<Vec<u8>>, text: &str) {
    // A log whose lease is lost takes nothing any more; the job is not ours then.
    let _lost = log.send(format!("==> [caur] {text}\n").into_bytes()).await;
}

/// Extends a lease until it is dropped, and stops the attempt when the queue or a shutdown wants that.
struct LeaseKeeper {
    queue: Queue,
    token: LeaseToken,
    lease: Duration,
    phases: watch::Receiver<Phase>,
    cancels: broadcast::Receiver<JobId>,
    switch: StopSwitch,
    shutdown: CancellationToken,
}

impl LeaseKeeper {
    async fn keep(mut self) {
        let mut ticks = tokio::time::interval(HEARTBEAT.min(self.lease / 4));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // Whoever watches sees a new phase at once.
                Ok(()) = self.phases.changed() => {}
                () = named(&mut self.cancels, self.token.job) => {}
                () = self.shutdown.cancelled(), if self.switch.reason().is_none() => {
                    self.switch.stop(Stop::Shutdown);
                    continue;
                }
            }
            let phase = *self.phases.borrow_and_update();
            match self.queue.heartbeat(&self.token, self.lease, phase).await {
                Ok(Directive::GoOn) => {}
                Ok(Directive::Cancel { reason }) => self.switch.stop(Stop::Canceled(reason)),
                Err(QueueError::Stale { .. }) => {
                    self.switch.stop(Stop::Lost);
                    return;
                }
                // The build goes on: after an outage all leases are extended before any expires.
                Err(error) => tracing::warn!(job = %self.token.job, "{error}"),
            }
        }
    }
}

/// Returns when a cancel of this job is heard, or when so many were that some are lost.
async fn named(cancels: &mut broadcast::Receiver<JobId>, job: JobId) {
    loop {
        match cancels.recv().await {
            Ok(other) if other != job => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
