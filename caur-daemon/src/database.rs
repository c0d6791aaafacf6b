//! The `database` role: publishes uploads, tells everyone about the farm, keeps the queue in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caur_core::log::LogWriter;
use caur_core::model::{JobId, LeaseToken, Target};
use caur_core::queue::{PublishClaim, PublishOutcome, Queue, QueueError, SweepSettings};
use caur_core::repo::{Repository, Upload, UploadOutcome};
use color_eyre::eyre::{Result, WrapErr};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::landing_zone;

/// How long a publisher waits for news before it looks by itself.
const IDLE: Duration = Duration::from_secs(20);
/// Jobs in one transaction at most.
const TOGETHER: usize = 500;
/// The longest pause after publishing failed.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often the queue is swept.
const SWEEP: Duration = Duration::from_secs(5);
/// How long finished jobs are kept.
const RETENTION: Duration = Duration::from_hours(30 * 24);

/// Publishes what lies in the landing zone.
pub struct Publisher {
    /// The queue it works for.
    pub queue: Queue,
    /// The repositories.
    pub repository: Arc<Repository>,
    /// Where uploads lie.
    pub landing_zone: PathBuf,
    /// Its name in messages.
    pub name: String,
    /// How long a claim lasts without a heartbeat.
    pub lease: Duration,
    /// How long a log is kept.
    pub log_retention: Duration,
}

impl Publisher {
    /// Makes the databases of `targets` where they are missing and publishes what each lists.
    ///
    /// # Errors
    /// When a repository cannot be read or written, or Redis is out of reach.
    pub async fn announce(&self, targets: &[Target]) -> Result<()> {
        for target in targets {
            let (repository, owned) = (self.repository.clone(), target.clone());
            tokio::task::spawn_blocking(move || repository.ensure_target(&owned))
                .await?
                .wrap_err_with(|| format!("cannot prepare the repository {target}"))?;
            self.publish_index(target).await?;
        }
        Ok(())
    }

    async fn publish_index(&self, target: &Target) -> Result<()> {
        let (repository, owned) = (self.repository.clone(), target.clone());
        let packages = tokio::task::spawn_blocking(move || repository.packages(&owned)).await??;
        Ok(self.queue.publish_index(target, &packages).await?)
    }

