//! The claim policy by example.

use super::super::policy::{
    Candidate, Group, NORMAL_SPEED, OVERTAKEN_HALF, OVERTAKEN_MAX, SLACK, View, chain_key, chain_of, choose,
    delay, short_key,
};
use crate::model::JobId;

/// A job that became ready at 0: id, expected seconds, chain.
fn job(id: u64, expected: u64, chain: u64) -> Candidate {
    ready(id, 0, 0, expected, chain)
}

fn ready(id: u64, priority: i32, second: u64, expected: u64, chain: u64) -> Candidate {
    Candidate {
        id: JobId(id),
        chain_key: chain_key(priority, chain),
        short_key: short_key(priority, second * 1000, delay(expected, 1)),
        expected,
    }
}

/// A group of these ready jobs and nothing else to do, with some slots of normal speed.
fn group(class: u32, slots: u64, jobs: &[Candidate]) -> Group {
    let first = |key: fn(&Candidate) -> f64| {
        jobs.iter()
            .copied()
            .min_by(|a, b| key(a).total_cmp(&key(b)).then(a.id.cmp(&b.id)))
    };
    Group {
        class,
        work: jobs.iter().map(|job| job.expected).sum(),
        capacity: slots * NORMAL_SPEED,
        fastest: if slots > 0 { NORMAL_SPEED } else { 0 },
        by_chain: first(|job| job.chain_key),
        by_short: first(|job| job.short_key),
    }
}

fn chosen(class: u32, classes: &[Group], own: &Group) -> Option<u64> {
    let view = View {
        class: Some(class),
        speed: NORMAL_SPEED,
        classes,
        own,
    };
    choose(&view).map(|id| id.0)
}

#[test]
fn keys_put_operators_first_and_can_be_read_back() {
    for (priority, chain) in [(0, 0), (0, 500), (1000, 7), (-1000, 86400), (-3, 0)] {
        let read = chain_of(chain_key(priority, chain));
        assert!(
            (read - f64::from(u32::try_from(chain).unwrap())).abs() < f64::EPSILON,
            "{priority} {chain}"
        );
    }
    assert!(chain_key(1, 0) < chain_key(0, 1_000_000_000));
    assert!(short_key(1, 2_000_000_000_000, OVERTAKEN_MAX) < short_key(0, 0, 0));
    assert!(short_key(0, 1000, 0) < short_key(0, 2000, 0));
}

#[test]
fn a_delay_grows_with_the_cost_and_has_a_limit() {
    assert_eq!(delay(0, 1), 0);
    assert_eq!(delay(OVERTAKEN_HALF, 1), OVERTAKEN_MAX / 2);
    assert_eq!(delay(10 * OVERTAKEN_HALF, 10), OVERTAKEN_MAX / 2);
    assert!(delay(600, 3) < delay(600, 2));
    assert!(delay(7 * 86400, 1) < OVERTAKEN_MAX);
    assert!(delay(u64::MAX, 1) <= OVERTAKEN_MAX);
}

#[test]
fn the_shortest_goes_first_unless_a_chain_is_urgent() {
    let none = group(0, 1, &[]);
    let jobs = [job(1, 100, 100), job(2, 50, 50), job(3, 200, 300)];
    assert_eq!(
        chosen(1, &[group(1, 1, &jobs)], &none),
        Some(3),
        "300 of 350 seconds"
    );
    let mut busy = group(1, 1, &jobs);
    busy.work = 1201;
    assert_eq!(chosen(1, &[busy], &none), Some(2), "300 of 1201 seconds");
    busy.capacity *= 2;
    assert_eq!(chosen(1, &[busy], &none), Some(3), "300 of 600 seconds per slot");
    assert_eq!(chosen(1, &[group(1, 1, &[])], &none), None);
    let twins = [job(9, 50, 50), job(8, 50, 50)];
    assert_eq!(chosen(1, &[group(1, 1, &twins)], &none), Some(8), "the older one");
}

#[test]
fn a_builder_takes_its_classes_and_what_names_it() {
    let none = group(0, 1, &[]);
    let classes = [group(1, 1, &[]), group(2, 1, &[job(2, 10, 10)])];
    assert_eq!(chosen(1, &classes, &none), None);
    assert_eq!(chosen(2, &classes, &none), Some(2));
    let own = group(0, 1, &[job(5, 10, 10)]);
    assert_eq!(chosen(1, &classes, &own), Some(5));
    let view = View {
        class: None,
        speed: NORMAL_SPEED,
        classes: &classes,
        own: &own,
    };
    assert_eq!(choose(&view), Some(JobId(5)));
}

