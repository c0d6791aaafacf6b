//! What no schedule can beat, and one that knows more than any queue does.

use std::collections::HashMap;

use caur_core::model::{BuildClass, JobId};
use caur_core::queue::simulate::{OnlineBuilder, UnfinishedJob};

use super::Round;

/// Seconds that every schedule takes at least: the longest chain, each job on the fastest builder that may take it,
/// or the work that only some builders may do, over all their speeds.
#[must_use]
pub fn lower_bound(round: &Round, builders: &[OnlineBuilder]) -> f64 {
    let work = |counts: &dyn Fn(&BuildClass) -> bool| -> f64 {
        let jobs = round
            .jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| counts(&job.class));
        jobs.map(|(index, _)| seconds(round.actual[index])).sum()
    };
    let class_of = |name: &caur_core::model::BuilderName| {
        builders
            .iter()
            .find(|builder| builder.name == *name)
            .and_then(|builder| builder.class)
    };
    let mut bound: f64 = 0.0;
    for level in builders.iter().filter_map(|builder| builder.class) {
        let capacity: f64 = builders
            .iter()
            .filter(|builder| builder.class >= Some(level))
            .map(speed)
            .sum();
        let bounded = work(&|class| match class {
            BuildClass::Number(class) => *class >= level,
            BuildClass::Builder(name) => class_of(name) >= Some(level),
        });
        bound = bound.max(bounded / capacity);
    }
    for builder in builders {
        let own = work(&|class| *class == BuildClass::Builder(builder.name.clone()));
        bound = bound.max(own / speed(builder));
    }
    let fastest = |job: &UnfinishedJob| {
        builders
            .iter()
            .filter(|builder| takes(builder, &job.class))
            .map(speed)
            .fold(0.0, f64::max)
    };
    let longest = chains(round, fastest).into_iter().fold(0.0, f64::max);
    bound.max(longest)
}

/// Seconds that a schedule takes which knows all durations beforehand and may leave builders idle: every job, the
/// longest chain first, goes where it ends first, into gaps too (HEFT: Topcuoglu, Hariri, Wu, Performance-effective
/// and low-complexity task scheduling for heterogeneous computing, 2002).
///
/// # Panics
/// When no builder may take a job.
#[must_use]
pub fn clairvoyant(round: &Round, builders: &[OnlineBuilder]) -> f64 {
    let mean = |job: &UnfinishedJob| {
        let speeds: Vec<f64> = builders
            .iter()
            .filter(|builder| takes(builder, &job.class))
            .map(|builder| 1.0 / speed(builder))
            .collect();
        f64::from(u32::try_from(speeds.len()).expect("some builders")) / speeds.iter().sum::<f64>()
    };
    let rank = chains(round, mean);
    let mut order: Vec<usize> = (0..round.jobs.len()).collect();
    order.sort_by(|&a, &b| rank[b].total_cmp(&rank[a]).then(a.cmp(&b)));
    let place = places(round);
    let mut end = vec![0.0; round.jobs.len()];
    let mut busy: Vec<Vec<(f64, f64)>> = vec![Vec::new(); builders.len()];
    for index in order {
        let job = &round.jobs[index];
        let ready = job.waits_for.iter().map(|id| end[place[id]]).fold(0.0, f64::max);
        let best = builders
            .iter()
            .enumerate()
            .filter(|(_, builder)| takes(builder, &job.class))
            .map(|(number, builder)| {
                let length = seconds(round.actual[index]) / speed(builder);
                let (gap, start) = gap(&busy[number], ready, length);
                (start + length, number, gap, start)
            });
        let (done, number, gap, start) = best
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            .expect("somebody can take every job");
        busy[number].insert(gap, (start, done));
        end[index] = done;
    }
    end.into_iter().fold(0.0, f64::max)
}

/// Where between the `busy` times one of `length` fits first from `ready` on, and when it starts.
fn gap(busy: &[(f64, f64)], ready: f64, length: f64) -> (usize, f64) {
    let mut start = ready;
    let first = busy.partition_point(|&(_, end)| end <= ready);
    for (index, &(from, to)) in busy.iter().enumerate().skip(first) {
        if start + length <= from {
            return (index, start);
        }
        start = start.max(to);
    }
    (busy.len(), start)
}

/// Seconds of the longest chain behind each job at the speed that `speed` gives it.
fn chains(round: &Round, speed: impl Fn(&UnfinishedJob) -> f64) -> Vec<f64> {
    let place = places(round);
    let mut chain: Vec<f64> = round
        .jobs
        .iter()
        .enumerate()
        .map(|(index, job)| seconds(round.actual[index]) / speed(job))
        .collect();
    let own = chain.clone();
    // A chain by expectation is longer than any that it holds: this order is topological.
    let mut order: Vec<usize> = (0..round.jobs.len()).collect();
    order.sort_by_key(|&index| round.jobs[index].chain);
    for index in order {
        for id in &round.jobs[index].waits_for {
            let dependency = place[id];
            chain[dependency] = chain[dependency].max(own[dependency] + chain[index]);
        }
    }
    chain
}

fn places(round: &Round) -> HashMap<JobId, usize> {
    round
        .jobs
        .iter()
        .enumerate()
        .map(|(index, job)| (job.id, index))
        .collect()
}

fn takes(builder: &OnlineBuilder, class: &BuildClass) -> bool {
    match class {
        BuildClass::Number(class) => builder.class >= Some(*class),
        BuildClass::Builder(name) => builder.name == *name,
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousandths of small numbers")]
fn speed(builder: &OnlineBuilder) -> f64 {
    builder.speed as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some days")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
