//! `schedule`: checks everything, submits one batch, says what became of each package.

mod circles;
mod report;
mod tree;

use std::collections::BTreeSet;
use std::process::ExitCode;

use caur_core::config::Config;
use caur_core::model::{
    Arch, BuildClass, CommitId, FarmConfig, JobRequest, Need, Pkgbase, SourceRepo, Target, TargetRepo,
};
use caur_core::queue::{Queue, SubmitReport};
use color_eyre::eyre::{Result, WrapErr, bail, eyre};

use crate::asker::Requester;
use crate::builders::serves;
use crate::cli::{ScheduleArgs, Shared};

/// A package that is not queued, and why.
struct Refused {
    package: String,
    reason: String,
}

/// Runs the command.
///
/// # Errors
/// When nothing could be queued.
pub async fn run(shared: &Shared, args: &ScheduleArgs, config: &Config, queue: &Queue) -> Result<ExitCode> {
    let target = Target {
        repo: TargetRepo::new(shared.target_repo()).wrap_err("--target-repo")?,
        arch: Arch::new(&*shared.arch).wrap_err("--arch")?,
    };
    let source = SourceRepo::new(&*shared.source_repo).wrap_err("--source-repo")?;
    let build_commit = args
        .build_commit
        .as_deref()
        .map(CommitId::new)
        .transpose()
        .wrap_err("--build-commit")?;
    let mut tree = tree::read_tree(shared.deptree.as_deref())?;
    tree::correct_suspects(&mut tree, &target.arch);
    check_repositories(&farm(config, queue).await?, &target.repo, &source)?;

    let mut warnings: Vec<String> = tree.warnings.iter().map(ToString::to_string).collect();
    let mut refused = Vec::new();
    let mut batch = Vec::new();
    for package in &args.packages {
        match parse_package(package) {
            Err(reason) => refused.push(Refused {
                package: package.clone(),
                reason,
            }),
            Ok((pkgbase, class)) => {
                let entry = tree.entries.get(&pkgbase);
                batch.push(JobRequest {
                    target: target.clone(),
                    source: source.clone(),
                    class,
                    names: entry.map_or_else(|| vec![pkgbase.to_string()], |entry| entry.names.clone()),
                    needs: entry.map_or_else(Vec::new, |entry| entry.deps.iter().map(Need::make).collect()),
                    rebuild: args.rebuild,
                    build_commit: build_commit.clone(),
                    status_commit: shared.commit.clone(),
                    arch_mirror: shared.arch_mirror.clone(),
                    pkgbase,
                });
            }
        }
    }
    circles::learn_kinds(&mut batch, tree::own_srcinfo);
    warnings.extend(unserved_classes(&batch, queue).await?);
    let collection = tree::collection(&tree, &batch);
    let report = if batch.is_empty() {
        SubmitReport {
            jobs: Vec::new(),
            broken: Vec::new(),
        }
    } else {
        queue
            .submit(batch, Requester::new(&args.reason.text).asker())
            .await?
    };
    if let Some(pkgbases) = collection
        && let Err(error) = queue.publish_collection(&source, &pkgbases).await
    {
        // The jobs are queued, which is what matters.
        warnings.push(format!("the collection was not told to the farm: {error}"));
    }
    warnings.extend(circles::warnings(&report));
    report::print(args.json, &report, &refused, &warnings)?;
    if report.jobs.is_empty() {
        return Err(eyre!(
            "nothing was queued: all {} packages were refused",
            refused.len()
        ));
    }
    Ok(if args.strict && !refused.is_empty() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// What `database` published, else the own configuration, else a refusal.
async fn farm(config: &Config, queue: &Queue) -> Result<FarmConfig> {
    if let Some(farm) = queue.farm().await? {
        return Ok(farm);
    }
    if config.packages.repos.is_empty() || config.packages.target_repos.is_empty() {
        bail!(
            "it is not known which repositories exist: no database daemon has published its configuration in this \
             Redis yet, and PACKAGE_REPOS and PACKAGE_TARGET_REPOS are not set here; start the database first"
        );
    }
    Ok(FarmConfig {
        sources: config.packages.repos.clone(),
        targets: config.packages.target_repos.clone(),
        ..FarmConfig::default()
    })
}

fn check_repositories(farm: &FarmConfig, target: &TargetRepo, source: &SourceRepo) -> Result<()> {
    if !farm.targets.contains_key(target) {
        bail!(
            "unknown target repository {target}: known are {}",
            list(farm.targets.keys())
        );
    }
    if !farm.sources.contains_key(source) {
        bail!(
            "unknown source repository {source}: known are {}",
            list(farm.sources.keys())
        );
    }
    Ok(())
}

fn list(names: impl Iterator<Item = impl ToString>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

fn parse_package(text: &str) -> Result<(Pkgbase, BuildClass), String> {
    let (name, class) = match text.split_once('/') {
        Some((name, class)) => (name, class.parse().map_err(|error| format!("{error}"))?),
        None => (text, BuildClass::DEFAULT),
    };
    Ok((Pkgbase::new(name).map_err(|error| error.to_string())?, class))
}

/// A warning for each class that no builder seen so far takes; its jobs wait until one does.
async fn unserved_classes(batch: &[JobRequest], queue: &Queue) -> Result<Vec<String>> {
    let builders = queue.builders().await?;
    let classes: BTreeSet<&BuildClass> = batch.iter().map(|request| &request.class).collect();
    let unserved = classes
        .into_iter()
        .filter(|class| !builders.iter().any(|builder| serves(builder, class)));
    Ok(unserved
        .map(|class| match class {
            BuildClass::Number(number) => {
                format!("no builder of class {number} or higher is known: its jobs wait until one comes")
            }
            BuildClass::Builder(name) => {
                format!("no builder is called {name}: its jobs wait until one comes")
            }
        })
        .collect())
}
