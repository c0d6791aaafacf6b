//! The claim policy keeps its promises on the graph of a collection; the bench `simulate` measures it at length.

use caur_tests::simulation::{Farms, Knowledge, Workload, compare};

const ROUNDS: u64 = 3;

#[test]
fn the_end_is_near_its_bound_and_the_mean_wait_far_below_first_come() {
    let workload = Workload::load();
    for (builders, flow) in [(2, 0.60), (8, 0.60), (32, 0.60), (128, 0.82)] {
        for farms in [Farms::Equal, Farms::Classes] {
            let [ours, ..] = compare(&workload, farms, Knowledge::Learned, builders, ROUNDS);
            let (makespan, waits) = (ours.makespan.p95(), ours.flow.mean());
            assert!(
                makespan <= 1.05,
                "{farms}, {builders} builders: {makespan:.3} times the bound"
            );
            // A generated graph has no wide front on which many builders could choose.
            if workload.real || builders < 128 {
                assert!(
                    waits <= flow,
                    "{farms}, {builders} builders: {waits:.3} of first come"
                );
            }
        }
    }
}
