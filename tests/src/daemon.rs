//! The real `caur-daemon`: commands that end by themselves, and roles that run until they are told to.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::eventually;

/// Bytes of a log that a failure shows.
const SHOWN: usize = 6000;
/// How long a role may take to hand back what it does.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a command that ends by itself may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(90);

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Itself, when the exit status is `status`.
    ///
    /// # Panics
    /// When it is another one.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(
            self.status,
            Some(status),
            "exit status; stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Checks that standard error holds all of `words`.
    ///
    /// # Panics
    /// When one is missing.
    #[track_caller]
    pub fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in:\n{}", self.stderr);
        }
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }
}

/// Runs a command to its end, with `input` as its standard input.
///
/// # Panics
/// When it cannot be started or does not end in time.
pub async fn run(command: Command, input: &str) -> Ran {
    use tokio::io::AsyncWriteExt;
    let name = format!("{command:?}");
    let mut child = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {name}: {error}; run scripts/setup"));
    let mut stdin = child.stdin.take().expect("its standard input is a pipe");
    let feed = async move {
        // A program that fails early need not read it.
        let _unread = stdin.write_all(input.as_bytes()).await;
    };
    let both = async { tokio::join!(child.wait_with_output(), feed).0 };
    let output = tokio::time::timeout(COMMAND_LIMIT, both)
        .await
        .unwrap_or_else(|_| panic!("{name} does not end within {} s", COMMAND_LIMIT.as_secs()))
        .expect("one's own child can be waited for");
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A role that runs until it is told to end. Killed when dropped; a failing test then shows the end of its log.
pub struct Daemon {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`; standard output and error go to the file `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|error| panic!("cannot open {}: {error}", log.display()));
        let errors = output.try_clone().expect("a file just opened can be duplicated");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            child,
            name: name.to_owned(),
            log: log.to_owned(),
        }
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    ///
    /// # Panics
    /// Never: it is our own child.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("one's own child can be waited for")
    }

    /// Waits until its log holds `text`.
    ///
    /// # Panics
    /// When it ends before that, or takes longer than `limit`.
    pub async fn says(&mut self, text: &str, limit: Duration) -> &mut Self {
        let found = eventually(limit, || {
            let (ended, log) = (self.has_ended(), self.log());
            async move {
                if log.contains(text) {
                    Some(Ok(()))
                } else {
                    ended.map(Err)
                }
            }
        })
        .await;
        match found {
            Ok(Ok(())) => self,
            Ok(Err(status)) => panic!("{} ended ({status}) without saying {text:?}", self.name),
            Err(after) => panic!("{} does not say {text:?} within {after:?}", self.name),
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it takes longer than `limit`.
    pub async fn end(&mut self, limit: Duration) -> ExitStatus {
        let ended = eventually(limit, || {
            let ended = self.has_ended();
            async move { ended }
        })
        .await;
        ended.unwrap_or_else(|after| panic!("{} has not ended after {after:?}", self.name))
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Panics
    /// When it is gone already.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Panics
    /// When it does not end well, or not within the time for a drain.
    pub async fn stop(mut self) {
        self.terminate();
        let status = self.end(DRAIN).await;
        assert!(status.success(), "{}: {status}", self.name);
    }

    /// Stops it without a word (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    /// When it ended by itself before.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let status = self.child.wait().expect("one's own child can be waited for");
        assert_eq!(
            status.signal(),
            Some(9),
            "{} ended by itself: {status}",
            self.name
        );
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Either fails only when it has ended.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let mut from = log.len().saturating_sub(SHOWN);
            while !log.is_char_boundary(from) {
                from += 1;
            }
            eprintln!("--- log of {} ---\n{}\n---", self.name, &log[from..]);
        }
    }
}
