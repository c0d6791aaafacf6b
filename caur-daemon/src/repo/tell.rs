//! Tells people and programs what came of a request, whoever carried it out.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use caur_core::queue::{RepoAction, RepoAnswer, RepoOutcome, RepoRequest};
use caur_core::repo::{Difference, Entry};
use color_eyre::eyre::{Result, WrapErr};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::stdout;
use crate::table::{elapsed, plain, printable, table};

/// The exit status of a check that could not be made.
const NOT_CHECKED: u8 = 2;

#[derive(Deserialize)]
struct Removal {
    removed: Vec<Entry>,
    deferred: Vec<(Entry, String)>,
    listed: usize,
    snapshot: String,
}

#[derive(Deserialize)]
struct Rollback {
    difference: Difference,
    snapshot: String,
}

#[derive(Deserialize)]
struct Check {
    errors: usize,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    severity: String,
    text: String,
}

#[derive(Deserialize)]
struct Library {
    name: String,
    providers: Vec<String>,
    dependants: Vec<String>,
}

#[derive(Deserialize)]
struct Past {
    number: u64,
    at: u64,
    kind: String,
    who: String,
    reason: String,
    difference: Difference,
    packages: usize,
    snapshot: bool,
}

/// Prints the answer. The status tells whether it was done and, of a check, whether all is well.
///
/// # Errors
/// The answer cannot be read, or standard output not written.
pub fn answer(request: &RepoRequest, answer: &RepoAnswer, as_json: bool) -> Result<ExitCode> {
    let is_check = matches!(request.action, RepoAction::Check { .. });
    if answer.outcome != RepoOutcome::Done {
        plainly(answer, as_json)?;
        return Ok(if is_check {
            ExitCode::from(NOT_CHECKED)
        } else {
            ExitCode::FAILURE
        });
    }
    if as_json {
        stdout::json(answer)?;
    } else {
        stdout::text(&told(request, answer)?)?;
    }
    if is_check && !answer.value.is_null() && read::<Check>(answer)?.errors > 0 {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints how a request ended, in one line.
///
/// # Errors
/// Standard output cannot be written to.
pub fn plainly(answer: &RepoAnswer, as_json: bool) -> Result<ExitCode> {
    let line = printable(&answer.message);
    if as_json {
        stdout::json(answer)?;
    }
    let status = match answer.outcome {
        RepoOutcome::Done => {
            if !as_json {
                stdout::line(&line)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        RepoOutcome::Refused => "refused",
        RepoOutcome::Failed => "failed",
        RepoOutcome::Expired => "expired",
    };
    eprintln!("error: {status}: {line}");
    Ok(ExitCode::FAILURE)
}

fn told(request: &RepoRequest, answer: &RepoAnswer) -> Result<String> {
    let message = format!("{}\n", printable(&answer.message));
    if answer.value.is_null() {
        return Ok(message);
    }
    let text = match &request.action {
        RepoAction::Remove { .. } | RepoAction::RemovePkgbase { .. } | RepoAction::AutoRemove { .. } => {
            let removal: Removal = read(answer)?;
            let hint = if request.dry_run && !removal.removed.is_empty() {
                let guarded = !request.force && removal.removed.len() * 10 > removal.listed;
                format!(
                    "nothing was changed; without --dry-run, and with --expect {}, it is done{}\n",
                    plain(&removal.snapshot),
                    if guarded {
                        "; it is more than a tenth, so it takes --force, too"
                    } else {
                        ""
                    }
                )
            } else {
                String::new()
            };
            removed(&removal, request.dry_run) + &message + &hint
        }
        RepoAction::Rollback { to } => {
            let rollback: Rollback = read(answer)?;
            let hint = if request.dry_run && !rollback.difference.is_empty() {
                format!(
                    "nothing was changed; to go on: repo rollback --to {to} --yes --expect {}\n",
                    plain(&rollback.snapshot)
                )
            } else {
                String::new()
            };
            difference(&rollback.difference) + &message + &hint
        }
        RepoAction::Check { .. } => {
            let check: Check = read(answer)?;
            let lines = check
                .findings
                .iter()
                .map(|finding| format!("{}: {}\n", plain(&finding.severity), printable(&finding.text)));
            lines.collect::<String>() + &message
        }
        RepoAction::Sonames { .. } => libraries(&read::<Vec<Library>>(answer)?),
        RepoAction::History { .. } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            history(&read::<Vec<Past>>(answer)?, now.as_secs())
        }
        RepoAction::Difference { .. } => difference(&read(answer)?) + &message,
        RepoAction::Transfer { .. } | RepoAction::Tidy => message,
    };
    Ok(text)
}

fn read<T: DeserializeOwned>(answer: &RepoAnswer) -> Result<T> {
    T::deserialize(&answer.value).wrap_err("the answer is of another version of this program")
}

fn removed(removal: &Removal, dry_run: bool) -> String {
    let fate = if dry_run { "would be removed" } else { "removed" };
    let row = |entry: &Entry, what: &str| {
        [
            entry.pkgname.clone(),
            entry.version.clone(),
            entry.pkgbase.clone(),
            what.to_owned(),
        ]
    };
    let gone = removal.removed.iter().map(|entry| row(entry, fate));
    let later = removal
        .deferred
        .iter()
        .map(|(entry, why)| row(entry, &format!("stays for now: {why}")));
    let rows: Vec<_> = gone.chain(later).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(["PACKAGE", "VERSION", "PKGBASE", "RESULT"], &rows)
}

fn difference(difference: &Difference) -> String {
    let mut rows = Vec::new();
    for entry in &difference.added {
        rows.push(["+".to_owned(), entry.pkgname.clone(), entry.version.clone()]);
    }
    for entry in &difference.removed {
        rows.push(["-".to_owned(), entry.pkgname.clone(), entry.version.clone()]);
    }
    for change in &difference.changed {
        let versions = format!("{} > {}", change.from, change.to);
        rows.push(["~".to_owned(), change.pkgname.clone(), versions]);
    }
    if rows.is_empty() {
        return String::new();
    }
    table(["", "PACKAGE", "VERSION"], &rows)
}

fn libraries(libraries: &[Library]) -> String {
    let rows: Vec<_> = libraries
        .iter()
        .map(|library| {
            [
                library.name.clone(),
                library.providers.join(" "),
                library.dependants.join(" "),
            ]
        })
        .collect();
    table(["LIBRARY", "FROM", "NEEDED BY"], &rows)
}

fn history(records: &[Past], now: u64) -> String {
    let rows: Vec<_> = records
        .iter()
        .map(|record| {
            let difference = &record.difference;
            [
                record.number.to_string(),
                elapsed(record.at * 1000, now * 1000),
                record.who.clone(),
                record.kind.clone(),
                format!(
                    "+{} -{} ~{}",
                    difference.added.len(),
                    difference.removed.len(),
                    difference.changed.len()
                ),
                record.packages.to_string(),
                if record.snapshot { "yes" } else { "" }.to_owned(),
                record.reason.clone(),
            ]
        })
        .collect();
    table(
        ["STATE", "AGO", "BY", "WHAT", "CHANGES", "PACKAGES", "KEPT", "WHY"],
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use caur_core::model::{Arch, Target, TargetRepo};
    use serde_json::{Value, json};

    use super::*;

    fn tell(action: RepoAction, dry_run: bool, value: Value) -> String {
        let target = Target {
            repo: TargetRepo::new("repo").unwrap(),
            arch: Arch::new("x86_64").unwrap(),
        };
        let mut request = RepoRequest::new(target, action);
        request.dry_run = dry_run;
        let answer = RepoAnswer {
            outcome: RepoOutcome::Done,
            message: "so it is\x1b[2J".to_owned(),
            value,
            by: "db".to_owned(),
            at: 1,
        };
        told(&request, &answer).unwrap()
    }

    fn entry(name: &str) -> Value {
        json!({ "pkgname": name, "pkgbase": "base", "version": "1-1" })
    }

    #[test]
    fn a_removal_says_what_goes_what_stays_and_how_to_go_on() {
        let value = json!({
            "removed": [entry("a\x1b[2J")], "deferred": [[entry("b"), "on its way"]], "listed": 9, "number": null,
            "snapshot": "abc",
        });
        let remove = || RepoAction::Remove {
            pkgnames: vec!["a".to_owned()],
        };
        let table = "PACKAGE  VERSION  PKGBASE  RESULT\n\
                     a        1-1      base     removed\n\
                     b        1-1      base     stays for now: on its way\nso it is\n";
        assert_eq!(tell(remove(), false, value.clone()), table);
        let dry = tell(remove(), true, value);
        let table = table.replace("removed", "would be removed");
        let table = table.as_str();
        assert_eq!(
            dry,
            format!(
                "{table}nothing was changed; without --dry-run, and with --expect abc, it is done; it is more than a tenth, so it takes --force, too\n"
            )
        );
        let none = json!({ "removed": [], "deferred": [], "listed": 9, "number": null, "snapshot": "abc" });
        assert_eq!(tell(remove(), true, none), "so it is\n");
    }

    #[test]
    fn a_difference_shows_what_is_new_gone_and_changed() {
        let difference = json!({
            "added": [entry("a")], "removed": [entry("b")],
            "changed": [{ "pkgname": "c", "from": "1-1", "to": "2-1" }],
        });
        let table =
            "   PACKAGE  VERSION\n+  a        1-1\n-  b        1-1\n~  c        1-1 > 2-1\nso it is\n";
        let action = RepoAction::Difference { from: 1, to: None };
        assert_eq!(tell(action, false, difference.clone()), table);
        let rollback = json!({ "difference": difference, "number": null, "snapshot": "abc" });
        assert_eq!(
            tell(RepoAction::Rollback { to: 7 }, true, rollback),
            format!("{table}nothing was changed; to go on: repo rollback --to 7 --yes --expect abc\n")
        );
    }

    #[test]
    fn libraries_are_listed_with_those_who_break() {
        let value =
            json!([{ "name": "liba.so.1", "bits": "64", "providers": ["a"], "dependants": ["b", "c"] }]);
        let action = RepoAction::Sonames { library: None };
        assert_eq!(
            tell(action, false, value),
            "LIBRARY    FROM  NEEDED BY\nliba.so.1  a     b c\n"
        );
    }

    #[test]
    fn an_answer_without_details_is_its_message() {
        let action = RepoAction::History { limit: 3 };
        assert_eq!(tell(action, false, Value::Null), "so it is\n");
    }
}
