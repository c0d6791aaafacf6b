//! Why a job is not being built: one answer, as data, for every console and page.

use std::collections::{BTreeMap, HashMap};

use redis::Pipeline;
use serde::Serialize;

use super::operate::Pause;
use super::{Queue, QueueError, keys};
use crate::model::{BuildClass, BuilderStatus, Job, JobId, JobState};

/// A job that another one waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// The job.
    pub job: JobId,
    /// Its `TARGET/ARCH/PKGBASE`.
    pub key: String,
    /// Where it stands.
    pub state: JobState,
    /// The names that are needed of it.
    pub names: Vec<String>,
}

/// Why a job is not being built.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Why {
    /// It waits for packages that other jobs build.
    Dependencies {
        /// Those jobs.
        on: Vec<Dependency>,
    },
    /// The running job for the same package has to end first.
    Predecessor {
        /// That job.
        job: JobId,
        /// Where it stands.
        state: JobState,
    },
    /// Dependencies failed, and the target lacks their packages.
    Blocked {
        /// The failed ones, and those that are not done yet.
        on: Vec<Dependency>,
        /// Milliseconds since 1970 at which it ends for that reason.
        until: u64,
    },
    /// An infrastructure failure struck.
    Backoff {
        /// Milliseconds since 1970 at which it may be claimed again.
        until: u64,
        /// What failed.
        reason: String,
    },
    /// An operator holds it back.
    Held {
        /// Who, and why.
        reason: String,
    },
    /// The whole queue is paused.
    QueuePaused {
        /// Who, when and why.
        pause: Pause,
    },
    /// No builder that could take it is there.
    NoBuilder {
        /// The class it needs.
        class: BuildClass,
        /// The classes of the builders that are there.
        online: Vec<String>,
    },
    /// The builders that could take it take no jobs now.
    BuildersStopped {
        /// Each with its reason.
        builders: BTreeMap<String, String>,
    },
    /// All builders that could take it are busy.
    Busy {
        /// How many ready jobs of its group are taken before it, as things stand.
        ahead: u64,
        /// Slots of the builders that could take it.
        slots: u32,
    },
    /// A builder with a free slot is about to take it.
    Next,
    /// It waits for nothing: it is worked on, or has ended.
    Nothing,
}

