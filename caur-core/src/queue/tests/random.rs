//! Random operations by several actors; the invariants hold after each.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Submit(Vec<(u8, Vec<u8>)>),
    Claim(u8),
    Finish(u8, BuildOutcome),
    Publish,
    TimePasses,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        4 => Just(BuildOutcome::Built),
        1 => Just(BuildOutcome::AlreadyBuilt),
        1 => Just(BuildOutcome::Failed),
        1 => Just(BuildOutcome::Canceled),
        1 => Just(BuildOutcome::Infrastructure),
        1 => Just(BuildOutcome::Released),
    ];
    prop_oneof![
        2 => proptest::collection::vec((0..8_u8, proptest::collection::vec(0..8_u8, 0..3)), 1..5).prop_map(Step::Submit),
        4 => (0..3_u8).prop_map(Step::Claim),
        4 => (0..3_u8, outcome).prop_map(|(who, outcome)| Step::Finish(who, outcome)),
        2 => Just(Step::Publish),
        1 => Just(Step::TimePasses),
    ]
}

async fn run(steps: Vec<Step>) {
    let farm = Fixture::new().await;
    let mut held: [Option<Claim>; 3] = [None, None, None];
    for step in steps {
        match step {
            Step::Submit(batch) => {
                let name = |number: u8| format!("p{number}");
                let batch = batch
                    .into_iter()
                    .map(|(pkgbase, needs)| {
                        let needs: Vec<String> = needs.into_iter().map(name).collect();
                        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                        request(&name(pkgbase), &needs)
                    })
                    .collect();
                farm.submit(batch).await;
            }
            Step::Claim(who) => {
                let slot = &mut held[usize::from(who)];
                if slot.is_none() {
                    *slot = farm.claim(&format!("b{who}"), 2).await;
                }
            }
            Step::Finish(who, outcome) => {
                if let Some(claim) = held[usize::from(who)].take() {
                    // Its lease may have run out in the meantime; then nothing may happen.
                    let answer = farm.queue.finish(&claim.token, &attempt(&claim, outcome)).await;
                    assert!(
                        matches!(answer, Ok(()) | Err(QueueError::Stale { .. })),
                        "{answer:?}"
                    );
                    farm.sound().await;
                }
            }
            Step::Publish => {
                farm.publish().await;
            }
            Step::TimePasses => farm.let_time_pass().await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn invariants_hold_after_every_step(steps in proptest::collection::vec(step(), 1..60)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(steps));
    }
}
