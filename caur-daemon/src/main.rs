//! `caur-daemon`: the roles and commands of Caur. This file parses and dispatches; one file per role or command.

#![warn(clippy::unwrap_used)]

mod asker;
mod builder;
mod builders;
mod causes;
mod cli;
mod config_check;
mod delivery;
mod housekeeping;
mod job;
mod landing_zone;
mod outage;
mod package_index;
mod pauses;
mod publisher;
mod queue;
mod redis_child;
mod repo;
mod repo_requests;
mod repository_options;
mod roles;
#[cfg(test)]
mod samples;
mod schedule;
mod stdout;
mod supervisor;
mod sweeper;
mod table;

use std::io::IsTerminal;
use std::process::ExitCode;

use caur_core::config::{Config, Loaded, Loader};
use caur_core::connect::redis_link;
use caur_core::queue::Queue;
use clap::Parser;
use cli::{Cli, Command, ConfigCommand};
use color_eyre::eyre::{Result, WrapErr, eyre};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,russh=warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("cannot start the runtime")
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(cli));
            // Blocking work that outlasts the drain is such that a kill at any moment does no harm.
            runtime.shutdown_background();
            outcome
        });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {}", table::printable(&causes::chain(&*error)));
        ExitCode::FAILURE
    })
}

async fn run(cli: Cli) -> Result<ExitCode> {
    let loaded = load(&cli)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match &cli.command {
        Command::Config(ConfigCommand::Check { json }) => {
            config_check::run(&loaded, *json)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Builder => roles::builder(&loaded.config).await?,
        Command::Database { web_port } => {
            if let Some(port) = web_port {
                tracing::warn!("this version has no web server: nothing listens on port {port}");
            }
            roles::database(&loaded.config).await?;
        }
        Command::Standalone { .. } => roles::standalone(loaded.config).await?,
        Command::Schedule(args) => {
            let queue = open(&loaded.config).await?;
            return schedule::run(&cli.shared, args, &loaded.config, &queue).await;
        }
        Command::Job(command) => return job::run(command, &open(&loaded.config).await?).await,
        Command::Builders(command) => builders::run(command, &open(&loaded.config).await?).await?,
        Command::Queue(command) => return queue::run(command, &open(&loaded.config).await?).await,
        Command::Repo(args) => return repo::run(&cli.shared, args, &loaded.config).await,
        Command::AutoRepoRemove(args) => return repo::auto_remove(&cli.shared, args, &loaded.config).await,
        Command::Audit => queue::audit(&open(&loaded.config).await?).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(config: &Config) -> Result<Queue> {
    Ok(Queue::open(redis_link(&config.queue_redis()).await?).await?)
}

fn load(cli: &Cli) -> Result<Loaded> {
    let mut loader = Loader::new(std::env::vars_os());
    loader.file.clone_from(&cli.shared.config);
    for text in &cli.shared.overrides {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| eyre!("--set {text:?}: expected KEY=VALUE"))?;
        loader.overrides.push((key.to_owned(), value.to_owned()));
    }
    if let Command::Standalone { state: Some(state) } = &cli.command {
        let state = std::path::absolute(state).wrap_err("--state")?;
        loader.overrides.push((
            "standalone.state_dir".to_owned(),
            state.to_string_lossy().into_owned(),
        ));
    }
    Ok(loader.load()?)
}
