//! When every job is likely to be built: the queue as it stands, run through the simulation.

use std::collections::HashMap;

use super::simulate::{OnlineBuilder, Span, Standing, UnfinishedJob, forecast};
use super::{JobFilter, Queue, QueueError, keys, policy};
use crate::model::{BuilderStatus, Job, JobId, JobState};

impl Queue {
    /// When each unfinished job is likely to start and to end, in milliseconds since 1970 by Redis' clock. A job that
    /// no builder takes that is there, one that is held or blocked, and what waits for either have no entry; nor has
    /// anything that is not running while the queue is paused.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn forecast(&self) -> Result<HashMap<JobId, Span>, QueueError> {
        let jobs = self.jobs(JobFilter::default()).await?;
        let builders = self.builders().await?;
        let paused = self.paused().await?.is_some();
        self.forecast_of(&jobs, &builders, paused).await
    }

    /// The same for jobs and builders that are known already; final jobs do not count.
    ///
    /// # Errors
    /// As [`Queue::forecast`].
    pub async fn forecast_of(
        &self,
        jobs: &[Job],
        builders: &[BuilderStatus],
        paused: bool,
    ) -> Result<HashMap<JobId, Span>, QueueError> {
        let now = self.now().await?;
        let speeds: HashMap<String, u64> = self
            .query(
                "read how fast builders are",
                redis::cmd("HGETALL").arg(keys::SPEEDS),
            )
            .await?;
        let backoff: Vec<(u64, u64)> = self
            .query(
                "read pausing jobs",
                redis::cmd("ZRANGE")
                    .arg(keys::BACKOFF)
                    .arg(0)
                    .arg(-1)
                    .arg("WITHSCORES"),
            )
            .await?;
        let backoff: HashMap<JobId, u64> = backoff
            .into_iter()
            .map(|(id, until)| (JobId(id), until))
            .collect();
        let unfinished: Vec<UnfinishedJob> = jobs
            .iter()
            .filter(|job| !job.state.is_final())
            .map(|job| unfinished(job, &backoff, now))
            .collect();
        let online: Vec<OnlineBuilder> = builders
            .iter()
            .filter(|builder| !paused && builder.takes_jobs())
            .map(|builder| online(builder, &speeds))
            .collect();
        Ok(forecast(&unfinished, &online, now))
    }
}

fn unfinished(job: &Job, backoff: &HashMap<JobId, u64>, now: u64) -> UnfinishedJob {
    let builder = job.builder.as_deref().and_then(|name| name.parse().ok());
    let standing = match (job.state, builder) {
        (JobState::Building, Some(builder)) => Standing::Building {
            builder,
            started: job.started.unwrap_or(now),
        },
        (JobState::Uploaded | JobState::Publishing, _) => Standing::Built,
        (JobState::Backoff, _) => Standing::Backoff {
            until: backoff.get(&job.id).copied().unwrap_or(now),
        },
        (JobState::Waiting | JobState::Ready, _) => Standing::Queued {
            since: job.ready_at.unwrap_or(job.since),
        },
        _ => Standing::Stuck,
    };
    UnfinishedJob {
        id: job.id,
        class: job.request.class.clone(),
        priority: job.priority,
        expected: job.expected,
        chain: job.chain,
        delay: job.delay,
        waits_for: job.waits_for.clone(),
        standing,
    }
}

fn online(builder: &BuilderStatus, speeds: &HashMap<String, u64>) -> OnlineBuilder {
    let report = &builder.report;
    OnlineBuilder {
        name: report.name.clone(),
        class: report.class,
        slots: report.slots,
        speed: speeds
            .get(report.name.as_str())
            .copied()
            .unwrap_or(policy::NORMAL_SPEED),
    }
}
