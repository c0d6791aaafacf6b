//! One made-up repository of the demo with its history: it answers requests as the `database` role does.

use caur_core::model::{IdError, Job, PublishedPackage, Target};
use caur_core::queue::{RepoAction, RepoAnswer, RepoOutcome, RepoRequest};
use serde_json::{Value, json};

use super::repository::files;

/// States that are remembered, and those of them that can be brought back.
const REMEMBERED: usize = 40;
const KEPT: usize = 12;
const HOUR: u64 = 3_600_000;

/// A repository.
#[derive(Debug)]
pub struct Shelf {
    /// Which one.
    pub target: Target,
    /// What it listed, the present state last; there is always one.
    states: Vec<State>,
}

#[derive(Debug)]
struct State {
    number: u64,
    at: u64,
    kind: &'static str,
    who: &'static str,
    reason: String,
    packages: Vec<PublishedPackage>,
}

/// Why something is not done.
struct Refusal(String);

impl Shelf {
    /// A repository with packages of these names, some of them split, that were built in the weeks before `now`.
    ///
    /// # Errors
    /// [`IdError`] if a name of the demo is no valid identifier.
    pub fn new(target: Target, names: &[&str], now: u64) -> Result<Self, IdError> {
        let mut packages = Vec::new();
        for (at, base) in (0_u64..).zip(names) {
            let mut parts = vec![(*base).to_owned()];
            if at % 3 == 0 {
                parts.push(format!("{base}-docs"));
            }
            if at % 5 == 1 {
                parts.push(format!("{base}-debug"));
            }
            for part in parts {
                let number = packages.len() as u64;
                let version = format!("{}.{}.{}-1", at % 4, number * 7 % 30, at * 13 % 12);
                packages.push(PublishedPackage {
                    file_name: format!("{part}-{version}-x86_64.pkg.tar.zst"),
                    pkgname: part.parse()?,
                    pkgbase: base.parse()?,
                    version,
                    size: 40_000 + (number * number * 7_919_113) % 310_000_000,
                    build_date: (now / 1000).saturating_sub(3_600 + number * 48_611 % 3_000_000),
                    provides: Vec::new(),
                });
            }
        }
        packages.sort_by(|a, b| a.pkgname.cmp(&b.pkgname));
        let mut shelf = Self {
            target,
            states: vec![State {
                number: 1,
                at: now.saturating_sub(40 * HOUR),
                kind: "create",
                who: "database",
                reason: String::new(),
                packages: Vec::new(),
            }],
        };
        // A few changes of the last days.
        let (old, new) = packages.split_at(packages.len() * 3 / 4);
        shelf.change(
            "add",
            "ada",
            "moved from the old server",
            now - 30 * HOUR,
            old.to_vec(),
        );
        shelf.change("publish", "database", "", now - 6 * HOUR, packages.clone());
        let without: Vec<_> = packages[1..].to_vec();
        shelf.change("remove", "grace", "its licence", now - 3 * HOUR, without);
        shelf.change(
            "rollback",
            "grace",
            "it is free after all",
            now - 2 * HOUR,
            [old, new].concat(),
        );
        Ok(shelf)
    }

    /// What it lists.
    pub fn packages(&self) -> &[PublishedPackage] {
        self.states.last().map_or(&[], |state| &state.packages)
    }

    /// The number of its present state.
    pub fn number(&self) -> u64 {
        self.states.last().map_or(0, |state| state.number)
    }

    /// What these jobs built is listed from now on.
    pub fn publish(&mut self, jobs: &[&Job], now: u64) {
        let mut packages = self.packages().to_vec();
        let mut is_news = false;
        for job in jobs {
            let base = job.request.pkgbase.as_str();
            let Some(file_name) = files(job).pop() else {
                continue;
            };
            let mut same = packages.iter_mut();
            let Some(package) = same.find(|package| package.pkgname.as_str() == base) else {
                continue;
            };
            if package.build_date >= job.since / 1000 {
                continue;
            }
            let version = file_name
                .strip_prefix(base)
                .and_then(|rest| rest.strip_suffix("-x86_64.pkg.tar.zst"))
                .unwrap_or_default();
            version.trim_start_matches('-').clone_into(&mut package.version);
            (package.file_name, package.build_date) = (file_name, job.since / 1000);
            is_news = true;
        }
        if is_news {
            self.change("publish", "database", "", now, packages);
        }
    }

