//! A job as Redis holds it, as two hashes, and back.

use std::collections::HashMap;
use std::str::FromStr;

use super::publish::parse_target;
use super::{QueueError, keys};
use crate::model::{Job, JobId, JobRequest, Need};

/// The answers to [`fetch`] for one job: request, state, and what it waits for.
pub(super) type Record = (HashMap<String, String>, HashMap<String, String>, Vec<u64>);

/// Adds the commands that read one job.
pub(super) fn fetch(pipeline: &mut redis::Pipeline, id: JobId) {
    pipeline
        .hgetall(keys::request(id))
        .hgetall(keys::job(id))
        .hkeys(keys::deps(id));
}

/// Reads a job; none when it is not there.
pub(super) fn parse(id: JobId, record: Record) -> Result<Option<Job>, QueueError> {
    let (request, state, deps) = record;
    if state.is_empty() {
        return Ok(None);
    }
    let request = Fields { id, fields: request };
    let state = Fields { id, fields: state };
    let target = parse_target(request.text("target").unwrap_or_default())?;
    let mut waits_for: Vec<JobId> = deps.into_iter().map(JobId).collect();
    waits_for.sort_unstable();
    Ok(Some(Job {
        id,
        request: JobRequest {
            target,
            source: request.required("source")?,
            pkgbase: request.required("pkgbase")?,
            class: request.required("class")?,
            names: request.words("names", ' '),
            needs: request.words("needs", ' ').into_iter().map(Need::from).collect(),
            build_commit: request.optional("build_commit")?,
            status_commit: request.text("status_commit").map(ToOwned::to_owned),
            arch_mirror: request.text("arch_mirror").map(ToOwned::to_owned),
            rebuild: request.text("rebuild").is_some(),
        },
        requested_by: request.text("by").unwrap_or_default().to_owned(),
        state: state.required("state")?,
        attempt: state.required("attempt")?,
        builder: state.text("builder").map(ToOwned::to_owned),
        phase: state.text("phase").map(ToOwned::to_owned),
        reason: state.text("reason").map(ToOwned::to_owned),
        waits_for,
        expected: state.required("expected")?,
        chain: state.required("chain")?,
        built_commit: state.optional("built_commit")?,
        packages: state.words("packages", '\n'),
        since: state.required("since")?,
        started: state.optional("started")?,
        finished: state.optional("finished")?,
    }))
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
