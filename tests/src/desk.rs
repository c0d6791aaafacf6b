//! Where somebody sits: a home directory with an SSH key and the hosts that are known, and consoles started from it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use caur_core::testing::Sshd;
use tempfile::TempDir;

use crate::{Window, caur_tui};

/// Columns and rows of a terminal on a large screen.
const LARGE: (u16, u16) = (160, 50);
const KEY: &str = "key";
const KNOWN_HOSTS: &str = "known_hosts";

/// A home directory that goes when it is dropped.
pub struct Desk {
    home: TempDir,
}

impl Desk {
    /// A desk from which one may log in to `sshd`, which is reached at `port` on 127.0.0.1.
    ///
    /// # Panics
    /// When the directory for temporary files cannot be written.
    #[must_use]
    pub fn with_key_of(sshd: &Sshd, port: u16) -> Self {
        let home = tempfile::Builder::new()
            .prefix("caur-home-")
            .tempdir()
            .expect("the directory for temporary files is writable");
        let key = home.path().join(KEY);
        fs::copy(sshd.client_key(), &key).expect("the server's keys can be read");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let known = format!("[127.0.0.1]:{port} {}\n", sshd.host_key());
        fs::write(home.path().join(KNOWN_HOSTS), known).expect("a fresh directory is writable");
        Self { home }
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts the console in a large terminal.
    #[must_use]
    pub fn console(&self, arguments: &[&str]) -> Window {
        let command = pty_process::Command::new(caur_tui())
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            // ssh looks the home directory up by the account, and knows nothing of this one.
            .env("REDIS_SSH_KEY", self.home().join(KEY))
            .env("REDIS_SSH_KNOWN_HOSTS", self.home().join(KNOWN_HOSTS))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm-256color")
            .env("USER", "tester")
            .current_dir(self.home());
        let (columns, rows) = LARGE;
        Window::open(command, columns, rows)
    }

    /// Starts the console on the Redis at `redis`, a port as the SSH server at `ssh` sees it.
    #[must_use]
    pub fn console_through(&self, sshd: &Sshd, ssh: u16, redis: u16) -> Window {
        let host = format!("{}@127.0.0.1:{ssh}", sshd.target().user);
        let url = format!("redis://127.0.0.1:{redis}");
        self.console(&["--ssh", &host, "--redis-url", &url])
    }
}
