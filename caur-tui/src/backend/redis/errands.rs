//! What the console asks to be done once: operations, requests to repositories, connecting now.
//!
//! An operation is sent once, under its own mark. When the link is lost before its answer came, the queue is asked
//! what happened; where it did not happen, asking makes sure that it never will.

use std::sync::Arc;
use std::time::Duration;

use caur_core::model::OperationMark;
use caur_core::queue::{MarkedOutcome, Queue, QueueError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use super::repository;
use crate::msg::{BackendMsg, OperationNews, Request};
use crate::operation::{Act, Operation};

/// How long after a question that was not answered the next is asked.
const RETRY: Duration = Duration::from_secs(1);

/// Does what is asked until nobody asks any more.
pub async fn run(hub: &Arc<Hub>, mut requests: UnboundedReceiver<Request>) {
    // Dropped, and so ended, with this function.
    let mut errands = JoinSet::new();
    while let Some(request) = requests.recv().await {
        while errands.try_join_next().is_some() {}
        let hub = Arc::clone(hub);
        match request {
            Request::Operate(operation) => {
                errands.spawn(async move { operate(&hub, &operation).await });
            }
            Request::Repository(request, why) => {
                errands.spawn(async move { repository::ask(&hub, request, why).await });
            }
            Request::Reconnect => {
                hub.link.reconnect_now();
                hub.reconnect.send_modify(|wishes| *wishes += 1);
            }
            // Without a receiver no log is followed.
            Request::Page(page) => drop(hub.pages.send(page)),
            // The connection's own questions are answered before they come here, see `interviewer`.
            Request::Answer(..) => {}
        }
    }
    std::future::pending::<()>().await;
}

async fn operate(hub: &Hub, operation: &Operation) {
    let news = match OperationMark::new(operation.mark.as_str()) {
        Ok(mark) => operate_once(hub, operation, &mark).await,
        Err(error) => OperationNews::Never(error.to_string()),
    };
    hub.report(BackendMsg::Operation(operation.id, news)).await;
}

async fn operate_once(hub: &Hub, operation: &Operation, mark: &OperationMark) -> OperationNews {
    let Some(queue) = hub.online.borrow().as_ref().map(|(_, queue)| queue.clone()) else {
        return OperationNews::Never("there is no link to the queue".to_owned());
    };
    match carry_out(hub, &queue.marked(mark), operation).await {
        Ok(answer) => OperationNews::Done(told(&operation.act, answer)),
        Err(QueueError::Refused { reason, .. }) => OperationNews::Refused(reason),
        Err(error) if changed_nothing(&error) => OperationNews::Never(error.to_string()),
        Err(error) => {
            tracing::info!(%mark, %error, "it is not known what came of an operation");
            let unknown = BackendMsg::Operation(operation.id, OperationNews::Unknown);
            hub.report(unknown).await;
            match find_out(hub, mark).await {
                OperationNews::Done(answer) => OperationNews::Done(told(&operation.act, answer)),
                other => other,
            }
        }
    }
}

/// What came of an operation whose answer was lost.
async fn find_out(hub: &Hub, mark: &OperationMark) -> OperationNews {
    loop {
        hub.link.wait_until_up(&CancellationToken::new()).await;
        match hub.queue().await.outcome_of(mark).await {
            Ok(MarkedOutcome::Done { answer }) => return OperationNews::Done(answer),
            Ok(MarkedOutcome::Refused { reason }) => return OperationNews::Refused(reason),
            Ok(MarkedOutcome::Never) => {
                return OperationNews::Never(
                    "the link was lost before it reached the queue; ask again".to_owned(),
                );
            }
            Err(error) => {
                tracing::info!(%mark, %error, "it is still not known what came of an operation");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// What the queue answered, in words that say what it means.
fn told(act: &Act, answer: String) -> String {
    match act {
        // It runs until its builder has stopped it.
        Act::Cancel(_) if answer == "building" => "its builder stops it".to_owned(),
        _ => answer,
    }
}

/// Whether an error says that the queue is as it was.
fn changed_nothing(error: &QueueError) -> bool {
    match error {
        QueueError::Link { source, .. } => !source.is_transient(),
        QueueError::Void { .. }
        | QueueError::NewerSchema { .. }
        | QueueError::Contended(_)
        | QueueError::Refused { .. }
        | QueueError::Stale { .. }
        | QueueError::StaleRequest(_) => true,
        // An answer that cannot be read is an answer: it may have been done.
        QueueError::Corrupt { .. } => false,
    }
}

async fn carry_out(hub: &Hub, queue: &Queue, operation: &Operation) -> Result<String, QueueError> {
    let asker = hub.asker(&operation.why);
    let count = |builders: u32| match builders {
        0 => String::new(),
        1 => "1 process".to_owned(),
        many => format!("{many} processes"),
    };
    Ok(match &operation.act {
        Act::Retry(job, rebuild) => queue.retry(*job, *rebuild, asker).await?.state.to_string(),
        Act::Cancel(job) => queue.cancel(*job, asker).await?.to_string(),
        Act::Release(job) => queue.release(*job, asker).await?.to_string(),
        Act::Hold(job) => queue.hold(*job, asker).await?.to_string(),
        Act::Unhold(job) => queue.unhold(*job, asker).await?.to_string(),
        Act::Priority(job, priority) => queue.set_priority(*job, *priority, asker).await?.to_string(),
        Act::Schedule(request) => {
            let report = queue.submit(vec![(**request).clone()], asker).await?;
            report
                .jobs
                .first()
                .map(|job| format!("job {}", job.id))
                .unwrap_or_default()
        }
        Act::PauseQueue => count(queue.pause(None, asker).await?),
        Act::ResumeQueue => count(queue.resume(None, asker).await?),
        Act::PauseBuilder(name) => count(queue.pause(Some(name), asker).await?),
        Act::ResumeBuilder(name) => count(queue.resume(Some(name), asker).await?),
        Act::DrainBuilder(name) => count(queue.drain(name, asker).await?),
    })
}