#[test]
fn scarce_builders_leave_the_rest_to_others() {
    let none = group(0, 1, &[]);
    // 1000 s for one slot of class 2, 1020 s for the three of both.
    let classes = [
        group(1, 2, &[job(1, 20, 20)]),
        group(2, 1, &[job(2, 400, 400), job(3, 600, 600)]),
    ];
    assert_eq!(chosen(1, &classes, &none), Some(1));
    assert_eq!(chosen(2, &classes, &none), Some(3));
    // Nothing of class 2 is ready: better something than nothing, but no long chain.
    let mut running = group(2, 1, &[]);
    running.work = 1000;
    let lower = group(1, 2, &[job(1, 20, 20), job(4, 900, 900)]);
    assert_eq!(chosen(2, &[lower, running], &none), Some(1));
    assert_eq!(chosen(1, &[lower, running], &none), Some(4));
    // All builders are of class 2: there is nobody to leave it to.
    assert_eq!(
        chosen(2, &[group(1, 0, &[job(4, 900, 900)]), running], &none),
        Some(4)
    );
}

#[test]
fn a_slow_builder_starts_no_chain_that_ends_too_late() {
    let none = group(0, 1, &[]);
    let mut jobs = group(1, 4, &[job(1, 1000, 1000), job(2, 10, 10)]);
    jobs.work = 3000;
    let view = |speed| View {
        class: Some(1),
        speed,
        classes: std::slice::from_ref(&jobs),
        own: &none,
    };
    assert_eq!(choose(&view(NORMAL_SPEED)), Some(JobId(1)));
    assert_eq!(choose(&view(NORMAL_SPEED / 2)), Some(JobId(2)));
    // 2000 seconds, and half as many more if the estimate is wrong, against the load of four slots.
    for (work, taken) in [(11_999, 2), (12_000, 1)] {
        let mut jobs = group(1, 4, &[job(1, 1000, 1000), job(2, 10, 10)]);
        (jobs.work, jobs.fastest) = (work, 2 * NORMAL_SPEED);
        let view = View {
            class: Some(1),
            speed: NORMAL_SPEED / 2,
            classes: std::slice::from_ref(&jobs),
            own: &none,
        };
        assert_eq!(choose(&view), Some(JobId(taken)), "{work}");
    }
}

#[test]
fn a_slow_builder_delays_no_chain_that_ends_last() {
    let none = group(0, 1, &[]);
    // Started here the chain takes 200 and 500 seconds; all else is done after 300, or 700.
    for (work, taken) in [(600, None), (1399, None), (1400, Some(JobId(1)))] {
        let mut jobs = group(1, 2, &[job(1, 100, 1100)]);
        (jobs.work, jobs.fastest) = (work, 2 * NORMAL_SPEED);
        let view = View {
            class: Some(1),
            speed: NORMAL_SPEED / 2,
            classes: std::slice::from_ref(&jobs),
            own: &none,
        };
        assert_eq!(choose(&view), taken, "{work}");
    }
}

#[test]
fn a_slow_builder_leaves_what_a_faster_one_ends_sooner() {
    let none = group(0, 1, &[]);
    // 100 seconds at half speed end later than those 50 that the fastest needs after its half of the load.
    for (work, taken) in [(100, None), (599, None), (600, Some(JobId(1)))] {
        let mut jobs = group(1, 2, &[job(1, 100, 100)]);
        (jobs.work, jobs.fastest) = (work, 2 * NORMAL_SPEED);
        let view = View {
            class: Some(1),
            speed: NORMAL_SPEED / 2,
            classes: std::slice::from_ref(&jobs),
            own: &none,
        };
        assert_eq!(choose(&view), taken, "{work}");
    }
}

#[test]
fn nothing_is_overtaken_for_ever() {
    let none = group(0, 1, &[]);
    let slack = 36 * 3600;
    assert!((SLACK - 36.0 * 3600.0).abs() < f64::EPSILON);
    let limit = OVERTAKEN_MAX + slack;
    // The later one is urgent, and counts until its key is too far from the other's.
    let last = slack + delay(1, 1) - delay(9000, 1);
    for (second, expected) in [(last, 2), (last + 1, 1), (limit, 1)] {
        let jobs = [ready(1, 0, 0, 1, 1), ready(2, 0, second, 9000, 9000)];
        assert_eq!(
            chosen(1, &[group(1, 1, &jobs)], &none),
            Some(expected),
            "{second}"
        );
    }
    // Scarceness does not overrule it either, nor an operator.
    let high = group(3, 1, &[ready(3, 0, limit + 1, 5000, 5000)]);
    assert_eq!(
        chosen(3, &[group(1, 9, &[ready(1, 0, 0, 9000, 9000)]), high], &none),
        Some(1)
    );
    let high = group(3, 1, &[ready(3, 0, 0, 5000, 5000)]);
    assert_eq!(
        chosen(3, &[group(1, 9, &[ready(1, 1, 0, 20, 20)]), high], &none),
        Some(1)
    );
}
