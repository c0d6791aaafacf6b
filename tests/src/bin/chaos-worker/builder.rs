//! The builder: registers, listens, and lets its slots work.

use std::time::Duration;

use caur_core::model::{BuilderName, BuilderReport, InstanceId, JobId, Machine};
use caur_core::queue::{Claim, Queue, QueueError, Signal, new_instance};
use caur_tests::journal::{self, Hold, Stage, What};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use crate::slot::Slot;
use crate::{Worker, wait_for_redis};

/// How long the ear waits for news before it asks anew.
const IDLE: Duration = Duration::from_secs(20);

/// What the slots share. Cheap to clone.
#[derive(Clone)]
pub struct Builder {
    pub worker: Worker,
    pub instance: InstanceId,
    report: BuilderReport,
    /// Changes when a job may have become ready.
    pub ready: watch::Sender<u64>,
    /// Jobs that somebody wants stopped.
    pub cancels: broadcast::Sender<JobId>,
}

/// Works until it is killed.
///
/// # Errors
/// Only what cannot mend itself.
pub async fn work(worker: Worker, class: u32, slots: u32) -> Result<(), QueueError> {
    let instance = new_instance();
    let name = BuilderName::new(worker.plan.name.as_str()).expect("the test gives valid names");
    let builder = Builder {
        report: BuilderReport {
            instance: instance.clone(),
            name,
            class: Some(class),
            slots,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Machine::default(),
            note: None,
        },
        instance,
        worker,
        ready: watch::Sender::new(0),
        cancels: broadcast::Sender::new(256),
    };
    let left_behind = builder.left_behind();
    builder.register().await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(builder.clone().listen());
    let mut adopted = Vec::new();
    for hold in left_behind {
        if let Some(claim) = builder.adopt(&hold).await? {
            builder.worker.journal.note(What::Adopted(hold));
            adopted.push(claim);
        }
    }
    for number in 0..slots {
        tasks.spawn(Slot::new(builder.clone(), number).work(adopted.pop()));
    }
    // More than it has slots for return with their leases.
    drop(adopted);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a task of a worker does not panic")?;
    }
    Ok(())
}

impl Builder {
    /// Says that it is there, through outages.
    ///
    /// # Errors
    /// As [`work`].
    pub async fn register(&self) -> Result<(), QueueError> {
        let queue = &self.worker.queue;
        loop {
            match queue.report_status(&self.report).await {
                Err(QueueError::Link { source, .. }) => wait_for_redis(queue.link(), &source).await,
                answer => return answer.map(|_| ()),
            }
        }
    }

    /// The leases that an earlier process of this name held when it was killed, as its journal tells.
    fn left_behind(&self) -> Vec<Hold> {
        let plan = &self.worker.plan;
        let facts = journal::read(&plan.journals, &plan.name).expect("our own journal can be read");
        let mut held: Vec<Hold> = Vec::new();
        for fact in facts {
            match fact.what {
                What::Claimed(hold) if hold.stage == Stage::Build => held.push(hold),
                // Whoever was about to finish has nothing left to go on with.
                What::Finishing { hold, .. } | What::Fenced(hold) => held.retain(|other| *other != hold),
                What::Claimed(_)
                | What::Started
                | What::Claiming
                | What::Adopted(_)
                | What::Finished { .. }
                | What::Swept { .. } => {}
            }
        }
        held
    }

    async fn adopt(&self, hold: &Hold) -> Result<Option<Claim>, QueueError> {
        let Worker { queue, lease, .. } = &self.worker;
        loop {
            match queue.adopt(&hold.token(), &self.instance, *lease).await {
                Err(QueueError::Link { source, .. }) => wait_for_redis(queue.link(), &source).await,
                answer => return answer,
            }
        }
    }

    /// Hears what happens in the queue, and reports after every loss.
    async fn listen(self) -> Result<(), QueueError> {
        let queue: &Queue = &self.worker.queue;
        let mut signals = queue.builder_signals();
        loop {
            match signals.wait(IDLE).await {
                Ok(heard) => {
                    for signal in heard {
                        match signal {
                            Signal::Ready => self.ready.send_modify(|count| *count += 1),
                            // Nobody listens while nothing is built.
                            Signal::Cancel(job) => drop(self.cancels.send(job)),
                            Signal::Mode(_) | Signal::Uploaded | Signal::Asked | Signal::Answered(_) => {}
                        }
                    }
                }
                Err(QueueError::Link { source, .. }) => {
                    wait_for_redis(queue.link(), &source).await;
                    self.register().await?;
                    self.ready.send_modify(|count| *count += 1);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
