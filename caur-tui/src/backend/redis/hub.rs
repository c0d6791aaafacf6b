//! What the parts of the Redis backend share: the link, what is known of the queue, what is wanted, where reports go.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use caur_core::link::RedisLink;
use caur_core::model::{BuilderStatus, Job, JobId};
use caur_core::queue::{Asker, Queue, QueueError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::backend::Reports;
use crate::msg::{BackendMsg, Interest, WantedPage};

/// After an error that is not the link's, the next try comes so much later.
const RETRY: Duration = Duration::from_secs(10);

/// What is known of the jobs, and how often it changed.
#[derive(Debug, Default)]
pub struct Jobs {
    /// By number.
    pub all: BTreeMap<JobId, Job>,
}

/// What the parts share.
pub struct Hub {
    /// The link to Redis.
    pub link: RedisLink,
    /// Who asks, as the trail shows it.
    pub who: String,
    /// Where reports go.
    pub reports: Reports,
    /// What is on the screen.
    pub interest: watch::Receiver<Interest>,
    /// What is known of the jobs.
    pub jobs: Mutex<Jobs>,
    /// What is known of the builders, and whether the queue is paused.
    pub builders: Mutex<(Vec<BuilderStatus>, bool)>,
    /// The queue while it can be used; a new one after each loss.
    pub online: watch::Sender<Option<(u64, Queue)>>,
    /// Counts changes of jobs.
    pub changes: watch::Sender<u64>,
    /// Counts the times that somebody wants to connect at once.
    pub reconnect: watch::Sender<u64>,
    /// Parts of logs that are wanted.
    pub pages: mpsc::UnboundedSender<WantedPage>,
}

impl Hub {
    /// Sends a report; without a receiver the console is closing, and the backend ends.
    pub async fn report(&self, msg: BackendMsg) {
        let _closing = self.reports.send(msg).await;
    }

    /// Who asks, and why.
    pub fn asker<'a>(&'a self, why: &'a str) -> Asker<'a> {
        Asker { by: &self.who, why }
    }

    /// The queue, as soon as it can be used.
    pub async fn queue(&self) -> Queue {
        let mut online = self.online.subscribe();
        loop {
            if let Some((_, queue)) = &*online.borrow_and_update() {
                return queue.clone();
            }
            if online.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the whole queue was read once.
    pub async fn known_jobs(&self) {
        let mut changes = self.changes.subscribe();
        if changes.wait_for(|changes| *changes > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Does `work` again and again, each time with the queue that can be used now; what fails waits for a new link.
    pub async fn keep<F>(&self, what: &str, mut work: impl FnMut(Queue) -> F)
    where
        F: Future<Output = Result<(), QueueError>>,
    {
        loop {
            let mut online = self.online.subscribe();
            let queue = self.queue().await;
            online.borrow_and_update();
            let ended = tokio::select! {
                ended = work(queue) => ended,
                _ = online.changed() => continue,
            };
            let Err(error) = ended else { continue };
            tracing::info!(%error, "cannot keep {what} up to date for now");
            tokio::select! {
                _ = online.changed() => {}
                () = sleep(RETRY) => {}
            }
        }
    }

    /// Waits until a part of the interest is another one than `old`.
    pub async fn interest_other_than<T: PartialEq>(&self, old: &T, part: impl Fn(&Interest) -> T) -> T {
        let mut interest = self.interest.clone();
        loop {
            let now = part(&interest.borrow_and_update());
            if now != *old {
                return now;
            }
            if interest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until jobs change, until `limit` at the longest, and in any case for `pause`: news come in crowds.
    pub async fn next_change(&self, changes: &mut watch::Receiver<u64>, pause: Duration, limit: Duration) {
        let end = Instant::now() + limit;
        // After the limit there is something to look at in any case.
        let _changed = timeout_at(end, changes.changed()).await;
        sleep(pause).await;
        changes.borrow_and_update();
    }
}
