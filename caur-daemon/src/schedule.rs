//! `schedule`: checks everything, submits one batch, says what became of each package.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use caur_core::ci::{DepTree, DepTreeWarning, SrcInfo};
use caur_core::config::Config;
use caur_core::model::{
    Arch, BuildClass, CommitId, FarmConfig, JobRequest, Need, Pkgbase, SourceRepo, Target, TargetRepo,
};
use caur_core::queue::{Asker, Disposition, Queue, SubmitReport};
use color_eyre::eyre::{Result, WrapErr, bail, eyre};
use serde_json::json;

use crate::cli::{ScheduleArgs, Shared};
use crate::table::table;

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
        repo: TargetRepo::new(&*shared.target_repo).wrap_err("--target-repo")?,
        arch: Arch::new(&*shared.arch).wrap_err("--arch")?,
    };
    let source = SourceRepo::new(&*shared.source_repo).wrap_err("--source-repo")?;
    let build_commit = args
        .build_commit
        .as_deref()
        .map(CommitId::new)
        .transpose()
        .wrap_err("--build-commit")?;
    let mut tree = read_tree(shared.deptree.as_deref())?;
    correct_suspects(&mut tree, &target.arch);
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
                    rebuild: false,
                    build_commit: build_commit.clone(),
                    status_commit: shared.commit.clone(),
                    arch_mirror: shared.arch_mirror.clone(),
                    pkgbase,
                });
            }
        }
    }
    warnings.extend(unserved_classes(&batch, queue).await?);
    let report = if batch.is_empty() {
        SubmitReport {
            jobs: Vec::new(),
            broken: Vec::new(),
        }
    } else {
        queue
            .submit(
                batch,
                Asker {
                    by: &requester(),
                    why: "",
                },
            )
            .await?
    };
    for edge in &report.broken {
        warnings.push(format!(
            "{} and {} need each other: {} does not wait for {}",
            edge.dependant, edge.dependency, edge.dependant, edge.dependency
        ));
    }
    print(args, &report, &refused, &warnings);
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

/// The tree of `--deptree`, else of the first `.ci/deptree.txt` where CI leaves it, else an empty one.
fn read_tree(flag: Option<&str>) -> Result<DepTree> {
    let (text, origin) = match flag {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .wrap_err("cannot read the dependency tree from standard input")?;
            (text, "standard input".to_owned())
        }
        Some(text) => (text.to_owned(), "--deptree".to_owned()),
        None => {
            let found = ci_folders()
                .map(|folder| folder.join(".ci/deptree.txt"))
                .find(|path| path.is_file());
            let Some(path) = found else {
                return Ok(DepTree::default());
            };
            let text = std::fs::read_to_string(&path)
                .wrap_err_with(|| format!("cannot read the dependency tree {}", path.display()))?;
            (text, path.display().to_string())
        }
    };
    DepTree::parse(&text).wrap_err_with(|| format!("the dependency tree of {origin} is malformed"))
}

/// Reads suspect entries of the tree anew from the packages' own folders, where CI has them at hand.
fn correct_suspects(tree: &mut DepTree, arch: &Arch) {
    let suspects: Vec<Pkgbase> = tree
        .warnings
        .iter()
        .filter_map(|warning| match warning {
            DepTreeWarning::Shifted { pkgbase, .. } => Some(pkgbase.clone()),
            DepTreeWarning::Repeated { .. } | DepTreeWarning::InvalidPkgbase { .. } => None,
        })
        .collect();
    for pkgbase in suspects {
        let found = ci_folders()
            .map(|folder| folder.join(pkgbase.as_str()).join(".SRCINFO"))
            .find(|path| path.is_file());
        if let Some(text) = found.and_then(|path| std::fs::read_to_string(path).ok()) {
            tree.correct(&pkgbase, &SrcInfo::parse(&pkgbase, &text), arch);
        }
    }
}

/// Where CI has the repository of package folders, most telling first.
fn ci_folders() -> impl Iterator<Item = PathBuf> {
    let variables = ["CI_BUILDS_DIR", "CI_PROJECT_DIR", "GITHUB_WORKSPACE"];
    variables
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from)
        .chain([PathBuf::from(".")])
}

/// A warning for each class that no builder seen so far takes; its jobs wait until one does.
async fn unserved_classes(batch: &[JobRequest], queue: &Queue) -> Result<Vec<String>> {
    let builders = queue.builders().await?;
    let classes: BTreeSet<&BuildClass> = batch.iter().map(|request| &request.class).collect();
    let unserved = classes.into_iter().filter(|class| {
        !builders.iter().any(|builder| match class {
            BuildClass::Number(number) => builder.report.class.is_some_and(|own| own >= *number),
            BuildClass::Builder(name) => builder.report.name == *name,
        })
    });
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

/// Who asks, for the audit trail: the CI pipeline, else the account on this machine.
fn requester() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(pipeline) = variable("CI_PIPELINE_ID").or_else(|| variable("GITHUB_RUN_ID")) {
        return format!("ci pipeline {pipeline}");
    }
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(variable)
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn print(args: &ScheduleArgs, report: &SubmitReport, refused: &[Refused], warnings: &[String]) {
    let word = |disposition: &Disposition| match disposition {
        Disposition::Queued => "queued".to_owned(),
        Disposition::Replaced => "replaced".to_owned(),
        Disposition::Again => "queued again".to_owned(),
        Disposition::Succeeds(old) => format!("queued after job {old}"),
    };
    if args.json {
        let jobs: Vec<_> = report
            .jobs
            .iter()
            .map(|job| {
                json!({
                    "package": job.request.pkgbase, "class": job.request.class, "job": job.id,
                    "result": word(&job.disposition),
                })
            })
            .collect();
        let refused: Vec<_> = refused
            .iter()
            .map(|refused| json!({ "package": refused.package, "reason": refused.reason }))
            .collect();
        println!(
            "{}",
            json!({ "jobs": jobs, "refused": refused, "warnings": warnings })
        );
        return;
    }
    let mut rows: Vec<[String; 4]> = report
        .jobs
        .iter()
        .map(|job| {
            let request = &job.request;
            [
                request.pkgbase.to_string(),
                request.class.to_string(),
                word(&job.disposition),
                job.id.to_string(),
            ]
        })
        .collect();
    rows.extend(refused.iter().map(|refused| {
        [
            refused.package.clone(),
            String::new(),
            format!("refused: {}", refused.reason),
            String::new(),
        ]
    }));
    print!("{}", table(["PACKAGE", "CLASS", "RESULT", "JOB"], &rows));
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
