//! The publisher of the `database` role: claims uploads, has them published, tells queue and logs what came of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caur_core::log::LogWriter;
use caur_core::model::{LeaseToken, Manifest, Target};
use caur_core::queue::{PublishOutcome, Queue, QueueError, Waiter};
use caur_core::repo::{Circumstances, Origin, RepoError, Repository, Upload, UploadOutcome};
use color_eyre::eyre::{Result, WrapErr};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::causes::chain;
use crate::landing_zone;
use crate::outage::wait_for_redis;

/// How long a publisher waits for news before it looks by itself.
const IDLE: Duration = Duration::from_secs(20);
/// Jobs in one transaction at most.
const TOGETHER: usize = 500;
/// The longest pause of a target after publishing failed.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Uploads that are tried one by one and fail in a row, before the fault is looked for elsewhere.
const HOPELESS: usize = 2;

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

/// A claimed upload whose manifest is about its job.
struct Claimed {
    token: LeaseToken,
    manifest: Manifest,
}

/// Targets whose last try failed: how long they pause, and until when.
#[derive(Default)]
struct Pauses(BTreeMap<Target, (Duration, Instant)>);

impl Pauses {
    fn is_paused(&self, target: &Target) -> bool {
        self.0
            .get(target)
            .is_some_and(|(_, until)| *until > Instant::now())
    }

