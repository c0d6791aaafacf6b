use std::time::Duration;

use caur_core::link::RedisLink;
use caur_core::queue::Queue;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backend::Wishes;
use crate::msg::{BackendMsg, Interest, LinkState, LogEvent, Snapshot};

use caur_core::log::{LogLimits, LogWriter};
use caur_core::model::{
    Arch, BuildClass, BuildOutcome, BuilderName, BuilderReport, Job, JobRequest, JobState, Machine, Pkgbase,
    SourceRepo, Target, TargetRepo,
};
use caur_core::queue::{Asker, Attempt, ClaimRequest, new_instance};
use caur_core::testing::{RedisOptions, RedisServer};
use tokio::sync::mpsc;

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

fn wishes(interest: watch::Receiver<Interest>) -> Wishes {
    Wishes {
        interest,
        requests: mpsc::unbounded_channel().1,
    }
}

const TESTER: Asker<'_> = Asker { by: "test", why: "" };

fn request(pkgbase: &str) -> JobRequest {
    JobRequest {
        target: Target {
            repo: TargetRepo::new("repo").unwrap(),
            arch: Arch::new("x86_64").unwrap(),
        },
        source: SourceRepo::new("src").unwrap(),
        pkgbase: Pkgbase::new(pkgbase).unwrap(),
        class: BuildClass::DEFAULT,
        names: Vec::new(),
        needs: Vec::new(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}

/// Waits for the first report that `wish` takes.
async fn until<T>(reports: &mut mpsc::Receiver<BackendMsg>, wish: impl Fn(BackendMsg) -> Option<T>) -> T {
    let search = async {
        loop {
            let report = reports.recv().await.expect("the backend lives");
            if let Some(found) = wish(report) {
                return found;
            }
        }
    };
    tokio::time::timeout(LIMIT, search)
        .await
        .expect("the report comes in time")
}

fn in_state(state: JobState) -> impl Fn(BackendMsg) -> Option<Job> {
    move |report| match report {
        BackendMsg::Jobs(Snapshot { jobs, .. }) | BackendMsg::Changed { jobs, .. } => {
            jobs.into_iter().find(|job| job.state == state)
        }
        _ => None,
    }
}

fn log_text(report: BackendMsg) -> Option<String> {
    let LogEvent::Pieces(pieces, _) = log_event(report)? else {
        return None;
    };
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.bytes).collect();
    (!bytes.is_empty()).then(|| String::from_utf8(bytes).unwrap())
}

fn log_event(report: BackendMsg) -> Option<LogEvent> {
    match report {
        BackendMsg::Log(_, event) => Some(event),
        _ => None,
    }
}

#[tokio::test]
async fn queue_and_log_are_followed_through_a_loss_of_redis() {
    let mut server = RedisServer::start_with(RedisOptions {
        password: None,
        tcp: false,
        durable: true,
    });
    let queue = Queue::open(server.link()).await.unwrap();
    let (watch_job, wanted) = watch::channel(Interest::default());
    let (sender, mut reports) = mpsc::channel(16);
    let farm = tokio::spawn(Farm::new(server.link(), "test".to_owned()).run(wishes(wanted), sender));
    assert_eq!(
        reports.recv().await,
        Some(BackendMsg::Link(LinkState::Connecting))
    );

    let id = queue.submit(vec![request("a")], TESTER).await.unwrap().jobs[0].id;
    until(&mut reports, in_state(JobState::Ready)).await;
    watch_job.send_replace(Interest {
        log: Some((id, None)),
        ..Interest::default()
    });
    assert_eq!(until(&mut reports, log_event).await, LogEvent::Missing);

    let lease = Duration::from_mins(1);
    let builder = BuilderReport {
        instance: new_instance(),
        name: BuilderName::new("b").unwrap(),
        class: Some(1),
        slots: 1,
        version: "0.0.0".into(),
        machine: Machine::default(),
        note: None,
    };
    queue.report_status(&builder).await.unwrap();
    let claim = ClaimRequest::new(builder.instance, 0, lease);
    let claim = queue.claim(&claim).await.unwrap().job().unwrap();
    let limits = LogLimits {
        head: 1 << 20,
        tail: 1 << 20,
        retention: lease,
    };
    LogWriter::append(queue.link(), &claim.token, "first\n", limits.retention)
        .await
        .unwrap();
    let begun = until(&mut reports, log_event).await;
    assert!(matches!(begun, LogEvent::Begin { attempt: 1, .. }), "{begun:?}");
    assert_eq!(until(&mut reports, log_text).await, "first\n");

    server.kill();
    until(&mut reports, |report| {
        matches!(report, BackendMsg::Link(LinkState::Reconnecting { .. })).then_some(())
    })
    .await;
    server.revive();
    queue.link().wait_until_up(&CancellationToken::new()).await;
    LogWriter::append(queue.link(), &claim.token, "second\n", limits.retention)
        .await
        .unwrap();
    let ended = Attempt {
        outcome: BuildOutcome::Failed,
        reason: "it does not compile".into(),
        commit: None,
        manifest: None,
        took: Duration::ZERO,
    };
    queue.finish(&claim.token, &ended).await.unwrap();
    let (mut text, mut failed) = (Vec::new(), None);
    while failed.is_none() || !text.ends_with(b"second\n") {
        match tokio::time::timeout(LIMIT, reports.recv())
            .await
            .unwrap()
            .unwrap()
        {
            BackendMsg::Log(_, LogEvent::Pieces(pieces, _)) => {
                text.extend(pieces.into_iter().flat_map(|piece| piece.bytes));
            }
            BackendMsg::Jobs(Snapshot { jobs, .. }) | BackendMsg::Changed { jobs, .. } => {
                failed = jobs
                    .into_iter()
                    .find(|job| job.state == JobState::Failed)
                    .or(failed);
            }
            _ => {}
        }
    }
    assert_eq!(failed.unwrap().reason.as_deref(), Some("it does not compile"));
    drop(reports);
    tokio::time::timeout(LIMIT, farm).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_final_and_named() {
    let server = RedisServer::start_with(RedisOptions {
        password: Some("right".into()),
        tcp: true,
        durable: false,
    });
    let mut direct = server.direct();
    direct.auth.password = Some("wrong".to_owned().into());
    let (_watch, wanted) = watch::channel(Interest::default());
    let (sender, mut reports) = mpsc::channel(16);
    tokio::spawn(Farm::new(RedisLink::new(direct), "test".to_owned()).run(wishes(wanted), sender));
    let reason = until(&mut reports, |report| match report {
        BackendMsg::Link(LinkState::Failed { reason }) => Some(reason),
        _ => None,
    })
    .await;
    assert!(reason.contains("password"), "{reason}");
}
