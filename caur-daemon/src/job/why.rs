//! Why a job is not being built, in plain words.

use caur_core::model::BuildClass;
use caur_core::queue::{Dependency, Why};

use crate::table::{duration, elapsed};

/// One sentence; empty for a job that waits for nothing. `now` is in milliseconds since 1970.
pub fn sentence(why: &Why, now: u64) -> String {
    match why {
        Why::Dependencies { on } => match on.len() {
            0 => "it is about to become ready".to_owned(),
            1 => "it waits for the packages of another job".to_owned(),
            count => format!("it waits for the packages of {count} other jobs"),
        },
        Why::Predecessor { job, state } => {
            format!("job {job} of the same package, which is {state}, has to end first")
        }
        Why::Blocked { until, .. } => format!(
            "a dependency failed and the target lacks its packages; without them it ends {}; \
             `job release` lets it start all the same",
            within(*until, now)
        ),
        Why::Backoff { until, reason } => {
            format!(
                "after an infrastructure failure it is tried again {}: {reason}",
                within(*until, now)
            )
        }
        Why::Held { reason } if reason.is_empty() => {
            "an operator holds it back; `job unhold` lets it go on".to_owned()
        }
        Why::Held { reason } => format!("{reason}; `job unhold` lets it go on"),
        Why::QueuePaused { pause } => format!(
            "the whole queue has been paused for {}: {}",
            elapsed(pause.since, now),
            pause.reason
        ),
        Why::NoBuilder { class, online } => {
            format!("no builder {} is there; {}", wanted(class), there(online))
        }
        Why::BuildersStopped { builders } => {
            let each: Vec<String> = builders
                .iter()
                .map(|(name, reason)| format!("{name} ({reason})"))
                .collect();
            format!(
                "every builder that could take it takes no jobs now: {}",
                each.join(", ")
            )
        }
        Why::Busy { ahead, slots } => {
            let slots = match slots {
                1 => "the only slot that could take it is busy".to_owned(),
                slots => format!("all {slots} slots that could take it are busy"),
            };
            match ahead {
                0 => format!("{slots}; it is the next one of its class"),
                ahead => format!("{slots}; it is number {} of its class", ahead + 1),
            }
        }
        Why::Next => "a builder with a free slot is about to take it".to_owned(),
        Why::Nothing => String::new(),
    }
}

/// The jobs that it waits for, one by one.
pub fn dependencies(why: &Why) -> Vec<String> {
    match why {
        Why::Dependencies { on } | Why::Blocked { on, .. } => on.iter().map(dependency).collect(),
        Why::Predecessor { .. }
        | Why::Backoff { .. }
        | Why::Held { .. }
        | Why::QueuePaused { .. }
        | Why::NoBuilder { .. }
        | Why::BuildersStopped { .. }
        | Why::Busy { .. }
        | Why::Next
        | Why::Nothing => Vec::new(),
    }
}

fn dependency(on: &Dependency) -> String {
    // Dependencies never leave the target.
    let pkgbase = on.key.rsplit('/').next().unwrap_or_default();
    let place = format!("{pkgbase} ({}, job {})", on.state, on.job);
    if on.names == [pkgbase] {
        place
    } else {
        format!("{place}, for {}", on.names.join(", "))
    }
}

fn within(until: u64, now: u64) -> String {
    if until <= now {
        "at any moment".to_owned()
    } else {
        format!("in {}", duration((until - now).div_ceil(1000)))
    }
}

fn wanted(class: &BuildClass) -> String {
    match class {
        BuildClass::Number(number) => format!("of class {number} or higher"),
        BuildClass::Builder(name) => format!("called {name}"),
    }
}

/// What builders there are: classes, and names of those that have none.
fn there(online: &[String]) -> String {
    if online.is_empty() {
        return "none is online at all".to_owned();
    }
    let each: Vec<String> = online
        .iter()
        .map(|text| match text.parse::<u32>() {
            Ok(class) => format!("class {class}"),
            Err(_) => text.clone(),
        })
        .collect();
    format!("online: {}", each.join(", "))
}

