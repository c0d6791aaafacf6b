//! A queue to measure, on a Redis of its own.

use std::time::Duration;

use caur_core::model::{
    Arch, BuildClass, BuildOutcome, BuilderReport, InstanceId, JobRequest, Machine, Pkgbase, SourceRepo,
    Target, TargetRepo,
};
use caur_core::queue::{Asker, Attempt, Claim, ClaimRequest, Queue};
use caur_core::testing::RedisServer;

pub const ASKER: Asker<'_> = Asker { by: "bench", why: "" };
const LEASE: Duration = Duration::from_secs(600);

pub struct Bench {
    pub server: RedisServer,
    pub queue: Queue,
}

impl Bench {
    pub async fn new() -> Self {
        let server = RedisServer::start();
        let queue = Queue::open(server.link()).await.expect("the queue opens");
        Self { server, queue }
    }

    /// A client with a connection of its own that works as a builder.
    pub async fn client(&self, name: &str) -> Client {
        let queue = Queue::open(self.server.link()).await.expect("the queue opens");
        let report = BuilderReport {
            instance: InstanceId::new(name).expect("a valid name"),
            name: name.parse().expect("a valid name"),
            class: Some(1),
            slots: 1,
            version: String::new(),
            machine: Machine::default(),
            note: None,
        };
        queue.report_status(&report).await.expect("it registers");
        Client {
            queue,
            instance: report.instance,
        }
    }

    /// Queues this many jobs that wait for nothing, in batches.
    pub async fn fill(&self, prefix: &str, count: usize) {
        let requests: Vec<JobRequest> = (0..count)
            .map(|number| request(&format!("{prefix}{number}")))
            .collect();
        for batch in requests.chunks(10_000) {
            self.queue
                .submit(batch.to_vec(), ASKER)
                .await
                .expect("the batch is taken");
        }
    }
}

pub struct Client {
    pub queue: Queue,
    instance: InstanceId,
}

impl Client {
    pub fn request(&self) -> ClaimRequest {
        ClaimRequest::new(self.instance.clone(), 0, LEASE)
    }

    pub async fn claim(&self) -> Claim {
        let claimed = self.queue.claim(&self.request()).await.expect("Redis answers");
        claimed.job().expect("a job is ready")
    }

    /// Ends a job that was not built, and takes the next one in the same call.
    pub async fn next(&self, claim: &Claim) -> Option<Claim> {
        let claimed = self
            .queue
            .finish_and_claim(&claim.token, &nothing_to_do(), &self.request())
            .await;
        claimed.expect("Redis answers").job()
    }

    pub async fn finish(&self, claim: &Claim) {
        self.queue
            .finish(&claim.token, &nothing_to_do())
            .await
            .expect("Redis answers");
    }
}

pub fn nothing_to_do() -> Attempt {
    Attempt {
        outcome: BuildOutcome::AlreadyBuilt,
        reason: String::new(),
        commit: None,
        manifest: None,
        took: Duration::ZERO,
    }
}

pub fn target() -> Target {
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
