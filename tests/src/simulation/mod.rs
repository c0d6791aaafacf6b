//! A collection built by farms in virtual time: how far the policy is from what could be, and from simpler ones.

mod bound;
mod farms;
mod workload;

pub use farms::{Farms, Knowledge};
pub use workload::{Round, Workload};

use caur_core::queue::simulate::{OnlineBuilder, Rule, simulate};

use self::bound::{clairvoyant, lower_bound};

/// The policy, then its rivals.
pub const RULES: [Rule; 3] = [Rule::Farm, Rule::FirstCome, Rule::LongestChain];

/// What rounds with different durations gave.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds a round.
    pub fn add(&mut self, sample: f64) {
        self.0.push(sample);
        self.0.sort_by(f64::total_cmp);
    }

    /// The arithmetic mean.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few rounds")]
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }

    /// The value that 95 of a hundred rounds do not exceed.
    #[must_use]
    pub fn p95(&self) -> f64 {
        let rank = (self.0.len() * 95).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    /// The greatest.
    #[must_use]
    pub fn worst(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }
}

/// What one rule made of some rounds.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The end of all, over the lower bound.
    pub makespan: Samples,
    /// The mean time from submission to publication, over that of first come.
    pub flow: Samples,
}

/// Runs `rounds` of the workload on `builders` of a kind; gives figures in the order of [`RULES`].
#[must_use]
pub fn compare(
    workload: &Workload,
    farms: Farms,
    knowledge: Knowledge,
    builders: usize,
    rounds: u64,
) -> [Figures; RULES.len()] {
    let builders = farms.builders(builders);
    let mut figures: [Figures; RULES.len()] = Default::default();
    for seed in 0..rounds {
        let round = workload.round(farms, knowledge, &builders, seed);
        let bound = lower_bound(&round, &builders);
        let results = RULES.map(|rule| run(&round, &builders, rule));
        let [_, (_, first_come), _] = results;
        for (figures, (makespan, flow)) in figures.iter_mut().zip(results) {
            figures.makespan.add(makespan / bound);
            figures.flow.add(flow / first_come);
        }
    }
    figures
}

/// How near to the lower bound a schedule comes that knows everything, in the same rounds as [`compare`].
#[must_use]
pub fn possible(workload: &Workload, farms: Farms, builders: usize, rounds: u64) -> Samples {
    let builders = farms.builders(builders);
    let mut samples = Samples::default();
    for seed in 0..rounds {
        let round = workload.round(farms, Knowledge::Learned, &builders, seed);
        samples.add(clairvoyant(&round, &builders) / lower_bound(&round, &builders));
    }
    samples
}

/// Seconds until all is done, and until a job is done in the mean.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of some days")]
fn run(round: &Round, builders: &[OnlineBuilder], rule: Rule) -> (f64, f64) {
    let spans = simulate(&round.jobs, builders, 0, rule, |index| round.actual[index]);
    let ends: Vec<f64> = spans
        .iter()
        .map(|span| span.expect("somebody can take every job").end as f64 / 1000.0)
        .collect();
    let flow = ends.iter().sum::<f64>() / ends.len() as f64;
    (ends.into_iter().fold(0.0, f64::max), flow)
}