    /// Does what is asked, and says what came of it.
    pub fn carry_out(&mut self, request: &RepoRequest, why: &str, now: u64) -> RepoAnswer {
        let (outcome, message, value) = match self.try_to(request, why, now) {
            Ok((message, value)) => (RepoOutcome::Done, message, value),
            Err(Refusal(message)) => (RepoOutcome::Refused, message, Value::Null),
        };
        RepoAnswer {
            outcome,
            message,
            value,
            by: "demo".to_owned(),
            at: now,
        }
    }

    fn try_to(&mut self, request: &RepoRequest, why: &str, now: u64) -> Result<(String, Value), Refusal> {
        let snapshot = self.snapshot();
        if let Some(expected) = request
            .previewed
            .as_ref()
            .filter(|expected| **expected != snapshot)
        {
            return Err(Refusal(format!(
                "{} has changed since this was previewed (then {expected}, now {snapshot}); nothing was changed: look \
                 again",
                self.target
            )));
        }
        match &request.action {
            RepoAction::Remove { pkgnames } => self.remove("remove", request, why, now, |package| {
                pkgnames.iter().any(|name| name == package.pkgname.as_str())
            }),
            RepoAction::RemovePkgbase { pkgbase } => self.remove("remove", request, why, now, |package| {
                package.pkgbase.as_str() == pkgbase
            }),
            RepoAction::AutoRemove { keep } => self.remove("auto-remove", request, why, now, |package| {
                !keep.contains(package.pkgbase.as_str())
            }),
            RepoAction::Rollback { to } => self.roll_back(*to, request, why, now),
            RepoAction::Check { .. } => Ok(self.check()),
            RepoAction::History { limit } => {
                let records = self.records(*limit);
                Ok((format!("{} changes", records.len()), Value::Array(records)))
            }
            RepoAction::Difference { from, to } => {
                let to = to.unwrap_or_else(|| self.number());
                let difference = difference(self.state(*from)?, self.state(to)?);
                Ok(("they differ".to_owned(), difference))
            }
            RepoAction::Transfer { .. } | RepoAction::Sonames { .. } | RepoAction::Tidy => {
                Err(Refusal("the demo cannot do that".to_owned()))
            }
        }
    }

    fn remove(
        &mut self,
        kind: &'static str,
        request: &RepoRequest,
        why: &str,
        now: u64,
        goes: impl Fn(&PublishedPackage) -> bool,
    ) -> Result<(String, Value), Refusal> {
        let (removed, left): (Vec<_>, Vec<_>) = self.packages().iter().cloned().partition(goes);
        let (count, listed) = (removed.len(), self.packages().len());
        if count == 0 && kind == "remove" {
            return Err(Refusal(format!(
                "{} does not list {}; nothing was changed",
                self.target,
                request.action.to_string().trim_start_matches("remove ")
            )));
        }
        let value = json!({
            "removed": entries(&removed), "deferred": [], "listed": listed, "number": null,
            "snapshot": self.snapshot(),
        });
        if request.dry_run || count == 0 {
            return Ok((format!("{count} of {listed} packages would be removed"), value));
        }
        self.guard(count, listed, request)?;
        self.change(kind, "you", why, now, left);
        Ok((format!("{count} of {listed} packages removed"), value))
    }

    fn roll_back(
        &mut self,
        to: u64,
        request: &RepoRequest,
        why: &str,
        now: u64,
    ) -> Result<(String, Value), Refusal> {
        let after = self.state(to)?.packages.clone();
        let changes = difference_of(self.packages(), &after);
        let value = json!({ "difference": changes, "number": null, "snapshot": self.snapshot() });
        if request.dry_run {
            return Ok((format!("what is different by going back to {to}"), value));
        }
        let removed = changes["removed"].as_array().map_or(0, Vec::len);
        self.guard(removed, self.packages().len(), request)?;
        self.change("rollback", "you", why, now, after);
        Ok((format!("back to {to}"), value))
    }

    fn guard(&self, removed: usize, listed: usize, request: &RepoRequest) -> Result<(), Refusal> {
        if request.force || removed * 10 <= listed {
            return Ok(());
        }
        Err(Refusal(format!(
            "this removes {removed} of the {listed} packages of {}, more than a tenth; nothing was changed: look at it \
             with --dry-run, then add --force",
            self.target
        )))
    }

