//! What becomes of the bytes of a log.

use ratatui::style::{Color, Style};

use super::*;

fn styles(store: &LogStore, line: usize) -> Vec<(u16, Style)> {
    let Item::Line(line) = items(store)[line] else {
        panic!("a gap")
    };
    line.runs.iter().map(|run| (run.at, store.style(*run))).collect()
}

#[test]
fn progress_collapses_to_its_last_state() {
    let log = store(&[b"get\r\n 10%\r 50%", b"\r100%\r", b"\ndone\r"]);
    assert_eq!(texts(&log), ["get", "100%", "done"]);
}

#[test]
fn tabs_and_controls_are_shown() {
    let log = store(&[b"ab\tc\td\nbell\x07 back\x08\n"]);
    assert_eq!(texts(&log), ["ab      c       d", "bell^G back^H"]);
}

#[test]
fn styles_carry_over_lines_and_chunks() {
    let log = store(&[b"a\x1b[3", b"1mb\nc\x1b[0md\nred\x1b[31m\nall of it\n\n"]);
    let red = Style::new().fg(Color::Red);
    assert_eq!(styles(&log, 0), [(1, red)]);
    assert_eq!(styles(&log, 1), [(0, red), (1, Style::new())]);
    assert_eq!(styles(&log, 2), []);
    assert_eq!(styles(&log, 3), [(0, red)]);
    assert_eq!(styles(&log, 4), []);
}

#[test]
fn an_overlong_line_is_cut_with_a_note() {
    let mut log = LogStore::default();
    for number in 0..100 {
        log.push(piece(number * 50_000, &vec![b'x'; 50_000]));
    }
    let open = texts(&log).pop().unwrap();
    assert_eq!(open.len(), 8 << 10);
    log.push(piece(5_000_000, b"\nnext\n"));
    assert_eq!(
        texts(&log),
        [format!("{open}… (4991808 more characters)"), "next".to_owned()]
    );
    assert!(log.memory() < 100_000);
}

#[test]
fn lines_are_found_by_their_offsets() {
    let log = store(&[b"zero\n\nsix\n"]);
    assert_eq!(
        items(&log).iter().map(Item::offset).collect::<Vec<_>>(),
        [0, 5, 6]
    );
    for (offset, expected) in [(0, 0), (4, 0), (5, 5), (6, 6), (9, 6), (900, 6)] {
        assert_eq!(log.line_at_or_before(offset).unwrap().offset(), expected);
    }
    let last = log.last().unwrap();
    assert_eq!(last.offset(), 6);
    assert_eq!(log.prev(&last).unwrap().offset(), 5);
    assert_eq!(log.next(&last), None);
    assert_eq!(log.prev(&log.first().unwrap()), None);
    assert_eq!(log.line_number(6), Some(3));
}

#[test]
fn lines_know_when_they_began() {
    let mut log = LogStore::default();
    for (offset, at, bytes) in [(0, 10, "one\ntw"), (6, 20, "o\nthree\n"), (14, 20, "four\n")] {
        let bytes = bytes.as_bytes();
        log.push(LogPiece { offset, at, bytes });
    }
    let times: Vec<u64> = items(&log)
        .iter()
        .map(|item| match item {
            Item::Line(line) => line.at,
            Item::Gap(_) => 0,
        })
        .collect();
    assert_eq!(times, [10, 10, 20, 20]);
}

#[test]
fn gaps_say_why_they_are_there() {
    let mut log = LogStore::default();
    log.push(piece(0, b"half"));
    log.mark_cut(4..3_100_004);
    log.push(piece(3_100_004, b"rest\nline\n"));
    log.set_total(64_300_014);
    assert_eq!(
        texts(&log),
        [
            "half",
            "··· 3.1 MB left out by the size limit ···",
            "rest",
            "line",
            "··· 61 MB not loaded ···",
        ]
    );
    assert_eq!(log.unloaded(0..u64::MAX), 61_200_000);
    assert_eq!(log.line_number(0), Some(1));
    assert_eq!(
        log.line_number(3_100_004),
        None,
        "nobody knows how many lines are missing"
    );
}

#[test]
fn half_lines_become_whole_where_pages_meet() {
    let mut log = LogStore::default();
    log.push(piece(14, b"d line\nthird"));
    assert_eq!(texts(&log), ["··· 14 B not loaded ···", "d line", "third"]);
    log.push(piece(0, b"first\nsec"));
    assert_eq!(
        texts(&log),
        ["first", "sec", "··· 5 B not loaded ···", "d line", "third"]
    );
    log.push(piece(6, b"second, thir"));
    assert_eq!(
        texts(&log),
        ["first", "second, d line", "third"],
        "what is known stays"
    );
}