    /// Works until `shutdown`. A transaction that has begun is brought to its end.
    ///
    /// # Errors
    /// Only what cannot mend itself: a queue that this program cannot read.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        let mut mark = None;
        let mut pause = Pause::default();
        while !shutdown.is_cancelled() {
            match self.step(&mut mark, &mut pause, &shutdown).await {
                Ok(()) => {}
                Err(error) => match error.downcast_ref::<QueueError>() {
                    Some(QueueError::Link { action, source }) => {
                        tracing::warn!("cannot {action}: {source}; waiting for Redis");
                        self.queue.link().wait_until_up(&shutdown).await;
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    async fn step(
        &self,
        mark: &mut Option<String>,
        pause: &mut Pause,
        shutdown: &CancellationToken,
    ) -> Result<()> {
        if mark.is_none() {
            *mark = Some(self.queue.wait_uploads(None, Duration::ZERO).await?);
        }
        for target in self.queue.upload_targets().await? {
            match self.publish(&target).await? {
                Ok(()) => pause.reset(),
                Err(reason) => {
                    let time = pause.next();
                    tracing::error!(%target, "publishing to {target} failed, next try in {time:?}: {reason}");
                    tokio::select! {
                        () = tokio::time::sleep(time) => {}
                        () = shutdown.cancelled() => {}
                    }
                    return Ok(());
                }
            }
        }
        landing_zone::tidy(&self.queue, &self.landing_zone).await?;
        tokio::select! {
            next = self.queue.wait_uploads(mark.clone(), IDLE) => *mark = Some(next?),
            () = shutdown.cancelled() => {}
        }
        Ok(())
    }

    /// Publishes everything that waits for `target` as one transaction. The inner error is for a later try.
    async fn publish(&self, target: &Target) -> Result<Result<(), String>> {
        let claims = self
            .queue
            .claim_uploads(target, &self.name, self.lease, TOGETHER)
            .await?;
        if claims.is_empty() {
            return Ok(Ok(()));
        }
        let tokens: Vec<LeaseToken> = claims.iter().map(|claim| claim.token.clone()).collect();
        let leases = tokio::spawn(keep_leases(self.queue.clone(), tokens, self.lease));
        let result = self.publish_claimed(target, &claims).await;
        leases.abort();
        result
    }

    async fn publish_claimed(&self, target: &Target, claims: &[PublishClaim]) -> Result<Result<(), String>> {
        let started = Instant::now();
        let uploads: Vec<Upload> = claims
            .iter()
            .map(|claim| Upload {
                manifest: claim.manifest.clone(),
                dir: self.landing_zone.join(claim.manifest.directory()),
            })
            .collect();
        let (repository, owned) = (self.repository.clone(), target.clone());
        let report = tokio::task::spawn_blocking(move || repository.publish(&owned, &uploads)).await?;
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                let reason = format!("cannot publish: {}", chain(&error));
                for claim in claims {
                    self.finish(
                        claim,
                        &PublishOutcome::Retry {
                            reason: reason.clone(),
                        },
                    )
                    .await?;
                }
                return Ok(Err(reason));
            }
        };
        // Dependants are released by what follows, and their builds must find these packages in the index.
        self.publish_index(target).await?;
        for claim in claims {
            let outcome = report.outcomes.iter().find(|(job, _)| *job == claim.token.job);
            let Some((_, outcome)) = outcome else { continue };
            self.tell(claim, target, outcome).await?;
        }
        tracing::info!(%target, jobs = claims.len(), millis = started.elapsed().as_millis(), "published to {target}");
        Ok(Ok(()))
    }

    /// Tells the log and the queue what came of one upload, and removes it.
    async fn tell(&self, claim: &PublishClaim, target: &Target, outcome: &UploadOutcome) -> Result<()> {
        let files = || {
            claim
                .manifest
                .files
                .iter()
                .map(|file| file.name.clone())
                .collect::<Vec<_>>()
        };
        let (text, outcome) = match outcome {
            UploadOutcome::Published { .. } | UploadOutcome::AlreadyPublished => {
                let packages = files();
                let lines = packages
                    .iter()
                    .map(|file| format!("==> [caur] published {file} in {target}\n"));
                (
                    lines.collect::<String>(),
                    PublishOutcome::Published { packages: files() },
                )
            }
            UploadOutcome::Refused(refusal) => {
                let reason = format!("packages refused: {}", chain(refusal));
                tracing::warn!(job = %claim.token.job, pkgbase = %claim.manifest.pkgbase, "{reason}");
                (
                    format!("==> [caur] {reason}\n"),
                    PublishOutcome::Refused { reason },
                )
            }
        };
        if let Err(error) =
            LogWriter::append(self.queue.link(), &claim.token, &text, self.log_retention).await
        {
            tracing::warn!("{error}");
        }
        self.finish(claim, &outcome).await?;
        let dir = self.landing_zone.join(claim.manifest.directory());
        if let Err(error) = tokio::fs::remove_dir_all(&dir).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove the upload {}: {error}", dir.display());
        }
        Ok(())
    }

    async fn finish(&self, claim: &PublishClaim, outcome: &PublishOutcome) -> Result<()> {
        match self.queue.finish_publish(&claim.token, outcome).await {
            // Whoever holds the job now finds the packages published already.
            Err(error @ QueueError::Stale { .. }) => {
                tracing::warn!("{error}");
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

async fn keep_leases(queue: Queue, tokens: Vec<LeaseToken>, lease: Duration) {
    let mut ticks = tokio::time::interval(lease / 4);
    loop {
        ticks.tick().await;
        for token in &tokens {
            if let Err(error) = queue.heartbeat_publish(token, lease, "").await {
                tracing::debug!(job = %JobId(token.job.0), "{error}");
            }
        }
    }
}

#[derive(Default)]
struct Pause(Duration);

impl Pause {
    fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        self.0
    }

    fn reset(&mut self) {
        self.0 = Duration::ZERO;
    }
}

/// Sweeps the queue until `shutdown`.
///
/// # Errors
/// Only what cannot mend itself: a queue that this program cannot read.
pub async fn sweep(queue: Queue, name: String, lease: Duration, shutdown: CancellationToken) -> Result<()> {
    let interval = SWEEP.min(lease / 4);
    let settings = SweepSettings {
        name,
        term: interval * 3,
        outage: interval * 2,
        grace: lease,
        retention: RETENTION,
    };
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return Ok(()),
        }
        match queue.sweep(&settings).await {
            Ok(report) if report.expired > 0 => {
                tracing::warn!(
                    jobs = report.expired,
                    "took {} jobs back whose lease had run out",
                    report.expired
                );
            }
            Ok(_) => {}
            Err(QueueError::Link { source, .. }) => {
                tracing::warn!("cannot sweep the queue: {source}");
                queue.link().wait_until_up(&shutdown).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
