//! Sequences that went wrong once, as the property test printed them.

use super::Farm;
use super::step::{Ask, Step, Step::*};
use crate::model::{BuildOutcome::*, DependencyKind::*, FailedDependency};

fn replay(rule: FailedDependency, steps: &[Step]) {
    if let Err(problem) = Farm::new().run(rule, steps) {
        panic!("{problem}");
    }
}

#[test]
fn a_blocked_job_gets_into_a_cycle_with_what_blocks_it() {
    replay(
        FailedDependency::Published,
        &[
            Submit(vec![Ask {
                pkgbase: 2,
                target: 0,
                needs: vec![],
                provides: None,
                class: 0,
            }]),
            Submit(vec![Ask {
                pkgbase: 0,
                target: 0,
                needs: vec![(2, Make)],
                provides: Some(2),
                class: 1,
            }]),
            Claim { builder: 1, slot: 0 },
            Finish(0, Failed),
            Submit(vec![Ask {
                pkgbase: 2,
                target: 0,
                needs: vec![(10, Make)],
                provides: None,
                class: 0,
            }]),
        ],
    );
}
