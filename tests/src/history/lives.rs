//! Each job's events are one legal path: every life ends exactly once, attempts follow each other and never overlap.

use std::collections::{BTreeMap, BTreeSet};

use caur_core::model::{JobId, JobState};
use caur_core::queue::Event;

use super::{History, Verdict, shown};

/// Where a job stands while its events are read.
struct Place<'a> {
    key: &'a str,
    state: JobState,
    attempt: u32,
}

/// Reads the events in their order.
pub fn judge(history: &History, verdict: &mut Verdict) {
    let mut places: BTreeMap<JobId, Place> = BTreeMap::new();
    // Of each package the jobs that somebody works on.
    let mut working: BTreeMap<&str, BTreeSet<JobId>> = BTreeMap::new();
    let mut last = (0, 0);
    for event in &history.events {
        let mut lie = |problem: &str| verdict.lies.push(format!("{}: {problem}", shown(event)));
        let number = number(&event.id);
        if number <= last {
            lie("it does not come after the event before it");
        }
        last = number;

        let place = places.get(&event.job);
        let before = place.map(|place| place.state);
        if event.from != before {
            let before = before.map_or("nothing", JobState::as_str);
            lie(&format!("the job was {before} before"));
        }
        if before.is_some_and(JobState::is_final) && event.to.is_final() {
            lie("the job was final already in this life");
        }
        let claimed = event.to == JobState::Building && !is_note(event);
        if claimed && before.is_some_and(JobState::is_leased) {
            lie("the attempt before it has not ended: two live attempts");
        }
        if !is_legal(event) {
            lie("no rule allows that");
        }
        let attempt = place.map_or(0, |place| place.attempt) + u32::from(claimed);
        if event.attempt != attempt {
            lie(&format!("it should be attempt {attempt}"));
        }
        if let Some(place) = place
            && place.key != event.key
        {
            lie(&format!("the job is about {}", place.key));
        }
        let holders = working.entry(&event.key).or_default();
        if claimed && holders.iter().any(|other| *other != event.job) {
            lie(&format!("others work on the same package: jobs {holders:?}"));
        }
        if event.to.is_leased() || event.to == JobState::Uploaded {
            holders.insert(event.job);
        } else {
            holders.remove(&event.job);
        }

        verdict.attempts += usize::from(claimed);
        verdict.lives += usize::from(before.is_none_or(JobState::is_final));
        let place = Place {
            key: &event.key,
            state: event.to,
            attempt: event.attempt,
        };
        places.insert(event.job, place);
    }
    verdict.jobs = places.len();
    compare_with_records(history, &places, verdict);
}

/// At the end every job that was ever named is final, and its record says what its events say.
fn compare_with_records(history: &History, places: &BTreeMap<JobId, Place>, verdict: &mut Verdict) {
    let records: BTreeMap<JobId, _> = history.jobs.iter().map(|job| (job.id, job)).collect();
    for (id, place) in places {
        if !place.state.is_final() {
            let (state, attempt) = (place.state, place.attempt);
            verdict.lies.push(format!(
                "job {id} ({}) attempt {attempt} never became final: it is {state}",
                place.key
            ));
        }
        match records.get(id) {
            None => verdict.lies.push(format!("job {id} ({}) was lost", place.key)),
            Some(record) if (record.state, record.attempt) != (place.state, place.attempt) => {
                verdict.lies.push(format!(
                    "job {id} ({}) is {} in attempt {}, its events say {} in attempt {}",
                    place.key, record.state, record.attempt, place.state, place.attempt
                ));
            }
            Some(_) => {}
        }
    }
    for id in records.keys().chain(&history.submitted) {
        if !places.contains_key(id) {
            verdict.lies.push(format!("no event tells of job {id}"));
        }
    }
}

/// Whether the event tells that something else about the job changed.
fn is_note(event: &Event) -> bool {
    event.from == Some(event.to) && !["submit", "claim"].contains(&event.action.as_str())
}

/// Whether `docs/ARCHITECTURE.md` knows this transition, and this cause of it.
fn is_legal(event: &Event) -> bool {
    use JobState::{
        AlreadyBuilt, Backoff, Blocked, Building, Canceled, Failed, Held, InfrastructureFailed, OutOfMemory,
        Publishing, Ready, Skipped, Succeeded, TimedOut, Uploaded, Waiting,
    };
    let by = |actions: &[&str]| actions.contains(&event.action.as_str());
    let Some(from) = event.from else {
        return event.to == Waiting && by(&["submit"]);
    };
    if is_note(event) {
        return (from == Building && by(&["cancel", "phase"])) || (from.is_queued() && by(&["priority"]));
    }
    match (from, event.to) {
        (_, Waiting) if from.is_final() => by(&["submit"]),
        (Waiting | Ready | Backoff, Waiting) => by(&["submit"]),
        (Waiting, Ready | Blocked) | (Blocked, Waiting | Ready) => !by(&["claim", "heartbeat"]),
        (Ready, Blocked) => by(&["submit"]),
        (Ready, Building) => by(&["claim"]),
        (Waiting | Ready | Backoff | Blocked, Held) => by(&["hold"]),
        (Held, Waiting | Ready | Blocked) => by(&["unhold", "release"]),
        (Backoff, Ready) => by(&["sweep", "release"]),
        (Blocked, Failed) => by(&["sweep"]),
        (Waiting | Ready | Backoff | Blocked | Held | Uploaded, Canceled) => by(&["cancel"]),
        (Building, Uploaded | AlreadyBuilt | Skipped | Failed | TimedOut | OutOfMemory | Ready) => {
            by(&["finish"])
        }
        (Building, Canceled | Backoff | InfrastructureFailed) => by(&["finish", "sweep"]),
        (Uploaded, Publishing) | (Publishing, Succeeded | Failed) => by(&["publish"]),
        (Publishing, Uploaded) => by(&["publish", "sweep"]),
        (Publishing, InfrastructureFailed) => by(&["sweep"]),
        // The rest of 256 pairs.
        _ => false,
    }
}

/// The place of an event in the stream.
fn number(id: &str) -> (u64, u64) {
    let (millis, sequence) = id.split_once('-').unwrap_or((id, "0"));
    (millis.parse().unwrap_or(0), sequence.parse().unwrap_or(0))
}

/// Milliseconds since 1970 of an event, by Redis' clock.
pub fn millis(event: &Event) -> u64 {
    number(&event.id).0
}
