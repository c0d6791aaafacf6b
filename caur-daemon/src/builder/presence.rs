//! A builder's presence in the queue's register: what it has, whether it may claim, and why not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caur_core::build::Resources;
use caur_core::model::{BuilderReport, Machine};
use caur_core::queue::{BuilderOrders, QueueError};
use color_eyre::eyre::Result;
use tokio_util::sync::CancellationToken;

use super::{BuilderRole, Ear};
use crate::outage::wait_for_redis;

/// How often a builder says that it is there.
const REPORT: Duration = Duration::from_secs(15);
/// How long a builder that ends takes to say so.
const FAREWELL: Duration = Duration::from_secs(2);

const MEBIBYTE: u64 = 1 << 20;

/// Reports the builder and knows whether it may claim.
#[derive(Clone)]
pub struct Presence {
    role: Arc<BuilderRole>,
    ear: Ear,
    /// What was said to the log last, so that it is said once.
    said: Arc<Mutex<(Option<String>, BuilderOrders)>>,
}

impl Presence {
    pub fn new(role: Arc<BuilderRole>, ear: Ear) -> Self {
        Self {
            role,
            ear,
            said: Arc::default(),
        }
    }

    /// Registers the builder, waiting for Redis if need be.
    ///
    /// # Errors
    /// A queue that this program cannot read.
    pub async fn report_first(&self, shutdown: &CancellationToken) -> Result<()> {
        while !shutdown.is_cancelled() {
            match self.report().await {
                Ok(()) => return Ok(()),
                Err(QueueError::Link { action, source }) => {
                    tracing::warn!("cannot {action}: {source}; waiting for Redis");
                    wait_for_redis(self.role.queue.link(), &source, shutdown).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reports until `stop`, and at once when somebody changes what the builder may do.
    ///
    /// # Errors
    /// As [`Presence::report_first`].
    pub async fn keep(self, stop: CancellationToken) -> Result<()> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(REPORT) => {}
                () = self.ear.modes.notified() => {}
                () = stop.cancelled() => return Ok(()),
            }
            self.report_first(&stop).await?;
        }
    }

    /// Says once that the builder is there, and notes what it learns.
    ///
    /// # Errors
    /// As the queue's.
    pub async fn report(&self) -> Result<(), QueueError> {
        let report = self.describe().await;
        let orders = self.role.queue.report_status(&report).await?;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.0 != report.note {
            match &report.note {
                Some(note) => tracing::warn!("taking no jobs: {note}"),
                None => tracing::info!("taking jobs again"),
            }
        }
        tell_change("paused", said.1.paused.as_ref(), orders.paused.as_ref());
        tell_change("draining", said.1.draining.as_ref(), orders.draining.as_ref());
        if let Some(other) = &orders.double
            && said.1.double.is_none()
        {
            tracing::warn!(
                "another process (instance {other}) also calls itself {}: both work as builders of their own; give each \
                 its own BUILDER_HOSTNAME",
                self.role.name
            );
        }
        *said = (report.note, orders);
        Ok(())
    }

    /// Why the builder takes no jobs by itself at this moment.
    pub async fn note(&self) -> Option<String> {
        self.describe().await.note
    }

    /// Takes the builder off the register.
    pub async fn leave(&self) {
        let report = self.describe().await;
        match tokio::time::timeout(FAREWELL, self.role.queue.leave(&report)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("{error}"),
            Err(_) => tracing::debug!("Redis does not take the farewell"),
        }
    }

    async fn describe(&self) -> BuilderReport {
        let settings = &self.role.settings;
        let shared = settings.shared_dir.clone();
        // A file system that hangs must hold up nothing else.
        let looked = tokio::task::spawn_blocking(move || Resources::read(&shared)).await;
        let (machine, note) = match looked {
            Err(error) => (
                Machine::default(),
                Some(format!("cannot look at the machine: {error}")),
            ),
            Ok(Ok(found)) => {
                let note = shortage(
                    &found,
                    settings.min_free_disk.saturating_mul(MEBIBYTE),
                    settings.min_free_memory.saturating_mul(MEBIBYTE),
                );
                let machine = Machine {
                    engine: self.role.builder.engine().to_owned(),
                    cores: u32::try_from(found.cores).unwrap_or(u32::MAX),
                    memory: found.memory_total,
                    memory_free: found.memory_available,
                    disk_free: found.disk_free,
                    load: found.load1,
                };
                (machine, note)
            }
            Ok(Err(error)) => (Machine::default(), Some(error.to_string())),
        };
        BuilderReport {
            instance: self.role.instance.clone(),
            name: self.role.name.clone(),
            class: settings.class,
            slots: settings.slots,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine,
            note,
        }
    }
}

fn tell_change(what: &str, before: Option<&String>, now: Option<&String>) {
    match (before, now) {
        (before, Some(reason)) if before != Some(reason) => tracing::warn!("{what}: {reason}"),
        (Some(_), None) => tracing::info!("not {what} any more"),
        _ => {}
    }
}

/// What is too little on this machine for one more build.
fn shortage(found: &Resources, min_disk: u64, min_memory: u64) -> Option<String> {
    let too_little = |what: &str, free: u64, least: u64, setting: &str| {
        (free < least).then(|| {
            format!(
                "{} MiB of {what} are free and {setting} asks for {}",
                free / MEBIBYTE,
                least / MEBIBYTE
            )
        })
    };
    too_little("disk", found.disk_free, min_disk, "builder.min_free_disk").or_else(|| {
        too_little(
            "memory",
            found.memory_available,
            min_memory,
            "builder.min_free_memory",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_named_with_its_setting() {
        let found = Resources {
            cores: 1,
            memory_total: 4 << 30,
            memory_available: 1 << 30,
            disk_free: 3 << 30,
            load1: 0.5,
        };
        assert_eq!(shortage(&found, 1 << 30, 0), None);
        let disk = shortage(&found, 4 << 30, 0).unwrap();
        assert_eq!(
            disk,
            "3072 MiB of disk are free and builder.min_free_disk asks for 4096"
        );
        assert!(
            shortage(&found, 0, 2 << 30)
                .unwrap()
                .contains("builder.min_free_memory")
        );
    }
}
