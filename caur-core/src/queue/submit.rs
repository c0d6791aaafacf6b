//! Submitting a batch: plan over what is queued, commit in one script, plan again when somebody was faster.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::{self, LiveJob, Plan};
use super::record::StoredRequest;
use super::{Asker, BrokenEdge, Queue, QueueError, keys, scripts};
use crate::model::{Job, JobId, JobRequest, JobState, Pkgbase};

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
    /// A job that had ended, in the queue once more.
    Again,
    /// A new job that starts when this one, which somebody holds, has ended.
    Succeeds(JobId),
}

/// A plan as `scripts/submit.lua` reads it.
#[derive(Serialize)]
struct Wire<'a> {
    jobs: Vec<WireJob<'a>>,
    extra: &'a [(String, usize, String)],
    cut: Vec<(String, usize)>,
    chains: &'a BTreeMap<String, u64>,
    delays: &'a BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct WireJob<'a> {
    key: String,
    class: String,
    /// JSON of its own, which the script stores as it is.
    request: String,
    expected: u64,
    chain: u64,
    delay: u64,
    deps: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    broken: String,
    /// The final job that is to be built again.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

impl<'a> Wire<'a> {
    fn new(batch: &[JobRequest], live: &[LiveJob], plan: &'a Plan, again: Option<JobId>, by: &str) -> Self {
        let jobs = batch.iter().zip(&plan.jobs).map(|(request, planned)| {
            let stored = StoredRequest {
                request,
                by: by.to_owned(),
            };
            WireJob {
                key: request.key(),
                class: request.class.to_string(),
                request: stored.to_text(),
                expected: planned.expected,
                chain: planned.chain,
                delay: planned.delay,
                deps: &planned.deps,
                broken: words(&planned.broken),
                id: again.map(|id| id.to_string()),
            }
        });
        Self {
            jobs: jobs.collect(),
            extra: &plan.extra,
            cut: cut(batch, live, &plan.broken),
            chains: &plan.chains,
            delays: &plan.delays,
        }
    }
}

/// A job that is to be built again as planning sees it: as a queued one that is replaced, for what is blocked on it
/// waits for it from then on.
fn revived(id: JobId, request: &JobRequest) -> LiveJob {
    LiveJob {
        id,
        request: request.clone(),
        state: JobState::Waiting,
        expected: 0,
        chain: 0,
        delay: 0,
        released: false,
        waits_for: Vec::new(),
    }
}

/// The edges of queued jobs to those of the batch, by index from 1, that were left out.
fn cut(batch: &[JobRequest], live: &[LiveJob], broken: &[BrokenEdge]) -> Vec<(String, usize)> {
    let mut cut = Vec::new();
    for edge in broken {
        for (index, dependency) in batch
            .iter()
            .enumerate()
            .filter(|(_, job)| job.pkgbase == edge.dependency)
        {
            let dependants = live.iter().filter(|job| {
                job.request.pkgbase == edge.dependant && job.request.target == dependency.target
            });
            cut.extend(dependants.map(|job| (job.id.to_string(), index + 1)));
        }
    }
    cut
}

impl Queue {
    /// Submits all of `batch` or, on an error, nothing of it.
    ///
    /// Where a key occurs twice in the batch, the last request counts.
    ///
    /// # Errors
    /// [`QueueError::Contended`] when other submits interfere too often; [`QueueError::Link`] when Redis is out of
    /// reach, and then the batch may have been submitted: submitting it again is harmless.
    pub async fn submit(&self, batch: Vec<JobRequest>, asker: Asker<'_>) -> Result<SubmitReport, QueueError> {
        self.commit(last_of_each(batch), None, asker).await
    }

    /// Puts a job that has ended back into the queue: same inputs, same number, the next attempt. With `rebuild` a
    /// version that is published already is built again.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when it has not ended, or another job of the same package has taken its place.
    pub async fn retry(&self, id: JobId, rebuild: bool, asker: Asker<'_>) -> Result<Job, QueueError> {
        let refused = |reason: &str| QueueError::Refused {
            action: format!("retry job {id}"),
            reason: reason.to_owned(),
        };
        let job = self
            .job(id)
            .await?
            .ok_or_else(|| refused("there is no such job"))?;
        let mut request = job.request;
        request.rebuild |= rebuild;
        self.commit(vec![request], Some(id), asker).await?;
        self.job(id)
            .await?
            .ok_or_else(|| refused("it was forgotten meanwhile"))
    }

    async fn commit(
        &self,
        batch: Vec<JobRequest>,
        again: Option<JobId>,
        asker: Asker<'_>,
    ) -> Result<SubmitReport, QueueError> {
        for _ in 0..TRIES {
            let version: Option<String> = self
                .query("read the queue", redis::cmd("GET").arg(keys::GRAPH))
                .await?;
            let mut live: Vec<LiveJob> = self.live_jobs().await?;
            live.extend(again.map(|id| revived(id, &batch[0])));
            let durations = self.durations().await?;
            let plan = plan::plan(&batch, &live, |key| durations.get(key).copied());
            let wire = Wire::new(&batch, &live, &plan, again, asker.by);
            let text = serde_json::to_string(&wire).expect("a plan is plain data");
            let mut script = self.operation(&scripts::SUBMIT);
            script
                .arg(version.as_deref().unwrap_or("0"))
                .arg(text)
                .arg(asker.by)
                .arg(asker.why);
            let answer: Vec<String> = self.call("submit the batch", &script).await?;
            match answer.first().map(String::as_str) {
                Some("ok") => return report(batch, &answer[1..], plan.broken),
                Some("no") => {
                    return Err(QueueError::Refused {
                        action: again.map_or_else(|| "submit".to_owned(), |id| format!("retry job {id}")),
                        reason: answer.get(1).cloned().unwrap_or_default(),
                    });
                }
                _ => {}
            }
        }
        Err(QueueError::Contended(TRIES))
    }
}

fn words(names: &[Pkgbase]) -> String {
    names.iter().map(Pkgbase::as_str).collect::<Vec<_>>().join(" ")
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
    if answer.len() != 2 * batch.len() {
        return Err(QueueError::corrupt(
            "the answer to a submit",
            "it is about another batch: was the mark used before?",
        ));
    }
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
                None if pair[1] == "again" => Disposition::Again,
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
