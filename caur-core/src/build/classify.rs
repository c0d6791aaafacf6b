//! From how a container ended to what that means for the job.

use serde::{Deserialize, Serialize};

use crate::model::BuildOutcome;

/// The image could not set up the build environment (`EX_TEMPFAIL` of `sysexits.h`).
const STATUS_ENVIRONMENT: i64 = 75;
/// makepkg found the package in `pkgout`.
const STATUS_ALREADY_BUILT: i64 = 13;
/// `timeout(1)` ended makepkg.
const STATUS_TIMED_OUT: i64 = 124;
/// Ended by SIGKILL.
pub(super) const STATUS_KILLED: i64 = 137;
/// Ended by SIGTERM.
const STATUS_TERMINATED: i64 = 143;

/// How a build container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its first process exited.
    Exited {
        /// Exit status.
        status: i64,
        /// Whether the engine saw a process run out of memory.
        out_of_memory: bool,
        /// Whether makepkg's time was over by then.
        past_limit: bool,
    },
    /// It was stopped because the whole job took too long.
    Overdue,
    /// It was stopped because the job was canceled.
    Canceled,
    /// The engine or somebody else took it away.
    Vanished(String),
}

/// The limits that the reasons mention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limits {
    /// Exit status of a build that skips on purpose.
    pub skip_status: u8,
    /// Seconds that makepkg has.
    pub makepkg_seconds: u64,
    /// Seconds that the whole job has.
    pub job_seconds: u64,
    /// MiB of memory; 0: all.
    pub memory: u64,
}

/// The outcome, and its reason in words unless it was built.
pub(super) fn classify(ending: &Ending, limits: &Limits) -> (BuildOutcome, Option<String>) {
    match ending {
        Ending::Exited {
            status,
            out_of_memory,
            past_limit,
        } => classify_exit(*status, *out_of_memory, *past_limit, limits),
        Ending::Overdue => because(
            BuildOutcome::TimedOut,
            format!(
                "the whole job took longer than {} s (makepkg's {} s and what is around it)",
                limits.job_seconds, limits.makepkg_seconds
            ),
        ),
        Ending::Canceled => because(
            BuildOutcome::Canceled,
            "canceled while it was being built".to_owned(),
        ),
        Ending::Vanished(why) => because(
            BuildOutcome::Infrastructure,
            format!("the build container is gone: {why}"),
        ),
    }
}

fn classify_exit(
    status: i64,
    out_of_memory: bool,
    past_limit: bool,
    limits: &Limits,
) -> (BuildOutcome, Option<String>) {
    // A process that ran out of memory on the way counts only when the build did not succeed: make may
    // have been lucky the second time.
    match status {
        0 => (BuildOutcome::Built, None),
        _ if status == i64::from(limits.skip_status) => because(
            BuildOutcome::Skipped,
            format!("the package asked to be skipped (exit status {status})"),
        ),
        STATUS_ALREADY_BUILT => because(
            BuildOutcome::AlreadyBuilt,
            "makepkg found this version in the repository".to_owned(),
        ),
        STATUS_TIMED_OUT => because(BuildOutcome::TimedOut, timed_out(limits)),
        STATUS_KILLED if past_limit => because(BuildOutcome::TimedOut, timed_out(limits)),
        _ if out_of_memory => because(BuildOutcome::OutOfMemory, starved(limits)),
        STATUS_ENVIRONMENT => because(
            BuildOutcome::Infrastructure,
            "the build environment could not be set up (exit status 75); the log says which step failed"
                .to_owned(),
        ),
        STATUS_KILLED | STATUS_TERMINATED => because(
            BuildOutcome::Infrastructure,
            format!(
                "the build was killed from outside (exit status {status}), neither by a limit of Caur nor for its memory"
            ),
        ),
        _ => because(BuildOutcome::Failed, failed(status)),
    }
}

fn because(outcome: BuildOutcome, reason: String) -> (BuildOutcome, Option<String>) {
    (outcome, Some(reason))
}

fn timed_out(limits: &Limits) -> String {
    format!(
        "makepkg took longer than {} s; if it needs more, set BUILDER_EXTRA_TIMEOUT in the package's .CI/config",
        limits.makepkg_seconds
    )
}

