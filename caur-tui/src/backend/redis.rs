//! The real farm: the queue in Redis, near by or through an SSH tunnel.
//!
//! One fetch at the start, then only the jobs that events name; a full fetch now and then catches what events do not
//! tell, such as dependencies that were met. Nothing is written.

use std::collections::BTreeMap;
use std::time::Duration;

use caur_core::link::{LinkError, LinkState as QueueLink, RedisLink};
use caur_core::log::{LogChunk, LogError, LogReader};
use caur_core::model::{Job, JobId};
use caur_core::queue::{JobFilter, Queue, QueueError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Backend, Reports, Wishes};
use crate::msg::{BackendMsg, Interest, LinkState, LogEvent, Snapshot};

/// Finished jobs that are shown.
const FINISHED: usize = 100;
/// How long news may wait to be fetched together with other news.
const GATHER: Duration = Duration::from_millis(200);
/// How long one wait for an event lasts; then the held jobs are fetched, whose phase changes without an event.
const WAIT: Duration = Duration::from_secs(3);
/// How often everything is fetched.
const REFRESH: Duration = Duration::from_secs(30);
/// Events that one fetch answers to; after more the whole queue is fetched.
const MANY: usize = 500;
/// How long one read of a log waits.
const LOG_WAIT: Duration = Duration::from_secs(20);

/// The attempt of every known job that was started.
type Attempts = watch::Sender<BTreeMap<JobId, u32>>;

/// The farm behind a link.
pub struct Farm {
    link: RedisLink,
}

impl Farm {
    /// The farm behind `link`.
    pub fn new(link: RedisLink) -> Self {
        Self { link }
    }
}

impl Backend for Farm {
    async fn run(self, wishes: Wishes, reports: Reports) {
        let attempts = Attempts::default();
        let started = attempts.subscribe();
        tokio::select! {
            () = follow_queue(&self.link, &attempts, &reports) => {}
            () = follow_log(&self.link, wishes.interest, started, &reports) => {}
            () = reports.closed() => {}
        }
    }
}

/// Reports link and jobs until the link fails for good.
async fn follow_queue(link: &RedisLink, attempts: &Attempts, reports: &Reports) {
    report(reports, BackendMsg::Link(LinkState::Connecting)).await;
    loop {
        let Err(error) = follow_while_online(link, attempts, reports).await;
        let source = match error {
            QueueError::Link { source, .. } if source.is_transient() => source,
            other => {
                report(
                    reports,
                    BackendMsg::Link(LinkState::Failed {
                        reason: other.to_string(),
                    }),
                )
                .await;
                return;
            }
        };
        wait_for_link(link, &source, reports).await;
    }
}

/// Waits until the link works again and reports each attempt.
async fn wait_for_link(link: &RedisLink, error: &LinkError, reports: &Reports) {
    let reason = error.to_string();
    let mut states = link.state();
    let cancel = CancellationToken::new();
    let up = link.wait_until_up(&cancel);
    tokio::pin!(up);
    loop {
        let state = states.borrow_and_update().clone();
        if let QueueLink::Reconnecting { attempt, next_in } = state {
            let state = LinkState::Reconnecting {
                attempt: attempt.max(1),
                next_in,
                reason: reason.clone(),
            };
            report(reports, BackendMsg::Link(state)).await;
        }
        tokio::select! {
            () = &mut up => return,
            _ = states.changed() => {}
        }
    }
}

/// Keeps the console's picture of the queue up to date; ends with the first error.
async fn follow_while_online(
    link: &RedisLink,
    attempts: &Attempts,
    reports: &Reports,
) -> Result<std::convert::Infallible, QueueError> {
    let queue = Queue::open(link.clone()).await?;
    let mut position = queue.last_event().await?;
    let mut jobs = BTreeMap::new();
    let mut refresh = Instant::now();
    let mut touched: Option<Vec<JobId>> = None;
    loop {
        match touched {
            Some(ids) if Instant::now() < refresh && ids.len() < MANY => {
                for job in queue.jobs_by_id(&ids).await? {
                    jobs.insert(job.id, job);
                }
            }
            _ => {
                let all = queue.jobs(JobFilter { finished: FINISHED }).await?;
                jobs = all.into_iter().map(|job| (job.id, job)).collect();
                refresh = Instant::now() + REFRESH;
            }
        }
        drop_old(&mut jobs);
        attempts.send_replace(
            jobs.values()
                .filter(|job| job.attempt > 0)
                .map(|job| (job.id, job.attempt))
                .collect(),
        );
        let snapshot = Snapshot {
            jobs: jobs.values().cloned().collect(),
            taken: queue.now().await?,
            partial: false,
        };
        report(reports, BackendMsg::Link(LinkState::Online)).await;
        report(reports, BackendMsg::Jobs(snapshot)).await;

        let mut events = queue.events_after(&position, MANY, WAIT).await?;
        if !events.is_empty() {
            // News comes in crowds: take them together.
            tokio::time::sleep(GATHER).await;
            let last = &events[events.len() - 1].id;
            events.extend(queue.events_after(last, MANY, Duration::ZERO).await?);
        }
        if let Some(last) = events.last() {
            position.clone_from(&last.id);
        }
        let mut ids: Vec<JobId> = events.iter().map(|event| event.job).collect();
        ids.extend(
            jobs.values()
                .filter(|job| job.state.is_leased())
                .map(|job| job.id),
        );
        ids.sort_unstable();
        ids.dedup();
        touched = Some(ids);
    }
}

