//! The command line. What `repo` takes stands in `cli/repo.rs`.

mod repo;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
pub use repo::{AutoRepoRemoveArgs, ChangeArgs, RepoArgs, RepoCommand, RepoPlace};

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
    /// Repository that packages are published to [default: chaotic-aur, but none with --root]
    #[arg(long, global = true, visible_alias = "target", value_name = "TARGET")]
    pub target_repo: Option<String>,
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

impl Shared {
    /// The repository that is meant where none is named, as deployed CI relies on it.
    pub fn target_repo(&self) -> &str {
        self.target_repo.as_deref().unwrap_or("chaotic-aur")
    }
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
    /// Look at jobs and their logs, and change what becomes of them
    #[command(subcommand)]
    Job(JobCommand),
    /// Look at builders, and stop and start them
    #[command(subcommand)]
    Builders(BuildersCommand),
    /// Look at the queue as a whole, and stop and start it
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Look at published repositories, and change them
    Repo(RepoArgs),
    /// Remove from a repository all packages but those of the named pkgbases
    AutoRepoRemove(AutoRepoRemoveArgs),
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
    /// Build a version that is published already once more, with the next free pkgrel
    #[arg(long)]
    pub rebuild: bool,
    /// Why
    #[command(flatten)]
    pub reason: Reason,
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
    /// Show one job, and why it waits
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
    /// Cancel jobs: queued ones at once, running ones as soon as their builders stop them
    Cancel(JobsArgs),
    /// Put jobs that have ended back into the queue
    Retry {
        /// Which ones
        #[command(flatten)]
        args: JobsArgs,
        /// Build a version that is published already once more, with the next free pkgrel
        #[arg(long)]
        rebuild: bool,
    },
    /// Let jobs start at once, whatever they wait for
    Release(JobsArgs),
    /// Keep queued jobs from starting
    Hold(JobsArgs),
    /// Let held jobs go on
    Unhold(JobsArgs),
    /// Change the priority of a queued job; higher ones are taken before anything else
    Priority {
        /// Job number, PKGBASE or TARGET/ARCH/PKGBASE
        job: String,
        /// From -100 to 100; 0 is the usual one
        #[arg(allow_negative_numbers = true, value_name = "N")]
        priority: i32,
        /// Why
        #[command(flatten)]
        reason: Reason,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Why something is asked for.
#[derive(Debug, Args)]
pub struct Reason {
    /// Why, for the record of actions
    #[arg(
        long = "reason",
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    pub text: String,
}

/// Jobs that something is done to.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// Job numbers, PKGBASE or TARGET/ARCH/PKGBASE
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Why
    #[command(flatten)]
    pub reason: Reason,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Commands about builders.
#[derive(Debug, Subcommand)]
pub enum BuildersCommand {
    /// List the builders that were there within a week
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a builder take no more jobs; what it builds goes on
    Pause(BuilderArgs),
    /// End a pause or a drain
    Resume(BuilderArgs),
    /// Have a builder's processes end once their jobs have
    Drain(BuilderArgs),
}

/// A builder that something is done to.
#[derive(Debug, Args)]
pub struct BuilderArgs {
    /// Its name, as in BUILDER_HOSTNAME
    pub name: String,
    /// Why
    #[command(flatten)]
    pub reason: Reason,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Commands about the queue as a whole.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Have no builder take any job; what is being built goes on
    Pause {
        /// Why
        #[command(flatten)]
        reason: Reason,
    },
    /// End the pause
    Resume {
        /// Why
        #[command(flatten)]
        reason: Reason,
    },
    /// How much there is to do, and who does it
    Stats {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Who asked for what, when and why, newest first
    Actions {
        /// How many
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove every job, queued, running or finished, with its log
    Reset {
        /// The number of jobs that are lost; without it the terminal is asked
        #[arg(long, value_name = "TEXT")]
        confirm: Option<String>,
        /// Why
        #[command(flatten)]
        reason: Reason,
    },
    /// Check the queue's invariants
    Audit,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
