//! One slot of a builder: claims a job, holds its lease for a moment, finishes it and claims the next in one call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caur_core::model::{BuildOutcome, CommitId, Job, LeaseToken, Manifest, Phase};
use caur_core::queue::{Attempt, Claim, ClaimRequest, Claimed, Directive, QueueError, Refusal};
use caur_tests::journal::{Answer, Hold, Stage, What};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::builder::Builder;
use crate::wait_for_redis;

/// How long an idle slot waits for news before it asks by itself.
const IDLE: Duration = Duration::from_millis(500);
/// Milliseconds that a build takes.
const BUILD_MS: std::ops::RangeInclusive<u64> = 5..=100;
/// One job of so many is a long one in all its attempts, so that an attempt which lost its lease meets the next one.
const LONG_ONE_OF: u64 = 30;
/// Milliseconds that a long build takes: longer than a lease, or not.
const LONG_MS: std::ops::RangeInclusive<u64> = 1000..=6000;

/// One slot.
pub struct Slot {
    builder: Builder,
    number: u32,
    dice: StdRng,
}

/// Why an attempt is stopped.
#[derive(Clone)]
enum Stop {
    Canceled(String),
    Lost,
}

impl Slot {
    pub fn new(builder: Builder, number: u32) -> Self {
        let pid = u64::from(std::process::id());
        let dice = StdRng::seed_from_u64(builder.worker.plan.seed ^ (pid << 8) ^ u64::from(number));
        Self {
            builder,
            number,
            dice,
        }
    }

