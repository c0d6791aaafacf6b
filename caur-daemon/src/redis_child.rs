//! A private Redis for `standalone`: a child on a Unix socket, with its data in the state directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use caur_core::config::STANDALONE_SOCKET;
use caur_core::link::{Direct, RedisAddress, RedisAuth, RedisLink};
use color_eyre::eyre::{Result, WrapErr, bail, eyre};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// How long the server may take to load its data.
const START: Duration = Duration::from_mins(2);
/// How long it may take to write its data and end.
const STOP: Duration = Duration::from_secs(10);
/// How often a lock or a socket is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// The longest path of a Unix socket, in bytes.
const LONGEST_SOCKET: usize = 107;

/// The running server.
pub struct RedisChild {
    child: Child,
    socket: PathBuf,
    /// Held, not read: nobody else starts a server on these data.
    _lock: File,
}

impl RedisChild {
    /// Starts the server with its data below the directory `state` and waits until it serves. It ends with this process.
    ///
    /// # Errors
    /// No server program is installed, or it does not start; the message says what to do.
    pub async fn start(state: &Path) -> Result<Self> {
        let server = ["valkey-server", "redis-server"].into_iter().find(|name| installed(name)).ok_or_else(|| {
            eyre!(
                "standalone needs redis-server or valkey-server and neither is installed: install the package \
                 redis-server (Debian) or valkey (Arch)"
            )
        })?;
        let state = std::path::absolute(state).wrap_err("cannot find the state directory")?;
        let socket = state.join(STANDALONE_SOCKET);
        let directory = socket
            .parent()
            .expect("the socket lies in a directory")
            .to_owned();
        std::fs::create_dir_all(&directory)
            .wrap_err_with(|| format!("cannot create {}", directory.display()))?;
        let lock = lock(&state).await?;
        if socket.as_os_str().len() > LONGEST_SOCKET {
            bail!(
                "the state directory's path is too long: {} has more than the {LONGEST_SOCKET} bytes that a Unix \
                 socket may have; choose a shorter state directory",
                socket.display()
            );
        }
        // The server of a process that was killed may still be ending.
        let gone = async {
            while UnixStream::connect(&socket).await.is_ok() {
                tokio::time::sleep(RETRY).await;
            }
        };
        timeout(STOP, gone).await.map_err(|_| {
            eyre!(
                "a Redis of somebody else listens on {}; end it, or name another state directory",
                socket.display()
            )
        })?;
        let log = directory.join("redis.log");
        // Its own process group, so that Ctrl-C at the terminal reaches it only through us.
        let mut command = if installed("setpriv") {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "--", server]);
            command
        } else {
            Command::new(server)
        };
        let child = command
            .args([
                "--port",
                "0",
                "--daemonize",
                "no",
                "--save",
                "",
                "--appendonly",
                "yes",
            ])
            .args(["--appendfsync", "everysec", "--unixsocketperm", "700"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(&directory)
            .arg("--logfile")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .wrap_err_with(|| format!("cannot start {server}"))?;
        let mut started = Self {
            child,
            socket,
            _lock: lock,
        };
        started.wait_ready(server, &log).await?;
        Ok(started)
    }

    async fn wait_ready(&mut self, server: &str, log: &Path) -> Result<()> {
        let link = self.link();
        let deadline = Instant::now() + START;
        let cancel = CancellationToken::new();
        tokio::select! {
            () = link.wait_until_up(&cancel) => Ok(()),
            status = self.child.wait() => {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(5).collect();
                bail!(
                    "{server} ended at once ({}); the end of {}:\n{}",
                    status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                    log.display(),
                    last.into_iter().rev().collect::<Vec<_>>().join("\n")
                )
            }
            () = tokio::time::sleep_until(deadline) => {
                bail!("{server} does not answer within {} s; see {}", START.as_secs(), log.display())
            }
        }
    }

    /// A link to it.
    pub fn link(&self) -> RedisLink {
        RedisLink::new(Direct {
            address: RedisAddress::Unix(self.socket.clone()),
            auth: RedisAuth::default(),
        })
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Keeps it until `stop`, then ends it in order.
    ///
    /// # Errors
    /// When it ended by itself.
    pub async fn keep(mut self, stop: CancellationToken) -> Result<()> {
        tokio::select! {
            status = self.child.wait() => {
                return Err(eyre!("the queue's Redis ended by itself: {}", status.wrap_err("cannot wait for it")?));
            }
            () = stop.cancelled() => {}
        }
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            kill_process(id, Signal::TERM).wrap_err("cannot end the queue's Redis")?;
        }
        if timeout(STOP, self.child.wait()).await.is_err() {
            self.child.kill().await.wrap_err("cannot end the queue's Redis")?;
        }
        Ok(())
    }
}

/// Takes the state directory for this process, waiting for a moment for one that is just ending.
async fn lock(state: &Path) -> Result<File> {
    let path = state.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .wrap_err_with(|| format!("cannot open {}", path.display()))?;
    let locked = async {
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            tokio::time::sleep(RETRY).await;
        }
    };
    timeout(STOP, locked).await.map_err(|_| {
        eyre!(
            "another standalone runs in {}; end it, or name another state directory",
            state.display()
        )
    })?;
    Ok(file)
}

fn installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
