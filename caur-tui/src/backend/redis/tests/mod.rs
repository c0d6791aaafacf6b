mod viewing;

use std::time::Duration;

use caur_core::link::RedisLink;
use caur_core::log::{LogLimits, LogWriter};
use caur_core::model::{
    Arch, BuildClass, BuildOutcome, BuilderName, BuilderReport, Job, JobRequest, JobState, Machine, Pkgbase,
    SourceRepo, Target, TargetRepo,
};
use caur_core::queue::{Asker, Attempt, Claim, ClaimRequest, Queue, Why, new_instance};
use caur_core::testing::{RedisOptions, RedisServer};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::backend::Wishes;
use crate::log::PageWish;
use crate::msg::{BackendMsg, Interest, LinkState, LogEvent, OperationNews, Request, Snapshot, WantedPage};
use crate::operation::{Act, Operation, OperationId};

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
    let claim = claim(&queue).await;
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

/// A builder that takes the next job.
async fn claim(queue: &Queue) -> Claim {
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
    let claim = ClaimRequest::new(builder.instance, 0, Duration::from_mins(5));
    queue.claim(&claim).await.unwrap().job().unwrap()
}

/// A console's backend on a queue of its own.
struct Console {
    interest: watch::Sender<Interest>,
    ask: mpsc::UnboundedSender<Request>,
    reports: mpsc::Receiver<BackendMsg>,
}

fn console(link: RedisLink) -> Console {
    let (interest, wanted) = watch::channel(Interest::default());
    let (ask, requests) = mpsc::unbounded_channel();
    let (sender, reports) = mpsc::channel(64);
    let wishes = Wishes {
        interest: wanted,
        requests,
    };
    tokio::spawn(Farm::new(link, "ada".to_owned()).run(wishes, sender));
    Console {
        interest,
        ask,
        reports,
    }
}

fn operation(number: u64, act: Act) -> Request {
    Request::Operate(Operation {
        id: OperationId(number),
        mark: format!("console-{number}"),
        act,
        about: "a".to_owned(),
        why: "a test".to_owned(),
    })
}

fn operated(number: u64) -> impl Fn(BackendMsg) -> Option<OperationNews> {
    move |report| match report {
        BackendMsg::Operation(OperationId(id), news) if id == number => Some(news),
        _ => None,
    }
}

#[tokio::test]
async fn operations_are_carried_out_and_told() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let id = queue.submit(vec![request("a")], TESTER).await.unwrap().jobs[0].id;
    let mut console = console(server.link());
    until(&mut console.reports, in_state(JobState::Ready)).await;
    console.ask.send(operation(1, Act::Hold(id))).unwrap();
    let told = until(&mut console.reports, operated(1)).await;
    assert_eq!(told, OperationNews::Done("held".to_owned()));
    // The same once more is the same operation and not another one.
    console.ask.send(operation(1, Act::Hold(id))).unwrap();
    until(&mut console.reports, operated(1)).await;
    console.ask.send(operation(2, Act::Retry(id, false))).unwrap();
    let refused = until(&mut console.reports, operated(2)).await;
    assert!(
        matches!(&refused, OperationNews::Refused(why) if why.contains("held")),
        "{refused:?}"
    );
    let trail = queue.trail(10).await.unwrap();
    let holds: Vec<_> = trail.iter().filter(|entry| entry.action == "hold").collect();
    assert_eq!(holds.len(), 1);
    assert_eq!((holds[0].by.as_str(), holds[0].why.as_str()), ("ada", "a test"));
}

