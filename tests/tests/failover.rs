//! A replica of Redis becomes the primary while a job is built: its builder goes on, and nothing is lost or doubled.

use std::net::Ipv4Addr;
use std::time::Duration;

use caur_core::link::{Direct, RedisAddress, RedisAuth, RedisLink};
use caur_core::model::{
    Arch, BuildClass, BuildOutcome, BuilderReport, InstanceId, JobRequest, JobState, Machine, Phase, Pkgbase,
    SourceRepo, Target, TargetRepo,
};
use caur_core::queue::{Asker, Attempt, ClaimRequest, Directive, Queue};
use caur_core::testing::{RedisOptions, RedisServer};
use caur_tests::{Relay, eventually};

const LEASE: Duration = Duration::from_mins(1);
const LIMIT: Duration = Duration::from_secs(20);

fn server() -> RedisServer {
    RedisServer::start_with(RedisOptions {
        tcp: true,
        ..RedisOptions::default()
    })
}

async fn command(server: &RedisServer, words: &[&str]) -> String {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let link = server.link();
    let answer = link.run(|mut connection| async move { command.query_async(&mut connection).await });
    answer.await.unwrap()
}

fn request(pkgbase: &str) -> JobRequest {
    JobRequest {
        target: Target {
            repo: TargetRepo::new("repo").unwrap(),
            arch: Arch::new("x86_64").unwrap(),
        },
        source: SourceRepo::new("src").unwrap(),
        pkgbase: Pkgbase::new(pkgbase).unwrap(),
        class: BuildClass::DEFAULT,
        names: vec![pkgbase.to_owned()],
        needs: Vec::new(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}

#[tokio::test]
async fn a_build_goes_on_when_a_replica_takes_over() {
    let (old, new) = (server(), server());
    let port = old.port().to_string();
    command(&new, &["REPLICAOF", "127.0.0.1", &port]).await;
    let relay = Relay::start(old.port()).await;
    let queue = Queue::open(RedisLink::new(Direct {
        address: RedisAddress::Tcp {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: relay.port(),
        },
        auth: RedisAuth::default(),
    }))
    .await
    .unwrap();
    let asker = Asker { by: "test", why: "" };
    queue
        .submit(vec![request("built"), request("next")], asker)
        .await
        .unwrap();
    let report = BuilderReport {
        instance: InstanceId::new("one").unwrap(),
        name: "one".parse().unwrap(),
        class: Some(1),
        slots: 1,
        version: String::new(),
        machine: Machine::default(),
        note: None,
    };
    queue.report_status(&report).await.unwrap();
    let first = ClaimRequest::new(report.instance.clone(), 0, LEASE);
    let claim = queue.claim(&first).await.unwrap().job().unwrap();
    // The replica has everything.
    let synchronised = eventually(LIMIT, || async {
        let (ours, theirs) = (
            command(&old, &["INFO", "replication"]).await,
            command(&new, &["INFO", "replication"]).await,
        );
        let offset = |report: &str| {
            report
                .lines()
                .find_map(|line| line.strip_prefix("master_repl_offset:").map(str::to_owned))
        };
        (theirs.contains("master_link_status:up") && offset(&ours) == offset(&theirs)).then_some(())
    });
    synchronised.await.expect("the replica follows");

    // It takes over, and the old primary is demoted with the builder's connection still open to it.
    command(&new, &["REPLICAOF", "NO", "ONE"]).await;
    let port = new.port().to_string();
    command(&old, &["REPLICAOF", "127.0.0.1", &port]).await;
    relay.turn_to(new.port());
    let mut refused = Vec::new();
    let beat = loop {
        match queue.heartbeat(&claim.token, LEASE, Phase::Build).await {
            Ok(directive) => break directive,
            Err(error) => refused.push(error.to_string()),
        }
        assert!(refused.len() < 5, "{refused:#?}");
    };
    assert_eq!(beat, Directive::GoOn, "the lease is known there");
    println!("refused by the demoted primary: {refused:?}");
    assert!(!refused.is_empty(), "the connection was to the demoted one");

    let ended = Attempt {
        outcome: BuildOutcome::AlreadyBuilt,
        reason: String::new(),
        commit: None,
        manifest: None,
        took: Duration::ZERO,
    };
    let next = ClaimRequest::new(report.instance, 0, LEASE);
    let next = queue
        .finish_and_claim(&claim.token, &ended, &next)
        .await
        .unwrap()
        .job()
        .unwrap();
    assert_eq!(next.token.attempt, 1);
    let done = queue.job(claim.job.id).await.unwrap().unwrap();
    assert_eq!((done.state, done.attempt), (JobState::AlreadyBuilt, 1));
    let violations = queue.audit().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
