//! Chaos: worker processes that are killed and frozen, a Redis that is killed, connections that are cut and stall,
//! while a real dependency graph is worked off. In the end the recorded history is judged.
//!
//! `CAUR_CHAOS_JOBS` (2000), `CAUR_CHAOS_SECONDS` of storm (40) and `CAUR_CHAOS_SEED` (random) change the run; once
//! the queue runs dry before the storm ends, packages are submitted again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use caur_core::model::{FailedDependency, JobId};
use caur_core::queue::{Asker, JobFilter, Queue, QueueRules};
use caur_core::testing::{RedisOptions, RedisServer, Sshd};
use caur_tests::chaos::{
    Operator, Recorder, Role, SshWay, Storm, WorkerPlan, WorkerProcess, read_all_events, request_graph,
};
use caur_tests::history::{History, Record};
use caur_tests::{Relay, eventually, journal};
use tokio_util::sync::CancellationToken;

const LEASE: Duration = Duration::from_millis(2500);
/// How long the queue may take to come to rest after the storm.
const CALM: Duration = Duration::from_secs(180);
/// Lies that are shown.
const SHOWN: usize = 30;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}"))
    })
}

fn rules() -> QueueRules {
    QueueRules {
        backoff: Duration::from_millis(200),
        blocked: Duration::from_secs(3),
        failed_dependency: FailedDependency::Block,
        // The storm is not the builders' fault.
        self_pause_after: 0,
        ..QueueRules::default()
    }
}

/// Six builders, two publishers and two sweepers; every second one through a tunnel.
fn plans(
    straight: &Relay,
    tunnel: &Relay,
    redis: &RedisServer,
    sshd: &Sshd,
    journals: &Path,
) -> Vec<WorkerPlan> {
    let builder = |number: u32| Role::Builder {
        class: 1 + number % 3,
        slots: 2,
    };
    let roles = (0..6)
        .map(|number| (format!("builder-{number}"), builder(number)))
        .chain((0..2).map(|number| (format!("publisher-{number}"), Role::Publisher)))
        .chain((0..2).map(|number| (format!("sweeper-{number}"), Role::Sweeper)));
    let target = sshd.target();
    roles
        .enumerate()
        .map(|(index, (name, role))| {
            let ssh = index.is_multiple_of(2).then(|| SshWay {
                port: tunnel.port(),
                user: target.user.clone(),
                key: sshd.client_key(),
                host_key: sshd.host_key(),
            });
            WorkerPlan {
                name,
                role,
                redis_port: if ssh.is_some() {
                    redis.port()
                } else {
                    straight.port()
                },
                ssh,
                journals: journals.to_owned(),
                lease_ms: u64::try_from(LEASE.as_millis()).unwrap(),
                seed: setting("CAUR_CHAOS_SEED", 0),
            }
        })
        .collect()
}