fn starved(limits: &Limits) -> String {
    match limits.memory {
        0 => "the build used up the builder's memory; give the package a class with more".to_owned(),
        memory => format!(
            "the build needed more than the {memory} MiB of memory that this builder allows; give the package a class with more"
        ),
    }
}

/// makepkg's exit statuses are documented in makepkg(8), "Errors".
fn failed(status: i64) -> String {
    let meaning = match status {
        2 => "makepkg's configuration is wrong",
        4 => "a function of the PKGBUILD failed",
        5 => "the package could not be put together",
        6 => "the PKGBUILD is not valid Bash, or a file that it names is missing",
        8 => "dependencies could not be installed",
        11 => "makepkg may not write where it has to",
        12 => "the PKGBUILD has an error",
        14 => "the built package could not be installed",
        15 => "a program that makepkg needs is missing",
        126 | 127 => "a command was not found or could not be run",
        _ => return format!("the build failed with exit status {status}; the end of the log says why"),
    };
    format!("the build failed with exit status {status}: {meaning}; the end of the log says more")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        skip_status: 123,
        makepkg_seconds: 3600,
        job_seconds: 5400,
        memory: 512,
    };

    #[test]
    fn every_exit_has_its_outcome() {
        use BuildOutcome::{AlreadyBuilt, Built, Failed, Infrastructure, OutOfMemory, Skipped, TimedOut};
        #[rustfmt::skip]
        let table = [
            // status, out of memory, past makepkg's limit
            (0, false, false, Built),
            (0, true, true, Built),
            (13, false, false, AlreadyBuilt),
            (13, true, false, AlreadyBuilt),
            (123, false, false, Skipped),
            (124, false, false, TimedOut),
            (124, true, true, TimedOut),
            (137, false, true, TimedOut),
            (137, true, false, OutOfMemory),
            (137, false, false, Infrastructure),
            (143, false, false, Infrastructure),
            (75, false, false, Infrastructure),
            (4, true, false, OutOfMemory),
            (4, false, false, Failed),
            (1, false, true, Failed),
            (127, false, false, Failed),
            (255, false, false, Failed),
        ];
        for (status, out_of_memory, past_limit, expected) in table {
            let (outcome, reason) = classify(
                &Ending::Exited {
                    status,
                    out_of_memory,
                    past_limit,
                },
                &LIMITS,
            );
            assert_eq!(outcome, expected, "{status} {out_of_memory} {past_limit}");
            assert_eq!(reason.is_none(), outcome == Built, "{reason:?}");
        }
    }

    #[test]
    fn the_skip_status_is_configurable_and_goes_first() {
        for skip_status in [124, 75, 13, 7] {
            let limits = Limits {
                skip_status,
                ..LIMITS
            };
            let exit = |status| Ending::Exited {
                status,
                out_of_memory: false,
                past_limit: false,
            };
            assert_eq!(
                classify(&exit(i64::from(skip_status)), &limits).0,
                BuildOutcome::Skipped
            );
            assert_eq!(classify(&exit(123), &limits).0, BuildOutcome::Failed);
        }
    }

    #[test]
    fn what_the_builder_did_itself_needs_no_status() {
        assert_eq!(classify(&Ending::Overdue, &LIMITS).0, BuildOutcome::TimedOut);
        assert_eq!(classify(&Ending::Canceled, &LIMITS).0, BuildOutcome::Canceled);
        let (outcome, reason) = classify(&Ending::Vanished("no such container".into()), &LIMITS);
        assert_eq!(outcome, BuildOutcome::Infrastructure);
        assert!(reason.unwrap().contains("no such container"));
    }

    #[test]
    fn reasons_tell_a_maintainer_what_to_do() {
        let reason = |status, out_of_memory| {
            classify(
                &Ending::Exited {
                    status,
                    out_of_memory,
                    past_limit: false,
                },
                &LIMITS,
            )
            .1
            .unwrap()
        };
        assert!(
            reason(124, false).contains("3600 s") && reason(124, false).contains("BUILDER_EXTRA_TIMEOUT")
        );
        assert!(reason(1, true).contains("512 MiB"));
        assert!(reason(12, false).contains("the PKGBUILD has an error"));
        assert!(reason(8, false).contains("dependencies"));
    }
}
