//! Keeps the console's picture of the jobs: read once, then changed by events. While nothing happens nothing is sent.

use std::time::Duration;

use caur_core::link::{LinkError, LinkState as QueueLink};
use caur_core::model::{Job, JobId};
use caur_core::queue::{JobFilter, Queue, QueueError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use crate::msg::{BackendMsg, LinkState, Snapshot};
use crate::screen::queue::FINISHED;

/// How long news are gathered before they are looked at.
const GATHER: Duration = Duration::from_millis(100);
/// How long one wait for events lasts.
const WAIT: Duration = Duration::from_secs(30);
/// How often it is looked whether anything was missed.
const COMPARE: Duration = Duration::from_secs(120);
/// Events that one fetch answers to; after more the whole queue is fetched.
const MANY: usize = 500;
/// Jobs of the first look: what is seen before the rest is there.
const FIRST: usize = 250;

/// Reports link and jobs for ever.
pub async fn follow(hub: &Hub) {
    hub.report(BackendMsg::Link(LinkState::Connecting)).await;
    let mut generation = 0;
    loop {
        generation += 1;
        let Err(error) = follow_while_online(hub, generation).await;
        hub.online.send_replace(None);
        match error {
            QueueError::Link { source, .. } if source.is_transient() => wait_for_link(hub, &source).await,
            other => {
                let reason = other.to_string();
                tracing::warn!(%reason, "the link failed");
                hub.report(BackendMsg::Link(LinkState::Failed { reason })).await;
                // Only a person can change that, and says when.
                let mut wish = hub.reconnect.subscribe();
                if wish.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                hub.report(BackendMsg::Link(LinkState::Connecting)).await;
            }
        }
    }
}

/// Waits until the link works again and reports each attempt.
async fn wait_for_link(hub: &Hub, error: &LinkError) {
    let reason = error.to_string();
    let mut states = hub.link.state();
    let cancel = CancellationToken::new();
    let up = hub.link.wait_until_up(&cancel);
    tokio::pin!(up);
    loop {
        let state = states.borrow_and_update().clone();
        match state {
            QueueLink::Reconnecting { attempt, next_in } => {
                let state = LinkState::Reconnecting {
                    attempt: attempt.max(1),
                    next_in,
                    reason: reason.clone(),
                };
                hub.report(BackendMsg::Link(state)).await;
            }
            // What failed for good is told by the next try to open the queue.
            QueueLink::Failed { .. } => return,
            QueueLink::Connecting | QueueLink::Online => {}
        }
        tokio::select! {
            () = &mut up => return,
            _ = states.changed() => {}
        }
    }
}

/// Keeps the picture up to date; ends with the first error.
async fn follow_while_online(hub: &Hub, generation: u64) -> Result<std::convert::Infallible, QueueError> {
    let queue = Queue::open(hub.link.clone()).await?;
    let position = queue.last_event().await?;
    let mut follower = queue.event_follower(&position);
    fetch_all(hub, &queue, Some(generation)).await?;
    let mut compare = Instant::now() + COMPARE;
    loop {
        let mut news = follower.next(MANY, WAIT).await?;
        if !news.events.is_empty() {
            sleep(GATHER).await;
            let more = follower.next(MANY, Duration::ZERO).await?;
            news.events.extend(more.events);
            news.missed |= more.missed;
        }
        let mut ids: Vec<JobId> = news.events.iter().map(|event| event.job).collect();
        ids.sort_unstable();
        ids.dedup();
        if news.missed || ids.len() >= MANY {
            fetch_all(hub, &queue, None).await?;
        } else if !ids.is_empty() {
            fetch_some(hub, &queue, ids).await?;
        } else if Instant::now() >= compare {
            compare = Instant::now() + COMPARE;
            let known = open_jobs(hub);
            if queue.active_jobs().await? != known {
                fetch_all(hub, &queue, None).await?;
            }
        }
    }
}

fn open_jobs(hub: &Hub) -> usize {
    let jobs = hub.jobs.lock().expect("nobody panics with the lock");
    jobs.all.values().filter(|job| !job.state.is_final()).count()
}

/// Fetches the whole queue; the first time a part of it is shown before the rest is there.
async fn fetch_all(hub: &Hub, queue: &Queue, first: Option<u64>) -> Result<(), QueueError> {
    let ids = queue.job_ids(JobFilter { finished: FINISHED }).await?;
    let taken = queue.now().await?;
    let mut jobs: Vec<Job> = Vec::with_capacity(ids.len());
    let (early, late) = ids.split_at(FIRST.min(ids.len()));
    jobs.extend(queue.jobs_by_id(early).await?);
    if let Some(generation) = first {
        hub.report(BackendMsg::Link(LinkState::Online)).await;
        if !late.is_empty() {
            let snapshot = Snapshot {
                jobs: jobs.clone(),
                taken,
                partial: true,
            };
            hub.report(BackendMsg::Jobs(snapshot)).await;
        }
        hub.online.send_replace(Some((generation, queue.clone())));
    }
    jobs.extend(queue.jobs_by_id(late).await?);
    {
        let mut known = hub.jobs.lock().expect("nobody panics with the lock");
        known.all = jobs.iter().map(|job| (job.id, job.clone())).collect();
    }
    let snapshot = Snapshot {
        jobs,
        taken,
        partial: false,
    };
    hub.report(BackendMsg::Jobs(snapshot)).await;
    hub.changes.send_modify(|changes| *changes += 1);
    Ok(())
}

/// Fetches these jobs.
async fn fetch_some(hub: &Hub, queue: &Queue, ids: Vec<JobId>) -> Result<(), QueueError> {
    let jobs = queue.jobs_by_id(&ids).await?;
    let taken = queue.now().await?;
    let mut gone: Vec<JobId> = ids
        .into_iter()
        .filter(|id| jobs.iter().all(|job| job.id != *id))
        .collect();
    {
        let mut known = hub.jobs.lock().expect("nobody panics with the lock");
        for id in &gone {
            known.all.remove(id);
        }
        known.all.extend(jobs.iter().map(|job| (job.id, job.clone())));
        gone.extend(drop_old(&mut known.all));
    }
    hub.report(BackendMsg::Changed { jobs, gone, taken }).await;
    hub.changes.send_modify(|changes| *changes += 1);
    Ok(())
}

/// Keeps only the latest of the finished jobs; says which ones went.
fn drop_old(jobs: &mut std::collections::BTreeMap<JobId, Job>) -> Vec<JobId> {
    let mut finished: Vec<(Option<u64>, JobId)> = jobs
        .values()
        .filter(|job| job.state.is_final())
        .map(|job| (job.finished, job.id))
        .collect();
    finished.sort_unstable();
    let excess = finished.len().saturating_sub(FINISHED);
    let old: Vec<JobId> = finished[..excess].iter().map(|(_, id)| *id).collect();
    for id in &old {
        jobs.remove(id);
    }
    old
}
