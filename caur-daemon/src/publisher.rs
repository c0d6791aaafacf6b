//! The publisher of the `database` role: claims uploads, has them published, tells queue and logs what came of it.
//!
//! Each target is published by a task of its own, so that one that is locked, damaged or slow holds up no other.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caur_core::log::LogWriter;
use caur_core::model::{LeaseToken, Manifest, SourceRepo, Target};
use caur_core::queue::{PublishOutcome, Queue, QueueError, Waiter};
use caur_core::repo::{Circumstances, Origin, RepoError, Repository, Upload, UploadOutcome};
use color_eyre::eyre::{Report, Result, WrapErr, eyre};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::causes::chain;
use crate::landing_zone;
use crate::outage::wait_for_redis;
use crate::package_index::PackageIndex;
use crate::pauses::Pauses;

/// Jobs in one transaction at most.
const TOGETHER: usize = 500;
/// Uploads that are tried one by one and fail in a row, before the fault is looked for elsewhere.
const HOPELESS: usize = 2;

/// How long the start waits for targets to be prepared; those that others have locked follow when they can.
const PREPARATION: Duration = Duration::from_secs(10);

/// Publishes what lies in the landing zone.
pub struct Publisher {
    /// The queue it works for.
    pub queue: Queue,
    /// The repositories.
    pub repository: Arc<Repository>,
    /// Where it is told what they list.
    pub index: Arc<PackageIndex>,
    /// The repositories of package folders that make up the collection.
    pub sources: Vec<SourceRepo>,
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

/// Why uploads could not be published now.
enum Failure {
    /// Of this target; for a later try.
    Target(String),
    /// Of the queue; no target is better off.
    Queue(QueueError),
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl From<Report> for Failure {
    fn from(error: Report) -> Self {
        match error.downcast() {
            Ok(error) => Self::Queue(error),
            Err(other) => Self::Target(chain(&*other)),
        }
    }
}

/// Targets that are published at the moment, each by one task.
#[derive(Default)]
struct Running {
    tasks: JoinSet<(Target, Result<(), Failure>)>,
    busy: BTreeSet<Target>,
}

impl Running {
    fn start(&mut self, target: Target, publisher: Arc<Publisher>) {
        self.busy.insert(target.clone());
        self.tasks.spawn(async move {
            let result = publisher.publish(&target).await;
            (target, result)
        });
    }

