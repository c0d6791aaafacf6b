//! Builders, as they register themselves and as the queue knows them.

use serde::{Deserialize, Serialize};

use super::{BuilderName, InstanceId, JobId};

/// What a builder says about itself, again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuilderReport {
    /// This process.
    pub instance: InstanceId,
    /// Its name, which the machine's other processes may share by mistake.
    pub name: BuilderName,
    /// The highest class it takes; none: only jobs for its name.
    pub class: Option<u32>,
    /// How many jobs it builds at a time.
    pub slots: u32,
    /// The version of its program.
    pub version: String,
    /// What the machine has and has left.
    pub machine: Machine,
    /// Why it takes no jobs by itself, such as a full disk.
    pub note: Option<String>,
}

/// A builder's machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// The container engine and its version.
    pub engine: String,
    /// CPU cores.
    pub cores: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory that are left.
    pub memory_free: u64,
    /// Bytes that are left where builds are made.
    pub disk_free: u64,
    /// Average number of running processes over a minute.
    pub load: f64,
}

/// A builder as the queue knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuilderStatus {
    /// What it said last.
    #[serde(flatten)]
    pub report: BuilderReport,
    /// Milliseconds since 1970 at which its process registered.
    pub started: u64,
    /// Milliseconds since 1970 of its last sign of life.
    pub last_seen: u64,
    /// Whether that was lately enough to count on it.
    pub online: bool,
    /// The jobs that it holds.
    pub jobs: Vec<JobId>,
    /// Why it is paused.
    pub paused: Option<String>,
    /// Why it ends once its jobs have.
    pub draining: Option<String>,
    /// Why it cannot work for this farm.
    pub incompatible: Option<String>,
    /// Another live process that uses the same name.
    pub double: Option<String>,
}

impl BuilderStatus {
    /// Whether it is there and takes jobs.
    #[must_use]
    pub fn takes_jobs(&self) -> bool {
        self.online
            && self.paused.is_none()
            && self.draining.is_none()
            && self.incompatible.is_none()
            && self.report.note.is_none()
    }
}
