//! A private `redis-server` (or `valkey-server`) for tests.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;

use super::{Child, free_port};
use crate::link::{Direct, RedisAddress, RedisAuth, RedisLink};

/// What a test wants of its server.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// Password of the user `default`.
    pub password: Option<String>,
    /// Listen on a loopback TCP port too.
    pub tcp: bool,
    /// Write an append-only file, synchronised after each command, so that a restart loses nothing.
    pub durable: bool,
}

/// A running server. Listens on a Unix socket in its own directory; both go when it is dropped.
pub struct RedisServer {
    child: Child,
    directory: TempDir,
    options: RedisOptions,
    port: u16,
}

impl RedisServer {
    /// A server without password and persistence, on a Unix socket.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(RedisOptions::default())
    }

    /// A server as `options` say.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with(options: RedisOptions) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("caur-redis-")
            .tempdir()
            .expect("the directory for temporary files is writable");
        for _ in 0..5 {
            let port = if options.tcp { free_port() } else { 0 };
            if let Some(child) = launch(directory.path(), &options, port) {
                return Self {
                    child,
                    directory,
                    options,
                    port,
                };
            }
        }
        panic!(
            "redis-server ended at once:\n{}",
            std::fs::read_to_string(log_path(directory.path())).unwrap_or_default()
        );
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket_path(self.directory.path())
    }

    /// Its TCP port on 127.0.0.1; 0 where none was asked for.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How to reach it: by TCP where asked for, else by the socket.
    #[must_use]
    pub fn direct(&self) -> Direct {
        let address = if self.options.tcp {
            RedisAddress::Tcp {
                host: Ipv4Addr::LOCALHOST.to_string(),
                port: self.port,
            }
        } else {
            RedisAddress::Unix(self.socket())
        };
        Direct {
            address,
            auth: self.auth(),
        }
    }

    /// How to log in.
    #[must_use]
    pub fn auth(&self) -> RedisAuth {
        RedisAuth {
            password: self.options.password.clone().map(SecretString::from),
            ..RedisAuth::default()
        }
    }

    /// A link to it.
    #[must_use]
    pub fn link(&self) -> RedisLink {
        RedisLink::new(self.direct())
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it from answering, with its connections open.
    ///
    /// # Panics
    /// When there is no such process any more.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    ///
    /// # Panics
    /// When there is no such process any more.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().cast_signed()).expect("a process id is not 0");
        kill_process(id, signal).expect("the server lives");
    }

    /// Kills it, as a crash does.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts it again after [`kill`](Self::kill), with the same addresses and data.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn revive(&mut self) {
        self.child.kill();
        self.child = launch(self.directory.path(), &self.options, self.port)
            .unwrap_or_else(|| panic!("redis-server does not come back:\n{}", self.child.output()));
    }
}

fn socket_path(directory: &Path) -> PathBuf {
    directory.join("redis.sock")
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("redis.log")
}

fn program() -> &'static str {
    let installed = |name: &str| {
        std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).exists()))
    };
    if !installed("redis-server") && installed("valkey-server") {
        "valkey-server"
    } else {
        "redis-server"
    }
}

/// Starts a server and waits until it serves; none when it ended at once.
fn launch(directory: &Path, options: &RedisOptions, port: u16) -> Option<Child> {
    let mut command = Command::new(program());
    command
        .current_dir(directory)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--unixsocket", "redis.sock", "--save", ""])
        .args(["--appendonly", if options.durable { "yes" } else { "no" }])
        .args(["--appendfsync", "always"]);
    if let Some(password) = &options.password {
        command.args(["--requirepass", password]);
    }
    // What a killed server left behind would look like a running one that refuses.
    let _absent = std::fs::remove_file(socket_path(directory));
    let mut child = Child::start(&mut command, "redis-server", &log_path(directory));
    let ready = child.wait_ready(|| {
        let by_socket = UnixStream::connect(socket_path(directory)).is_ok_and(serves);
        by_socket && (port == 0 || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok_and(serves))
    });
    ready.then_some(child)
}

/// Whether a `PING` is answered, be it with the wish for a password.
fn serves(mut stream: impl Read + Write + Timed) -> bool {
    let mut answer = [0; 7];
    stream.limit(Duration::from_secs(2)).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && matches!(&answer, b"+PONG\r\n" | b"-NOAUTH")
}

/// The read timeout that both kinds of socket have.
trait Timed {
    fn limit(&self, time: Duration) -> std::io::Result<()>;
}

impl Timed for UnixStream {
    fn limit(&self, time: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

impl Timed for TcpStream {
    fn limit(&self, time: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}
