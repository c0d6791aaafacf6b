//! The storm: faults at random, each of which heals after a while.

use std::time::Duration;

use caur_core::testing::{RedisServer, Sshd};
use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep_until};

use super::{Recorder, WorkerProcess};
use crate::Relay;

/// Milliseconds between two faults.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 300..=1100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Kill,
    Stop,
    Redis,
    Cut,
    Stall,
    Sessions,
}

/// Every round of the storm deals these, shuffled: at random, and none is missing.
const DECK: [Fault; 12] = [
    Fault::Kill,
    Fault::Kill,
    Fault::Kill,
    Fault::Kill,
    Fault::Stop,
    Fault::Stop,
    Fault::Stop,
    Fault::Redis,
    Fault::Cut,
    Fault::Cut,
    Fault::Stall,
    Fault::Sessions,
];

#[derive(Debug, Clone, Copy)]
enum Cure {
    Revive(usize),
    GoOn(usize),
    Redis,
    Mend(usize),
}

/// What befell the farm.
#[derive(Debug, Default)]
pub struct StormReport {
    /// Workers killed with SIGKILL.
    pub kills: usize,
    /// Workers frozen for longer than their leases.
    pub stops: usize,
    /// Times that Redis was killed and started again.
    pub restarts: usize,
    /// Times that connections were cut.
    pub cuts: usize,
    /// Times that connections stood still for longer than a lease.
    pub stalls: usize,
}

/// Everything that can break.
pub struct Storm {
    /// The workers.
    pub workers: Vec<WorkerProcess>,
    /// The server of the queue.
    pub redis: RedisServer,
    /// The server of the tunnels.
    pub sshd: Sshd,
    /// The networks between the workers and both.
    pub relays: Vec<Relay>,
    /// How long a lease lasts.
    pub lease: Duration,
    cures: Vec<(Instant, Cure)>,
    redis_is_up: bool,
    dice: StdRng,
    report: StormReport,
}

impl Storm {
    /// Fair weather.
    #[must_use]
    pub fn new(
        workers: Vec<WorkerProcess>,
        redis: RedisServer,
        sshd: Sshd,
        relays: Vec<Relay>,
        lease: Duration,
        seed: u64,
    ) -> Self {
        Self {
            workers,
            redis,
            sshd,
            relays,
            lease,
            cures: Vec::new(),
            redis_is_up: true,
            dice: StdRng::seed_from_u64(seed),
            report: StormReport::default(),
        }
    }

    /// Rages for `time`, then heals everything.
    ///
    /// # Panics
    /// When a worker ends by itself, or a server does not come back.
    pub async fn rage(&mut self, time: Duration, recorder: &Recorder) {
        let begin = Instant::now();
        let end = begin + time;
        let mut deck: Vec<Fault> = Vec::new();
        let mut next = begin;
        while Instant::now() < end {
            self.check_workers();
            let due = self.cures.iter().map(|(at, _)| *at).min();
            match due.filter(|at| *at <= next) {
                Some(at) => {
                    sleep_until(at).await;
                    self.cure(at);
                }
                None => {
                    sleep_until(next).await;
                    if deck.is_empty() {
                        deck = DECK.to_vec();
                        deck.shuffle(&mut self.dice);
                    }
                    let (_, live) = recorder.counts();
                    if let Some(fault) = deck.pop() {
                        println!(
                            "{:6.2} s, {live:4} jobs live: {fault:?}",
                            begin.elapsed().as_secs_f64()
                        );
                        self.strike(fault);
                    }
                    next = Instant::now() + self.some_millis(PAUSE_MS);
                }
            }
        }
        while let Some(at) = self.cures.iter().map(|(at, _)| *at).min() {
            sleep_until(at).await;
            self.cure(at);
        }
        self.check_workers();
    }

    /// Ends all workers; the servers live on.
    pub fn end(&mut self) -> StormReport {
        self.check_workers();
        self.workers.clear();
        std::mem::take(&mut self.report)
    }

    /// Looks whether every worker is there that should be.
    ///
    /// # Panics
    /// When one ended by itself.
    pub fn check_workers(&mut self) {
        for worker in &mut self.workers {
            if let Some(fault) = worker.fault() {
                panic!("{fault}");
            }
        }
    }

    fn strike(&mut self, fault: Fault) {
        let now = Instant::now();
        match fault {
            Fault::Kill => {
                if let Some(index) = self.any_worker() {
                    self.workers[index].kill();
                    self.report.kills += 1;
                    let gone = self.some_millis(0..=1500);
                    self.cures.push((now + gone, Cure::Revive(index)));
                }
            }
            Fault::Stop => {
                if let Some(index) = self.any_worker() {
                    self.workers[index].stop();
                    self.report.stops += 1;
                    let still = self.longer_than_a_lease();
                    self.cures.push((now + still, Cure::GoOn(index)));
                }
            }
            Fault::Redis => {
                if self.redis_is_up {
                    self.redis.kill();
                    self.redis_is_up = false;
                    self.report.restarts += 1;
                    let most = if self.dice.random_bool(0.3) { 3500 } else { 800 };
                    let gone = self.some_millis(50..=most);
                    self.cures.push((now + gone, Cure::Redis));
                }
            }
            Fault::Cut => {
                let index = self.dice.random_range(0..self.relays.len());
                self.relays[index].cut();
                self.report.cuts += 1;
                let gone = self.some_millis(50..=2500);
                self.cures.push((now + gone, Cure::Mend(index)));
            }
            Fault::Stall => {
                let index = self.dice.random_range(0..self.relays.len());
                self.relays[index].stall();
                self.report.stalls += 1;
                let still = self.longer_than_a_lease();
                self.cures.push((now + still, Cure::Mend(index)));
            }
            Fault::Sessions => {
                self.sshd.cut_sessions();
                self.report.cuts += 1;
            }
        }
    }

    fn cure(&mut self, until: Instant) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.cures)
            .into_iter()
            .partition(|(at, _)| *at <= until);
        self.cures = later;
        for (_, cure) in due {
            match cure {
                Cure::Revive(index) => self.workers[index].revive(),
                Cure::GoOn(index) => self.workers[index].go_on(),
                Cure::Redis => {
                    tokio::task::block_in_place(|| self.redis.revive());
                    self.redis_is_up = true;
                }
                Cure::Mend(index) => self.relays[index].mend(),
            }
        }
    }

    fn any_worker(&mut self) -> Option<usize> {
        let running = (0..self.workers.len()).filter(|index| self.workers[*index].runs());
        running.choose(&mut self.dice)
    }

    fn longer_than_a_lease(&mut self) -> Duration {
        self.lease.mul_f64(self.dice.random_range(1.3..2.6))
    }

    fn some_millis(&mut self, range: std::ops::RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.dice.random_range(range))
    }
}
