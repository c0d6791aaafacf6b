//! Serves what people and CI ask of the repositories: takes requests, carries them out, answers.
//!
//! A request is carried out once however often it is taken: its name goes into the repository's history with the
//! change. One that cannot be answered before the end of this process is taken by the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use caur_core::queue::{
    LookAgain, Queue, QueueError, RepoAction, RepoAnswer, RepoOutcome, RepoRequest, TakenRequest, Waiter,
};
use caur_core::repo::Origin;
use color_eyre::eyre::Result;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::causes::chain;
use crate::outage::wait_for_redis;
use crate::package_index::PackageIndex;
use crate::repo::site::{Done, Site};

/// How long to wait for news before looking by oneself: what was left for later has no signal.
const IDLE: Duration = Duration::from_secs(10);
/// Requests at a time, each of another target.
const TOGETHER: usize = 4;
/// When removals that wait for a job are looked at again.
const AGAIN_AFTER: Duration = Duration::from_mins(1);
/// For how long they are.
const AGAIN_FOR: Duration = Duration::from_hours(7 * 24);
/// How long requests that were begun may take after the signal to end.
const DRAIN: Duration = Duration::from_secs(20);

/// Serves requests to the repositories of this machine.
pub struct RequestServer {
    /// Where they come from.
    pub queue: Queue,
    /// The repositories.
    pub site: Arc<Site>,
    /// Where changes are told.
    pub index: Arc<PackageIndex>,
    /// Its name in answers.
    pub name: String,
    /// How long a request is ours without a heartbeat.
    pub lease: Duration,
}

impl RequestServer {
    /// Works until `shutdown`.
    ///
    /// # Errors
    /// Only what cannot mend itself: a queue that this program cannot read.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        let server = Arc::new(self);
        let mut signals = server.queue.repository_signals();
        let mut running = JoinSet::new();
        while !shutdown.is_cancelled() {
            match server.step(&mut signals, &mut running, &shutdown).await {
                Ok(()) => {}
                Err(QueueError::Link { action, source }) => {
                    tracing::warn!("cannot {action}: {source}; waiting for Redis");
                    wait_for_redis(server.queue.link(), &source, &shutdown).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Whatever takes longer is begun again by the next process.
        let drain = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drain).await.is_err() {
            tracing::warn!("left a request unanswered");
        }
        Ok(())
    }

    async fn step(
        self: &Arc<Self>,
        signals: &mut Waiter,
        running: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) -> Result<(), QueueError> {
        signals.begin().await?;
        while running.len() < TOGETHER {
            let Some(taken) = self.queue.take_repo_request(self.lease).await? else {
                break;
            };
            let (server, shutdown) = (self.clone(), shutdown.clone());
            running.spawn(async move { server.serve(&taken, &shutdown).await });
        }
        tokio::select! {
            heard = signals.wait(IDLE) => drop(heard?),
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    tracing::error!("a request to the repository panicked: {error}");
                }
            }
            () = shutdown.cancelled() => {}
        }
        Ok(())
    }

    async fn serve(&self, taken: &TakenRequest, shutdown: &CancellationToken) {
        let lease = tokio::spawn(keep_lease(self.queue.clone(), taken.clone(), self.lease));
        let done = self.carry_out(taken).await;
        tracing::info!(
            request = %taken.id, by = taken.by, round = taken.round, outcome = ?done.outcome,
            "{}: {}", about(taken), done.message
        );
        let answered = self.answer(taken, &done, shutdown).await;
        lease.abort();
        if let Err(error) = answered {
            tracing::warn!(request = %taken.id, "{error}");
        }
    }

    async fn carry_out(&self, taken: &TakenRequest) -> Done {
        let request = match &taken.request {
            Ok(request) => request.clone(),
            Err(error) => {
                return failed(format!(
                    "this version of the database cannot read the request: {error}"
                ));
            }
        };
        let on_their_way = match self.on_their_way(&request).await {
            Ok(names) => names,
            Err(error) => {
                return failed(format!(
                    "it is not known which packages are on their way: {error}"
                ));
            }
        };
        let origin = Origin {
            who: taken.by.clone(),
            reason: taken.why.clone(),
            request: Some(taken.round_name()),
        };
        let (site, round, left) = (self.site.clone(), taken.round, taken.left.clone());
        let work = move || match round {
            0 => site.carry_out(&request, on_their_way, &origin),
            _ => site.look_again(&request, &left, on_their_way, &origin),
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| failed(format!("it broke off: {error}")))
    }

    async fn on_their_way(&self, request: &RepoRequest) -> Result<BTreeMap<String, String>, QueueError> {
        let RepoAction::AutoRemove { .. } = &request.action else {
            return Ok(BTreeMap::new());
        };
        let names = self.queue.names_on_their_way(&request.target).await?;
        Ok(names
            .into_iter()
            .map(|(name, job)| (name.into(), format!("on its way from {job}")))
            .collect())
    }

    /// Tells Redis what came of it, however long it is away.
    async fn answer(
        &self,
        taken: &TakenRequest,
        done: &Done,
        shutdown: &CancellationToken,
    ) -> Result<(), QueueError> {
        loop {
            match self.try_to_answer(taken, done).await {
                Err(QueueError::Link { action, source }) if !shutdown.is_cancelled() => {
                    tracing::warn!(request = %taken.id, "cannot answer yet: cannot {action}: {source}");
                    wait_for_redis(self.queue.link(), &source, shutdown).await;
                }
                other => return other,
            }
        }
    }

    /// Tells Redis what the target lists now, and then the asker.
    async fn try_to_answer(&self, taken: &TakenRequest, done: &Done) -> Result<(), QueueError> {
        if done.changed
            && let Ok(request) = &taken.request
            && let Err(error) = self.index.publish(&request.target).await
        {
            match error.downcast() {
                Ok(error) => return Err(error),
                // The asker hears of what was done also where the database cannot be read.
                Err(other) => tracing::error!(
                    target = %request.target, "cannot tell what {} lists: {}", request.target, chain(&*other)
                ),
            }
        }
        let again = (!done.left.is_empty()).then(|| LookAgain {
            after: AGAIN_AFTER,
            limit: AGAIN_FOR,
            left: done.left.clone(),
        });
        // Rounds that change nothing leave no trace.
        let is_news = taken.round == 0 || done.changed || again.is_none();
        let answer = RepoAnswer {
            outcome: done.outcome,
            message: if is_news {
                done.message.clone()
            } else {
                String::new()
            },
            value: done.value.clone(),
            by: self.name.clone(),
            at: 0,
        };
        self.queue.answer_repo_request(taken, answer, again).await
    }
}

fn failed(message: String) -> Done {
    Done {
        outcome: RepoOutcome::Failed,
        message,
        value: serde_json::Value::Null,
        changed: false,
        left: BTreeMap::new(),
    }
}

fn about(taken: &TakenRequest) -> String {
    match &taken.request {
        Ok(request) => format!("{}: {}", request.target, request.action),
        Err(_) => "a request that cannot be read".to_owned(),
    }
}

async fn keep_lease(queue: Queue, taken: TakenRequest, lease: Duration) {
    let mut ticks = tokio::time::interval(lease / 4);
    loop {
        ticks.tick().await;
        if let Err(error) = queue.keep_repo_request(&taken, lease).await {
            tracing::debug!(request = %taken.id, "{error}");
        }
    }
}