    fn failed(&mut self, target: &Target) -> Duration {
        let last = self.0.get(target).map_or(Duration::ZERO, |(pause, _)| *pause);
        let pause = (last * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        self.0.insert(target.clone(), (pause, Instant::now() + pause));
        pause
    }

    fn succeeded(&mut self, target: &Target) {
        self.0.remove(target);
    }

    /// How long until the next target may be tried again, at most [`IDLE`].
    fn next(&self) -> Duration {
        let ends = self
            .0
            .values()
            .map(|(_, until)| until.saturating_duration_since(Instant::now()));
        ends.min()
            .map_or(IDLE, |wait| wait.clamp(Duration::from_millis(100), IDLE))
    }
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
        let mut signals = self.queue.publisher_signals();
        let mut pauses = Pauses::default();
        while !shutdown.is_cancelled() {
            match self.step(&mut signals, &mut pauses, &shutdown).await {
                Ok(()) => {}
                Err(error) => match error.downcast_ref::<QueueError>() {
                    Some(QueueError::Link { action, source }) => {
                        tracing::warn!("cannot {action}: {source}; waiting for Redis");
                        wait_for_redis(self.queue.link(), source, &shutdown).await;
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    async fn step(
        &self,
        signals: &mut Waiter,
        pauses: &mut Pauses,
        shutdown: &CancellationToken,
    ) -> Result<()> {
        signals.begin().await?;
        for target in self.queue.upload_targets().await? {
            if pauses.is_paused(&target) {
                continue;
            }
            match self.publish(&target).await? {
                Ok(()) => pauses.succeeded(&target),
                Err(reason) => {
                    let pause = pauses.failed(&target);
                    tracing::error!(%target, "publishing to {target} failed, next try in {pause:?}: {reason}");
                }
            }
        }
        landing_zone::tidy(&self.queue, &self.landing_zone).await?;
        tokio::select! {
            heard = signals.wait(pauses.next()) => drop(heard?),
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
        let tokens: Vec<LeaseToken> = claims.iter().map(|claim| claim.token.clone()).collect();
        let leases = tokio::spawn(keep_leases(self.queue.clone(), tokens, self.lease));
        let result = async {
            let mut good = Vec::new();
            for claim in claims {
                match claim.manifest {
                    Ok(manifest) => good.push(Claimed {
                        token: claim.token,
                        manifest,
                    }),
                    Err(reason) => self.refuse(&claim.token, &claim.key, &reason).await?,
                }
            }
            self.publish_together_or_singly(target, &good).await
        };
        let result = result.await;
        leases.abort();
        result
    }

    /// One transaction for all; where that fails one for each, so that a single bad upload holds up nobody else.
    async fn publish_together_or_singly(
        &self,
        target: &Target,
        claims: &[Claimed],
    ) -> Result<Result<(), String>> {
        if claims.is_empty() {
            return Ok(Ok(()));
        }
        let Err(error) = self.transact(target, claims).await? else {
            return Ok(Ok(()));
        };
        if claims.len() == 1 {
            return self.retry(claims, &error).await;
        }
        let mut outcome = Ok(());
        let mut in_a_row = 0;
        for (index, claim) in claims.iter().enumerate() {
            if in_a_row == HOPELESS {
                return self.retry(&claims[index..], &error).await;
            }
            match self.transact(target, std::slice::from_ref(claim)).await? {
                Ok(()) => in_a_row = 0,
                Err(error) => {
                    in_a_row += 1;
                    outcome = self.retry(std::slice::from_ref(claim), &error).await?;
                }
            }
        }
        Ok(outcome)
    }

    /// Gives claims back; nothing is wrong with their packages.
    async fn retry(&self, claims: &[Claimed], error: &RepoError) -> Result<Result<(), String>> {
        let reason = format!("cannot publish: {}", chain(error));
        for claim in claims {
            let outcome = PublishOutcome::Retry {
                reason: reason.clone(),
            };
            self.finish(&claim.token, &outcome).await?;
        }
        Ok(Err(reason))
    }

    async fn transact(&self, target: &Target, claims: &[Claimed]) -> Result<Result<(), RepoError>> {
        let started = Instant::now();
        let uploads: Vec<Upload> = claims
            .iter()
            .map(|claim| Upload {
                manifest: claim.manifest.clone(),
                dir: self.landing_zone.join(claim.manifest.directory()),
            })
            .collect();
        let (repository, owned) = (self.repository.clone(), target.clone());
        let circumstances = Circumstances {
            origin: Origin {
                who: self.name.clone(),
                ..Origin::default()
            },
            ..Circumstances::default()
        };
        let publish = move || repository.publish(&owned, &uploads, &circumstances);
        let report = match tokio::task::spawn_blocking(publish).await? {
            Ok(report) => report,
            Err(error) => return Ok(Err(error)),
        };
        // Dependants are released by what follows, and their builds must find these packages in the index.
        self.publish_index(target).await?;
        for (claim, (_, outcome)) in claims.iter().zip(&report.outcomes) {
            self.tell(claim, target, outcome).await?;
        }
        tracing::info!(%target, jobs = claims.len(), millis = started.elapsed().as_millis(), "published to {target}");
        Ok(Ok(()))
    }

    /// Tells the log and the queue what came of one upload.
    async fn tell(&self, claim: &Claimed, target: &Target, outcome: &UploadOutcome) -> Result<()> {
        match outcome {
            UploadOutcome::Published { .. } | UploadOutcome::AlreadyPublished => {
                let packages: Vec<String> = claim
                    .manifest
                    .files
                    .iter()
                    .map(|file| file.name.clone())
                    .collect();
                let lines: Vec<String> = packages
                    .iter()
                    .map(|file| format!("==> [caur] published {file} in {target}\n"))
                    .collect();
                self.log(&claim.token, &lines.concat()).await;
                self.finish(&claim.token, &PublishOutcome::Published { packages })
                    .await
            }
            UploadOutcome::Refused(refusal) => {
                self.refuse(&claim.token, claim.manifest.pkgbase.as_str(), &chain(refusal))
                    .await
            }
        }
    }

    async fn refuse(&self, token: &LeaseToken, what: &str, why: &str) -> Result<()> {
        let reason = format!("packages refused: {why}");
        tracing::warn!(job = %token.job, "{what}: {reason}");
        self.log(token, &format!("==> [caur] {reason}\n")).await;
        self.finish(token, &PublishOutcome::Refused { reason }).await
    }

    async fn log(&self, token: &LeaseToken, text: &str) {
        if let Err(error) = LogWriter::append(self.queue.link(), token, text, self.log_retention).await {
            tracing::warn!("{error}");
        }
    }

    /// Ends the claim, and removes the upload where that ended the job.
    async fn finish(&self, token: &LeaseToken, outcome: &PublishOutcome) -> Result<()> {
        match self.queue.finish_publish(token, outcome).await {
            // Whoever holds the job now finds the packages published already.
            Err(error @ QueueError::Stale { .. }) => {
                tracing::warn!("{error}");
                return Ok(());
            }
            other => other?,
        }
        match outcome {
            PublishOutcome::Retry { .. } => {}
            PublishOutcome::Published { .. } | PublishOutcome::Refused { .. } => {
                landing_zone::remove(&self.landing_zone, token.job, token.attempt).await;
            }
        }
        Ok(())
    }
}

async fn keep_leases(queue: Queue, tokens: Vec<LeaseToken>, lease: Duration) {
    let mut ticks = tokio::time::interval(lease / 4);
    loop {
        ticks.tick().await;
        for token in &tokens {
            if let Err(error) = queue.heartbeat_publish(token, lease).await {
                tracing::debug!(job = %token.job, "{error}");
            }
        }
    }
}