    /// The next one that ends; none where nothing runs.
    async fn ended(&mut self) -> Option<Result<(Target, Result<(), Failure>)>> {
        let ended = self.tasks.join_next().await?;
        if let Ok((target, _)) = &ended {
            self.busy.remove(target);
        }
        Some(ended.wrap_err("a task that publishes panicked"))
    }
}

impl Publisher {
    /// Makes the databases of `targets` where they are missing and publishes what each lists. A target that cannot be
    /// prepared is left to later tries.
    ///
    /// # Errors
    /// When no target can be prepared, or Redis is out of reach.
    pub async fn announce(self: &Arc<Self>, targets: &[Target]) -> Result<()> {
        let mut tasks = JoinSet::new();
        for target in targets {
            let (publisher, target) = (self.clone(), target.clone());
            tasks.spawn(async move {
                let result = publisher.prepare(&target).await;
                if let Err(Failure::Target(reason)) = &result {
                    tracing::error!(%target, "cannot prepare the repository {target}: {reason}");
                }
                result
            });
        }
        let (end, mut failed) = (Instant::now() + PREPARATION, Vec::new());
        while let Ok(Some(ended)) = tokio::time::timeout_at(end, tasks.join_next()).await {
            match ended.wrap_err("a task that prepares a repository panicked")? {
                Ok(()) => {}
                Err(Failure::Queue(error)) => return Err(error.into()),
                Err(Failure::Target(reason)) => failed.push(reason),
            }
        }
        if !tasks.is_empty() {
            tracing::error!(
                "{} repositories are not prepared yet: does another process work on them?",
                tasks.len()
            );
            tasks.detach_all();
        }
        match failed.pop() {
            Some(reason) if failed.len() + 1 == targets.len() => {
                Err(eyre!("cannot prepare any repository: {reason}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn prepare(&self, target: &Target) -> Result<(), Failure> {
        let (repository, owned) = (self.repository.clone(), target.clone());
        blocking(move || repository.ensure_target(&owned)).await?;
        Ok(self.index.publish(target).await?)
    }

    /// Works until `shutdown`. Transactions that have begun are brought to their end.
    ///
    /// # Errors
    /// Only what cannot mend itself: a queue that this program cannot read.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) -> Result<()> {
        let mut running = Running::default();
        let mut pauses = Pauses::default();
        self.work(&mut running, &mut pauses, &shutdown).await?;
        while let Some(ended) = running.ended().await {
            if let Err(error) = self.note(ended, &mut pauses) {
                tracing::warn!("the queue was not told what was published: {}", chain(&*error));
            }
        }
        Ok(())
    }

    async fn work(
        self: &Arc<Self>,
        running: &mut Running,
        pauses: &mut Pauses,
        shutdown: &CancellationToken,
    ) -> Result<()> {
        let mut signals = self.queue.publisher_signals();
        while !shutdown.is_cancelled() {
            match self.step(&mut signals, running, pauses, shutdown).await {
                Ok(()) => {}
                Err(error) => match error.downcast_ref::<QueueError>() {
                    Some(QueueError::Link { action, source }) => {
                        tracing::warn!("cannot {action}: {source}; waiting for Redis");
                        wait_for_redis(self.queue.link(), source, shutdown).await;
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    async fn step(
        self: &Arc<Self>,
        signals: &mut Waiter,
        running: &mut Running,
        pauses: &mut Pauses,
        shutdown: &CancellationToken,
    ) -> Result<()> {
        signals.begin().await?;
        let now = Instant::now();
        for target in self.queue.upload_targets().await? {
            // What waits for a busy target is looked at when its task has ended.
            if !pauses.is_paused(&target, now) && !running.busy.contains(&target) {
                running.start(target, self.clone());
            }
        }
        landing_zone::tidy(&self.queue, &self.landing_zone).await?;
        tokio::select! {
            heard = signals.wait(pauses.next(now)) => drop(heard?),
            Some(ended) = running.ended() => self.note(ended, pauses)?,
            () = shutdown.cancelled() => {}
        }
        Ok(())
    }

    /// Notes how the try of a target ended.
    fn note(&self, ended: Result<(Target, Result<(), Failure>)>, pauses: &mut Pauses) -> Result<()> {
        let (target, result) = ended?;
        match result {
            Ok(()) => pauses.succeeded(&target),
            Err(Failure::Queue(error)) => return Err(error.into()),
            Err(Failure::Target(reason)) => {
                let pause = pauses.failed(&target);
                tracing::error!(%target, "publishing to {target} failed, next try in {pause:?}: {reason}");
            }
        }
        Ok(())
    }

    /// Publishes everything that waits for `target` as one transaction.
    async fn publish(&self, target: &Target) -> Result<(), Failure> {
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
    async fn publish_together_or_singly(&self, target: &Target, claims: &[Claimed]) -> Result<(), Failure> {
        if claims.is_empty() {
            return Ok(());
        }
        let reason = match self.transact(target, claims).await {
            Err(Failure::Target(reason)) => reason,
            other => return other,
        };
        if claims.len() == 1 {
            return Err(self.retry(claims, &reason).await?);
        }
        let mut outcome = Ok(());
        let mut in_a_row = 0;
        for (index, claim) in claims.iter().enumerate() {
            if in_a_row == HOPELESS {
                return Err(self.retry(&claims[index..], &reason).await?);
            }
            let claim = std::slice::from_ref(claim);
            match self.transact(target, claim).await {
                Ok(()) => in_a_row = 0,
                Err(Failure::Target(reason)) => {
                    in_a_row += 1;
                    outcome = Err(self.retry(claim, &reason).await?);
                }
                Err(error @ Failure::Queue(_)) => return Err(error),
            }
        }
        outcome
    }

    /// Gives claims back; nothing is wrong with their packages.
    async fn retry(&self, claims: &[Claimed], reason: &str) -> Result<Failure, QueueError> {
        let reason = format!("cannot publish: {reason}");
        let outcome = PublishOutcome::Retry {
            reason: reason.clone(),
        };
        for claim in claims {
            self.finish(&claim.token, &outcome).await?;
        }
        Ok(Failure::Target(reason))
    }

    async fn transact(&self, target: &Target, claims: &[Claimed]) -> Result<(), Failure> {
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
            collection: self.queue.collection(&self.sources).await?,
            ..Circumstances::default()
        };
        let publish = move || repository.publish(&owned, &uploads, &circumstances);
        let report = blocking(publish).await?;
        // Dependants are released by what follows, and their builds must find these packages in the index.
        self.index.publish(target).await?;
        for (claim, (_, outcome)) in claims.iter().zip(&report.outcomes) {
            self.tell(claim, target, outcome).await?;
        }
        tracing::info!(%target, jobs = claims.len(), millis = started.elapsed().as_millis(), "published to {target}");
        Ok(())
    }

    /// Tells the log and the queue what came of one upload.
    async fn tell(
        &self,
        claim: &Claimed,
        target: &Target,
        outcome: &UploadOutcome,
    ) -> Result<(), QueueError> {
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

    async fn refuse(&self, token: &LeaseToken, what: &str, why: &str) -> Result<(), QueueError> {
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
    async fn finish(&self, token: &LeaseToken, outcome: &PublishOutcome) -> Result<(), QueueError> {
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

/// Works on a target's files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RepoError> + Send + 'static,
) -> Result<T, Report> {
    Ok(tokio::task::spawn_blocking(work).await??)
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

#[cfg(test)]
mod tests {
    use caur_core::model::JobId;

    use super::*;

    #[test]
    fn what_a_target_cannot_do_is_no_failure_of_the_queue() {
        let of_queue = QueueError::Stale {
            job: JobId(1),
            attempt: 1,
        };
        assert!(matches!(Failure::from(Report::from(of_queue)), Failure::Queue(_)));
        let Failure::Target(reason) = Failure::from(Report::from(RepoError::EmptyKeepList)) else {
            panic!("a repository's error stopped the publisher");
        };
        assert_eq!(reason, RepoError::EmptyKeepList.to_string());
    }
}
