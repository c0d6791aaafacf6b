//! The queue against a real Redis; the invariants are checked after every step.

mod failures;
mod fleet;
mod following;
mod history;
mod lifecycle;
mod marks;
mod migration;
mod operate;
mod order;
mod past;
mod phases;
mod planning;
mod policy;
mod publishing;
mod random;
mod requests;
mod retention;
mod simulation;
mod statistics;
mod successors;
mod transitions;

use std::time::Duration;

use super::*;
use crate::model::{
    Arch, BuildClass, BuildOutcome, BuilderName, BuilderReport, CommitId, InstanceId, Job, JobId, JobRequest,
    JobState, Machine, Manifest, Need, Pkgbase, SourceRepo, Target, TargetRepo,
};
use crate::testing::RedisServer;

const LEASE: Duration = Duration::from_mins(1);
const TESTER: Asker<'_> = Asker {
    by: "test",
    why: "because",
};

struct Fixture {
    server: RedisServer,
    queue: Queue,
}

impl Fixture {
    async fn new() -> Self {
        let server = RedisServer::start();
        let queue = Queue::open(server.link()).await.unwrap();
        Self { server, queue }
    }

    async fn submit(&self, batch: Vec<JobRequest>) -> Vec<JobId> {
        let report = self.queue.submit(batch, TESTER).await.unwrap();
        self.sound().await;
        report.jobs.into_iter().map(|job| job.id).collect()
    }

    /// Registers a builder whose process is called like itself.
    async fn register(&self, builder: &str, class: Option<u32>) -> BuilderOrders {
        self.queue
            .report_status(&report(builder, builder, class))
            .await
            .unwrap()
    }

    /// The answer to a claim of a builder that is registered.
    async fn ask(&self, builder: &str) -> Claimed {
        let instance = InstanceId::new(builder).unwrap();
        let claimed = self
            .queue
            .claim(&ClaimRequest::new(instance, 0, LEASE))
            .await
            .unwrap();
        self.sound().await;
        claimed
    }

    async fn claim(&self, builder: &str, class: u32) -> Option<Claim> {
        self.register(builder, Some(class)).await;
        self.ask(builder).await.job()
    }

    async fn finish(&self, claim: &Claim, outcome: BuildOutcome) {
        self.queue
            .finish(&claim.token, &attempt(claim, outcome))
            .await
            .unwrap();
        self.sound().await;
    }

    /// Publishes everything that waits.
    async fn publish(&self) -> usize {
        let claims = self
            .queue
            .claim_uploads(&target("repo"), "publisher", LEASE, 100)
            .await
            .unwrap();
        for claim in &claims {
            let packages = vec![format!(
                "{}-1-1-any.pkg.tar.zst",
                claim.manifest.as_ref().unwrap().pkgbase
            )];
            self.queue
                .finish_publish(&claim.token, &PublishOutcome::Published { packages })
                .await
                .unwrap();
            self.sound().await;
        }
        claims.len()
    }

    async fn job(&self, id: JobId) -> Job {
        self.queue.job(id).await.unwrap().expect("the job is there")
    }

    async fn state(&self, id: JobId) -> JobState {
        self.job(id).await.state
    }

    async fn sound(&self) {
        let violations = self.queue.audit().await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }

    /// Lets every lease and pause run out, as if the clock had moved.
    async fn let_time_pass(&self) {
        for set in [keys::LEASES, keys::BACKOFF] {
            let ids: Vec<u64> = self
                .queue
                .query("test", redis::cmd("ZRANGE").arg(set).arg(0).arg(-1))
                .await
                .unwrap();
            for id in ids {
                self.queue
                    .query::<()>("test", redis::cmd("ZADD").arg(set).arg(1).arg(id))
                    .await
                    .unwrap();
            }
        }
        self.sweep().await;
    }

    async fn sweep(&self) -> SweepReport {
        let settings = SweepSettings {
            name: "test".into(),
            term: Duration::from_hours(1),
            outage: Duration::from_hours(1),
            grace: LEASE,
        };
        let report = self.queue.sweep(&settings).await.unwrap();
        self.sound().await;
        report
    }
}

fn report(instance: &str, name: &str, class: Option<u32>) -> BuilderReport {
    BuilderReport {
        instance: InstanceId::new(instance).unwrap(),
        name: BuilderName::new(name).unwrap(),
        class,
        slots: 1,
        version: "0.0.0".into(),
        machine: Machine::default(),
        note: None,
    }
}

fn target(repo: &str) -> Target {
    Target {
        repo: TargetRepo::new(repo).unwrap(),
        arch: Arch::new("x86_64").unwrap(),
    }
}

fn request(pkgbase: &str, needs: &[&str]) -> JobRequest {
    JobRequest {
        target: target("repo"),
        source: SourceRepo::new("src").unwrap(),
        pkgbase: Pkgbase::new(pkgbase).unwrap(),
        class: BuildClass::DEFAULT,
        names: vec![pkgbase.to_owned()],
        needs: needs.iter().map(|name| Need::from((*name).to_owned())).collect(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}

fn classed(pkgbase: &str, class: &str) -> JobRequest {
    JobRequest {
        class: class.parse().unwrap(),
        ..request(pkgbase, &[])
    }
}

fn attempt(claim: &Claim, outcome: BuildOutcome) -> Attempt {
    let manifest = Manifest {
        job: claim.token.job,
        attempt: claim.token.attempt,
        pkgbase: claim.job.request.pkgbase.clone(),
        target: claim.job.request.target.clone(),
        commit: CommitId::new("0123456789012345678901234567890123456789").unwrap(),
        builder: BuilderName::new("one").unwrap(),
        image: "sha256:1".into(),
        namcap: Vec::new(),
        files: Vec::new(),
    };
    Attempt {
        outcome,
        reason: "because".into(),
        commit: Some(manifest.commit.clone()),
        manifest: Some(manifest),
        took: Duration::from_secs(20),
    }
}
