//! What is built: a graph of packages, and durations by chance.

use std::collections::HashMap;

use caur_core::ci::{DepTree, SrcInfo};
use caur_core::model::BuildClass;
use caur_core::model::{
    Arch, DependencyKind, JobId, JobRequest, Need, Pkgbase, SourceRepo, Target, TargetRepo,
};
use caur_core::queue::plan::{DEFAULT_EXPECTED, cyclic, plan};
use caur_core::queue::simulate::{OnlineBuilder, Standing, UnfinishedJob};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};

use super::{Farms, Knowledge};
use crate::Collection;

/// Packages of a generated collection; as many as the real one has.
const GENERATED: usize = 2534;

/// A collection that is scheduled in one batch.
pub struct Workload {
    /// What is asked for, in alphabetical order.
    pub requests: Vec<JobRequest>,
    /// The dependency tree as CI hands it over.
    pub tree: String,
    /// Whether it is made of a real collection.
    pub real: bool,
}

/// The batch with the durations of one round.
pub struct Round {
    /// The jobs, all submitted at time 0.
    pub jobs: Vec<UnfinishedJob>,
    /// Milliseconds that each takes on a builder of normal speed.
    pub actual: Vec<u64>,
}

impl Workload {
    /// The real collection, else one that is generated.
    ///
    /// # Panics
    /// When the real one is damaged.
    #[must_use]
    pub fn load() -> Self {
        match Collection::load() {
            Some(collection) => Self::of(&collection),
            None => Self::generate(GENERATED),
        }
    }

    fn of(collection: &Collection) -> Self {
        let mut tree = collection.tree(&arch());
        for folder in collection.0.keys() {
            tree.entries.entry(folder.clone()).or_default();
        }
        let text = tree.to_text();
        let mut requests = requests(&tree);
        let cyclic = cyclic(&requests);
        for request in &mut requests {
            let Some(Some(info)) = collection.0.get(&request.pkgbase) else {
                continue;
            };
            if cyclic.contains(&request.pkgbase) {
                for need in &mut request.needs {
                    need.kind = kind(info, &need.name);
                }
            }
        }
        Self {
            requests,
            tree: text,
            real: true,
        }
    }

    /// A collection of `count` packages: half of them need nothing, and some libraries are needed by many.
    ///
    /// # Panics
    /// When there are more than a `u32` counts.
    #[must_use]
    pub fn generate(count: usize) -> Self {
        let mut random = StdRng::seed_from_u64(1);
        let mut text = String::new();
        for index in 0..count {
            let needs = if index == 0 || random.random_bool(0.5) {
                0
            } else {
                random.random_range(1..4_usize)
            };
            let needs: Vec<String> = (0..needs)
                .map(|_| {
                    let skew: f64 = random.random();
                    format!("p{:06}", scaled(skew * skew, index))
                })
                .collect();
            text.push_str(&format!("p{index:06}:p{index:06}:{};", needs.join(",")));
        }
        let tree = DepTree::parse(&text).expect("a generated tree is one");
        Self {
            requests: requests(&tree),
            tree: text,
            real: false,
        }
    }

    /// The durations of round `seed`, and the plan that is made with what is known of them.
    ///
    /// # Panics
    /// Never: plans name jobs of their batch only.
    #[must_use]
    pub fn round(&self, farms: Farms, knowledge: Knowledge, builders: &[OnlineBuilder], seed: u64) -> Round {
        let mut random = StdRng::seed_from_u64(seed);
        let mut batch = self.requests.clone();
        for request in &mut batch {
            request.class = farms.class(builders, &mut random);
        }
        let durations = LogNormal::new(4.5, 1.3).expect("a deviation is positive");
        let errors = LogNormal::new(0.0, 0.25).expect("a deviation is positive");
        let seconds: Vec<f64> = batch.iter().map(|_| durations.sample(&mut random)).collect();
        let expected: HashMap<String, u64> = batch
            .iter()
            .zip(&seconds)
            .map(|(request, seconds)| {
                let estimate = rounded(seconds * errors.sample(&mut random)).max(1);
                let expected = match knowledge {
                    Knowledge::Learned => estimate,
                    Knowledge::Cold => DEFAULT_EXPECTED,
                };
                (request.key(), expected)
            })
            .collect();
        let plan = plan(&batch, &[], |key| expected.get(key).copied());
        let jobs = (1..)
            .zip(plan.jobs.iter().zip(&batch))
            .map(|(id, (planned, request))| UnfinishedJob {
                id: JobId(id),
                class: request.class.clone(),
                priority: 0,
                expected: planned.expected,
                chain: planned.chain,
                delay: planned.delay,
                waits_for: planned
                    .deps
                    .keys()
                    .map(|index| JobId(index[1..].parse().expect("a plan counts its jobs")))
                    .collect(),
                standing: Standing::Queued { since: 0 },
            })
            .collect();
        Round {
            jobs,
            actual: seconds
                .into_iter()
                .map(|seconds| rounded(seconds * 1000.0))
                .collect(),
        }
    }
}

fn arch() -> Arch {
    Arch::new("x86_64").expect("a valid architecture")
}

fn requests(tree: &DepTree) -> Vec<JobRequest> {
    let target = Target {
        repo: TargetRepo::new("repo").expect("a valid name"),
        arch: arch(),
    };
    let source = SourceRepo::new("source").expect("a valid name");
    let request = |(pkgbase, entry): (&Pkgbase, &caur_core::ci::Entry)| JobRequest {
        target: target.clone(),
        source: source.clone(),
        pkgbase: pkgbase.clone(),
        class: BuildClass::DEFAULT,
        names: entry.names.clone(),
        needs: entry.deps.iter().map(Need::make).collect(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    };
    tree.entries.iter().map(request).collect()
}

/// The strongest reason for which a package needs `name`.
fn kind(info: &SrcInfo, name: &str) -> DependencyKind {
    let arch = arch();
    if info.makedepends.for_arch(&arch).any(|needed| needed == name) {
        DependencyKind::Make
    } else if info.depends.for_arch(&arch).any(|needed| needed == name) {
        DependencyKind::Run
    } else {
        DependencyKind::Check
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations are positive and far below 2^53"
)]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}

fn scaled(part: f64, of: usize) -> u64 {
    let of = u32::try_from(of).expect("some thousand packages");
    rounded((part * f64::from(of)).floor())
}
