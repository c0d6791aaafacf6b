//! A builder's side: claim a job, keep its lease, end the attempt.

use std::collections::HashMap;
use std::time::Duration;

use redis::{FromRedisValue, Value};

use super::record;
use super::result::JobResult;
use super::{Queue, QueueError, scripts};
use crate::model::{BuildOutcome, CommitId, InstanceId, Job, JobId, LeaseToken, Manifest, Phase};

/// Who asks for a job, and on what terms. Asking again with the same value after a lost answer gives the same job.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The registered builder process.
    pub instance: InstanceId,
    /// Which of its slots the job is for.
    pub slot: u32,
    /// How long the lease lasts without a heartbeat.
    pub lease: Duration,
    /// Tells one claim from every other.
    pub nonce: String,
}

impl ClaimRequest {
    /// A new claim.
    #[must_use]
    pub fn new(instance: InstanceId, slot: u32, lease: Duration) -> Self {
        Self {
            instance,
            slot,
            lease,
            nonce: nonce(),
        }
    }
}

/// A claimed job and the proof of it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Proof for every later write.
    pub token: LeaseToken,
    /// The job as it was claimed: what was asked for, and by whom; of its past only what is expected of it.
    pub job: Job,
}

/// The answer to a claim.
#[derive(Debug, Clone)]
pub enum Claimed {
    /// This job.
    Job(Box<Claim>),
    /// Nothing is ready that this builder may take.
    Nothing,
    /// The builder takes no jobs now, for this reason.
    Refused(Refusal),
}

impl Claimed {
    /// The claim, if there is one.
    #[must_use]
    pub fn job(self) -> Option<Claim> {
        match self {
            Self::Job(claim) => Some(*claim),
            Self::Nothing | Self::Refused(_) => None,
        }
    }
}

/// Why a builder gets no jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is not registered (any more): say [`Queue::report_status`] and claim again.
    Unknown,
    /// Its version does not fit this farm.
    Incompatible(String),
    /// It is to end once its jobs have.
    Draining(String),
    /// It is paused.
    Paused(String),
    /// The whole queue is paused.
    QueuePaused(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("not registered"),
            Self::Incompatible(why) => write!(f, "incompatible with this farm: {why}"),
            Self::Draining(why) => write!(f, "draining: {why}"),
            Self::Paused(why) => write!(f, "paused: {why}"),
            Self::QueuePaused(why) => write!(f, "the queue is paused: {why}"),
        }
    }
}

/// What the queue answers to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// Go on; the lease is extended.
    GoOn,
    /// Stop the build and finish as canceled.
    Cancel {
        /// Why, in words.
        reason: String,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The outcome that decides what happens next.
    pub outcome: BuildOutcome,
    /// Why, in words; empty where the outcome says it all.
    pub reason: String,
    /// The commit that was built, where it came that far.
    pub commit: Option<CommitId>,
    /// What was uploaded; stated for [`BuildOutcome::Built`].
    pub manifest: Option<Manifest>,
    /// How long the build took.
    pub took: Duration,
}

