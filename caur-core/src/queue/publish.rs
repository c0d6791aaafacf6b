//! A publisher's side: claim everything that waits for one target, keep the leases, say what came of it.

use std::time::Duration;

use super::claim::{fresh, millis, nonce};
use super::{Queue, QueueError, keys, scripts};
use crate::model::{Arch, JobId, LeaseToken, Manifest, Target, TargetRepo};

/// One uploaded job that a publisher holds.
#[derive(Debug, Clone)]
pub struct PublishClaim {
    /// Proof for every later write.
    pub token: LeaseToken,
    /// `TARGET/ARCH/PKGBASE` of the job.
    pub key: String,
    /// What the builder says it uploaded; else why that cannot be published: it is unreadable, or about another job.
    pub manifest: Result<Manifest, String>,
}

/// What came of publishing one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishOutcome {
    /// These package files are in the repository.
    Published {
        /// File names.
        packages: Vec<String>,
    },
    /// The packages are refused for this reason.
    Refused {
        /// Which rule they break.
        reason: String,
    },
    /// Nothing is wrong with the packages; publish them later.
    Retry {
        /// What went wrong.
        reason: String,
    },
}

impl Queue {
    /// The targets for which uploads wait.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn upload_targets(&self) -> Result<Vec<Target>, QueueError> {
        let names: Vec<String> = self
            .query("list uploads", redis::cmd("SMEMBERS").arg(keys::UPLOAD_TARGETS))
            .await?;
        names.iter().map(|name| parse_target(name)).collect()
    }

    /// Claims up to `limit` uploads that wait for `target`.
    ///
    /// # Errors
    /// [`QueueError::Link`]; claims whose answer got lost return with their lease.
    pub async fn claim_uploads(
        &self,
        target: &Target,
        holder: &str,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<PublishClaim>, QueueError> {
        let nonce = nonce();
        let mut script = scripts::CLAIM_UPLOADS.prepare_invoke();
        script
            .arg(target.to_string())
            .arg(holder)
            .arg(&nonce)
            .arg(millis(lease))
            .arg(limit);
        let answer: Vec<(u64, u32, String, String)> = self.call("claim uploads", &script).await?;
        Ok(answer
            .into_iter()
            .map(|(id, attempt, key, manifest)| {
                let token = LeaseToken {
                    job: JobId(id),
                    attempt,
                    nonce: nonce.clone(),
                };
                let manifest = check_manifest(&manifest, &token, &key);
                PublishClaim { token, key, manifest }
            })
            .collect())
    }

    /// Extends a publisher's lease.
    ///
    /// # Errors
    /// [`QueueError::Stale`] when the lease is lost.
    pub async fn heartbeat_publish(&self, token: &LeaseToken, lease: Duration) -> Result<(), QueueError> {
        self.extend(token, "publishing", lease, "").await.map(|_| ())
    }

    /// Says what came of publishing one job; a succeeded one releases its dependants.
    ///
    /// # Errors
    /// [`QueueError::Stale`] when the lease is lost.
    pub async fn finish_publish(
        &self,
        token: &LeaseToken,
        outcome: &PublishOutcome,
    ) -> Result<(), QueueError> {
        let (word, reason, packages) = match outcome {
            PublishOutcome::Published { packages } => ("succeeded", "", packages.join("\n")),
            PublishOutcome::Refused { reason } => ("failed", reason.as_str(), String::new()),
            PublishOutcome::Retry { reason } => ("retry", reason.as_str(), String::new()),
        };
        let mut script = scripts::FINISH_PUBLISH.prepare_invoke();
        script
            .arg(token.job.0)
            .arg(token.attempt)
            .arg(&token.nonce)
            .arg(word)
            .arg(reason)
            .arg(packages);
        let answer: String = self.call("end publishing", &script).await?;
        fresh(token, &answer)
    }
}

/// A builder's word about what it built, unless it is about something else than its job.
fn check_manifest(text: &str, token: &LeaseToken, key: &str) -> Result<Manifest, String> {
    let manifest: Manifest =
        serde_json::from_str(text).map_err(|error| format!("the manifest cannot be read: {error}"))?;
    let said = format!("{}/{}", manifest.target, manifest.pkgbase);
    if said != key || (manifest.job, manifest.attempt) != (token.job, token.attempt) {
        return Err(format!(
            "the manifest is about {said}, job {} attempt {}, and not about {key}, job {} attempt {}",
            manifest.job, manifest.attempt, token.job, token.attempt
        ));
    }
    Ok(manifest)
}

pub(super) fn parse_target(name: &str) -> Result<Target, QueueError> {
    let corrupt =
        |problem: &dyn ToString| QueueError::corrupt(format!("target {name:?}"), problem.to_string());
    let (repo, arch) = name
        .split_once('/')
        .ok_or_else(|| corrupt(&"expected TARGET/ARCH"))?;
    Ok(Target {
        repo: TargetRepo::new(repo).map_err(|error| corrupt(&error))?,
        arch: Arch::new(arch).map_err(|error| corrupt(&error))?,
    })
}
