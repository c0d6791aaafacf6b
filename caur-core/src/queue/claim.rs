//! A builder's side: claim a job, keep its lease, end the attempt.

use std::time::Duration;

use super::{Queue, QueueError, scripts};
use crate::model::{BuildOutcome, BuilderName, CommitId, Job, JobId, LeaseToken, Manifest, Phase};

/// Who asks for a job, and on what terms.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The builder.
    pub builder: BuilderName,
    /// The highest class that it takes; none: only jobs for its name.
    pub class: Option<u32>,
    /// How long the lease lasts without a heartbeat.
    pub lease: Duration,
}

/// A claimed job and the proof of it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Proof for every later write.
    pub token: LeaseToken,
    /// The job as it was claimed.
    pub job: Job,
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
    /// [`QueueError::Link`]; a claim whose answer got lost runs out with its lease.
    pub async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>, QueueError> {
        let nonce = nonce();
        let mut script = scripts::CLAIM.prepare_invoke();
        script
            .arg(request.builder.as_str())
            .arg(request.class.map_or_else(String::new, |class| class.to_string()))
            .arg(&nonce)
            .arg(millis(request.lease))
            .arg(env!("CARGO_PKG_VERSION"));
        let answer: Option<(u64, u32)> = self.call("claim a job", &script).await?;
        let Some((id, attempt)) = answer else {
            return Ok(None);
        };
        let job = self
            .job(JobId(id))
            .await?
            .ok_or_else(|| QueueError::corrupt(format!("job {id}"), "it was claimed but is not there"))?;
        Ok(Some(Claim {
            token: LeaseToken {
                job: JobId(id),
                attempt,
                nonce,
            },
            job,
        }))
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
        self.extend(token, "building", lease, phase.as_str(), "").await
    }

    pub(super) async fn extend(
        &self,
        token: &LeaseToken,
        state: &str,
        lease: Duration,
        phase: &str,
        note: &str,
    ) -> Result<Directive, QueueError> {
        let mut script = scripts::HEARTBEAT.prepare_invoke();
        script
            .arg(token.job.0)
            .arg(token.attempt)
            .arg(&token.nonce)
            .arg(state)
            .arg(millis(lease))
            .arg(phase)
            .arg(note);
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
        let manifest = match &attempt.manifest {
            Some(manifest) => serde_json::to_string(manifest).expect("a manifest is plain data"),
            None => String::new(),
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
            .arg(attempt.took.as_secs());
        let answer: String = self.call("end an attempt", &script).await?;
        fresh(token, &answer)
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