    /// Works until it is killed, beginning with `first`.
    ///
    /// # Errors
    /// Only what cannot mend itself.
    pub async fn work(mut self, first: Option<Claim>) -> Result<(), QueueError> {
        let mut news = self.builder.ready.subscribe();
        // The same until it was answered: a claim whose answer got lost is asked for again.
        let mut request = self.request();
        let mut work = first;
        loop {
            if let Some(claim) = work.take() {
                (work, request) = self.attempt(claim).await?;
                continue;
            }
            news.mark_unchanged();
            self.note(What::Claiming);
            match self.builder.worker.queue.claim(&request).await {
                Ok(Claimed::Job(claim)) => {
                    self.note(What::Claimed(Hold::of(Stage::Build, &claim.token)));
                    work = Some(*claim);
                    request = self.request();
                }
                Ok(Claimed::Refused(Refusal::Unknown)) => self.builder.register().await?,
                Ok(Claimed::Nothing | Claimed::Refused(_)) => {
                    let _news_or_time = tokio::time::timeout(IDLE, news.changed()).await;
                }
                Err(QueueError::Link { source, .. }) => {
                    wait_for_redis(self.builder.worker.queue.link(), &source).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// From claim to finish; gives the next claim, where there is one, and what to claim with otherwise.
    async fn attempt(&mut self, claim: Claim) -> Result<(Option<Claim>, ClaimRequest), QueueError> {
        let stop = CancellationToken::new();
        let why: Arc<Mutex<Option<Stop>>> = Arc::default();
        let keeper = tokio::spawn(keep_lease(
            self.builder.clone(),
            claim.token.clone(),
            stop.clone(),
            Arc::clone(&why),
        ));
        let range = if claim.token.job.0.is_multiple_of(LONG_ONE_OF) {
            LONG_MS
        } else {
            BUILD_MS
        };
        let time = Duration::from_millis(self.dice.random_range(range));
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = stop.cancelled() => {}
        }
        let stopped = why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (outcome, reason) = match stopped {
            Some(Stop::Canceled(reason)) => (BuildOutcome::Canceled, reason),
            // Said even so, as the daemon does: the queue must refuse it.
            Some(Stop::Lost) => (BuildOutcome::Canceled, "the lease is lost".to_owned()),
            None => (self.outcome(), String::new()),
        };
        let ended = Attempt {
            outcome,
            reason,
            commit: None,
            manifest: (outcome == BuildOutcome::Built).then(|| manifest(&self.builder, &claim)),
            took: time,
        };
        let next = self.finish(&claim.token, &ended).await;
        keeper.abort();
        next
    }

    /// Tells the queue, through outages, for as long as the job is ours.
    async fn finish(
        &mut self,
        token: &LeaseToken,
        ended: &Attempt,
    ) -> Result<(Option<Claim>, ClaimRequest), QueueError> {
        let next = self.request();
        let queue = self.builder.worker.queue.clone();
        let hold = Hold::of(Stage::Build, token);
        let finished = |answer| What::Finished {
            hold: hold.clone(),
            answer,
        };
        loop {
            self.note(What::Finishing {
                hold: hold.clone(),
                outcome: ended.outcome.as_str().to_owned(),
            });
            self.note(What::Claiming);
            match queue.finish_and_claim(token, ended, &next).await {
                Ok(Claimed::Job(claim)) => {
                    self.note(finished(Answer::Done));
                    self.note(What::Claimed(Hold::of(Stage::Build, &claim.token)));
                    return Ok((Some(*claim), self.request()));
                }
                Ok(Claimed::Nothing | Claimed::Refused(_)) => {
                    self.note(finished(Answer::Done));
                    return Ok((None, self.request()));
                }
                Err(QueueError::Stale { .. }) => {
                    self.note(finished(Answer::Stale));
                    // The next claim may have been carried out even so; asked again it gives that job.
                    return Ok((None, next));
                }
                Err(QueueError::Link { source, .. }) => {
                    self.note(finished(Answer::Lost));
                    wait_for_redis(queue.link(), &source).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Mostly well: what depends on a failed package is not built either.
    fn outcome(&mut self) -> BuildOutcome {
        match self.dice.random_range(0..200) {
            0..180 => BuildOutcome::Built,
            180..184 => BuildOutcome::AlreadyBuilt,
            184..188 => BuildOutcome::Skipped,
            188..190 => BuildOutcome::Failed,
            190 => BuildOutcome::TimedOut,
            191 => BuildOutcome::OutOfMemory,
            192..194 => BuildOutcome::Released,
            _ => BuildOutcome::Infrastructure,
        }
    }

    fn request(&self) -> ClaimRequest {
        let builder = &self.builder;
        ClaimRequest::new(builder.instance.clone(), self.number, builder.worker.lease)
    }

    fn note(&self, what: What) {
        self.builder.worker.journal.note(what);
    }
}

/// Extends the lease until it is dropped, and stops the attempt when the queue wants that.
async fn keep_lease(
    builder: Builder,
    token: LeaseToken,
    stop: CancellationToken,
    why: Arc<Mutex<Option<Stop>>>,
) {
    let lease = builder.worker.lease;
    let mut cancels = builder.cancels.subscribe();
    let mut ticks = tokio::time::interval(lease / 4);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            heard = cancels.recv() => if heard.is_ok_and(|job| job != token.job) { continue },
        }
        let answer = builder.worker.queue.heartbeat(&token, lease, Phase::Build).await;
        let reason = match answer {
            Ok(Directive::GoOn) => continue,
            Ok(Directive::Cancel { reason }) => Stop::Canceled(reason),
            Err(QueueError::Stale { .. }) => {
                let hold = Hold::of(Stage::Build, &token);
                builder.worker.journal.note(What::Fenced(hold));
                Stop::Lost
            }
            // The build goes on: after an outage all leases are extended before any expires.
            Err(_) => continue,
        };
        let lost = matches!(reason, Stop::Lost);
        why.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(reason);
        stop.cancel();
        if lost {
            return;
        }
    }
}

fn manifest(builder: &Builder, claim: &Claim) -> Manifest {
    let Job { request, .. } = &claim.job;
    Manifest {
        job: claim.token.job,
        attempt: claim.token.attempt,
        pkgbase: request.pkgbase.clone(),
        target: request.target.clone(),
        commit: CommitId::new("0".repeat(40)).expect("40 digits are a commit"),
        builder: claim
            .job
            .builder
            .as_deref()
            .unwrap_or(&builder.worker.plan.name)
            .parse()
            .expect("the queue knows builders by valid names"),
        image: "sha256:none".to_owned(),
        namcap: Vec::new(),
        files: Vec::new(),
    }
}
