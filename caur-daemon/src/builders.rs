//! `builders …`: who is there and what each has and does; stopping and starting them.

use std::collections::HashMap;

use caur_core::model::{BuildClass, BuilderName, BuilderStatus, JobId};
use caur_core::queue::Queue;
use color_eyre::eyre::Result;
use serde::Serialize;
use serde_json::json;

use crate::asker::Requester;
use crate::cli::{BuilderArgs, BuildersCommand};
use crate::stdout;
use crate::table::{elapsed, plain, size, table};

/// Runs the command.
///
/// # Errors
/// The builder is unknown, or Redis is out of reach.
pub async fn run(command: &BuildersCommand, queue: &Queue) -> Result<()> {
    match command {
        BuildersCommand::List { json } => list(queue, *json).await,
        BuildersCommand::Pause(args) => {
            let (name, requester) = about(args)?;
            let count = queue.pause(Some(&name), requester.asker()).await?;
            say(args, "takes no more jobs", count)
        }
        BuildersCommand::Resume(args) => {
            let (name, requester) = about(args)?;
            let count = queue.resume(Some(&name), requester.asker()).await?;
            say(args, "takes jobs again", count)
        }
        BuildersCommand::Drain(args) => {
            let (name, requester) = about(args)?;
            let count = queue.drain(&name, requester.asker()).await?;
            say(args, "ends once its jobs have", count)
        }
    }
}

fn about(args: &BuilderArgs) -> Result<(BuilderName, Requester)> {
    Ok((BuilderName::new(&*args.name)?, Requester::new(&args.reason.text)))
}

fn say(args: &BuilderArgs, result: &str, processes: u32) -> Result<()> {
    let name = &args.name;
    if args.json {
        return stdout::json(&json!({ "builder": name, "result": result, "processes": processes }));
    }
    let concerned = match processes {
        0 => "; it is not there now".to_owned(),
        1 => String::new(),
        count => format!("; {count} processes use this name"),
    };
    stdout::line(&format!("{name} {result}{concerned}"))
}

/// Whether a builder may take jobs of a class.
pub fn serves(builder: &BuilderStatus, class: &BuildClass) -> bool {
    match class {
        BuildClass::Number(number) => builder.report.class.is_some_and(|own| own >= *number),
        BuildClass::Builder(name) => builder.report.name == *name,
    }
}

/// A builder as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    builder: &'a BuilderStatus,
    state: &'static str,
    why: String,
}

async fn list(queue: &Queue, as_json: bool) -> Result<()> {
    let builders = queue.builders().await?;
    let now = queue.now().await?;
    if as_json {
        let shown: Vec<Shown> = builders
            .iter()
            .map(|builder| {
                let (state, why) = state(builder, now);
                Shown { builder, state, why }
            })
            .collect();
        return stdout::json(&shown);
    }
    let held: Vec<JobId> = builders.iter().flat_map(|builder| builder.jobs.clone()).collect();
    let packages: HashMap<JobId, String> = queue
        .jobs_by_id(&held)
        .await?
        .into_iter()
        .map(|job| (job.id, job.request.pkgbase.to_string()))
        .collect();
    stdout::text(&listed(&builders, &packages, now))?;
    for warning in doubles(&builders) {
        eprintln!("warning: {}", plain(&warning));
    }
    Ok(())
}

fn listed(builders: &[BuilderStatus], packages: &HashMap<JobId, String>, now: u64) -> String {
    let rows: Vec<_> = builders
        .iter()
        .map(|builder| {
            let (report, machine) = (&builder.report, &builder.report.machine);
            let jobs: Vec<String> = builder
                .jobs
                .iter()
                .map(|id| packages.get(id).cloned().unwrap_or_else(|| id.to_string()))
                .collect();
            let (state, why) = state(builder, now);
            [
                report.name.to_string(),
                state.to_owned(),
                report
                    .class
                    .map_or_else(|| "own".to_owned(), |class| class.to_string()),
                report.slots.to_string(),
                jobs.join(","),
                machine.cores.to_string(),
                size(machine.memory_free),
                size(machine.disk_free),
                format!("{:.1}", machine.load),
                report.version.clone(),
                machine.engine.clone(),
                report.instance.to_string(),
                why,
            ]
        })
        .collect();
    let heads = [
        "NAME", "STATE", "CLASS", "SLOTS", "JOBS", "CORES", "MEMORY", "DISK", "LOAD", "VERSION", "ENGINE",
        "INSTANCE", "WHY",
    ];
    table(heads, &rows)
}

