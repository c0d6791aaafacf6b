//! A worker of the chaos test: everything that a daemon says to the queue, and nothing else. Told what to do by a
//! [`WorkerPlan`] in its only argument; killed, frozen and cut off by the test.

mod builder;
mod publisher;
mod slot;
mod sweeper;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use caur_core::link::{LinkError, RedisLink};
use caur_core::queue::{Queue, QueueError};
use caur_tests::chaos::{Role, WorkerPlan};
use caur_tests::journal::{Journal, What};
use tokio_util::sync::CancellationToken;

/// The least pause after a loss of Redis.
const LOST: Duration = Duration::from_millis(100);

/// What every role works with. Cheap to clone.
#[derive(Clone)]
struct Worker {
    plan: Arc<WorkerPlan>,
    queue: Queue,
    journal: Arc<Journal>,
    lease: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args()
        .nth(1)
        .ok_or("this program is started by tests/tests/chaos.rs, with a plan")?;
    let plan: WorkerPlan = serde_json::from_str(&argument)?;
    let journal = Journal::open(&plan.journals, &plan.name)?;
    journal.note(What::Started);
    let worker = Worker {
        queue: open(plan.link()?).await?,
        lease: Duration::from_millis(plan.lease_ms),
        journal: Arc::new(journal),
        plan: Arc::new(plan),
    };
    match worker.plan.role {
        Role::Builder { class, slots } => builder::work(worker, class, slots).await?,
        Role::Publisher => publisher::work(worker).await?,
        Role::Sweeper => sweeper::work(worker).await?,
    }
    Ok(())
}

async fn open(link: RedisLink) -> Result<Queue, QueueError> {
    loop {
        match Queue::open(link.clone()).await {
            Err(QueueError::Link { source, .. }) => wait_for_redis(&link, &source).await,
            opened => return opened,
        }
    }
}

/// Waits until Redis answers again.
async fn wait_for_redis(link: &RedisLink, error: &LinkError) {
    eprintln!("{error}; waiting for Redis");
    tokio::time::sleep(LOST).await;
    link.wait_until_up(&CancellationToken::new()).await;
}
