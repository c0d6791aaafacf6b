//! A child process that ends with the value that stands for it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it is ready.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server process.
pub struct Child {
    process: std::process::Child,
    name: String,
    log: PathBuf,
}

impl Child {
    /// Starts `command`; what it prints goes to the file `log`. `package` is named where the program is
    /// not installed.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(command: &mut Command, package: &str, log: &Path) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|error| panic!("cannot open the log {}: {error}", log.display()));
        let errors = output.try_clone().expect("a file just opened can be duplicated");
        let process = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}; install the package {package}"));
        Self {
            process,
            name,
            log: log.to_owned(),
        }
    }

    /// Waits until `ready` says yes. False when the process ended before that, as it does when another
    /// process took its port.
    ///
    /// # Panics
    /// When it takes too long.
    #[must_use]
    pub fn wait_ready(&mut self, mut ready: impl FnMut() -> bool) -> bool {
        let begin = Instant::now();
        loop {
            if self.has_ended().is_some() {
                return false;
            }
            if ready() {
                return true;
            }
            assert!(
                begin.elapsed() < START_LIMIT,
                "{} is not ready in time:\n{}",
                self.name,
                self.output()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How the process ended, if it did.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.process
            .try_wait()
            .expect("one's own child can be waited for")
    }

    /// What the process printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills the process (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        if self.has_ended().is_none() {
            self.process
                .kill()
                .expect("one's own running child can be killed");
            self.process.wait().expect("one's own child can be waited for");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A TCP port of the loopback address that is free at this moment; who uses it must be ready to try again.
///
/// # Panics
/// When the system has none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}
