//! A farm to look at: Redis, an SSH server in front of it, and a relay on the way that counts bytes.

use std::time::Duration;

use caur_core::ci::DepTree;
use caur_core::log::{LogLimits, LogWriter};
use caur_core::model::{
    Arch, BuildClass, BuilderReport, InstanceId, JobRequest, LeaseToken, Machine, Need, Pkgbase, SourceRepo,
    Target, TargetRepo,
};
use caur_core::queue::{Asker, ClaimRequest, Queue};
use caur_core::testing::{RedisOptions, RedisServer, Sshd};
use caur_tests::{Collection, Desk, Relay, Window};
use tokio::task::JoinHandle;

/// Packages of the real collection.
pub const PACKAGES: usize = 2534;
/// How often builders report.
pub const REPORT: Duration = Duration::from_secs(15);

const ASKER: Asker<'_> = Asker { by: "bench", why: "" };
pub const LEASE: Duration = Duration::from_secs(3600);

pub struct Farm {
    pub queue: Queue,
    pub relay: Relay,
    pub server: RedisServer,
    sshd: Sshd,
    desk: Desk,
    /// What builders do by themselves; ends with the farm.
    builders: Vec<JoinHandle<()>>,
}

impl Farm {
    pub async fn new() -> Self {
        let server = RedisServer::start_with(RedisOptions {
            tcp: true,
            ..RedisOptions::default()
        });
        let sshd = Sshd::start();
        let relay = Relay::start(sshd.port()).await;
        Self {
            queue: Queue::open(server.link()).await.expect("the queue opens"),
            desk: Desk::with_key_of(&sshd, relay.port()),
            relay,
            server,
            sshd,
            builders: Vec::new(),
        }
    }

    /// Queues the real collection, or as many packages that are made up.
    pub async fn fill(&self) {
        let requests = real_requests().unwrap_or_else(|| {
            let names = (0..PACKAGES).map(|number| format!("package-{number}"));
            names.map(|name| request(&name)).collect()
        });
        assert_eq!(requests.len(), PACKAGES);
        self.queue
            .submit(requests, ASKER)
            .await
            .expect("the batch is taken");
    }

    /// A builder that reports as real ones do.
    pub async fn builder(&mut self, name: &str, slots: u32) -> InstanceId {
        let report = BuilderReport {
            instance: InstanceId::new(name).expect("a valid name"),
            name: name.parse().expect("a valid name"),
            class: Some(1),
            slots,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Machine::default(),
            note: None,
        };
        let instance = report.instance.clone();
        self.queue.report_status(&report).await.expect("it registers");
        let queue = self.queue.clone();
        self.builders.push(tokio::spawn(async move {
            loop {
                tokio::time::sleep(REPORT).await;
                queue.report_status(&report).await.expect("it reports");
            }
        }));
        instance
    }

    /// Has a builder take a job.
    pub async fn claim(&self, instance: &InstanceId, slot: u32) -> LeaseToken {
        let request = ClaimRequest::new(instance.clone(), slot, LEASE);
        let claimed = self.queue.claim(&request).await.expect("Redis answers");
        claimed.job().expect("a job is ready").token
    }

    /// Writes the log of a job that was taken.
    pub fn writer(&self, token: &LeaseToken) -> LogWriter {
        let limits = LogLimits {
            head: 1 << 30,
            tail: 1 << 20,
            retention: LEASE,
        };
        LogWriter::start(self.server.link(), token.clone(), limits)
    }

    /// The real console, through SSH.
    pub fn console(&self) -> Window {
        self.desk
            .console_through(&self.sshd, self.relay.port(), self.server.port())
    }

    /// The real console with other arguments.
    pub fn console_with(&self, arguments: &[&str]) -> Window {
        self.desk.console(arguments)
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        for builder in &self.builders {
            builder.abort();
        }
    }
}

fn target() -> Target {
    Target {
        repo: TargetRepo::new("chaotic-aur").expect("a valid name"),
        arch: Arch::new("x86_64").expect("a valid name"),
    }
}

pub fn request(pkgbase: &str) -> JobRequest {
    JobRequest {
        target: target(),
        source: SourceRepo::new("chaotic-aur").expect("a valid name"),
        pkgbase: Pkgbase::new(pkgbase).expect("a valid name"),
        class: BuildClass::DEFAULT,
        names: vec![pkgbase.to_owned()],
        needs: Vec::new(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}

/// The collection as `schedule` would ask for it.
fn real_requests() -> Option<Vec<JobRequest>> {
    let collection = Collection::load()?;
    let tree: DepTree = collection.tree(&target().arch);
    let requests = collection.0.keys().map(|name| {
        let mut request = request(name.as_str());
        if let Some(entry) = tree.entries.get(name) {
            request.names.clone_from(&entry.names);
            request.needs = entry.deps.iter().map(Need::make).collect();
        }
        request
    });
    Some(requests.collect())
}
