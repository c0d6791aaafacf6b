//! Searches in a log.

use std::time::{Duration, Instant};

use super::*;
use crate::log::{Direction, Found, Matcher, Pattern, Scan};

fn with(text: &str) -> Matcher {
    Matcher::With(Pattern::new(text).unwrap())
}

fn scanned(log: &LogStore, matcher: Matcher) -> Scan {
    let mut scan = Scan::new(matcher);
    while !scan.step(log, 1, 0, Direction::Forward).is_done() {}
    scan
}

/// Every line that is found, going forward.
fn found(log: &LogStore, scan: &Scan, filter: Option<&Scan>) -> Vec<u64> {
    let mut lines = Vec::new();
    let mut from = 0;
    while let Found::Line(offset) = scan.find(log, from, Direction::Forward, filter) {
        lines.push(offset);
        from = offset + 1;
    }
    lines
}

#[test]
fn lines_are_found_both_ways_and_counted() {
    let log = store(&[b"apple\nbanana\nApple pie\ncherry\nan apple"]);
    let scan = scanned(&log, with("apple"));
    assert_eq!(found(&log, &scan, None), [0, 13, 30]);
    assert_eq!(scan.find(&log, 29, Direction::Backward, None), Found::Line(13));
    assert_eq!(scan.find(&log, 31, Direction::Forward, None), Found::Nowhere);
    assert_eq!((scan.count(&log), scan.count_before(&log, 13)), (3, 1));
    let others = scanned(&log, Matcher::Without(Pattern::new("an").unwrap()));
    assert_eq!(found(&log, &others, None), [0, 13, 23]);
    assert_eq!(
        found(&log, &scan, Some(&others)),
        [0, 13],
        "only what passes the filter"
    );
    let told = scanned(&log, Matcher::Told(|line| line.len() > 6));
    assert_eq!(found(&log, &told, None), [13, 30]);
}

#[test]
fn what_is_not_looked_at_yet_is_unknown_and_not_nowhere() {
    let log = store(&[b"a\nb\n"]);
    let mut scan = Scan::new(with("b"));
    assert_eq!(scan.find(&log, 0, Direction::Forward, None), Found::Unknown);
    assert!(scan.step(&log, 1, 0, Direction::Forward).is_done());
    assert_eq!(scan.find(&log, 0, Direction::Forward, None), Found::Line(2));
}

#[test]
fn new_lines_are_looked_at_once_they_arrive() {
    let mut log = LogStore::default();
    log.push(piece(0, b"match one\nno\nma"));
    let mut scan = scanned(&log, with("match"));
    assert_eq!(scan.count(&log), 1);
    log.push(piece(15, b"tch two\n"));
    assert!(!scan.progress(&log).is_done());
    assert!(scan.step(&log, 1, 0, Direction::Forward).is_done());
    assert_eq!(found(&log, &scan, None), [0, 13]);
}

#[test]
fn a_million_lines_are_searched_in_steps_that_take_a_moment() {
    let mut log = LogStore::default();
    let page: Vec<u8> = (0..1000)
        .flat_map(|number| {
            format!("{number:>6} some line of a compiler that says not much, to fill about a hundred bytes, like real ones do\n")
                .into_bytes()
        })
        .collect();
    for number in 0..1000 {
        log.push(piece(number * page.len() as u64, &page));
    }
    for matcher in [
        with("nothing like it"),
        with("some"),
        with("Some"),
        Matcher::Told(|line| line.ends_with("99 do")),
    ] {
        let mut scan = Scan::new(matcher);
        let mut before = 0;
        loop {
            let begin = Instant::now();
            let progress = scan.step(&log, crate::log::STEP, 0, Direction::Forward);
            assert!(
                begin.elapsed() < Duration::from_millis(500),
                "a step of {:?}",
                begin.elapsed()
            );
            let step = progress.seen - before;
            assert!(step <= (crate::log::STEP + (256 << 10)) as u64, "{step}");
            before = progress.seen;
            if progress.is_done() {
                break;
            }
        }
    }
    let scan = scanned(&log, with("  777 some"));
    assert_eq!(scan.count(&log), 1000);
}

proptest! {
    #[test]
    fn the_order_of_steps_makes_no_difference(
        bytes in hostile(),
        cut in 0_usize..200,
        from in any::<prop::sample::Index>(),
        backward in any::<bool>(),
    ) {
        let whole = store(&[&bytes]);
        let expected = scanned(&whole, with("plain"));
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let from = from.index(bytes.len() + 1) as u64;
        let mut log = LogStore::default();
        let mut scan = Scan::new(with("plain"));
        let cut = cut.min(bytes.len());
        log.push(piece(cut as u64, &bytes[cut..]));
        scan.step(&log, 1, from, direction);
        log.push(piece(0, &bytes[..cut]));
        log.finish();
        while !scan.step(&log, 1, from, direction).is_done() {}
        prop_assert_eq!(found(&log, &scan, None), found(&whole, &expected, None));
        prop_assert_eq!(scan.count(&log), expected.count(&whole));
    }
}
