//! Submitting a batch: plan over what is queued, commit in one script, plan again when somebody was faster.

use serde::Serialize;

use super::plan::{self, LiveJob};
use super::{BrokenEdge, Queue, QueueError, keys, scripts};
use crate::model::{JobId, JobRequest};

/// How often a plan is made anew because the graph changed meanwhile.
const TRIES: u32 = 20;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubmitReport {
    /// Every job, in the order of the batch.
    pub jobs: Vec<Submitted>,
    /// Dependencies that were left out because they would close a cycle.
    pub broken: Vec<BrokenEdge>,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submitted {
    /// The job.
    pub id: JobId,
    /// The request.
    pub request: JobRequest,
    /// How it came to be.
    pub disposition: Disposition,
}

/// How a request became a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// A new job.
    Queued,
    /// A queued job for the same package took over the new request.
    Replaced,
    /// A new job that starts when this one, which somebody holds, has ended.
    Succeeds(JobId),
}

impl Queue {
    /// Submits all of `batch` or, on an error, nothing of it. `by` says who asks, for the audit trail.
    ///
    /// Where a key occurs twice in the batch, the last request counts.
    ///
    /// # Errors
    /// [`QueueError::Contended`] when other submits interfere too often; [`QueueError::Link`] when Redis is out of
    /// reach, and then the batch may have been submitted: submitting it again is harmless.
    pub async fn submit(&self, batch: Vec<JobRequest>, by: &str) -> Result<SubmitReport, QueueError> {
        let batch = last_of_each(batch);
        for _ in 0..TRIES {
            let version: Option<String> = self
                .query("read the queue", redis::cmd("GET").arg(keys::GRAPH))
                .await?;
            let live: Vec<LiveJob> = self.live_jobs().await?;
            let durations = self.durations().await?;
            let plan = plan::plan(&batch, &live, |key| durations.get(key).copied());
            let text = serde_json::to_string(&plan).expect("a plan is plain data");
            let mut script = scripts::SUBMIT.prepare_invoke();
            script.arg(version.as_deref().unwrap_or("0")).arg(text).arg(by);
            let answer: Vec<String> = self.call("submit the batch", &script).await?;
            if answer.first().is_some_and(|word| word == "ok") {
                return report(batch, &answer[1..], plan.broken);
            }
        }
        Err(QueueError::Contended(TRIES))
    }
}

fn last_of_each(batch: Vec<JobRequest>) -> Vec<JobRequest> {
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<JobRequest> = batch
        .into_iter()
        .rev()
        .filter(|request| seen.insert(request.key()))
        .collect();
    kept.reverse();
    kept
}

fn report(
    batch: Vec<JobRequest>,
    answer: &[String],
    broken: Vec<BrokenEdge>,
) -> Result<SubmitReport, QueueError> {
    let jobs = batch
        .into_iter()
        .zip(answer.chunks_exact(2))
        .map(|(request, pair)| {
            let id = |text: &str| {
                text.parse()
                    .map_err(|error| QueueError::corrupt("a submitted job", error))
            };
            let disposition = match pair[1].strip_prefix("succeeds ") {
                Some(old) => Disposition::Succeeds(id(old)?),
                None if pair[1] == "replaced" => Disposition::Replaced,
                None => Disposition::Queued,
            };
            Ok(Submitted {
                id: id(&pair[0])?,
                request,
                disposition,
            })
        })
        .collect::<Result<_, QueueError>>()?;
    Ok(SubmitReport { jobs, broken })
}
