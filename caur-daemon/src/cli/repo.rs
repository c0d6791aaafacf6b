//! What `repo …` and `auto-repo-remove` take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Reason;

/// A command about repositories, and where they are.
#[derive(Debug, Args)]
pub struct RepoArgs {
    /// Where the repository is.
    #[command(flatten)]
    pub place: RepoPlace,
    /// What to do.
    #[command(subcommand)]
    pub command: RepoCommand,
}

/// Where the repository is, and how it is signed there.
#[derive(Debug, Args)]
pub struct RepoPlace {
    /// Work on files, those of a repository being in DIR/TARGET/ARCH; without it the database is asked, through Redis
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// With --root: GnuPG home directory that holds the signing key
    #[arg(long, global = true, value_name = "DIR")]
    pub gpg_home: Option<PathBuf>,
    /// With --root: key that signs
    #[arg(long, global = true, value_name = "KEY")]
    pub gpg_key: Option<String>,
    /// With --root: sign nothing, and check no signatures; a signature beside an added file comes along
    #[arg(long, global = true, conflicts_with_all = ["gpg_home", "gpg_key"])]
    pub no_sign: bool,
    /// With --root: sign the databases as well
    #[arg(long, global = true, conflicts_with = "no_sign")]
    pub sign_databases: bool,
    /// Without --root: how long to wait for the answer; then the exit status is 3
    #[arg(long, global = true, default_value_t = 600, value_name = "SECONDS")]
    pub timeout: u64,
}

/// Commands about repositories.
#[derive(Debug, Subcommand)]
pub enum RepoCommand {
    /// Add package files to a repository, all or none, as repo-add does; needs --root
    Add {
        /// Package files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Refuse versions that are older than the published ones
        #[arg(short, long)]
        prevent_downgrade: bool,
        /// Take packages over from other pkgbases
        #[arg(long)]
        take_over: bool,
        /// Add packages with protected names, too
        #[arg(long)]
        protected_names: bool,
        /// Why
        #[command(flatten)]
        reason: Reason,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove packages from a repository; their files stay for the time of grace
    Remove {
        /// Their names
        #[arg(value_name = "PKGNAME", required_unless_present = "pkgbase")]
        packages: Vec<String>,
        /// Remove the packages of this pkgbase
        #[arg(long, value_name = "PKGBASE", conflicts_with = "packages")]
        pkgbase: Option<String>,
        /// How
        #[command(flatten)]
        change: ChangeArgs,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Restore an earlier state of a repository, with its files
    Rollback {
        /// Number of the state, as `repo history` shows it
        #[arg(long, value_name = "N")]
        to: u64,
        /// Do it; without this it is only said what would change
        #[arg(long)]
        yes: bool,
        /// How
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Let another pkgbase publish a package
    Transfer {
        /// The package
        pkgname: String,
        /// The pkgbase that may publish it next; without it such a permission is taken back
        #[arg(long, value_name = "PKGBASE")]
        to: Option<String>,
        /// Why
        #[command(flatten)]
        reason: Reason,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look for what is wrong: exit status 1 when errors were found, 2 when it could not be looked
    Check {
        /// Mend what is safe to mend first
        #[arg(long)]
        fix: bool,
        /// Do not read the packages to compare their hashes
        #[arg(long)]
        no_hashes: bool,
        /// Look for libraries that packages need and nobody has
        #[arg(long)]
        sonames: bool,
        /// With --root: database of another repository that users have, such as core.files; may be repeated
        #[arg(long, value_name = "DB")]
        upstream: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say which packages need a library and break when it changes
    Sonames {
        /// A soname (libfoo.so.1), or a name without version (libfoo.so); without it all libraries are listed
        library: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the packages of a repository
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one package
    Show {
        /// Its name, or that of its pkgbase
        package: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List what was done to a repository, newest first
    History {
        /// How many changes
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say how two states of a repository differ
    Diff {
        /// Number of the first state
        from: u64,
        /// Number of the other state; without it the present one
        to: Option<u64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Archive and delete files whose time has come, and mend what is safe to mend
    Tidy {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the requests to repositories that wait, or show what came of one
    Requests {
        /// The request
        id: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// How packages are removed or brought back.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Also when more than a tenth of the packages goes
    #[arg(long)]
    pub force: bool,
    /// Only if the repository still is in this state, as a dry run names it
    #[arg(long, value_name = "STATE")]
    pub expect: Option<String>,
    /// Why
    #[command(flatten)]
    pub reason: Reason,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What should remain in a repository.
#[derive(Debug, Args)]
pub struct AutoRepoRemoveArgs {
    /// Where the repository is.
    #[command(flatten)]
    pub place: RepoPlace,
    /// The pkgbases that remain
    #[arg(required = true, value_name = "PKGBASE")]
    pub packages: Vec<String>,
    /// How
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
}
