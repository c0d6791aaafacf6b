//! Runs the `git` program: never through a shell, never asking anybody anything, ended with all its
//! children when nobody waits for it any more.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

/// Lines of git's complaint that are passed on.
const COMPLAINT_LINES: usize = 6;

/// What git said when it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct GitFailure(pub String);

impl GitFailure {
    /// Whether the other side said that it does not have the requested commit.
    pub(super) fn is_unknown_commit(&self) -> bool {
        self.0.contains("not our ref")
    }
}

/// One call of git on a bare repository.
pub(super) struct Git {
    command: Command,
}

impl Git {
    /// A call that works on the repository at `repository`, whoever owns it.
    pub(super) fn on(repository: &Path) -> Self {
        let mut git = Self::new();
        let mut safe = std::ffi::OsString::from("safe.directory=");
        safe.push(repository);
        git.command.arg("-c").arg(safe);
        // Housekeeping happens while the cache is locked, not behind its back.
        git.command
            .args(["-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"]);
        git.command
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false"]);
        git.command.arg("--git-dir").arg(repository);
        git
    }

    /// A call that needs no repository.
    pub(super) fn new() -> Self {
        let mut command = Command::new("git");
        for name in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_NAMESPACE",
        ] {
            command.env_remove(name);
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "false")
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Self { command }
    }

    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(super) fn args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.command.args(args);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it and returns what it printed, without the last line end.
    pub(super) async fn run(mut self) -> Result<String, GitFailure> {
        let child = self.command.spawn().map_err(|error| {
            GitFailure(format!("the program git cannot be started: {error}; install git"))
        })?;
        let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
        let output = child.wait_with_output().await;
        group.0 = None;
        let output = output.map_err(|error| GitFailure(format!("git's output cannot be read: {error}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(GitFailure(complaint(
            &String::from_utf8_lossy(&output.stderr),
            output.status,
        )))
    }
}

/// The processes of one call: git starts others (ssh, remote helpers) that would outlive it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It may have ended by itself in this moment.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

fn complaint(stderr: &str, status: std::process::ExitStatus) -> String {
    let lines: Vec<_> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return format!("git ended with {status}");
    }
    let skip = lines.len().saturating_sub(COMPLAINT_LINES);
    lines[skip..].join("; ")
}

/// An address without its password, for logs.
pub(super) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let host_at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(host_at);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(
            shown("https://bot:t0k@n@git.example/a/b.git"),
            "https://git.example/a/b.git"
        );
        assert_eq!(shown("https://git.example/a@b"), "https://git.example/a@b");
        assert_eq!(shown("git@git.example:a/b.git"), "git@git.example:a/b.git");
        assert_eq!(shown("/srv/packages"), "/srv/packages");
    }

    #[tokio::test]
    async fn a_failure_tells_what_git_said() {
        let failure = Git::new()
            .args(["rev-parse", "--git-dir"])
            .env("GIT_DIR", "/nonexistent")
            .run()
            .await;
        assert!(failure.unwrap_err().0.contains("not a git repository"));
    }

    #[tokio::test]
    async fn an_abandoned_call_takes_its_children_along() {
        let directory = tempfile::tempdir().unwrap();
        let marker = directory.path().join("pid");
        // An alias of git's is the shortest way to a child that outlives it.
        let alias = format!("alias.hang=!echo $$ >{}; exec sleep 600", marker.display());
        let call = tokio::spawn(Git::new().args(["-c", &alias, "hang"]).run());
        let child = loop {
            let text = std::fs::read_to_string(&marker).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<i32>() {
                break Pid::from_raw(pid).unwrap();
            }
            tokio::task::yield_now().await;
        };
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        let gone = tokio::time::timeout(std::time::Duration::from_secs(10), async {
            while is_running(child) {
                tokio::task::yield_now().await;
            }
        });
        gone.await.expect("the child has to end with the call");
    }

    fn is_running(pid: Pid) -> bool {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, state)| !state.starts_with('Z'))
    }
}
