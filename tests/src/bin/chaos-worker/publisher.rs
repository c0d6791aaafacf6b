//! The publisher: claims everything that waits for a target, holds the leases for a moment, says what came of it.

use std::time::Duration;

use caur_core::model::{LeaseToken, Target};
use caur_core::queue::{PublishClaim, PublishOutcome, QueueError};
use caur_tests::journal::{Answer, Hold, Stage, What};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::{Worker, wait_for_redis};

/// How long it waits for news before it looks by itself.
const IDLE: Duration = Duration::from_millis(500);
/// Jobs in one transaction at most.
const TOGETHER: usize = 40;
/// Milliseconds that a transaction takes.
const PUBLISH_MS: std::ops::RangeInclusive<u64> = 5..=60;
/// Of a long one, as now and then.
const LONG_MS: std::ops::RangeInclusive<u64> = 500..=3000;

/// Works until it is killed.
///
/// # Errors
/// Only what cannot mend itself.
pub async fn work(worker: Worker) -> Result<(), QueueError> {
    let mut dice = StdRng::seed_from_u64(worker.plan.seed ^ (u64::from(std::process::id()) << 8));
    let mut signals = worker.queue.publisher_signals();
    loop {
        let step = async {
            signals.begin().await?;
            for target in worker.queue.upload_targets().await? {
                publish(&worker, &target, &mut dice).await?;
            }
            signals.wait(IDLE).await
        };
        match step.await {
            Ok(_) => {}
            // What was claimed and not told about returns with its leases.
            Err(QueueError::Link { source, .. }) => wait_for_redis(worker.queue.link(), &source).await,
            Err(error) => return Err(error),
        }
    }
}

async fn publish(worker: &Worker, target: &Target, dice: &mut StdRng) -> Result<(), QueueError> {
    worker.journal.note(What::Claiming);
    let claims = worker
        .queue
        .claim_uploads(target, &worker.plan.name, worker.lease, TOGETHER)
        .await?;
    for claim in &claims {
        let hold = Hold::of(Stage::Publish, &claim.token);
        worker.journal.note(What::Claimed(hold));
    }
    let tokens: Vec<LeaseToken> = claims.iter().map(|claim| claim.token.clone()).collect();
    let leases = tokio::spawn(keep_leases(worker.clone(), tokens));
    let range = if dice.random_bool(0.05) {
        LONG_MS
    } else {
        PUBLISH_MS
    };
    tokio::time::sleep(Duration::from_millis(dice.random_range(range))).await;
    let mut told = Ok(());
    for claim in &claims {
        told = tell(worker, claim, dice).await;
        if told.is_err() {
            break;
        }
    }
    leases.abort();
    told
}

async fn tell(worker: &Worker, claim: &PublishClaim, dice: &mut StdRng) -> Result<(), QueueError> {
    let outcome = outcome(claim, dice);
    let word = match &outcome {
        PublishOutcome::Published { .. } => "succeeded",
        PublishOutcome::Refused { .. } => "failed",
        PublishOutcome::Retry { .. } => "retry",
    };
    let hold = Hold::of(Stage::Publish, &claim.token);
    loop {
        worker.journal.note(What::Finishing {
            hold: hold.clone(),
            outcome: word.to_owned(),
        });
        let (answer, error) = match worker.queue.finish_publish(&claim.token, &outcome).await {
            Ok(()) => (Answer::Done, None),
            Err(QueueError::Stale { .. }) => (Answer::Stale, None),
            Err(error @ QueueError::Link { .. }) => (Answer::Lost, Some(error)),
            Err(error) => return Err(error),
        };
        let hold = hold.clone();
        worker.journal.note(What::Finished { hold, answer });
        match error {
            None => return Ok(()),
            Some(QueueError::Link { source, .. }) if dice.random_bool(0.5) => {
                wait_for_redis(worker.queue.link(), &source).await;
            }
            Some(error) => return Err(error),
        }
    }
}

/// Mostly well. A manifest about another job would be the queue's fault.
fn outcome(claim: &PublishClaim, dice: &mut StdRng) -> PublishOutcome {
    if let Err(reason) = &claim.manifest {
        panic!("{}: {reason}", claim.key);
    }
    match dice.random_range(0..100) {
        0..95 => PublishOutcome::Published {
            packages: vec![format!("{}.pkg.tar.zst", claim.token.job)],
        },
        95 => PublishOutcome::Refused {
            reason: "the dice refuse it".to_owned(),
        },
        _ => PublishOutcome::Retry {
            reason: "the dice want it later".to_owned(),
        },
    }
}

async fn keep_leases(worker: Worker, tokens: Vec<LeaseToken>) {
    let mut ticks = tokio::time::interval(worker.lease / 4);
    loop {
        ticks.tick().await;
        for token in &tokens {
            // One that was finished is stale, and an outage passes.
            let _stale = worker.queue.heartbeat_publish(token, worker.lease).await;
        }
    }
}