impl Queue {
    /// Why `job` is not being built.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn why(&self, job: &Job) -> Result<Why, QueueError> {
        let reason = || job.reason.clone().unwrap_or_default();
        match job.state {
            JobState::Waiting => self.waiting(job).await,
            JobState::Blocked => {
                let (on, _) = self.dependencies(job.id).await?;
                let mut pipeline = Pipeline::new();
                pipeline
                    .zscore(keys::BLOCKED, job.id.0)
                    .hget(keys::POLICY, "blocked_ms");
                let (since, limit): (Option<u64>, Option<u64>) =
                    self.pipeline("read a blocked job", &pipeline).await?;
                let until = since.unwrap_or(job.since) + limit.unwrap_or(7 * 86_400_000);
                Ok(Why::Blocked { on, until })
            }
            JobState::Backoff => {
                let mut command = redis::cmd("ZSCORE");
                command.arg(keys::BACKOFF).arg(job.id.0);
                let until: Option<u64> = self.query("read a pausing job", &command).await?;
                Ok(Why::Backoff {
                    until: until.unwrap_or_default(),
                    reason: reason(),
                })
            }
            JobState::Held => Ok(Why::Held { reason: reason() }),
            JobState::Ready => self.ready(job).await,
            JobState::Building
            | JobState::Uploaded
            | JobState::Publishing
            | JobState::Succeeded
            | JobState::AlreadyBuilt
            | JobState::Skipped
            | JobState::Failed
            | JobState::TimedOut
            | JobState::OutOfMemory
            | JobState::Canceled
            | JobState::InfrastructureFailed => Ok(Why::Nothing),
        }
    }

    async fn waiting(&self, job: &Job) -> Result<Why, QueueError> {
        let (on, predecessor) = self.dependencies(job.id).await?;
        Ok(match predecessor {
            Some(first) if on.is_empty() => Why::Predecessor {
                job: first.job,
                state: first.state,
            },
            _ => Why::Dependencies { on },
        })
    }

    /// The jobs that one waits for, and apart from them the one whose place it takes.
    async fn dependencies(&self, id: JobId) -> Result<(Vec<Dependency>, Option<Dependency>), QueueError> {
        let edges: HashMap<u64, String> = self
            .query(
                "read a job's dependencies",
                redis::cmd("HGETALL").arg(keys::deps(id)),
            )
            .await?;
        let ids: Vec<JobId> = edges.keys().map(|id| JobId(*id)).collect();
        let jobs = self.jobs_by_id(&ids).await?;
        let all = jobs.into_iter().map(|job| Dependency {
            names: edges[&job.id.0].split(' ').map(str::to_owned).collect(),
            job: job.id,
            key: job.request.key(),
            state: job.state,
        });
        let (mut first, mut on): (Vec<_>, Vec<_>) = all.partition(|dependency| dependency.names == ["="]);
        on.sort_by_key(|dependency| dependency.job);
        Ok((on, first.pop()))
    }

    async fn ready(&self, job: &Job) -> Result<Why, QueueError> {
        if let Some(pause) = self.paused().await? {
            return Ok(Why::QueuePaused { pause });
        }
        let builders: Vec<BuilderStatus> = self.builders().await?.into_iter().filter(|b| b.online).collect();
        let (able, others): (Vec<_>, Vec<_>) = builders
            .into_iter()
            .partition(|builder| may_take(builder, &job.request.class));
        if able.is_empty() {
            let mut online: Vec<String> = others
                .iter()
                .map(|builder| match builder.report.class {
                    Some(class) => class.to_string(),
                    None => builder.report.name.to_string(),
                })
                .collect();
            online.sort();
            online.dedup();
            return Ok(Why::NoBuilder {
                class: job.request.class.clone(),
                online,
            });
        }
        let stopped: BTreeMap<String, String> = able
            .iter()
            .filter(|builder| !builder.takes_jobs())
            .map(|builder| (builder.report.name.to_string(), why_stopped(builder)))
            .collect();
        let taking: Vec<&BuilderStatus> = able.iter().filter(|builder| builder.takes_jobs()).collect();
        if taking.is_empty() {
            return Ok(Why::BuildersStopped { builders: stopped });
        }
        let slots = taking.iter().map(|builder| builder.report.slots).sum();
        if taking
            .iter()
            .any(|builder| builder.jobs.len() < builder.report.slots as usize)
        {
            return Ok(Why::Next);
        }
        let mut command = redis::cmd("ZRANK");
        command
            .arg(keys::ready(&group(&job.request.class), "short"))
            .arg(job.id.0);
        let ahead: Option<u64> = self.query("read a job's place", &command).await?;
        Ok(Why::Busy {
            ahead: ahead.unwrap_or_default(),
            slots,
        })
    }
}

/// Whether a builder may take jobs of a class.
pub(super) fn may_take(builder: &BuilderStatus, class: &BuildClass) -> bool {
    match class {
        BuildClass::Number(number) => builder.report.class.is_some_and(|own| own >= *number),
        BuildClass::Builder(name) => builder.report.name == *name,
    }
}

fn why_stopped(builder: &BuilderStatus) -> String {
    let report = &builder.report;
    [
        &builder.paused,
        &builder.draining,
        &builder.incompatible,
        &report.note,
    ]
    .into_iter()
    .find_map(Clone::clone)
    .unwrap_or_default()
}

/// The group of ready jobs that a class belongs to.
pub(super) fn group(class: &BuildClass) -> String {
    match class {
        BuildClass::Number(number) => number.to_string(),
        BuildClass::Builder(name) => format!("@{name}"),
    }
}
