//! Which job is meant: a number, `PKGBASE` or `TARGET/ARCH/PKGBASE`.

use caur_core::model::{Job, JobId};
use caur_core::queue::{JobFilter, Queue};
use color_eyre::eyre::{Result, eyre};

/// Finished jobs among which a package name is looked for.
const SEARCHED: usize = 10_000;

/// Finds jobs; reads the queue once, when it is needed.
pub struct Finder<'a> {
    queue: &'a Queue,
    all: Option<Vec<Job>>,
}

impl<'a> Finder<'a> {
    pub fn new(queue: &'a Queue) -> Self {
        Self { queue, all: None }
    }

    /// The job of this number, else the newest of this name.
    ///
    /// # Errors
    /// There is none, or Redis is out of reach.
    pub async fn find(&mut self, text: &str) -> Result<Job> {
        if let Some(job) = self.by_number(text).await? {
            return Ok(job);
        }
        newest(self.all().await?, text).cloned()
    }

    /// As [`Finder::find`], for what changes a job: a `PKGBASE` that is in the queue for several targets does not say
    /// which one is meant.
    ///
    /// # Errors
    /// As [`Finder::find`], or the name is ambiguous.
    pub async fn find_only(&mut self, text: &str) -> Result<Job> {
        if let Some(job) = self.by_number(text).await? {
            return Ok(job);
        }
        only(self.all().await?, text).cloned()
    }

    async fn by_number(&self, text: &str) -> Result<Option<Job>> {
        let Ok(id) = text.parse::<JobId>() else {
            return Ok(None);
        };
        let job = self.queue.job(id).await?;
        Ok(Some(job.ok_or_else(|| eyre!("there is no job {id}"))?))
    }

    async fn all(&mut self) -> Result<&[Job]> {
        let all = match self.all.take() {
            Some(all) => all,
            None => self.queue.jobs(JobFilter { finished: SEARCHED }).await?,
        };
        Ok(self.all.insert(all))
    }
}

fn named<'a>(jobs: &'a [Job], text: &str) -> impl Iterator<Item = &'a Job> {
    jobs.iter()
        .filter(move |job| job.request.pkgbase.as_str() == text || job.request.key() == text)
}

fn newest<'a>(jobs: &'a [Job], text: &str) -> Result<&'a Job> {
    named(jobs, text)
        .max_by_key(|job| job.id)
        .ok_or_else(|| eyre!("there is no job for {text:?}: `job list` shows what there is"))
}

fn only<'a>(jobs: &'a [Job], text: &str) -> Result<&'a Job> {
    let mut keys: Vec<String> = named(jobs, text)
        .filter(|job| !job.state.is_final())
        .map(|job| job.request.key())
        .collect();
    keys.sort();
    keys.dedup();
    if keys.len() > 1 {
        return Err(eyre!("{text:?} may mean {}: say which", keys.join(" or ")));
    }
    match keys.first() {
        Some(key) => newest(jobs, key),
        None => newest(jobs, text),
    }
}

#[cfg(test)]
mod tests {
    use caur_core::model::JobState;

    use super::*;
    use crate::samples::job;

    #[test]
    fn a_name_means_the_newest_job_and_must_not_be_ambiguous_for_changes() {
        let jobs = [
            job(1, "one", "a", JobState::Ready),
            job(2, "two", "a", JobState::Waiting),
            job(3, "one", "b", JobState::Ready),
            job(4, "two", "b", JobState::Failed),
        ];
        let id = |found: Result<&Job>| found.map(|job| job.id.0).map_err(|error| error.to_string());
        assert_eq!(id(newest(&jobs, "a")), Ok(2));
        assert_eq!(id(newest(&jobs, "one/x86_64/a")), Ok(1));
        assert_eq!(id(only(&jobs, "two/x86_64/a")), Ok(2));
        assert_eq!(
            id(only(&jobs, "a")),
            Err("\"a\" may mean one/x86_64/a or two/x86_64/a: say which".to_owned())
        );
        assert_eq!(id(only(&jobs, "b")), Ok(3), "what is in the queue comes first");
        assert_eq!(id(newest(&jobs, "b")), Ok(4));
        assert!(
            id(only(&jobs, "c"))
                .unwrap_err()
                .contains("there is no job for \"c\"")
        );
    }
}
