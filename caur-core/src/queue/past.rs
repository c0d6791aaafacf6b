//! What is kept of what has ended: finished jobs in pages, the last builds of a package, what a job published.

use super::record::{self, Record};
use super::result::JobResult;
use super::{Queue, QueueError, keys};
use crate::model::{IdError, Job, JobId, Manifest, PastBuild};

/// Finished jobs that one step looks at beyond those that are asked for.
const SPARE: usize = 20;

impl Queue {
    /// Up to `limit` finished jobs, newest first, that ended before the one at `before`, which is the time in
    /// milliseconds since 1970 and the job that the last page ended with; none for the first page. Fewer than `limit`
    /// mean that there are no more.
    ///
    /// # Errors
    /// As [`Queue::job`].
    pub async fn finished_jobs(
        &self,
        before: Option<(u64, JobId)>,
        limit: usize,
    ) -> Result<Vec<Job>, QueueError> {
        let mut jobs: Vec<Job> = Vec::new();
        let mut place = before;
        while jobs.len() < limit {
            let wanted = limit - jobs.len();
            let ids = self.finished_before(place, wanted).await?;
            let Some(last) = ids.last().copied() else {
                break;
            };
            place = Some(last);
            let ids: Vec<JobId> = ids.into_iter().map(|(_, id)| id).collect();
            let found = self.jobs_by_id(&ids).await?;
            // One that was put back into the queue meanwhile is no finished job.
            jobs.extend(found.into_iter().filter(|job| job.state.is_final()));
        }
        Ok(jobs)
    }

    /// Places of finished jobs, newest first; of those that ended in the same millisecond the greater number first,
    /// as Redis orders them.
    async fn finished_before(
        &self,
        before: Option<(u64, JobId)>,
        limit: usize,
    ) -> Result<Vec<(u64, JobId)>, QueueError> {
        let mut places = Vec::new();
        let mut offset = 0;
        loop {
            let count = limit.saturating_add(SPARE);
            let mut command = redis::cmd("ZRANGE");
            command.arg(keys::FINISHED);
            match before {
                Some((time, _)) => command.arg(time),
                None => command.arg("+inf"),
            };
            command
                .arg("-inf")
                .arg("BYSCORE")
                .arg("REV")
                .arg("LIMIT")
                .arg(offset)
                .arg(count)
                .arg("WITHSCORES");
            let found: Vec<(u64, f64)> = self.query("list finished jobs", &command).await?;
            let ended = found.len() < count;
            offset += found.len();
            let found = found
                .into_iter()
                .map(|(id, time)| (milliseconds(time), JobId(id)));
            places.extend(found.filter(|place| before.is_none_or(|before| *place < before)));
            if ended || places.len() >= limit {
                places.truncate(limit);
                return Ok(places);
            }
        }
    }

    /// The last builds of a `TARGET/ARCH/PKGBASE`, newest first, at most 20; of those that ended as long ago as
    /// finished jobs are kept there are none.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn package_history(&self, key: &str) -> Result<Vec<PastBuild>, QueueError> {
        let mut command = redis::cmd("LRANGE");
        command.arg(keys::past(key)).arg(0).arg(-1);
        let lines: Vec<String> = self.query("read a package's history", &command).await?;
        lines
            .iter()
            .map(|line| {
                past_build(line)
                    .ok_or_else(|| QueueError::corrupt(format!("the history of {key}"), format!("{line:?}")))
            })
            .collect()
    }

    /// What a job uploaded, while it is published and after it succeeded; none for others.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn manifest(&self, id: JobId) -> Result<Option<Manifest>, QueueError> {
        let corrupt = |problem: &dyn ToString| {
            QueueError::corrupt(format!("the manifest of job {id}"), problem.to_string())
        };
        let mut pipeline = redis::pipe();
        record::fetch(&mut pipeline, id);
        let found: Record = self.pipeline("read a manifest", &pipeline).await?;
        let (_, short, long, _) = &found;
        let [image, files, names, namcap] =
            JobResult::FIELDS.map(|field| long.get(field).or_else(|| short.get(field)).cloned());
        let (Some(image), Some(job)) = (image, record::parse(id, found)?) else {
            return Ok(None);
        };
        let result = JobResult {
            image,
            files: files.unwrap_or_default(),
            names: names.unwrap_or_default(),
            namcap: namcap.unwrap_or_default(),
        };
        Ok(Some(Manifest {
            job: id,
            attempt: job.attempt,
            commit: job.built_commit.ok_or_else(|| corrupt(&"no commit is known"))?,
            builder: job
                .builder
                .unwrap_or_default()
                .parse()
                .map_err(|error: IdError| corrupt(&error))?,
            pkgbase: job.request.pkgbase,
            target: job.request.target,
            image: result.image(),
            files: result
                .files()
                .ok_or_else(|| corrupt(&"hashes and names of its files do not fit together"))?,
            namcap: result.namcap(),
        }))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970 stay far below 2^53"
)]
fn milliseconds(score: f64) -> u64 {
    score as u64
}

/// One line of a package's history, as `note_past` in `scripts/past.lua` writes it.
fn past_build(line: &str) -> Option<PastBuild> {
    let mut fields = line.splitn(8, '\t');
    Some(PastBuild {
        job: fields.next()?.parse().ok()?,
        attempt: fields.next()?.parse().ok()?,
        outcome: fields.next()?.to_owned(),
        builder: fields.next()?.to_owned(),
        started: fields.next()?.parse().ok()?,
        ended: fields.next()?.parse().ok()?,
        build_seconds: fields.next()?.parse().ok()?,
        reason: fields.next()?.to_owned(),
    })
}
