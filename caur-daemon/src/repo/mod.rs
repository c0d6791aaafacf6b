//! `repo …` and `auto-repo-remove`: on the files below `--root`, or by asking the `database` role through Redis.
//!
//! Both ways lead to [`site::Site`] and give the same answers, so both are told alike.

mod add;
mod ask;
mod checking;
mod files;
mod packages;
mod requests;
pub mod site;
mod tell;

use std::process::ExitCode;
use std::time::Duration;

use caur_core::config::Config;
use caur_core::model::{Arch, Pkgbase, Pkgname, Target, TargetRepo};
use caur_core::queue::{RepoAction, RepoRequest};
use color_eyre::eyre::{Result, WrapErr, bail};

use crate::asker::Requester;
use crate::cli::{AutoRepoRemoveArgs, ChangeArgs, RepoArgs, RepoCommand, RepoPlace, Shared};
use files::Files;

/// What is to be done, and how it is told.
struct Order {
    request: RepoRequest,
    reason: String,
    json: bool,
}

impl Order {
    fn new(target: &Target, action: RepoAction, reason: &str, json: bool) -> Self {
        Self {
            request: RepoRequest::new(target.clone(), action),
            reason: reason.to_owned(),
            json,
        }
    }

    fn change(target: &Target, action: RepoAction, args: &ChangeArgs, dry_run: bool) -> Self {
        let mut order = Self::new(target, action, &args.reason.text, args.json);
        order.request.force = args.force;
        order.request.dry_run = dry_run;
        order.request.previewed.clone_from(&args.expect);
        order
    }
}

/// Runs `repo …`.
///
/// # Errors
/// Redis is out of reach, or the repository cannot be opened.
pub async fn run(shared: &Shared, args: &RepoArgs, config: &Config) -> Result<ExitCode> {
    let place = &args.place;
    let target = target(shared, place)?;
    let mut upstream = Vec::new();
    let order = match &args.command {
        RepoCommand::Add {
            files,
            prevent_downgrade,
            take_over,
            protected_names,
            reason,
            json,
        } => {
            let options = caur_core::repo::AddOptions {
                prevent_downgrade: *prevent_downgrade,
                take_over: *take_over,
                protected_names: *protected_names,
            };
            let requester = Requester::new(&reason.text);
            return add::run(
                Files::of(place, config)?,
                &target,
                files,
                options,
                &requester,
                *json,
            )
            .await;
        }
        RepoCommand::List { json } => return packages::list(place, config, &target, *json).await,
        RepoCommand::Show { package, json } => {
            return packages::show(place, config, &target, package, *json).await;
        }
        RepoCommand::Requests { id, json } => return requests::run(config, id.as_deref(), *json).await,
        RepoCommand::Remove {
            packages,
            pkgbase,
            change,
            dry_run,
        } => {
            let action = match pkgbase {
                Some(pkgbase) => RepoAction::RemovePkgbase {
                    pkgbase: pkgbase.clone(),
                },
                None => RepoAction::Remove {
                    pkgnames: packages.clone(),
                },
            };
            Order::change(&target, action, change, *dry_run)
        }
        RepoCommand::Rollback { to, yes, change } => {
            Order::change(&target, RepoAction::Rollback { to: *to }, change, !yes)
        }
        RepoCommand::Transfer {
            pkgname,
            to,
            reason,
            json,
        } => {
            let to = to.as_deref().map(Pkgbase::new).transpose().wrap_err("--to")?;
            let pkgname = pkgname.clone();
            Order::new(&target, RepoAction::Transfer { pkgname, to }, &reason.text, *json)
        }
        RepoCommand::Check {
            fix,
            no_hashes,
            sonames,
            upstream: databases,
            json,
        } => {
            upstream.clone_from(databases);
            let action = RepoAction::Check {
                fix: *fix,
                hashes: !no_hashes,
                sonames: *sonames,
            };
            Order::new(&target, action, "", *json)
        }
        RepoCommand::Sonames { library, json } => {
            let library = library.clone();
            Order::new(&target, RepoAction::Sonames { library }, "", *json)
        }
        RepoCommand::History { limit, json } => {
            Order::new(&target, RepoAction::History { limit: *limit }, "", *json)
        }
        RepoCommand::Diff { from, to, json } => {
            let action = RepoAction::Difference { from: *from, to: *to };
            Order::new(&target, action, "", *json)
        }
        RepoCommand::Tidy { json } => Order::new(&target, RepoAction::Tidy, "", *json),
    };
    carry_out(order, place, config, upstream).await
}

/// Runs `auto-repo-remove`.
///
/// # Errors
/// As [`run`]; or a name cannot be one, and then nothing is asked for.
pub async fn auto_remove(shared: &Shared, args: &AutoRepoRemoveArgs, config: &Config) -> Result<ExitCode> {
    // A list that got garbled on its way would have packages removed that were to remain.
    let garbled: Vec<&String> = args
        .packages
        .iter()
        .filter(|name| Pkgname::new(name.as_str()).is_err())
        .collect();
    if !garbled.is_empty() {
        bail!("these are no names of packages, so nothing is removed: {garbled:?}");
    }
    let keep = args.packages.iter().cloned().collect();
    let order = Order::change(
        &target(shared, &args.place)?,
        RepoAction::AutoRemove { keep },
        &args.change,
        args.dry_run,
    );
    carry_out(order, &args.place, config, Vec::new()).await
}

async fn carry_out(
    order: Order,
    place: &RepoPlace,
    config: &Config,
    upstream: Vec<std::path::PathBuf>,
) -> Result<ExitCode> {
    let requester = Requester::new(&order.reason);
    if place.root.is_some() {
        let mut files = Files::of(place, config)?;
        files.upstream(upstream);
        let answer = files.carry_out(order.request.clone(), &requester).await?;
        return tell::answer(&order.request, &answer, order.json);
    }
    if !upstream.is_empty() {
        bail!("--upstream goes with --root; the database takes database.upstream_databases");
    }
    ask::run(&order, config, &requester, Duration::from_secs(place.timeout)).await
}

fn target(shared: &Shared, place: &RepoPlace) -> Result<Target> {
    if let (Some(root), None) = (&place.root, &shared.target_repo) {
        bail!(
            "which repository below {}? --target NAME says it: its files are in {}",
            root.display(),
            root.join("NAME").join(&shared.arch).display()
        );
    }
    Ok(Target {
        repo: TargetRepo::new(shared.target_repo()).wrap_err("--target-repo")?,
        arch: Arch::new(&*shared.arch).wrap_err("--arch")?,
    })
}