/// Keeps only the latest of the finished jobs.
fn drop_old(jobs: &mut BTreeMap<JobId, Job>) {
    let mut finished: Vec<(Option<u64>, JobId)> = jobs
        .values()
        .filter(|job| job.state.is_final())
        .map(|job| (job.finished, job.id))
        .collect();
    finished.sort_unstable();
    let excess = finished.len().saturating_sub(FINISHED);
    for (_, id) in &finished[..excess] {
        jobs.remove(id);
    }
}

/// Reports the log of whatever job is wanted.
async fn follow_log(
    link: &RedisLink,
    mut wanted: watch::Receiver<Interest>,
    mut started: watch::Receiver<BTreeMap<JobId, u32>>,
    reports: &Reports,
) {
    loop {
        let job = wanted.borrow_and_update().log.map(|(job, _)| job);
        let attempt = job.and_then(|job| started.borrow_and_update().get(&job).copied());
        let reading = async {
            match (job, attempt) {
                (Some(job), Some(attempt)) => read_log(link, job, attempt, reports).await,
                (Some(job), None) => report(reports, BackendMsg::Log(job, LogEvent::Missing)).await,
                (None, _) => {}
            }
            std::future::pending::<()>().await;
        };
        let newer_attempt = async {
            loop {
                if started.changed().await.is_err() {
                    return std::future::pending().await;
                }
                let now = job.and_then(|job| started.borrow_and_update().get(&job).copied());
                if now.is_some() && now != attempt {
                    return;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = newer_attempt => {}
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Reads one attempt's log to its end, through losses of the link.
async fn read_log(link: &RedisLink, job: JobId, attempt: u32, reports: &Reports) {
    let mut reader = LogReader::new(link.clone(), job, attempt);
    report(reports, BackendMsg::Log(job, LogEvent::Begin { attempt })).await;
    while !reader.ended() {
        let event = match reader.next(LOG_WAIT).await {
            Ok(None) => continue,
            Ok(Some(LogChunk::Data { bytes, .. })) => LogEvent::Chunk(bytes),
            Ok(Some(LogChunk::Cut(bytes))) => LogEvent::Cut(bytes),
            Ok(Some(LogChunk::End { .. })) => LogEvent::End,
            Err(LogError::Link { source, .. }) => {
                tracing::info!(%job, "the log stops for now: {source}");
                link.wait_until_up(&CancellationToken::new()).await;
                continue;
            }
        };
        report(reports, BackendMsg::Log(job, event)).await;
    }
}

async fn report(reports: &Reports, message: BackendMsg) {
    // Without a receiver the console is closing, and `run` ends.
    let _closing = reports.send(message).await;
}

#[cfg(test)]
mod tests {
    use caur_core::log::{LogLimits, LogWriter};
    use caur_core::model::{
        Arch, BuildClass, BuildOutcome, BuilderName, BuilderReport, JobRequest, JobState, Machine, Pkgbase,
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
            BackendMsg::Jobs(snapshot) => snapshot.jobs.into_iter().find(|job| job.state == state),
            _ => None,
        }
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
        let farm = tokio::spawn(Farm::new(server.link()).run(wishes(wanted), sender));
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
        assert_eq!(
            until(&mut reports, log_event).await,
            LogEvent::Begin { attempt: 1 }
        );
        assert_eq!(
            until(&mut reports, log_event).await,
            LogEvent::Chunk(b"first\n".to_vec())
        );

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
                BackendMsg::Log(_, LogEvent::Chunk(bytes)) => text.extend(bytes),
                BackendMsg::Jobs(snapshot) => {
                    failed = snapshot
                        .jobs
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
        tokio::spawn(Farm::new(RedisLink::new(direct)).run(wishes(wanted), sender));
        let reason = until(&mut reports, |report| match report {
            BackendMsg::Link(LinkState::Failed { reason }) => Some(reason),
            _ => None,
        })
        .await;
        assert!(reason.contains("password"), "{reason}");
    }
}
