//! Random operations by several actors on a real Redis beside a small reference model.
//!
//! 5,000 steps by default. `CAUR_RANDOM_STEPS=1000000 CAUR_RANDOM_SEED=7 cargo test -p caur-core --lib
//! queue::tests::random` makes as many as asked for, from that seed. What fails is shrunk and printed as a test for
//! [`regressions`].

mod act;
mod build;
mod graph;
mod model;
mod operate;
mod regressions;
mod step;
mod world;

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::step::{Step, step};
use self::world::World;
use crate::model::FailedDependency;
use crate::testing::{RedisOptions, RedisServer};

/// Steps of one run without [`STEPS`], and of one sequence at most.
const USUAL_STEPS: usize = 5_000;
const LONGEST: usize = 250;
const STEPS: &str = "CAUR_RANDOM_STEPS";
const SEED: &str = "CAUR_RANDOM_SEED";
/// Sequences that are tried in order to make a failing one shorter.
const SHRINKS: u32 = 2_000;
const SHRINK_MS: u32 = 45_000;

/// One server for all sequences, and one that loses nothing for those that kill it.
struct Farm {
    runtime: tokio::runtime::Runtime,
    usual: RedisServer,
    durable: Option<RedisServer>,
}

impl Farm {
    fn new() -> Self {
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts"),
            usual: RedisServer::start(),
            durable: None,
        }
    }

    /// Takes the steps one by one; an error says which one, and what differs.
    fn run(&mut self, rule: FailedDependency, steps: &[Step]) -> Result<(), String> {
        let server = if steps.contains(&Step::KillRedis) {
            self.durable.get_or_insert_with(|| {
                RedisServer::start_with(RedisOptions {
                    durable: true,
                    ..RedisOptions::default()
                })
            })
        } else {
            &mut self.usual
        };
        self.runtime.block_on(async {
            let mut world = World::new(server, rule).await;
            for (place, step) in steps.iter().enumerate() {
                let answer = world.step(step).await;
                answer.map_err(|problem| format!("step {place}, {step:?}: {problem}"))?;
            }
            Ok(())
        })
    }
}

fn rule() -> impl Strategy<Value = FailedDependency> {
    proptest::prop_oneof![
        4 => proptest::strategy::Just(FailedDependency::Published),
        1 => proptest::strategy::Just(FailedDependency::Block),
        1 => proptest::strategy::Just(FailedDependency::Ignore),
    ]
}

/// Leaves out what is not needed for the failure: proptest takes away only once, before it simplifies what is left.
fn minimal(farm: &mut Farm, rule: FailedDependency, mut steps: Vec<Step>) -> (String, Vec<Step>) {
    let mut problem = "it does not fail again".to_owned();
    let mut place = steps.len();
    while place > 0 {
        place -= 1;
        let mut fewer = vec![steps.clone()];
        fewer[0].remove(place);
        if let Step::Submit(asks) = &steps[place] {
            fewer.extend((0..asks.len()).map(|ask| {
                let (mut without, mut asks) = (steps.clone(), asks.clone());
                asks.remove(ask);
                without[place] = Step::Submit(asks);
                without
            }));
        }
        let shorter = fewer
            .into_iter()
            .find_map(|fewer| Some((farm.run(rule, &fewer).err()?, fewer)));
        if let Some(found) = shorter {
            (problem, steps) = found;
            place = steps.len();
        }
    }
    if let Err(again) = farm.run(rule, &steps) {
        problem = again;
    }
    (problem, steps)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}={text:?}: {error}")),
    )
}

/// A failing sequence as a test that can be pasted.
fn as_test(rule: FailedDependency, steps: &[Step]) -> String {
    let lines: String = steps
        .iter()
        .map(|step| format!("        {},\n", format!("{step:?}").replace('[', "vec![")))
        .collect();
    format!("#[test]\nfn name_it() {{\n    replay(FailedDependency::{rule:?}, &[\n{lines}    ]);\n}}")
}

#[test]
fn the_queue_does_what_the_model_says() {
    let wanted = number(STEPS).map_or(USUAL_STEPS, |steps| usize::try_from(steps).expect("it fits"));
    let seed = number(SEED).unwrap_or_else(rand::random);
    println!("{wanted} random steps; {SEED}={seed} repeats them");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        max_shrink_iters: SHRINKS,
        max_shrink_time: SHRINK_MS,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let farm = RefCell::new(Farm::new());
    let mut taken = 0;
    while taken < wanted {
        let longest = LONGEST.min(wanted - taken);
        let tree = (rule(), vec(step(), 1..=longest))
            .new_tree(&mut runner)
            .expect("there are steps");
        taken += proptest::strategy::ValueTree::current(&tree).1.len();
        let answer = runner.run_one(tree, |(rule, steps)| {
            farm.borrow_mut().run(rule, &steps).map_err(TestCaseError::fail)
        });
        match answer {
            Ok(_) => {}
            Err(TestError::Fail(first, (rule, steps))) => {
                println!("{SEED}={seed}: {first}; making it shorter");
                let (problem, steps) = minimal(&mut farm.borrow_mut(), rule, steps);
                panic!("{SEED}={seed}: {problem}\n{}", as_test(rule, &steps))
            }
            Err(TestError::Abort(problem)) => panic!("{SEED}={seed}: {problem}"),
        }
    }
}
