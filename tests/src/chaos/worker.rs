//! One worker: what its process is told, and the process as the test holds it.

use std::path::{Path, PathBuf};
use std::process::Command;

use caur_core::link::{Direct, RedisAddress, RedisAuth, RedisLink};
use caur_core::ssh::{HostKeyError, HostKeyPolicy, SshTarget, TunnelConnect};
use caur_core::testing::Child;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Claims jobs, holds their leases and finishes them, without building anything.
    Builder {
        /// The highest class that it takes.
        class: u32,
        /// How many jobs it holds at a time.
        slots: u32,
    },
    /// Claims uploads and finishes them, without publishing anything.
    Publisher,
    /// Sweeps the queue when it is elected.
    Sweeper,
}

/// An SSH server on loopback through which a worker reaches Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshWay {
    /// Its port.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// The private key.
    pub key: PathBuf,
    /// The server's key.
    pub host_key: String,
}

/// Everything that a worker's process is told, as JSON in its only argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerPlan {
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// The port of Redis, seen from this machine or from the SSH server.
    pub redis_port: u16,
    /// The tunnel; none: straight.
    pub ssh: Option<SshWay>,
    /// Where its journal lies.
    pub journals: PathBuf,
    /// Milliseconds that its leases last.
    pub lease_ms: u64,
    /// From which its dice are made.
    pub seed: u64,
}

impl WorkerPlan {
    /// Its link to Redis.
    ///
    /// # Errors
    /// When the host key is none.
    pub fn link(&self) -> Result<RedisLink, HostKeyError> {
        let address = RedisAddress::Tcp {
            host: "127.0.0.1".to_owned(),
            port: self.redis_port,
        };
        let auth = RedisAuth::default();
        let Some(way) = &self.ssh else {
            return Ok(RedisLink::new(Direct { address, auth }));
        };
        let target = SshTarget {
            keys: vec![way.key.clone()],
            ..SshTarget::new(
                "127.0.0.1",
                way.port,
                &way.user,
                HostKeyPolicy::pinned(&way.host_key)?,
            )
        };
        Ok(RedisLink::new(TunnelConnect::new(target, address, auth)))
    }
}

/// A worker that is started again and again under one name.
pub struct WorkerProcess {
    plan: WorkerPlan,
    program: PathBuf,
    child: Option<Child>,
    stopped: bool,
}

impl WorkerProcess {
    /// Starts `program` as a worker.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(program: &Path, plan: WorkerPlan) -> Self {
        let mut worker = Self {
            plan,
            program: program.to_owned(),
            child: None,
            stopped: false,
        };
        worker.revive();
        worker
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Whether it runs and is not stopped.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.child.is_some() && !self.stopped
    }

    /// Whether its process ended by itself, which none may; then with what it said.
    pub fn fault(&mut self) -> Option<String> {
        let name = self.plan.name.clone();
        let child = self.child.as_mut()?;
        let status = child.has_ended()?;
        Some(format!("{name} ended by itself ({status}):\n{}", child.output()))
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        // Dropped, and so killed and waited for.
        self.child = None;
        self.stopped = false;
    }

    /// Starts it anew after a [`kill`](Self::kill): a new process and instance of the same name.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn revive(&mut self) {
        if self.child.is_some() {
            return;
        }
        let plan = serde_json::to_string(&self.plan).expect("a plan is plain data");
        let mut command = Command::new(&self.program);
        command.arg(plan);
        let log = self.plan.journals.join(format!("{}.log", self.plan.name));
        self.child = Some(Child::start(&mut command, "caur-tests", &log));
    }

    /// Freezes it (SIGSTOP).
    pub fn stop(&mut self) {
        self.signal(Signal::STOP);
        self.stopped = true;
    }

    /// Lets it go on after a [`stop`](Self::stop).
    pub fn go_on(&mut self) {
        self.signal(Signal::CONT);
        self.stopped = false;
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().map(|child| child.id().cast_signed());
        if let Some(id) = id.and_then(Pid::from_raw) {
            // Our own child that was not waited for: its number is nobody else's. A fault is told elsewhere.
            let _ended = kill_process(id, signal);
        }
    }
}
