//! A job as Redis holds it, and back: the request as JSON, its state as a hash whose long texts stand in another.

use std::collections::HashMap;
use std::str::FromStr;

use redis::{ParsingError, Value};
use serde::{Deserialize, Serialize};

use super::{QueueError, keys};
use crate::model::{Job, JobId, JobRequest, JobState, PastAttempt, Phase, PhaseStart};

/// The answers to [`fetch`] for one job: request, state, long texts, and what it waits for.
pub(super) type Record = (
    Option<String>,
    HashMap<String, String>,
    HashMap<String, String>,
    Vec<u64>,
);

/// The request as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRequest<R> {
    #[serde(flatten)]
    pub request: R,
    pub by: String,
}

impl<R: Serialize> StoredRequest<R> {
    /// As JSON without what is absent or false, since every job holds one.
    pub(super) fn to_text(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a request is plain data");
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|_, value| {
                !matches!(value, serde_json::Value::Null | serde_json::Value::Bool(false))
            });
        }
        value.to_string()
    }
}

/// Adds the commands that read one job.
pub(super) fn fetch(pipeline: &mut redis::Pipeline, id: JobId) {
    pipeline
        .get(keys::request(id))
        .hgetall(keys::job(id))
        .hgetall(keys::long(id))
        .hkeys(keys::deps(id));
}

/// The commands that read what every one of some jobs has: requests before states, since a job that goes between the
/// two is one that is not there.
pub(super) fn fetch_many(ids: &[JobId]) -> redis::Pipeline {
    let mut pipeline = redis::Pipeline::new();
    pipeline.mget(ids.iter().map(|id| keys::request(*id)).collect::<Vec<_>>());
    for &id in ids {
        pipeline.hgetall(keys::job(id));
    }
    pipeline
}

/// The answers to [`fetch_many`].
pub(super) fn take_many(ids: &[JobId], answers: Vec<Value>) -> Result<Vec<(JobId, Record)>, QueueError> {
    let corrupt = |error: ParsingError| QueueError::corrupt("jobs", error);
    let mut answers = answers.into_iter();
    let requests: Vec<Option<String>> =
        redis::from_redis_value(answers.next().unwrap_or(Value::Nil)).map_err(corrupt)?;
    let records = ids.iter().zip(requests).zip(answers);
    records
        .map(|((&id, request), state)| {
            let state = redis::from_redis_value(state).map_err(corrupt)?;
            Ok((id, (request, state, HashMap::new(), Vec::new())))
        })
        .collect()
}

/// Whether a job has texts that are too long for its small hash.
fn has_long(state: &HashMap<String, String>) -> bool {
    state.contains_key("long")
}

/// Whether a job may wait for others.
fn has_edges(state: &HashMap<String, String>) -> bool {
    let state = state.get("state").and_then(|state| state.parse().ok());
    matches!(
        state,
        Some(JobState::Waiting | JobState::Blocked | JobState::Held)
    )
}

/// The commands that read what only some of these jobs have.
pub(super) fn fetch_rest(records: &[(JobId, Record)]) -> redis::Pipeline {
    let mut pipeline = redis::Pipeline::new();
    for (id, (_, state, ..)) in records {
        if has_long(state) {
            pipeline.hgetall(keys::long(*id));
        }
        if has_edges(state) {
            pipeline.hkeys(keys::deps(*id));
        }
    }
    pipeline
}

/// Adds the answers to [`fetch_rest`].
pub(super) fn take_rest(records: &mut [(JobId, Record)], answers: Vec<Value>) -> Result<(), QueueError> {
    let corrupt = |error: ParsingError| QueueError::corrupt("jobs", error);
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    for (_, (_, state, long, edges)) in records {
        if has_long(state) {
            *long = redis::from_redis_value(next()).map_err(corrupt)?;
        }
        if has_edges(state) {
            *edges = redis::from_redis_value(next()).map_err(corrupt)?;
        }
    }
    Ok(())
}