#[cfg(test)]
mod tests {
    use caur_core::model::{JobId, JobState};
    use caur_core::queue::Pause;

    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn on(pkgbase: &str, job: u64, state: JobState, names: &[&str]) -> Dependency {
        Dependency {
            job: JobId(job),
            key: format!("repo/x86_64/{pkgbase}"),
            state,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn every_reason_has_its_words() {
        let lib = on("lib", 7, JobState::Building, &["lib"]);
        let tool = on("tool", 8, JobState::Failed, &["tool-cli", "libtool.so"]);
        let builders = [("big", "paused by ada: disk"), ("small", "drained by bob")];
        let builders = builders.map(|(name, reason)| (name.to_owned(), reason.to_owned()));
        let cases: Vec<(Why, &str)> = vec![
            (
                Why::Dependencies {
                    on: vec![lib.clone()],
                },
                "it waits for the packages of another job",
            ),
            (
                Why::Dependencies {
                    on: vec![lib.clone(), tool.clone()],
                },
                "it waits for the packages of 2 other jobs",
            ),
            (
                Why::Dependencies { on: Vec::new() },
                "it is about to become ready",
            ),
            (
                Why::Predecessor {
                    job: JobId(9),
                    state: JobState::Publishing,
                },
                "job 9 of the same package, which is publishing, has to end first",
            ),
            (
                Why::Blocked {
                    on: vec![tool.clone()],
                    until: NOW + 6 * 86_400_000,
                },
                "a dependency failed and the target lacks its packages; without them it ends in 6d00h; \
                 `job release` lets it start all the same",
            ),
            (
                Why::Backoff {
                    until: NOW + 11_001,
                    reason: "the disk is full".to_owned(),
                },
                "after an infrastructure failure it is tried again in 12s: the disk is full",
            ),
            (
                Why::Backoff {
                    until: NOW - 1,
                    reason: "x".to_owned(),
                },
                "after an infrastructure failure it is tried again at any moment: x",
            ),
            (
                Why::Held {
                    reason: "held by ada: upstream is broken".to_owned(),
                },
                "held by ada: upstream is broken; `job unhold` lets it go on",
            ),
            (
                Why::Held {
                    reason: String::new(),
                },
                "an operator holds it back; `job unhold` lets it go on",
            ),
            (
                Why::QueuePaused {
                    pause: Pause {
                        reason: "paused by ada: glibc".to_owned(),
                        by: "ada".to_owned(),
                        since: NOW - 185_000,
                        until: None,
                    },
                },
                "the whole queue has been paused for 3m05s: paused by ada: glibc",
            ),
            (
                Why::NoBuilder {
                    class: BuildClass::Number(3),
                    online: vec!["1".to_owned(), "mine".to_owned()],
                },
                "no builder of class 3 or higher is there; online: class 1, mine",
            ),
            (
                Why::NoBuilder {
                    class: BuildClass::Builder("big".parse().unwrap()),
                    online: Vec::new(),
                },
                "no builder called big is there; none is online at all",
            ),
            (
                Why::BuildersStopped {
                    builders: builders.into(),
                },
                "every builder that could take it takes no jobs now: big (paused by ada: disk), small (drained by bob)",
            ),
            (
                Why::Busy { ahead: 0, slots: 1 },
                "the only slot that could take it is busy; it is the next one of its class",
            ),
            (
                Why::Busy { ahead: 3, slots: 4 },
                "all 4 slots that could take it are busy; it is number 4 of its class",
            ),
            (Why::Next, "a builder with a free slot is about to take it"),
            (Why::Nothing, ""),
        ];
        for (why, expected) in cases {
            assert_eq!(sentence(&why, NOW), expected);
        }
        let listed = dependencies(&Why::Dependencies { on: vec![lib, tool] });
        assert_eq!(
            listed,
            [
                "lib (building, job 7)",
                "tool (failed, job 8), for tool-cli, libtool.so"
            ]
        );
    }
}
