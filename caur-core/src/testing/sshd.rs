//! A private OpenSSH server for tests, with keys of its own. It lets the user who runs the test log in.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Child, free_port};
use crate::ssh::{HostKeyPolicy, SshTarget};

/// What a test wants of its server.
#[derive(Debug, Clone, Default)]
pub struct SshdOptions {
    /// What stands before the key in `authorized_keys`, such as
    /// `restrict,port-forwarding,permitopen="127.0.0.1:6379"`.
    pub restrictions: String,
    /// More lines for `sshd_config`, such as `ForceCommand internal-sftp`.
    pub config: Vec<String>,
    /// Kind of the client's key: `ed25519` where empty, else `rsa` or `ecdsa`.
    pub client_key_type: String,
    /// Kind of the host key, likewise.
    pub host_key_type: String,
}

/// A running server on a loopback port.
pub struct Sshd {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Sshd {
    /// A server without restrictions.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&SshdOptions::default())
    }

    /// A server as `options` say.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with(options: &SshdOptions) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("caur-sshd-")
            .tempdir()
            .expect("the directory for temporary files is writable");
        let path = directory.path();
        make_key(&path.join("host_key"), &options.host_key_type);
        make_key(&path.join("client_key"), &options.client_key_type);
        let line = format!(
            "{} {}",
            options.restrictions,
            public_key(&path.join("client_key"))
        );
        write(&path.join("authorized_keys"), line.trim_start());
        // sshd insists on it, as the directory that its unprivileged half is locked into.
        if user_is_root() {
            std::fs::create_dir_all("/run/sshd").expect("root can create /run/sshd");
        }
        for _ in 0..5 {
            let port = free_port();
            write(&path.join("sshd_config"), &config_text(path, port, options));
            if let Some(child) = launch(path) {
                return Self {
                    child,
                    directory,
                    port,
                };
            }
        }
        panic!(
            "sshd ended at once:\n{}",
            std::fs::read_to_string(path.join("sshd.log")).unwrap_or_default()
        );
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its public host key, `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn host_key(&self) -> String {
        public_key(&self.directory.path().join("host_key"))
    }

    /// The private key that it lets in.
    #[must_use]
    pub fn client_key(&self) -> PathBuf {
        self.directory.path().join("client_key")
    }

    /// How to log in to it, its host key pinned.
    ///
    /// # Panics
    /// When the host key cannot be read.
    #[must_use]
    pub fn target(&self) -> SshTarget {
        let host_keys =
            HostKeyPolicy::pinned(&self.host_key()).expect("ssh-keygen writes keys that can be read");
        SshTarget {
            keys: vec![self.client_key()],
            ..SshTarget::new(Ipv4Addr::LOCALHOST.to_string(), self.port, user_name(), host_keys)
        }
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.child.output()
    }

    /// How many of its processes serve a connection at this moment.
    #[must_use]
    pub fn session_count(&self) -> usize {
        children_of(self.child.id()).len()
    }

    /// Kills every session, as a cut network does; new ones are still taken. Returns how many processes
    /// were killed.
    ///
    /// # Panics
    /// When a process cannot be killed.
    pub fn cut_sessions(&self) -> usize {
        let sessions = descendants_of(self.child.id());
        for pid in &sessions {
            signal(*pid, Signal::KILL);
        }
        sessions.len()
    }

    /// Freezes every session, as a peer that vanished without a word.
    ///
    /// # Panics
    /// When a process cannot be stopped.
    pub fn freeze_sessions(&self) {
        for pid in descendants_of(self.child.id()) {
            signal(pid, Signal::STOP);
        }
    }

    /// Stops taking connections and kills every session.
    pub fn kill(&mut self) {
        let sessions = descendants_of(self.child.id());
        self.child.kill();
        for pid in sessions {
            signal(pid, Signal::KILL);
        }
    }

    /// Starts it again after [`kill`](Self::kill), at the same port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn revive(&mut self) {
        self.kill();
        self.child = launch(self.directory.path())
            .unwrap_or_else(|| panic!("sshd does not come back:\n{}", self.child.output()));
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn config_text(directory: &Path, port: u16, options: &SshdOptions) -> String {
    let shown = directory.display();
    let more = options.config.join("\n");
    // Unlike other options this one may not be stated twice.
    let subsystem = if more.contains("Subsystem ") {
        ""
    } else {
        "Subsystem sftp internal-sftp"
    };
    // The first statement of an option counts, so that a test's lines come first.
    format!(
        "{more}\n\
         Port {port}\n\
         ListenAddress 127.0.0.1\n\
         HostKey {shown}/host_key\n\
         AuthorizedKeysFile {shown}/authorized_keys\n\
         PidFile none\n\
         StrictModes no\n\
         UsePAM no\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\n\
         LogLevel VERBOSE\n\
         MaxStartups 100\n\
         {subsystem}\n"
    )
}

fn launch(directory: &Path) -> Option<Child> {
    // sshd starts itself again for each connection and therefore wants its full path.
    let program = ["/usr/sbin/sshd", "/usr/bin/sshd"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or("/usr/sbin/sshd");
    let config = directory.join("sshd_config");
    let mut command = Command::new(program);
    command.args(["-D", "-e", "-f"]).arg(&config);
    let mut child = Child::start(&mut command, "openssh-server", &directory.join("sshd.log"));
    let text = std::fs::read_to_string(&config).expect("the configuration was just written");
    let port = text
        .lines()
        .find_map(|line| line.strip_prefix("Port ")?.parse::<u16>().ok())
        .expect("the configuration states a port");
    child
        .wait_ready(|| {
            let mut greeting = [0; 4];
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok_and(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
                    && stream.read_exact(&mut greeting).is_ok()
                    && &greeting == b"SSH-"
            })
        })
        .then_some(child)
}

/// Makes a key pair without a passphrase; `kind` as `ssh-keygen -t` takes it.
///
/// # Panics
/// When `ssh-keygen` is missing or fails.
pub fn make_key(path: &Path, kind: &str) {
    let kind = if kind.is_empty() { "ed25519" } else { kind };
    let output = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", "test", "-f"])
        .arg(path)
        .output()
        .unwrap_or_else(|error| {
            panic!("cannot start ssh-keygen: {error}; install the package openssh-client")
        });
    assert!(output.status.success(), "ssh-keygen failed: {output:?}");
}

fn public_key(private: &Path) -> String {
    let path = private.with_extension("pub");
    let text = std::fs::read_to_string(&path).expect("ssh-keygen wrote the public key");
    text.trim().trim_end_matches(" test").to_owned()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

fn user_is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn user_name() -> String {
    let output = Command::new("id")
        .arg("-un")
        .output()
        .expect("coreutils are installed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn children_of(parent: u32) -> Vec<u32> {
    parents()
        .into_iter()
        .filter(|(_, of)| *of == parent)
        .map(|(pid, _)| pid)
        .collect()
}

fn descendants_of(ancestor: u32) -> Vec<u32> {
    let parents = parents();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(of) = found.get(next).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| **parent == of)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found.split_off(1)
}

/// Every process and its parent.
fn parents() -> HashMap<u32, u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc is mounted");
    entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name, in parentheses, may hold anything.
            let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?;
            Some((pid, parent.parse().ok()?))
        })
        .collect()
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id fits");
    match kill_process(pid, signal) {
        // It may have ended by itself in the meantime.
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("cannot signal process {}: {error}", pid.as_raw_nonzero()),
    }
}