/// Reads a job; none when it is not there.
pub(super) fn parse(id: JobId, record: Record) -> Result<Option<Job>, QueueError> {
    let (request, mut state, long, deps) = record;
    if state.is_empty() {
        return Ok(None);
    }
    let request =
        request.ok_or_else(|| QueueError::corrupt(format!("the request of job {id}"), "it is missing"))?;
    state.extend(long);
    let state = Fields { id, fields: state };
    let stored: StoredRequest<JobRequest> = serde_json::from_str(&request)
        .map_err(|error| QueueError::corrupt(format!("the request of job {id}"), error))?;
    let (current, since): (JobState, u64) = (state.required("state")?, state.required("since")?);
    let started = state.optional("started")?;
    let mut waits_for: Vec<JobId> = deps.into_iter().map(JobId).collect();
    waits_for.sort_unstable();
    Ok(Some(Job {
        id,
        request: stored.request,
        requested_by: stored.by,
        state: current,
        attempt: state.required("attempt")?,
        builder: state.text("builder").map(ToOwned::to_owned),
        instance: state.text("instance").map(ToOwned::to_owned),
        phase: state.text("phase").map(ToOwned::to_owned),
        reason: state.text("reason").map(ToOwned::to_owned),
        canceling: state.text("cancel").map(ToOwned::to_owned),
        waits_for,
        broken: state.words("broken", ' '),
        released: state.text("released").is_some(),
        priority: state.optional("priority")?.unwrap_or(0),
        expected: state.required("expected")?,
        chain: state.optional("chain")?.unwrap_or(0),
        delay: state.optional("delay")?.unwrap_or(0),
        ready_at: state.optional("ready_at")?,
        built_commit: state.optional("built_commit")?,
        packages: state.packages(),
        since,
        started,
        phases: phases(state.text("phases").unwrap_or_default(), started),
        finished: current.is_final().then_some(since),
        history: state
            .words("history", '\n')
            .iter()
            .filter_map(|line| past(line))
            .collect(),
    }))
}

/// One line of a job's history, as `remember` in `scripts/lib.lua` writes it.
fn past(line: &str) -> Option<PastAttempt> {
    let mut fields = line.splitn(6, '\t');
    Some(PastAttempt {
        attempt: fields.next()?.parse().ok()?,
        outcome: fields.next()?.to_owned(),
        builder: fields.next()?.to_owned(),
        started: fields.next()?.parse().ok(),
        ended: fields.next()?.parse().ok()?,
        reason: fields.next().unwrap_or_default().to_owned(),
    })
}

/// Phases as `note_phase` in `scripts/past.lua` writes them: `CODE:MILLISECONDS` after the claim each.
fn phases(text: &str, started: Option<u64>) -> Vec<PhaseStart> {
    let name = |code: &str| match code {
        "f" => Phase::Fetch.as_str().to_owned(),
        "p" => Phase::Prepare.as_str().to_owned(),
        "b" => Phase::Build.as_str().to_owned(),
        "u" => Phase::Upload.as_str().to_owned(),
        "U" => JobState::Uploaded.as_str().to_owned(),
        "P" => JobState::Publishing.as_str().to_owned(),
        other => other.to_owned(),
    };
    let entries = text.split(' ').filter_map(|entry| {
        let (code, after) = entry.split_once(':')?;
        Some(PhaseStart {
            name: name(code),
            since: started? + after.parse::<u64>().ok()?,
        })
    });
    entries.collect()
}

/// A script's flat list of fields and values.
pub(super) fn pairs(flat: Vec<String>) -> HashMap<String, String> {
    let mut fields = HashMap::with_capacity(flat.len() / 2);
    let mut flat = flat.into_iter();
    while let (Some(field), Some(value)) = (flat.next(), flat.next()) {
        fields.insert(field, value);
    }
    fields
}

struct Fields {
    id: JobId,
    fields: HashMap<String, String>,
}

impl Fields {
    /// A field's text; an empty one counts as absent.
    fn text(&self, name: &str) -> Option<&str> {
        self.fields
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    fn words(&self, name: &str, separator: char) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(separator)
            .filter(|word| !word.is_empty())
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The packages that were published; `=` stands for all that were uploaded.
    fn packages(&self) -> Vec<String> {
        match self.text("packages") {
            Some("=") => self.words("names", '\n'),
            _ => self.words("packages", '\n'),
        }
    }

    fn optional<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, QueueError> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|error: T::Err| {
                    QueueError::corrupt(format!("field {name} of job {}", self.id), error)
                })
            })
            .transpose()
    }

    fn required<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<T, QueueError> {
        self.optional(name)?
            .ok_or_else(|| QueueError::corrupt(format!("field {name} of job {}", self.id), "it is missing"))
    }
}

/// The state of a job, or what is wrong with the record.
pub(super) fn parse_state(id: JobId, text: &str) -> Result<JobState, QueueError> {
    text.parse()
        .map_err(|error| QueueError::corrupt(format!("the state of job {id}"), error))
}
