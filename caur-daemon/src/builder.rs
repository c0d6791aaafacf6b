//! The `builder` role: claim, build, upload, say what came of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caur_core::build::{BuildOrder, BuildReport, Builder};
use caur_core::config::BuilderSettings;
use caur_core::log::{LogLimits, LogWriter};
use caur_core::model::{BuildOutcome, BuilderName, FarmConfig, LeaseToken, Manifest, Phase};
use caur_core::queue::{Attempt, Claim, ClaimRequest, Directive, Queue, QueueError};
use color_eyre::eyre::Result;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::delivery::Delivery;
use crate::outage::wait_for_redis;

/// How often a lease is extended at least; also how soon a cancel is noticed.
const HEARTBEAT: Duration = Duration::from_millis(1500);
/// How long an idle builder waits for news before it asks by itself.
const IDLE: Duration = Duration::from_secs(20);
/// How long a builder waits for a farm that has no database yet.
const NO_FARM: Duration = Duration::from_secs(3);
/// How long log and outcome may each take to reach Redis once the builder shuts down.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long the rest of a log may take to reach Redis.
const LOG_CLOSE: Duration = Duration::from_secs(20);

/// A builder with everything it needs.
pub struct BuilderRole {
    /// The queue it works for.
    pub queue: Queue,
    /// Its name.
    pub name: BuilderName,
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
    /// Works until `shutdown`; then hands a running job back.
    ///
    /// # Errors
    /// Only what cannot mend itself: a queue that this program cannot read.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        let request = ClaimRequest {
            builder: self.name.clone(),
            class: self.settings.class,
            lease: self.lease,
        };
        self.remove_orphans().await;
        tracing::info!(builder = %self.name, class = ?self.settings.class, "builder is ready");
        let mut mark = None;
        while !shutdown.is_cancelled() {
            match self.step(&request, &mut mark, &shutdown).await {
                Ok(()) => {}
                Err(QueueError::Link { action, source }) => {
                    tracing::warn!("cannot {action}: {source}; waiting for Redis");
                    wait_for_redis(self.queue.link(), &source, &shutdown).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What a killed process of this name left behind works for nobody any more: its leases are not ours.
    async fn remove_orphans(&self) {
        match self.builder.orphans(|_| false).await {
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
    }

    async fn step(
        &self,
        request: &ClaimRequest,
        mark: &mut Option<String>,
        shutdown: &CancellationToken,
    ) -> Result<(), QueueError> {
        if mark.is_none() {
            *mark = Some(self.queue.wait_ready(None, Duration::ZERO).await?);
        }
        if self.queue.farm().await?.is_none() {
            tracing::info!("no database daemon has published its configuration yet; waiting for one");
            tokio::select! {
                () = tokio::time::sleep(NO_FARM) => {}
                () = shutdown.cancelled() => {}
            }
            return Ok(());
        }
        if let Some(claim) = self.queue.claim(request).await? {
            self.attempt(claim, shutdown).await;
            return Ok(());
        }
        tokio::select! {
            next = self.queue.wait_ready(mark.clone(), IDLE) => *mark = Some(next?),
            () = shutdown.cancelled() => {}
        }
        Ok(())
    }

    /// One attempt from claim to finish. Whatever happens is told to the queue.
    async fn attempt(&self, claim: Claim, shutdown: &CancellationToken) {
        let (job, attempt) = (claim.token.job, claim.token.attempt);
        let package = claim.job.request.key();
        tracing::info!(%job, attempt, %package, "building {package}");
        let started = Instant::now();
        let (phase, phases) = watch::channel(Phase::Fetch);
        let switch = StopSwitch::default();
        let lease = tokio::spawn(keep_lease(
            self.queue.clone(),
            claim.token.clone(),
            self.lease,
            phases,
            switch.clone(),
            shutdown.clone(),
        ));
        let writer = LogWriter::start(self.queue.link().clone(), claim.token.clone(), self.log);

        let mut ended = self
            .build_and_upload(&claim, writer.sender(), &phase, &switch)
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
        self.finish(&claim, &ended, shutdown).await;
        lease.abort();
        tracing::info!(
            %job, attempt, %package, outcome = ended.outcome.as_str(), seconds = ended.took.as_secs(),
            "{package}: {} {}", ended.outcome.as_str(), ended.reason
        );
        if let Err(error) = self.builder.cleanup(&claim.token).await {
            tracing::warn!(%job, attempt, "cannot clean up after {package}: {error}");
        }
    }

    async fn build_and_upload(
        &self,
        claim: &Claim,
        log: mpsc::Sender<Vec<u8>>,
        phase: &watch::Sender<Phase>,
        switch: &StopSwitch,
    ) -> Attempt {
        let (order, farm) = match self.order(claim).await {
            Ok(found) => found,
            Err(ended) => {
                say(&log, &ended.reason).await;
                return ended;
            }
        };
        let report = self
            .builder
            .run(&order, log.clone(), phase, switch.token.clone())
            .await;
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
        let Some(manifest) = self.manifest(claim, &report) else {
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
        match delivery.await {
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

    /// Tells the queue, through outages of Redis, for as long as the job is ours. A shutdown gives it a few seconds;
    /// a job that is not told about returns with its lease.
    async fn finish(&self, claim: &Claim, ended: &Attempt, shutdown: &CancellationToken) {
        let (job, attempt) = (claim.token.job, claim.token.attempt);
        let telling = async {
            loop {
                match self.queue.finish(&claim.token, ended).await {
                    Ok(()) => return,
                    Err(QueueError::Link { source, .. }) => {
                        tracing::warn!(%job, attempt, "cannot report the outcome: {source}; waiting for Redis");
                        wait_for_redis(self.queue.link(), &source, &CancellationToken::new()).await;
                    }
                    Err(error) => {
                        tracing::warn!(%job, attempt, "{error}");
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = telling => {}
            () = after(shutdown, LAST_WORDS) => {
                tracing::warn!(%job, attempt, "leaving without reporting the outcome; the job returns with its lease");
            }
        }
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

/// Extends the lease until it is dropped, and stops the attempt when the queue or a shutdown wants that.
async fn keep_lease(
    queue: Queue,
    token: LeaseToken,
    lease: Duration,
    phases: watch::Receiver<Phase>,
    switch: StopSwitch,
    shutdown: CancellationToken,
) {
    let mut ticks = tokio::time::interval(HEARTBEAT.min(lease / 4));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let beat = async {
            ticks.tick().await;
            let phase = *phases.borrow();
            queue.heartbeat(&token, lease, phase).await
        };
        let answer = tokio::select! {
            answer = beat => answer,
            () = shutdown.cancelled(), if switch.reason().is_none() => {
                switch.stop(Stop::Shutdown);
                continue;
            }
        };
        match answer {
            Ok(Directive::GoOn) => {}
            Ok(Directive::Cancel { reason }) => switch.stop(Stop::Canceled(reason)),
            Err(QueueError::Stale { .. }) => {
                switch.stop(Stop::Lost);
                return;
            }
            // The build goes on: after an outage all leases are extended before any expires.
            Err(error) => tracing::warn!(job = %token.job, "{error}"),
        }
    }
}
