//! A job as a row of a table.

use std::cmp::{Ordering, Reverse};

use caur_core::model::{BuildClass, Job, JobId, JobState};

use crate::filter::{Subject, Value, letters};
use crate::table::Row;

/// A job with what filters look at.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// The job.
    pub job: Job,
    text: String,
    letters: u64,
}

impl From<Job> for JobRow {
    fn from(job: Job) -> Self {
        let request = &job.request;
        let text = format!(
            "{} {} {} {} {} {}",
            request.pkgbase,
            request.target,
            job.state,
            job.builder.as_deref().unwrap_or_default(),
            job.requested_by,
            job.reason.as_deref().unwrap_or_default(),
        )
        .to_lowercase();
        Self {
            letters: letters(&text),
            text,
            job,
        }
    }
}

impl Subject for JobRow {
    fn text(&self) -> &str {
        &self.text
    }

    fn letters(&self) -> u64 {
        self.letters
    }

    fn field(&self, name: &str, now: u64) -> Option<Value<'_>> {
        let job = &self.job;
        let request = &job.request;
        let optional = |text: &'_ Option<String>| Value::text(text.clone().unwrap_or_default());
        Some(match name {
            "state" => Value::text(job.state.as_str()),
            "package" => Value::text(request.pkgbase.as_str()),
            "repo" => Value::text(request.target.repo.as_str()),
            "arch" => Value::text(request.target.arch.as_str()),
            "class" => match &request.class {
                BuildClass::Number(number) => Value::count((*number).into()),
                BuildClass::Builder(name) => Value::text(name.as_str()),
            },
            "builder" => optional(&job.builder),
            "attempt" => Value::count(job.attempt.into()),
            "age" => Value::count(now.saturating_sub(job.since) / 1000),
            "took" => Value::count(took(job, now).unwrap_or_default()),
            "waited" => Value::count(waited(job).unwrap_or_default()),
            "expected" => Value::count(job.expected),
            "priority" => Value::Number(job.priority.into()),
            "commit" => Value::text(commit(job).unwrap_or_default().to_owned()),
            "by" => Value::text(job.requested_by.as_str()),
            "reason" => optional(&job.reason),
            "phase" => optional(&job.phase),
            "job" => Value::text(job.id.to_string()),
            _ => return None,
        })
    }
}

impl Row for JobRow {
    type Key = JobId;
    const ORDERS: &'static [&'static str] = &[
        "usual", "package", "state", "target", "class", "builder", "attempt", "age", "expected", "by",
        "commit", "finished", "took", "waited",
    ];
    const FIELDS: &'static [&'static str] = &[
        "state", "package", "repo", "arch", "class", "builder", "attempt", "age", "took", "waited",
        "expected", "priority", "commit", "by", "reason", "phase", "job",
    ];

    fn key(&self) -> JobId {
        self.job.id
    }

    fn compare(&self, other: &Self, order: usize) -> Ordering {
        let (a, b) = (&self.job, &other.job);
        match order {
            1 => a.request.pkgbase.cmp(&b.request.pkgbase),
            2 => rank(a.state).cmp(&rank(b.state)),
            3 => a.request.target.cmp(&b.request.target),
            4 => class(a).cmp(&class(b)),
            5 => a.builder.cmp(&b.builder),
            6 => a.attempt.cmp(&b.attempt),
            7 => b.since.cmp(&a.since),
            8 => a.expected.cmp(&b.expected),
            9 => a.requested_by.cmp(&b.requested_by),
            10 => commit(a).cmp(&commit(b)),
            11 => b.finished.cmp(&a.finished),
            // Only what has ended keeps its length while it is listed.
            12 => ended_took(b).cmp(&ended_took(a)),
            13 => waited(b).cmp(&waited(a)),
            _ => usual(a).cmp(&usual(b)),
        }
    }

    fn group(&self) -> (u8, &'static str) {
        (rank(self.job.state), self.job.state.as_str())
    }
}

/// Seconds that the build took, or takes until now.
pub fn took(job: &Job, now: u64) -> Option<u64> {
    let started = job.started?;
    let end = match job.state {
        JobState::Building => now,
        _ => job.finished.unwrap_or(job.since),
    };
    (job.attempt > 0).then(|| end.saturating_sub(started) / 1000)
}

fn ended_took(job: &Job) -> Option<u64> {
    job.state.is_final().then(|| took(job, 0)).flatten()
}

/// Seconds from when the job was asked for, or from the end of the attempt before, until its last attempt began; none
/// where there was none.
pub fn waited(job: &Job) -> Option<u64> {
    let started = job.started.filter(|_| job.attempt > 0)?;
    let before = job.history.last().map_or(0, |attempt| attempt.ended);
    // A job's number is the time at which it was asked for.
    Some(started.saturating_sub(job.id.0.max(before)) / 1000)
}

/// The commit that was built, or else the one that was asked for.
pub fn commit(job: &Job) -> Option<&str> {
    let built = job.built_commit.as_ref().or(job.request.build_commit.as_ref());
    built
        .map(caur_core::model::CommitId::as_str)
        .or(job.request.status_commit.as_deref())
}

fn class(job: &Job) -> (u32, &str) {
    match &job.request.class {
        BuildClass::Number(number) => (*number, ""),
        BuildClass::Builder(name) => (u32::MAX, name.as_str()),
    }
}

/// Rows of one rank are in the order of their age; what is over comes latest first.
fn usual(job: &Job) -> (u8, Reverse<i32>, Reverse<u64>) {
    if job.state.is_final() {
        (u8::MAX, Reverse(0), Reverse(job.finished.unwrap_or(job.since)))
    } else {
        (rank(job.state), Reverse(job.priority), Reverse(0))
    }
}

/// What is being worked on, then what comes next, then what is stuck, then what is over, failures first.
pub fn rank(state: JobState) -> u8 {
    match state {
        JobState::Building => 0,
        JobState::Publishing => 1,
        JobState::Uploaded => 2,
        JobState::Ready => 3,
        JobState::Waiting => 4,
        JobState::Blocked => 5,
        JobState::Held => 6,
        JobState::Backoff => 7,
        JobState::Failed => 8,
        JobState::TimedOut => 9,
        JobState::OutOfMemory => 10,
        JobState::InfrastructureFailed => 11,
        JobState::Canceled => 12,
        JobState::Succeeded => 13,
        JobState::AlreadyBuilt => 14,
        JobState::Skipped => 15,
    }
}
