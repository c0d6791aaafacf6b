//! The memory of a log is bounded.

use super::*;

const LINE: usize = 100;
/// Memory is counted now and then.
const SLACK: usize = 300 << 10;

/// Bytes of so many lines of [`LINE`] bytes from a line on.
fn lines(from: u64, count: u64) -> Vec<u8> {
    (from..from + count)
        .flat_map(|number| format!("{number:<99}\n").into_bytes())
        .collect()
}

fn push_lines(log: &mut LogStore, from: u64, count: u64) {
    log.push(piece(from * LINE as u64, &lines(from, count)));
}

fn first_number(log: &LogStore) -> u64 {
    texts(log)
        .iter()
        .find_map(|text| text.trim().parse().ok())
        .unwrap()
}

#[test]
fn the_oldest_part_goes_and_becomes_a_gap() {
    let mut log = LogStore::new(2 << 20);
    for page in 0..60 {
        push_lines(&mut log, page * 1000, 1000);
    }
    assert!(log.memory() <= (2 << 20) + SLACK, "{}", log.memory());
    let first = first_number(&log);
    let gap = log.first().unwrap();
    assert!(matches!(gap, Item::Gap(_)));
    assert_eq!(gap.end(), first * LINE as u64);
    assert_eq!(texts(&log).last().unwrap().trim(), "59999");
    push_lines(&mut log, first - 5, 5);
    assert_eq!(first_number(&log), first - 5, "it can be loaded again");
    assert_eq!(items(&log).len() as u64, 60_000 - (first - 5) + 1);
}

#[test]
fn what_is_looked_at_stays() {
    let mut log = LogStore::new(2 << 20);
    push_lines(&mut log, 0, 4000);
    log.protect(0..5000);
    for page in 4..60 {
        push_lines(&mut log, page * 1000, 1000);
    }
    assert!(log.memory() <= (2 << 20) + SLACK, "{}", log.memory());
    let shown = texts(&log);
    assert_eq!(shown[0].trim(), "0");
    assert_eq!(shown[50].trim(), "50");
    assert_eq!(log.gaps().count(), 1);
    assert_eq!(shown.last().unwrap().trim(), "59999");
}

#[test]
fn a_line_without_an_end_or_a_beginning_is_bounded_too() {
    let mut log = LogStore::new(1 << 20);
    for number in 0..40 {
        log.push(piece(1_000_000 + number * 100_000, &vec![b'x'; 100_000]));
    }
    assert!(log.memory() <= 2 << 20, "{}", log.memory());
    log.push(piece(5_000_000, b"\nreadable\n"));
    assert_eq!(texts(&log).last().unwrap(), "readable");
}

#[test]
fn a_million_lines_cost_little_more_than_their_text() {
    let mut log = LogStore::default();
    let colored: Vec<u8> = (0..1000)
        .flat_map(|number| format!("[{number:3}%] \x1b[32mBuilding C object CMakeFiles/demo.dir/src/window_{number}_of_quite_many_files_in_a_tree.c.o\x1b[0m\r\n").into_bytes())
        .collect();
    for page in 0..1000 {
        log.push(piece(page * colored.len() as u64, &colored));
    }
    assert_eq!(log.lines(), 1_000_000);
    assert!(log.total() > 100_000_000, "{}", log.total());
    assert!(log.memory() < 120_000_000, "{}", log.memory());
}
