//! Looking at the queue: jobs, builders, events; and waiting until there is something to do.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use redis::streams::{StreamId, StreamRangeReply, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Pipeline};
use serde::Serialize;

use super::plan::LiveJob;
use super::record::{self, Record};
use super::{Queue, QueueError, keys};
use crate::model::{Job, JobId, JobState};

/// Jobs that one pipeline reads: few enough that its answer comes in time over a slow link.
const CHUNK: usize = 250;
/// Pipelines that are under way at once, so that a distant Redis is not waited for again and again.
const UNDER_WAY: usize = 3;

/// Which jobs to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobFilter {
    /// How many finished jobs to list as well, newest first.
    pub finished: usize,
}

/// One transition of a job; where both states are the same, something else about it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Position in the event stream, `MILLISECONDS-NUMBER` by Redis' clock.
    pub id: String,
    /// The job.
    pub job: JobId,
    /// `TARGET/ARCH/PKGBASE`.
    pub key: String,
    /// What changed it: `submit`, `claim`, `finish`, `cancel` and so on; empty for old events.
    pub action: String,
    /// State before; none for a new job.
    pub from: Option<JobState>,
    /// State after.
    pub to: JobState,
    /// The job's attempt at that time.
    pub attempt: u32,
    /// Who holds or held the job.
    pub builder: String,
    /// Why, in words.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
}

impl Queue {
    /// One job; none when there is no such job (any more).
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, QueueError> {
        let mut pipeline = Pipeline::new();
        record::fetch(&mut pipeline, id);
        let found: Record = self.pipeline("read a job", &pipeline).await?;
        record::parse(id, found)
    }

    /// The newest job of a `TARGET/ARCH/PKGBASE` that is not final.
    ///
    /// # Errors
    /// As [`Queue::job`].
    pub async fn live_job(&self, key: &str) -> Result<Option<Job>, QueueError> {
        let id: Option<u64> = self
            .query("find a job", redis::cmd("HGET").arg(keys::LIVE).arg(key))
            .await?;
        match id {
            Some(id) => self.job(JobId(id)).await,
            None => Ok(None),
        }
    }

    /// Every job that is not final, oldest first, then finished ones, newest first.
    ///
    /// # Errors
    /// As [`Queue::job`].
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<Job>, QueueError> {
        let ids = self.job_ids(filter).await?;
        self.jobs_by_id(&ids).await
    }

