//! Which ready job a builder takes: the rule that `scripts/take.lua` follows, as a pure function.
//!
//! Ready jobs stand in groups, one per class number and one per builder that jobs name. Every group has two orders:
//! by the chain behind a job ([`chain_key`]), and by when it became ready and how long it may be overtaken
//! ([`short_key`]). A builder takes
//! 1. an urgent job: the longest chain, where its seconds at normal speed are at least [`URGENT`] of what every slot
//!    still has to do;
//! 2. else the first of the short order, which is the shortest expected job with what it lets go on.
//!
//! Both are looked for where this builder is scarce. The load of a level is the work of all groups from one class
//! up, per slot of the builders that may take it; when the load of a high level is the greatest, its builders leave
//! the groups below to others, as long as they find anything. And as long as any work of a high class is left, its
//! builders start long chains of no lower one, to be free when a job of theirs becomes ready. A builder that is
//! slower than others hurries for a chain only if the whole ends no later even when the job takes [`DOUBT`] times
//! the expected time. It leaves a job alone whose chain would end after all the rest, or would end sooner if the job
//! waited [`PATIENCE`] of the load for the fastest one. The fastest leaves nothing.
//!
//! Nothing starves: of two jobs of the same priority that a builder may take, it never starts one that became ready
//! more than [`OVERTAKEN_MAX`] + [`SLACK`] seconds (three days) after the other. A [`short_key`] is at least the
//! time at which its job became ready and at most [`OVERTAKEN_MAX`] more, and whatever the rules above choose, its
//! key is at most [`SLACK`] above the least. Operators go first: a greater priority is worth more than all of it.
//!
//! The shares of chains and of short jobs are a compromise between the end of all and the mean wait; the numbers
//! below were chosen with the simulation in `tests/benches/simulate.rs`.

#![expect(
    clippy::cast_precision_loss,
    reason = "seconds and speeds stay far below 2^53, and the script counts in the same doubles"
)]

use crate::model::JobId;

/// Seconds by which a job of endless expected duration may be overtaken in the short order.
pub const OVERTAKEN_MAX: u64 = 36 * 3600;
/// The expected seconds at which a job may be overtaken by half of [`OVERTAKEN_MAX`].
pub const OVERTAKEN_HALF: u64 = 150;
/// Seconds by which a [`short_key`] may exceed the least one and its job still be taken.
pub const SLACK: f64 = 36.0 * 3600.0;
/// The part of the remaining work per slot from which on a chain is urgent.
pub const URGENT: f64 = 0.27;
/// How many times as long as expected an urgent chain may take on a slow builder and still not be the last to end.
pub const DOUBT: f64 = 1.5;
/// The part of the remaining work per slot for which a slow builder expects to wait for the fastest one.
pub const PATIENCE: f64 = 0.5;
/// What one step of priority weighs in a [`chain_key`]; more than any chain in seconds.
pub const CHAIN_STEP: f64 = 1e10;
/// What one step of priority weighs in a [`short_key`]; more than any time in seconds.
pub const SHORT_STEP: f64 = 1e11;
/// The speed of a builder that needs exactly the expected time; speeds and capacities are counted in thousandths.
pub const NORMAL_SPEED: u64 = 1000;

/// Seconds by which later jobs may overtake one in the short order.
///
/// `seconds` are those that it takes together with `jobs` that it is counted with, itself included: what lets many
/// others go on is worth as much as a shorter job.
#[must_use]
pub fn delay(seconds: u64, jobs: u64) -> u64 {
    let all = u128::from(seconds);
    let half = u128::from(OVERTAKEN_HALF) * u128::from(jobs.max(1));
    let delay = u128::from(OVERTAKEN_MAX) * all / (all + half);
    u64::try_from(delay).unwrap_or(OVERTAKEN_MAX)
}

/// The place of a job in the order by chain, least first. `chain` is in expected seconds.
#[must_use]
pub fn chain_key(priority: i32, chain: u64) -> f64 {
    -(f64::from(priority) * CHAIN_STEP + (chain as f64).min(CHAIN_STEP - 1.0))
}

/// The chain in seconds that a [`chain_key`] was made of.
#[must_use]
pub fn chain_of(key: f64) -> f64 {
    (-key).rem_euclid(CHAIN_STEP)
}

/// The place of a job in the short order, least first. `ready_ms` is when it became ready, in milliseconds since
/// 1970; `delay` as from [`delay`].
#[must_use]
pub fn short_key(priority: i32, ready_ms: u64, delay: u64) -> f64 {
    (ready_ms / 1000 + delay) as f64 - f64::from(priority) * SHORT_STEP
}

/// The numbers above, as the scripts take them.
pub(super) fn lua_constants() -> String {
    format!(
        "local CHAIN_STEP, SHORT_STEP, SLACK, URGENT, DOUBT, PATIENCE, NORMAL_SPEED = \
         {CHAIN_STEP:e}, {SHORT_STEP:e}, {SLACK}, {URGENT}, {DOUBT}, {PATIENCE}, {NORMAL_SPEED}"
    )
}

/// A ready job as a claim sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The job; of equal keys the older one goes first.
    pub id: JobId,
    /// As from [`chain_key`].
    pub chain_key: f64,
    /// As from [`short_key`].
    pub short_key: f64,
    /// Expected seconds of its own build.
    pub expected: u64,
}