#[tokio::test]
async fn what_is_looked_at_is_kept_up_to_date() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let names: Vec<JobRequest> = (0..300).map(|number| request(&format!("p{number}"))).collect();
    let jobs = queue.submit(names, TESTER).await.unwrap().jobs;
    let mut console = console(server.link());
    let all = until(&mut console.reports, |report| match report {
        BackendMsg::Jobs(snapshot) if !snapshot.partial => Some(snapshot.jobs.len()),
        _ => None,
    })
    .await;
    assert_eq!(all, 300);
    for job in &jobs[..30] {
        queue.cancel(job.id, TESTER).await.unwrap();
    }
    console.interest.send_modify(|interest| interest.history = 10);
    let history = |least: usize| {
        move |report| match report {
            BackendMsg::History(jobs, complete) if jobs.len() >= least => Some((jobs, complete)),
            _ => None,
        }
    };
    let (first, complete) = until(&mut console.reports, history(10)).await;
    assert!(!complete && first.is_sorted_by_key(|job| std::cmp::Reverse(job.finished)));
    console.interest.send_modify(|interest| interest.history = 100);
    let (whole, complete) = until(&mut console.reports, history(30)).await;
    assert!(complete);
    let ids: std::collections::BTreeSet<_> = whole.iter().map(|job| job.id).collect();
    assert_eq!((whole.len(), ids.len()), (30, 30), "no gap and no double");
    queue.cancel(jobs[40].id, TESTER).await.unwrap();
    let (newer, _) = until(&mut console.reports, history(31)).await;
    assert_eq!(newer[0].id, jobs[40].id);

    console.interest.send_modify(|interest| {
        interest.history = 0;
        interest.details = Some(jobs[50].id);
        interest.activity = 5;
        interest.statistics = 24;
    });
    let (mut details, mut trail, mut statistics) = (None, None, None);
    while details.is_none() || trail.is_none() || statistics.is_none() {
        match tokio::time::timeout(LIMIT, console.reports.recv())
            .await
            .unwrap()
            .unwrap()
        {
            BackendMsg::Details(id, found) => details = Some((id, found)),
            BackendMsg::Activity(entries) => trail = Some(entries),
            BackendMsg::Statistics(found) => statistics = Some(found),
            _ => {}
        }
    }
    let (id, details) = details.unwrap();
    assert_eq!(id, jobs[50].id);
    assert!(matches!(details.why, Why::NoBuilder { .. }), "{:?}", details.why);
    assert_eq!(trail.unwrap()[0].action, "cancel");
    let ended: u64 = statistics
        .unwrap()
        .hours
        .iter()
        .flat_map(|hour| hour.ended.values())
        .sum();
    assert_eq!(ended, 31);
}

#[tokio::test]
async fn a_long_log_is_opened_at_its_end_and_loaded_as_it_is_wanted() {
    let server = RedisServer::start();
    let queue = Queue::open(server.link()).await.unwrap();
    let id = queue.submit(vec![request("a")], TESTER).await.unwrap().jobs[0].id;
    let claim = claim(&queue).await;
    let mut whole = Vec::new();
    for number in 0..100 {
        let text = format!("line {number} {}\n", "x".repeat(60_000));
        LogWriter::append(queue.link(), &claim.token, &text, LIMIT)
            .await
            .unwrap();
        whole.extend_from_slice(text.as_bytes());
    }
    let mut console = console(server.link());
    console
        .interest
        .send_modify(|interest| interest.log = Some((id, None)));
    let mut found = vec![None; whole.len()];
    let mut total = None;
    let mut asked = false;
    while found.iter().any(Option::is_none) {
        match tokio::time::timeout(LIMIT, console.reports.recv())
            .await
            .unwrap()
            .unwrap()
        {
            BackendMsg::Log(_, LogEvent::Begin { total: all, .. }) => total = Some(all),
            BackendMsg::Log(_, LogEvent::Pieces(pieces, cuts)) => {
                assert_eq!(cuts, []);
                for piece in pieces {
                    for (at, byte) in (usize::try_from(piece.offset).unwrap()..).zip(piece.bytes) {
                        assert_eq!(found[at].replace(byte), None, "nothing is sent twice");
                    }
                }
            }
            _ => {}
        }
        let loaded = found.iter().flatten().count();
        if loaded > 0 && !asked {
            assert!(loaded < 1 << 19, "only the end is fetched at first");
            asked = true;
            let wish = PageWish::All;
            console
                .ask
                .send(Request::Page(WantedPage {
                    job: id,
                    attempt: 1,
                    wish,
                }))
                .unwrap();
        }
    }
    assert_eq!(total, Some(whole.len() as u64));
    assert!(found.into_iter().flatten().eq(whole));
}