/// What a builder is, in a word, and why.
fn state(builder: &BuilderStatus, now: u64) -> (&'static str, String) {
    if !builder.online {
        let silent = elapsed(builder.last_seen, now);
        return ("offline", format!("not heard of for {silent}"));
    }
    let reasons = [
        ("incompatible", &builder.incompatible),
        ("draining", &builder.draining),
        ("paused", &builder.paused),
        ("stopped", &builder.report.note),
    ];
    let found = reasons
        .into_iter()
        .find_map(|(word, reason)| Some((word, reason.clone()?)));
    let (word, reason) = found.unwrap_or(("online", String::new()));
    match &builder.double {
        None => (word, reason),
        Some(other) => {
            let before = if reason.is_empty() { "" } else { "; " };
            (
                word,
                format!("{reason}{before}instance {other} uses the same name"),
            )
        }
    }
}

/// A warning for each name that several live processes use.
fn doubles(builders: &[BuilderStatus]) -> Vec<String> {
    let mut names: Vec<&BuilderName> = builders
        .iter()
        .filter(|builder| builder.online && builder.double.is_some())
        .map(|builder| &builder.report.name)
        .collect();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let instances: Vec<&str> = builders
                .iter()
                .filter(|builder| builder.online && builder.report.name == *name)
                .map(|builder| builder.report.instance.as_str())
                .collect();
            format!(
                "{} live processes call themselves {name} (instances {}): give each a BUILDER_HOSTNAME of its own",
                instances.len(),
                instances.join(", ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use caur_core::model::BuilderReport;

    use super::*;
    use crate::samples::{NOW, builder};

    #[test]
    fn each_state_has_its_word_and_its_reason() {
        let text = |text: &str| Some(text.to_owned());
        let plain = || builder("big", "a");
        let cases = [
            (plain(), "online", ""),
            (
                BuilderStatus {
                    paused: text("paused by ada"),
                    ..plain()
                },
                "paused",
                "paused by ada",
            ),
            (
                BuilderStatus {
                    draining: text("drained by ada"),
                    paused: text("p"),
                    ..plain()
                },
                "draining",
                "drained by ada",
            ),
            (
                BuilderStatus {
                    incompatible: text("old"),
                    ..plain()
                },
                "incompatible",
                "old",
            ),
            (
                BuilderStatus {
                    report: BuilderReport {
                        note: text("the disk is full"),
                        ..plain().report
                    },
                    double: text("b"),
                    ..plain()
                },
                "stopped",
                "the disk is full; instance b uses the same name",
            ),
            (
                BuilderStatus {
                    online: false,
                    last_seen: NOW - 185_000,
                    ..plain()
                },
                "offline",
                "not heard of for 3m05s",
            ),
        ];
        for (builder, word, why) in cases {
            assert_eq!(state(&builder, NOW), (word, why.to_owned()));
        }
    }

    #[test]
    fn two_processes_of_one_name_are_two_lines_and_a_warning() {
        let other = |builder: BuilderStatus, double: &str| BuilderStatus {
            double: Some(double.to_owned()),
            ..builder
        };
        let builders = [
            other(builder("big", "a"), "b"),
            other(builder("big", "b"), "a"),
            builder("small", "c"),
        ];
        let packages = HashMap::from([(JobId(7), "firefox".to_owned())]);
        let shown = listed(&builders, &packages, NOW);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[1],
            "big    online  2      3      firefox  8      12G     200G  0.2   0.1.0    docker 27  a         \
             instance b uses the same name"
        );
        assert!(
            lines[2].ends_with("b         instance a uses the same name"),
            "{shown}"
        );
        assert_eq!(lines.len(), 4);
        assert_eq!(
            doubles(&builders),
            [
                "2 live processes call themselves big (instances a, b): give each a BUILDER_HOSTNAME of its own"
            ]
        );
    }
}
