//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Builds packages for pacman repositories on many machines and publishes them.
#[derive(Debug, Parser)]
#[command(name = "caur-daemon", version, max_term_width = 100)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub shared: Shared,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command accepts, because deployed CI passes the same ones to all of them.
#[derive(Debug, Args)]
pub struct Shared {
    /// Architecture
    #[arg(long, global = true, default_value = "x86_64", value_name = "ARCH")]
    pub arch: String,
    /// Repository that packages are published to
    #[arg(long, global = true, default_value = "chaotic-aur", value_name = "TARGET")]
    pub target_repo: String,
    /// Git repository that the package folders come from
    #[arg(long, global = true, default_value = "chaotic-aur", value_name = "SOURCE")]
    pub source_repo: String,
    /// Commit that gets the status, not what is built
    #[arg(long, global = true, value_name = "SHA[:PIPELINE_ID]")]
    pub commit: Option<String>,
    /// pacman mirror that builds try first
    #[arg(long, global = true, value_name = "URL")]
    pub arch_mirror: Option<String>,
    /// Dependency tree as text, or - for standard input; without it .ci/deptree.txt is looked for
    #[arg(long, global = true, value_name = "TREE", allow_hyphen_values = true)]
    pub deptree: Option<String>,
    /// Configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Overrides one setting, such as builder.class=3
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

/// The roles and commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Queue packages to be built
    Schedule(ScheduleArgs),
    /// Claim jobs and build them (long-running)
    Builder,
    /// Publish what builders upload, and keep the queue in order (long-running)
    Database {
        /// Accepted for deployed command lines; this version has no web server
        #[arg(long, value_name = "PORT")]
        web_port: Option<u16>,
    },
    /// Run Redis, database and one builder on this machine (long-running)
    Standalone {
        /// Directory for the queue, caches and the repository
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
    },
    /// Look at jobs and their logs
    #[command(subcommand)]
    Job(JobCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check the queue's invariants
    Audit,
}

/// What to queue.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// PKGBASE or PKGBASE/CLASS; CLASS is a number or the name of a builder
    #[arg(required = true, value_name = "PKG")]
    pub packages: Vec<String>,
    /// Commit to build; without it the head of the branch is built
    #[arg(long, value_name = "SHA")]
    pub build_commit: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Exit with status 2 when a package is refused
    #[arg(long)]
    pub strict: bool,
}

/// Commands about jobs.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// List the queue
    List {
        /// How many finished jobs to list as well
        #[arg(long, default_value_t = 20, value_name = "N")]
        finished: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one job
    Show {
        /// Job number, PKGBASE or TARGET/ARCH/PKGBASE (the newest one)
        job: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the log of a job
    Log {
        /// Job number, PKGBASE or TARGET/ARCH/PKGBASE (the newest one)
        job: String,
        /// Follow it until the attempt ends
        #[arg(short, long)]
        follow: bool,
        /// Which attempt; without it the newest
        #[arg(long, value_name = "N")]
        attempt: Option<u32>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the effective configuration and where each value came from
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