/// A random text that makes a lease unforgeable and unrepeatable.
pub(super) fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl Queue {
    /// Claims the job that this builder should do next, if there is one.
    ///
    /// # Errors
    /// [`QueueError::Link`]: the same request again gives the job that a lost answer gave; else the lease runs out.
    pub async fn claim(&self, request: &ClaimRequest) -> Result<Claimed, QueueError> {
        let mut script = scripts::CLAIM.prepare_invoke();
        script
            .arg(request.instance.as_str())
            .arg(request.slot)
            .arg(&request.nonce)
            .arg(millis(request.lease));
        let answer: Vec<Value> = self.call("claim a job", &script).await?;
        claimed(answer, &request.nonce)
    }

    /// Goes on with a build of this builder's earlier process; none when that lease is lost.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn adopt(
        &self,
        token: &LeaseToken,
        instance: &InstanceId,
        lease: Duration,
    ) -> Result<Option<Claim>, QueueError> {
        let mut script = scripts::ADOPT.prepare_invoke();
        script
            .arg(token.job.0)
            .arg(token.attempt)
            .arg(&token.nonce)
            .arg(instance.as_str())
            .arg(millis(lease));
        let answer: Vec<Value> = self.call("adopt a build", &script).await?;
        Ok(claimed(answer, &token.nonce)?.job())
    }

    /// Extends a build's lease by `lease` from now.
    ///
    /// # Errors
    /// [`QueueError::Stale`] when the lease is lost: stop the build, write nothing more.
    pub async fn heartbeat(
        &self,
        token: &LeaseToken,
        lease: Duration,
        phase: Phase,
    ) -> Result<Directive, QueueError> {
        self.extend(token, "building", lease, phase.as_str()).await
    }

    pub(super) async fn extend(
        &self,
        token: &LeaseToken,
        state: &str,
        lease: Duration,
        phase: &str,
    ) -> Result<Directive, QueueError> {
        let mut script = scripts::HEARTBEAT.prepare_invoke();
        script
            .arg(token.job.0)
            .arg(token.attempt)
            .arg(&token.nonce)
            .arg(state)
            .arg(millis(lease))
            .arg(phase);
        let answer: String = self.call("extend a lease", &script).await?;
        match answer.strip_prefix("cancel ") {
            Some(reason) => Ok(Directive::Cancel {
                reason: reason.to_owned(),
            }),
            None => fresh(token, &answer).map(|()| Directive::GoOn),
        }
    }

    /// Ends an attempt. Calling it again after a lost answer is harmless.
    ///
    /// # Errors
    /// [`QueueError::Stale`] when the lease is lost.
    pub async fn finish(&self, token: &LeaseToken, attempt: &Attempt) -> Result<(), QueueError> {
        let script = finish_script(token, attempt);
        let (answer,): (String,) = self.call("end an attempt", &script).await?;
        fresh(token, &answer)
    }

    /// Ends an attempt and claims the next job in the same step. Calling it again after a lost answer, with the same
    /// arguments, is harmless.
    ///
    /// # Errors
    /// [`QueueError::Stale`] when the lease is lost; `next` may have been carried out even so, and claiming with it
    /// gives the job.
    pub async fn finish_and_claim(
        &self,
        token: &LeaseToken,
        attempt: &Attempt,
        next: &ClaimRequest,
    ) -> Result<Claimed, QueueError> {
        let mut script = finish_script(token, attempt);
        script
            .arg(next.instance.as_str())
            .arg(next.slot)
            .arg(&next.nonce)
            .arg(millis(next.lease));
        let (ended, answer): (String, Vec<Value>) = self.call("end an attempt", &script).await?;
        fresh(token, &ended)?;
        claimed(answer, &next.nonce)
    }
}

fn finish_script(token: &LeaseToken, attempt: &Attempt) -> redis::Cmd {
    let (manifest, result) = match &attempt.manifest {
        Some(manifest) => (
            serde_json::to_string(manifest).expect("a manifest is plain data"),
            JobResult::pack(manifest),
        ),
        None => (String::new(), JobResult::default()),
    };
    let mut script = scripts::FINISH.prepare_invoke();
    script
        .arg(token.job.0)
        .arg(token.attempt)
        .arg(&token.nonce)
        .arg(attempt.outcome.as_str())
        .arg(&attempt.reason)
        .arg(attempt.commit.as_ref().map_or("", CommitId::as_str))
        .arg(manifest)
        .arg(attempt.took.as_secs())
        .arg([result.image, result.files, result.names, result.namcap].as_slice());
    script
}

/// Reads what `take` in `scripts/take.lua` gives.
fn claimed(answer: Vec<Value>, nonce: &str) -> Result<Claimed, QueueError> {
    let corrupt = |error: &dyn ToString| QueueError::corrupt("the answer to a claim", error.to_string());
    let mut parts = answer.into_iter();
    let mut text = || -> Result<String, QueueError> {
        let part = parts.next().ok_or_else(|| corrupt(&"it is too short"))?;
        String::from_redis_value(part).map_err(|error| corrupt(&error))
    };
    let refused = |refusal| Ok(Claimed::Refused(refusal));
    match text()?.as_str() {
        "none" | "stale" => Ok(Claimed::Nothing),
        "unknown" => refused(Refusal::Unknown),
        "incompatible" => refused(Refusal::Incompatible(text()?)),
        "draining" => refused(Refusal::Draining(text()?)),
        "paused" => refused(Refusal::Paused(text()?)),
        "queue-paused" => refused(Refusal::QueuePaused(text()?)),
        "job" => {
            let id = JobId(text()?.parse().map_err(|error| corrupt(&error))?);
            let attempt = text()?.parse().map_err(|error| corrupt(&error))?;
            let request = text()?;
            let flat = parts.next().ok_or_else(|| corrupt(&"it is too short"))?;
            let flat = Vec::<String>::from_redis_value(flat).map_err(|error| corrupt(&error))?;
            let record = (Some(request), record::pairs(flat), HashMap::new(), Vec::new());
            let job = record::parse(id, record)?.ok_or_else(|| corrupt(&"its job is empty"))?;
            let token = LeaseToken {
                job: id,
                attempt,
                nonce: nonce.to_owned(),
            };
            Ok(Claimed::Job(Box::new(Claim { token, job })))
        }
        other => Err(corrupt(&format!("it starts with {other:?}"))),
    }
}

/// Turns a script's `stale` into an error.
pub(super) fn fresh(token: &LeaseToken, answer: &str) -> Result<(), QueueError> {
    if answer == "stale" {
        return Err(QueueError::Stale {
            job: token.job,
            attempt: token.attempt,
        });
    }
    Ok(())
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