/// The edges as the queue holds them now, by key.
async fn edges(queue: &Queue) -> Vec<(String, String)> {
    let jobs = queue.jobs(JobFilter::default()).await.unwrap();
    let keys: BTreeMap<JobId, String> = jobs.iter().map(|job| (job.id, job.request.key())).collect();
    let edges = jobs.iter().flat_map(|job| {
        let key = &keys[&job.id];
        job.waits_for.iter().map(|on| (key.clone(), keys[on].clone()))
    });
    edges.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_is_final_once_and_in_order_whatever_breaks() {
    let begin = Instant::now();
    let seed = setting("CAUR_CHAOS_SEED", u64::from(std::process::id()));
    let count = usize::try_from(setting("CAUR_CHAOS_JOBS", 2000)).unwrap();
    let storm_time = Duration::from_secs(setting("CAUR_CHAOS_SECONDS", 40));
    println!("CAUR_CHAOS_SEED={seed}");

    let redis = RedisServer::start_with(RedisOptions {
        tcp: true,
        durable: true,
        ..RedisOptions::default()
    });
    let sshd = Sshd::start();
    let straight = Relay::start(redis.port()).await;
    let tunnel = Relay::start(sshd.port()).await;
    let journals = tempfile::Builder::new().prefix("caur-chaos-").tempdir().unwrap();
    let queue = Queue::open(redis.link()).await.unwrap();
    assert!(queue.is_durable().await.unwrap());
    queue.publish_rules(&rules()).await.unwrap();

    let graph = request_graph(count, seed);
    let ci = Asker { by: "ci", why: "" };
    let report = queue.submit(graph.requests.clone(), ci).await.unwrap();
    let edges = edges(&queue).await;
    println!(
        "{:.1?}: {count} jobs of {}, {} edges",
        begin.elapsed(),
        graph.origin,
        edges.len()
    );
    let prefix = report.jobs[0].request.target.to_string();

    let recorder = Recorder::start(queue.clone());
    let program = Path::new(env!("CARGO_BIN_EXE_chaos-worker"));
    let plans = plans(&straight, &tunnel, &redis, &sshd, journals.path());
    let names: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
    let workers = plans
        .into_iter()
        .map(|plan| WorkerProcess::start(program, plan))
        .collect();
    let mut storm = Storm::new(workers, redis, sshd, vec![straight, tunnel], LEASE, seed);
    let stop = CancellationToken::new();
    let operator = Operator::new(queue.clone(), recorder.clone(), graph.requests, seed);
    let operator = tokio::spawn(operator.work(stop.clone()));
    storm.rage(storm_time, &recorder).await;
    let (_, live) = recorder.counts();
    println!("{:.1?}: the storm is over, {live} jobs live", begin.elapsed());
    stop.cancel();
    let operated = operator.await.unwrap();

    let rest = eventually(CALM, || {
        storm.check_workers();
        assert!(recorder.is_following());
        let (_, live) = recorder.counts();
        async move { (live == 0).then_some(()) }
    });
    if let Err(after) = rest.await {
        let stuck = queue.jobs(JobFilter::default()).await.unwrap();
        let stuck: Vec<String> = stuck
            .iter()
            .take(SHOWN)
            .map(|job| format!("{} {} {:?}", job.id, job.state, job.reason))
            .collect();
        panic!("not at rest after {after:?}:\n{}", stuck.join("\n"));
    }
    println!("{:.1?}: at rest", begin.elapsed());
    let weather = storm.end();

    // What was told once stands; the whole of it is judged.
    let events = read_all_events(&queue).await.unwrap();
    recorder.end();
    let told = recorder.events();
    assert!(
        events.ends_with(&told) || told.ends_with(&events),
        "{} events were told, and {} are there now",
        told.len(),
        events.len()
    );
    let events = if told.len() > events.len() { told } else { events };
    let finished = JobFilter {
        finished: usize::MAX >> 1,
    };
    let jobs = queue.jobs(finished).await.unwrap();
    let planned = report
        .broken
        .into_iter()
        .map(|edge| (edge.dependant, edge.dependency));
    let broken = planned.chain(operated.broken);
    let history = History {
        facts: journal::read_all(journals.path(), names.iter().map(String::as_str)).unwrap(),
        edges,
        broken: broken
            .map(|(dependant, dependency)| {
                (format!("{prefix}/{dependant}"), format!("{prefix}/{dependency}"))
            })
            .collect(),
        submitted: report.jobs.iter().map(|job| job.id).collect::<BTreeSet<JobId>>(),
        jobs: jobs
            .iter()
            .map(|job| Record {
                id: job.id,
                state: job.state,
                attempt: job.attempt,
            })
            .collect(),
        events,
    };
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for job in &history.jobs {
        *ends.entry(job.state.as_str()).or_default() += 1;
    }
    let verdict = history.judge();
    println!(
        "{verdict}; ends {ends:?}; {} kills, {} stops, {} restarts of Redis, {} cuts, {} stalls; operator {:?}; {} events and {} \
         facts checked; {:.1?}",
        weather.kills,
        weather.stops,
        weather.restarts,
        weather.cuts,
        weather.stalls,
        operated.done,
        history.events.len(),
        history.facts.len(),
        begin.elapsed()
    );
    if !verdict.lies.is_empty() {
        let kept = journals.keep();
        let text: String = history
            .events
            .iter()
            .map(|event| format!("{event:?}\n"))
            .collect();
        std::fs::write(kept.join("events"), text).unwrap();
        let shown: Vec<String> = verdict.lies.iter().take(SHOWN).cloned().collect();
        panic!(
            "{} lies, the history lies in {}:\n{}",
            verdict.lies.len(),
            kept.display(),
            shown.join("\n")
        );
    }
    // With every job final this also says that no lease and no expected work is left.
    assert_eq!(queue.audit().await.unwrap(), []);
    let builders = queue.builders().await.unwrap();
    assert!(builders.iter().all(|builder| builder.jobs.is_empty()));
}