/// Jobs that the same builders may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// The class number; the group of the builder's own name has none that counts.
    pub class: u32,
    /// Expected seconds of all its jobs that will be built or are being built.
    pub work: u64,
    /// Speeds of all slots of the online builders of exactly this class, or of the builder itself, together.
    pub capacity: u64,
    /// The speed of the fastest online builder of exactly this class; 0 where there is none.
    pub fastest: u64,
    /// The first ready job by chain.
    pub by_chain: Option<Candidate>,
    /// The first ready job in the short order.
    pub by_short: Option<Candidate>,
}

/// What a claim looks at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The builder's class; none: it takes only jobs for its name.
    pub class: Option<u32>,
    /// The builder's speed, above 0; [`NORMAL_SPEED`] where it is not known.
    pub speed: u64,
    /// Every class that has work or builders, ascending, those above the builder's as well.
    pub classes: &'a [Group],
    /// The jobs that name the builder.
    pub own: &'a Group,
}

/// The job that the builder takes; none when nothing is ready for it, or when it leaves that to a faster one: what it
/// leaves may be worth taking later, so it asks again from time to time.
#[must_use]
pub fn choose(view: &View) -> Option<JobId> {
    let taken = view.taken();
    let (_, first) = view.first(0, Order::Short)?;
    let levels = view.levels();

    let (mut from, mut load) = (taken, seconds(view.own.work, view.own.capacity.max(view.speed)));
    for (index, level) in levels.iter().enumerate().take(taken).rev() {
        let seconds = seconds(level.work + view.own.work, level.capacity.max(view.speed));
        if seconds >= load {
            (from, load) = (index, seconds);
        }
    }
    if view.first(from, Order::Short).is_none() {
        from = 0;
    }
    let short = view.first(from, Order::Short)?;

    let from = from.max(view.scarce(&levels));
    let fastest = |index: usize| {
        levels[..taken]
            .get(index)
            .map_or(view.speed, |level| level.fastest.max(view.speed))
    };
    let remaining = |index: usize, chain: f64| chain * NORMAL_SPEED as f64 / fastest(index) as f64;
    let end = view.first(0, Order::Chain).map_or(load, |(index, longest)| {
        load.max(remaining(index, chain_of(longest.chain_key)))
    });
    // How long a chain takes when the builder starts it and the fastest ones go on.
    let started_here = |index: usize, candidate: &Candidate| {
        let rest = chain_of(candidate.chain_key) - candidate.expected as f64;
        seconds(candidate.expected, view.speed) + remaining(index, rest)
    };
    let urgent = view.first(from, Order::Chain).filter(|(index, candidate)| {
        chain_of(candidate.chain_key) >= load * URGENT
            && (view.speed >= fastest(*index) || started_here(*index, candidate) * DOUBT <= end)
    });

    let (index, chosen) = urgent.unwrap_or(short);
    if chosen.short_key - first.short_key > SLACK {
        return Some(first.id);
    }
    let waiting = load * PATIENCE + remaining(index, chain_of(chosen.chain_key));
    let leave = view.speed < fastest(index) && started_here(index, &chosen) > waiting.min(end);
    (!leave).then_some(chosen.id)
}

#[derive(Clone, Copy)]
pub(super) enum Order {
    Chain,
    Short,
}

/// All groups from one class up.
#[derive(Clone, Copy, Default)]
struct Level {
    work: u64,
    capacity: u64,
    fastest: u64,
}

/// Seconds that `capacity` needs for `work`.
fn seconds(work: u64, capacity: u64) -> f64 {
    work as f64 * NORMAL_SPEED as f64 / capacity as f64
}

impl View<'_> {
    /// How many of the classes the builder takes.
    fn taken(&self) -> usize {
        let takes = |group: &Group| self.class.is_some_and(|class| group.class <= class);
        self.classes.partition_point(takes)
    }

    /// For every class the sums over it and all above.
    fn levels(&self) -> Vec<Level> {
        let mut levels = vec![Level::default(); self.classes.len()];
        let mut sum = Level::default();
        for (level, group) in levels.iter_mut().zip(self.classes).rev() {
            sum.work += group.work;
            sum.capacity += group.capacity;
            sum.fastest = sum.fastest.max(group.fastest);
            *level = sum;
        }
        levels
    }

    /// The first ready job of the builder's own group and of the classes that it takes from the index `from` up,
    /// with the index of its class; for its own group that is the number of classes that it takes.
    pub(super) fn first(&self, from: usize, order: Order) -> Option<(usize, Candidate)> {
        let taken = self.taken();
        let groups = self.classes[..taken]
            .iter()
            .chain([self.own])
            .enumerate()
            .skip(from);
        let candidates = groups.filter_map(|(index, group)| {
            let (candidate, key) = match order {
                Order::Chain => group.by_chain.map(|candidate| (candidate, candidate.chain_key)),
                Order::Short => group.by_short.map(|candidate| (candidate, candidate.short_key)),
            }?;
            Some((index, candidate, key))
        });
        candidates
            .min_by(|a, b| a.2.total_cmp(&b.2).then(a.1.id.cmp(&b.1.id)))
            .map(|(index, candidate, _)| (index, candidate))
    }

    /// The first class that no more builders can take than the highest one that has work for this builder.
    fn scarce(&self, levels: &[Level]) -> usize {
        let taken = self.taken();
        let capacity = |index: usize| levels[index].capacity.max(self.speed);
        if self.own.work > 0 && taken > 0 && capacity(0) > self.own.capacity.max(self.speed) {
            return taken;
        }
        let Some(highest) = (0..taken).rev().find(|&index| self.classes[index].work > 0) else {
            return 0;
        };
        (0..highest)
            .find(|&index| capacity(index) <= capacity(highest))
            .unwrap_or(highest)
    }
}