    /// Some packages always need what nobody has.
    fn check(&self) -> (String, Value) {
        let mut findings = Vec::new();
        let mut errors = 0;
        for (at, package) in self.packages().iter().enumerate() {
            let (name, file) = (&package.pkgname, &package.file_name);
            if at % 17 == 5 {
                errors += 1;
                findings.push(json!({
                    "severity": "error",
                    "text": format!("usr/bin/{name} of {name} needs libicuuc.so.75 (64 bits), which nobody provides; icu provides libicuuc.so.76"),
                    "finding": { "kind": "soname-broken", "package": name, "file": format!("usr/bin/{name}") },
                }));
            }
            if at % 13 == 2 {
                findings.push(json!({
                    "severity": "warning",
                    "text": format!("usr/lib/{name}/plugin.so of {name} needs libjack.so.0 (64 bits), which nobody provides"),
                    "finding": { "kind": "soname-missing", "package": name, "file": "plugin.so" },
                }));
            }
            if at % 31 == 1 {
                errors += 1;
                findings.push(json!({
                    "severity": "error",
                    "text": format!("{name} is listed, but {file} does not exist"),
                    "finding": { "kind": "file-missing", "package": name, "file": file },
                }));
            }
        }
        let warnings = findings.len() - errors;
        let message = format!(
            "{} packages: {errors} errors, {warnings} warnings",
            self.packages().len()
        );
        let value = json!({
            "errors": errors, "warnings": warnings, "packages": self.packages().len(), "findings": findings,
        });
        (message, value)
    }

    /// Its states, the newest first, each with what it changed.
    fn records(&self, limit: usize) -> Vec<Value> {
        let newest = self.states.iter().enumerate().rev().take(limit);
        newest
            .map(|(at, state)| {
                let before = at.checked_sub(1).and_then(|before| self.states.get(before));
                json!({
                    "number": state.number, "at": state.at / 1000, "kind": state.kind, "who": state.who,
                    "reason": state.reason, "packages": state.packages.len(),
                    "difference": difference(before.unwrap_or(state), state),
                    "snapshot": self.states.len() - at <= KEPT,
                })
            })
            .collect()
    }

    fn state(&self, number: u64) -> Result<&State, Refusal> {
        let kept = self.states.iter().rev().take(KEPT);
        let mut found = kept.filter(|state| state.number == number);
        found
            .next()
            .ok_or_else(|| Refusal(format!("{} has no snapshot {number}", self.target)))
    }

    fn snapshot(&self) -> String {
        format!("{:064x}", self.number())
    }

    fn change(
        &mut self,
        kind: &'static str,
        who: &'static str,
        reason: &str,
        at: u64,
        packages: Vec<PublishedPackage>,
    ) {
        self.states.push(State {
            number: self.number() + 1,
            at,
            kind,
            who,
            reason: reason.to_owned(),
            packages,
        });
        if self.states.len() > REMEMBERED {
            self.states.remove(0);
        }
    }
}

fn entry(package: &PublishedPackage) -> Value {
    json!({ "pkgname": package.pkgname, "pkgbase": package.pkgbase, "version": package.version })
}

fn entries(packages: &[PublishedPackage]) -> Vec<Value> {
    packages.iter().map(entry).collect()
}

fn difference(old: &State, new: &State) -> Value {
    difference_of(&old.packages, &new.packages)
}

fn difference_of(old: &[PublishedPackage], new: &[PublishedPackage]) -> Value {
    let lacks = |packages: &[PublishedPackage], name: &str| {
        !packages.iter().any(|package| package.pkgname.as_str() == name)
    };
    let missing = |from: &[PublishedPackage], other: &[PublishedPackage]| -> Vec<Value> {
        let left = from
            .iter()
            .filter(|package| lacks(other, package.pkgname.as_str()));
        left.map(entry).collect()
    };
    let changed: Vec<Value> = new
        .iter()
        .filter_map(|new| {
            let old = old.iter().find(|old| old.pkgname == new.pkgname)?;
            (old.file_name != new.file_name)
                .then(|| json!({ "pkgname": new.pkgname, "from": old.version, "to": new.version }))
        })
        .collect();
    json!({ "added": missing(new, old), "removed": missing(old, new), "changed": changed })
}