    /// The identifiers of the jobs that [`Queue::jobs`] reads, in its order, for who reads them piece by piece.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn job_ids(&self, filter: JobFilter) -> Result<Vec<JobId>, QueueError> {
        let mut ids: Vec<u64> = self.ids(keys::ACTIVE, false, None).await?;
        if filter.finished > 0 {
            let finished = self.ids(keys::FINISHED, true, Some(filter.finished)).await?;
            // A job that ended between the two reads stands in both.
            let seen: HashSet<u64> = ids.iter().copied().collect();
            ids.extend(finished.into_iter().filter(|id| !seen.contains(id)));
        }
        Ok(ids.into_iter().map(JobId).collect())
    }

    /// How many jobs are not final: cheap enough to notice that something was missed.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn active_jobs(&self) -> Result<usize, QueueError> {
        self.query("count the jobs", redis::cmd("ZCARD").arg(keys::ACTIVE))
            .await
    }

    /// These jobs, in this order, without those that are not there (any more).
    ///
    /// # Errors
    /// As [`Queue::job`].
    pub async fn jobs_by_id(&self, ids: &[JobId]) -> Result<Vec<Job>, QueueError> {
        // Collected first: with a closure in it, the compiler could not show that this future may change threads.
        let reads: Vec<_> = ids.chunks(CHUNK).map(|chunk| self.read_jobs(chunk)).collect();
        let parts: Vec<Vec<Job>> = stream::iter(reads).buffered(UNDER_WAY).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// Reads what most jobs have, and then what some of them have besides, which may be younger: whoever changed a
    /// job between the two told so by an event.
    async fn read_jobs(&self, ids: &[JobId]) -> Result<Vec<Job>, QueueError> {
        let pipeline = record::fetch_many(ids);
        let answers: Vec<redis::Value> = self.pipeline("read the queue", &pipeline).await?;
        let mut records = record::take_many(ids, answers)?;
        let pipeline = record::fetch_rest(&records);
        if !pipeline.is_empty() {
            let answers: Vec<redis::Value> = self.pipeline("read the queue", &pipeline).await?;
            record::take_rest(&mut records, answers)?;
        }
        let jobs = records.into_iter().map(|(id, record)| record::parse(id, record));
        jobs.filter_map(Result::transpose).collect()
    }

    async fn ids(&self, set: &str, newest_first: bool, limit: Option<usize>) -> Result<Vec<u64>, QueueError> {
        let mut command = redis::cmd("ZRANGE");
        let last = limit.map_or(-1, |limit| isize::try_from(limit).unwrap_or(isize::MAX) - 1);
        command.arg(set).arg(0).arg(last);
        if newest_first {
            command.arg("REV");
        }
        self.query("list jobs", &command).await
    }

    /// The queue as planning sees it: of every package the newest job only.
    pub(super) async fn live_jobs(&self) -> Result<Vec<LiveJob>, QueueError> {
        let newest: HashMap<String, u64> = self
            .query("read the queue", redis::cmd("HGETALL").arg(keys::LIVE))
            .await?;
        let newest: HashSet<JobId> = newest.into_values().map(JobId).collect();
        let jobs = self.jobs(JobFilter::default()).await?;
        Ok(jobs
            .into_iter()
            .filter(|job| newest.contains(&job.id))
            .map(|job| LiveJob {
                id: job.id,
                state: job.state,
                released: job.released,
                expected: job.expected,
                chain: job.chain,
                delay: job.delay,
                waits_for: job.waits_for,
                request: job.request,
            })
            .collect())
    }

    /// Learned seconds of a build, by `TARGET/ARCH/PKGBASE`.
    pub(super) async fn durations(&self) -> Result<HashMap<String, u64>, QueueError> {
        self.query("read durations", redis::cmd("HGETALL").arg(keys::DURATIONS))
            .await
    }

    /// Whether Redis writes an append-only file, so that its restart loses nothing.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn is_durable(&self) -> Result<bool, QueueError> {
        let info: String = self
            .query(
                "ask Redis about its persistence",
                redis::cmd("INFO").arg("persistence"),
            )
            .await?;
        Ok(info.lines().any(|line| line.trim_end() == "aof_enabled:1"))
    }

    /// Milliseconds since 1970 by Redis' clock, the only one that counts.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn now(&self) -> Result<u64, QueueError> {
        let (seconds, micros): (u64, u64) = self.query("read the clock", &redis::cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// The newest event's id, from which [`Queue::events_after`] gives what comes later.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn last_event(&self) -> Result<String, QueueError> {
        self.newest(keys::EVENTS).await
    }

    /// Up to `limit` events after the one with the id `after` (`0` for the oldest that is kept), waiting up to `wait`
    /// for the first.
    ///
    /// # Errors
    /// As [`Queue::job`].
    pub async fn events_after(
        &self,
        after: &str,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Event>, QueueError> {
        let reply = self.read_stream(keys::EVENTS, after, limit, wait).await?;
        let entries = reply.keys.into_iter().flat_map(|stream| stream.ids);
        entries.map(|entry| event(&entry)).collect()
    }

    /// The newest `limit` events, newest first.
    ///
    /// # Errors
    /// As [`Queue::job`].
    pub async fn newest_events(&self, limit: usize) -> Result<Vec<Event>, QueueError> {
        let mut command = redis::cmd("XREVRANGE");
        command
            .arg(keys::EVENTS)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(limit);
        let found: StreamRangeReply = self.query("read the events", &command).await?;
        found.ids.iter().map(event).collect()
    }

    /// The id of a stream's newest entry.
    pub(super) async fn newest(&self, stream: &str) -> Result<String, QueueError> {
        let mut newest = redis::cmd("XREVRANGE");
        newest.arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
        let found: StreamRangeReply = self.query("read the queue", &newest).await?;
        Ok(found
            .ids
            .into_iter()
            .next()
            .map_or_else(|| "0-0".to_owned(), |entry| entry.id))
    }

    async fn read_stream(
        &self,
        stream: &str,
        after: &str,
        limit: usize,
        wait: Duration,
    ) -> Result<StreamReadReply, QueueError> {
        let action = "wait for the queue";
        let link = |source| QueueError::Link { action, source };
        let mut options = StreamReadOptions::default().count(limit);
        if wait.is_zero() {
            return self
                .on_link(action, |mut connection| async move {
                    connection.xread_options(&[stream], &[after], &options).await
                })
                .await;
        }
        // BLOCK 0 would wait for ever.
        options = options.block(usize::try_from(wait.as_millis()).unwrap_or(usize::MAX).max(1));
        let mut connection = self.link.dedicated().await.map_err(link)?;
        match connection
            .xread_options::<_, _, Option<StreamReadReply>>(&[stream], &[after], &options)
            .await
        {
            Ok(reply) => Ok(reply.unwrap_or_default()),
            Err(error) => Err(link(self.link.report(error).await)),
        }
    }
}

pub(super) fn event(entry: &StreamId) -> Result<Event, QueueError> {
    let text = |name: &str| entry.get::<String>(name).unwrap_or_default();
    let corrupt =
        |problem: &dyn ToString| QueueError::corrupt(format!("event {}", entry.id), problem.to_string());
    Ok(Event {
        job: text("job").parse().map_err(|error| corrupt(&error))?,
        key: text("key"),
        action: text("action"),
        from: match text("from").as_str() {
            "" => None,
            from => Some(from.parse().map_err(|error| corrupt(&error))?),
        },
        to: text("to").parse().map_err(|error| corrupt(&error))?,
        attempt: text("attempt").parse().map_err(|error| corrupt(&error))?,
        builder: text("builder"),
        reason: text("reason"),
        by: text("by"),
        id: entry.id.clone(),
    })
}
