//! An operator and a CI that go on with their work while everything breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use caur_core::model::{JobId, JobRequest, JobState, Pkgbase};
use caur_core::queue::{Asker, Queue, QueueError};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use super::Recorder;

/// Milliseconds between two actions.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 100..=600;
/// How long a lost answer is waited for before the action is asked for again.
const LOST: Duration = Duration::from_millis(100);
/// What is no action.
const LOOK: &str = "look";
/// Jobs that are left in the queue when new ones come.
const FEW: usize = 150;

/// What the operator did.
#[derive(Debug, Default)]
pub struct OperatorReport {
    /// Actions by name; those that the queue refused do not count.
    pub done: BTreeMap<&'static str, usize>,
    /// Edges that plans left out: dependant and dependency.
    pub broken: BTreeSet<(Pkgbase, Pkgbase)>,
}

/// Cancels, holds, retries and submits again.
pub struct Operator {
    queue: Queue,
    recorder: Recorder,
    requests: Vec<JobRequest>,
    dice: StdRng,
    held: BTreeMap<JobId, Pkgbase>,
    report: OperatorReport,
}

const ASKER: Asker<'static> = Asker {
    by: "operator",
    why: "",
};

impl Operator {
    /// An operator of `queue` who knows `requests`.
    #[must_use]
    pub fn new(queue: Queue, recorder: Recorder, requests: Vec<JobRequest>, seed: u64) -> Self {
        Self {
            queue,
            recorder,
            requests,
            dice: StdRng::seed_from_u64(seed ^ 0x0bad_cafe),
            held: BTreeMap::new(),
            report: OperatorReport::default(),
        }
    }

    /// Works until `stop`, then lets everything go that is held back.
    ///
    /// # Panics
    /// When the queue answers with something that is no refusal.
    pub async fn work(mut self, stop: CancellationToken) -> OperatorReport {
        while !stop.is_cancelled() {
            self.act().await;
            let pause = Duration::from_millis(self.dice.random_range(PAUSE_MS));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        while !self.held.is_empty() {
            self.unhold().await;
        }
        self.report.done.remove(LOOK);
        self.report
    }

    async fn act(&mut self) {
        let (_, live) = self.recorder.counts();
        match self.dice.random_range(0..100) {
            _ if live < FEW => self.submit(120).await,
            0..25 => self.cancel().await,
            25..45 => self.hold().await,
            45..65 => self.unhold().await,
            65..80 => self.retry().await,
            80..88 => self.set_priority().await,
            _ => self.submit(20).await,
        }
    }

    async fn cancel(&mut self) {
        // Now and then one that is worked on, since there are few.
        let working = self.dice.random_bool(0.5);
        let Some(id) = self.any(|state| {
            if working {
                matches!(state, JobState::Building | JobState::Uploaded)
            } else {
                !state.is_final()
            }
        }) else {
            return;
        };
        let queue = self.queue.clone();
        self.insist("cancel", || queue.cancel(id, ASKER)).await;
    }

    async fn hold(&mut self) {
        let Some(id) = self.any(JobState::is_queued) else {
            return;
        };
        let queue = self.queue.clone();
        if self.insist("hold", || queue.hold(id, ASKER)).await.is_some()
            && let Some(job) = self.insist(LOOK, || queue.job(id)).await.flatten()
        {
            self.held.insert(id, job.request.pkgbase);
        }
    }

    async fn unhold(&mut self) {
        if let Some((id, _)) = self.held.pop_first() {
            let queue = self.queue.clone();
            self.insist("unhold", || queue.unhold(id, ASKER)).await;
        }
    }

    async fn retry(&mut self) {
        let Some(id) = self.any(|state| state.is_final() && !state.satisfies_dependants()) else {
            return;
        };
        let queue = self.queue.clone();
        self.insist("retry", || queue.retry(id, false, ASKER)).await;
    }

    async fn set_priority(&mut self) {
        let Some(id) = self.any(JobState::is_queued) else {
            return;
        };
        let priority = self.dice.random_range(-5..=5);
        let queue = self.queue.clone();
        self.insist("priority", || queue.set_priority(id, priority, ASKER))
            .await;
    }

    /// Submits up to `most` packages once more, none that is held: of its new plan no event would tell.
    async fn submit(&mut self, most: usize) {
        let count = self.dice.random_range(1..=most);
        let held: BTreeSet<&Pkgbase> = self.held.values().collect();
        let free = self
            .requests
            .iter()
            .filter(|request| !held.contains(&request.pkgbase));
        let batch: Vec<JobRequest> = free.cloned().sample(&mut self.dice, count);
        let queue = self.queue.clone();
        let report = self.insist("submit", || queue.submit(batch.clone(), ASKER)).await;
        for edge in report.into_iter().flat_map(|report| report.broken) {
            self.report.broken.insert((edge.dependant, edge.dependency));
        }
    }

    fn any(&mut self, wanted: impl Fn(JobState) -> bool) -> Option<JobId> {
        self.recorder.jobs(wanted).into_iter().choose(&mut self.dice)
    }

    /// Asks until there is an answer; none for a refusal, as the job may have gone on meanwhile.
    async fn insist<T, F>(&mut self, name: &'static str, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        loop {
            match ask().await {
                Ok(answer) => {
                    *self.report.done.entry(name).or_default() += 1;
                    return Some(answer);
                }
                Err(QueueError::Link { .. }) => tokio::time::sleep(LOST).await,
                Err(QueueError::Refused { .. } | QueueError::Contended(_)) => return None,
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
}
