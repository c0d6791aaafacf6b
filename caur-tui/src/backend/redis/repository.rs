//! Repositories: what the one that is looked at lists and is asked, and requests to them with their answers.

use std::time::Duration;

use caur_core::model::{JobState, Target};
use caur_core::queue::{Queue, QueueError, RepoRequest};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use crate::msg::{BackendMsg, Interest, RepoProgress, RepositoryNews};

/// The least time between two looks at a package index.
const PAUSE: Duration = Duration::from_secs(5);
/// How long after it was wanted something may still be asked.
const SOON: Duration = Duration::from_secs(60);
/// How long one wait for signals lasts.
const WAIT: Duration = Duration::from_secs(30);

/// Reports the repository that is looked at.
pub async fn follow(hub: &Hub) {
    hub.keep("the repository", async |queue: Queue| {
        let part = |interest: &Interest| interest.repository.clone();
        let mut shown: Option<Target> = None;
        loop {
            let Some(target) = shown.clone() else {
                shown = hub.interest_other_than(&None, part).await;
                continue;
            };
            tokio::select! {
                now = hub.interest_other_than(&shown, part) => shown = now,
                failed = follow_target(hub, &queue, &target) => return failed,
            }
        }
    })
    .await;
}

/// Never ends well.
async fn follow_target(hub: &Hub, queue: &Queue, target: &Target) -> Result<(), QueueError> {
    let mut signals = queue.repository_signals();
    let mut changes = hub.changes.subscribe();
    let mut published = None;
    loop {
        signals.begin().await?;
        let waiting = queue.repo_requests().await?;
        let requests = waiting
            .into_iter()
            .filter(|request| request.target == *target)
            .collect();
        // The index changes with what is published and with what is done on request: both leave a mark.
        let mark = (
            published_mark(hub, target),
            queue.index_sizes(std::slice::from_ref(target)).await?,
        );
        let packages = if published.as_ref() == Some(&mark) {
            None
        } else {
            Some(queue.index(target).await?)
        };
        published = Some(mark);
        let news = RepositoryNews { packages, requests };
        hub.report(BackendMsg::Repository(target.clone(), news)).await;
        tokio::select! {
            signals = signals.wait(WAIT) => {
                if !signals?.is_empty() {
                    published = None;
                }
            }
            () = hub.next_change(&mut changes, PAUSE, WAIT) => {}
        }
    }
}

/// Changes whenever a job of the target was published.
fn published_mark(hub: &Hub, target: &Target) -> Option<u64> {
    let jobs = hub.jobs.lock().expect("nobody panics with the lock");
    let published = jobs
        .all
        .values()
        .filter(|job| job.state == JobState::Succeeded && job.request.target == *target);
    published.filter_map(|job| job.finished).max()
}

/// Asks, and reports until there is an answer. Asking twice with one name is asking once; what could not be asked soon
/// after the person wanted it is not asked at all.
pub async fn ask(hub: &Hub, request: RepoRequest, why: String) {
    let deadline = Instant::now() + SOON;
    loop {
        let queue = hub.queue().await;
        match ask_and_wait(hub, &queue, &request, &why, deadline).await {
            Ok(progress) => {
                hub.report(BackendMsg::Repo(request.id.clone(), progress)).await;
                return;
            }
            Err(QueueError::Link { source, .. }) if source.is_transient() => {
                hub.report(BackendMsg::Repo(request.id.clone(), RepoProgress::Unknown))
                    .await;
                hub.link.wait_until_up(&CancellationToken::new()).await;
            }
            Err(error) => {
                let refused = RepoProgress::Refused(error.to_string());
                hub.report(BackendMsg::Repo(request.id.clone(), refused)).await;
                return;
            }
        }
    }
}

async fn ask_and_wait(
    hub: &Hub,
    queue: &Queue,
    request: &RepoRequest,
    why: &str,
    deadline: Instant,
) -> Result<RepoProgress, QueueError> {
    // An answer that was given while the link was away is not asked for again.
    if let Some(answer) = queue.repo_answer(&request.id).await? {
        return Ok(RepoProgress::Answered(answer));
    }
    let is_there = queue
        .repo_requests()
        .await?
        .iter()
        .any(|waiting| waiting.id == request.id);
    if !is_there {
        if Instant::now() > deadline {
            let reason = "the link was away for too long, and the queue does not hold it; ask again";
            return Ok(RepoProgress::Refused(reason.to_owned()));
        }
        queue.ask_repository(request, hub.asker(why)).await?;
    }
    let mut told = None;
    loop {
        let wait = Duration::from_secs(1);
        if let Some(answer) = queue.wait_for_repo_answer(&request.id, wait).await? {
            return Ok(RepoProgress::Answered(answer));
        }
        let waiting = queue.repo_requests().await?;
        let running = waiting
            .iter()
            .find(|other| other.id == request.id)
            .map(|own| own.running);
        if running.is_some() && running != told {
            told = running;
            let progress = if running == Some(true) {
                RepoProgress::Running
            } else {
                RepoProgress::Waiting
            };
            hub.report(BackendMsg::Repo(request.id.clone(), progress)).await;
        }
    }
}
