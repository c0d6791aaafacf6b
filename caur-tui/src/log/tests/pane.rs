//! What is seen of a log, and where keys lead.

use super::*;
use crate::log::{Body, Direction, LogPane, Notice, PageWish, STEP, Settings};

pub const LINE: u64 = 10;

/// A view of five rows.
pub fn pane() -> LogPane {
    let mut pane = LogPane::new(Settings {
        signs: false,
        is_error: |line| line.contains("ERROR"),
        ..Settings::default()
    });
    pane.resize(40, 5);
    pane
}

/// Lines of [`LINE`] bytes, each with its number.
pub fn numbered(range: std::ops::Range<u64>) -> Vec<u8> {
    range
        .flat_map(|line| format!("line {line:04}\n").into_bytes())
        .collect()
}

pub fn push(pane: &mut LogPane, lines: std::ops::Range<u64>) {
    pane.push(piece(lines.start * LINE, &numbered(lines)));
}

pub fn seen(pane: &LogPane) -> Vec<String> {
    let text = |body: Body<'_>| match body {
        Body::Line { line, bytes, .. } => line.text[bytes].trim_start_matches("line ").to_owned(),
        Body::Gap(gap) => gap.to_string(),
    };
    pane.visible_rows(40, 5)
        .into_iter()
        .map(|row| text(row.body))
        .collect()
}

pub fn search_all(pane: &mut LogPane) {
    while pane.step(STEP) {}
}

#[test]
fn it_follows_pauses_and_follows_again() {
    let mut pane = pane();
    push(&mut pane, 0..10);
    assert_eq!(seen(&pane), ["0005", "0006", "0007", "0008", "0009"]);
    pane.scroll(-2);
    push(&mut pane, 10..500);
    assert_eq!(
        seen(&pane),
        ["0003", "0004", "0005", "0006", "0007"],
        "a paused view does not move"
    );
    assert_eq!(pane.summary().new_below, 490);
    pane.scroll(1000);
    assert_eq!(seen(&pane)[4], "0499");
    assert!(
        !pane.is_following(),
        "the end is reached, but following is a decision"
    );
    pane.follow();
    push(&mut pane, 500..501);
    assert_eq!(seen(&pane)[4], "0500");
}

#[test]
fn a_log_that_fits_cannot_be_paused_by_accident() {
    let mut pane = pane();
    push(&mut pane, 0..2);
    pane.scroll(-1);
    pane.to_start();
    pane.page(-1);
    assert!(pane.is_following());
    assert_eq!(seen(&pane), ["0000", "0001"]);
}

#[test]
fn pages_and_places() {
    let mut pane = pane();
    push(&mut pane, 0..100);
    pane.page(-1);
    assert_eq!(seen(&pane)[0], "0091");
    pane.half_page(1);
    assert_eq!(seen(&pane)[0], "0093");
    pane.to_start();
    assert_eq!(seen(&pane)[0], "0000");
    pane.scroll(-3);
    assert_eq!(seen(&pane)[0], "0000");
    pane.to_percent(50);
    assert_eq!(seen(&pane)[0], "0050");
    pane.set_mark('a');
    pane.to_percent(100);
    assert_eq!(seen(&pane)[4], "0099");
    assert!(pane.to_mark('a'));
    assert!(seen(&pane).contains(&"0050".to_owned()));
    assert!(!pane.to_mark('b'));
    assert_eq!(pane.position(), 500);
}

#[test]
fn older_pages_come_in_above_what_is_seen() {
    let mut pane = pane();
    push(&mut pane, 100..200);
    pane.scroll(-95);
    assert_eq!(seen(&pane)[..2], ["0100", "0101"]);
    pane.scroll(-9);
    assert_eq!(seen(&pane)[..2], ["··· 1.0 kB not loaded ···", "0100"]);
    assert_eq!(pane.wants(), Some(PageWish::Before(1000)));
    assert_eq!(pane.wants(), None, "it is not asked twice");
    push(&mut pane, 80..100);
    assert_eq!(seen(&pane)[..2], ["0099", "0100"]);
    assert_eq!(pane.wants(), None, "there is enough for now");
    pane.scroll(-15);
    assert_eq!(pane.wants(), Some(PageWish::Before(800)));
    pane.forget_wishes();
    assert_eq!(pane.wants(), Some(PageWish::Before(800)));
}

#[test]
fn a_place_that_is_not_loaded_is_fetched_and_then_shown() {
    let mut pane = pane();
    push(&mut pane, 900..1000);
    pane.to_percent(50);
    assert_eq!(pane.wants(), Some(PageWish::At(5000)));
    push(&mut pane, 1000..1001);
    assert_eq!(seen(&pane)[0], "··· 9.0 kB not loaded ···");
    push(&mut pane, 480..520);
    assert_eq!(seen(&pane), ["0500", "0501", "0502", "0503", "0504"]);
    push(&mut pane, 0..480);
    push(&mut pane, 520..900);
    assert_eq!(seen(&pane), ["0500", "0501", "0502", "0503", "0504"]);
    assert_eq!((pane.wants(), pane.summary().lines), (None, Some(1001)));
}

#[test]
fn searching_goes_both_ways_and_around() {
    let mut pane = pane();
    push(&mut pane, 0..300);
    pane.search("line 01", Direction::Backward);
    search_all(&mut pane);
    assert_eq!(pane.position(), 1990);
    let search = pane.summary().search.unwrap();
    assert_eq!((search.current, search.count), (Some(100), 100));
    pane.next_match(Direction::Backward);
    assert_eq!(pane.position(), 1980);
    pane.next_match(Direction::Forward);
    pane.next_match(Direction::Forward);
    assert_eq!(pane.position(), 1000);
    assert_eq!(pane.summary().notice, Some(Notice::Wrapped(Direction::Forward)));
    pane.search("nowhere", Direction::Forward);
    search_all(&mut pane);
    assert_eq!(pane.summary().notice, Some(Notice::NotFound(0)));
    assert_eq!(pane.position(), 1000, "nothing found, nothing moved");
}

#[test]
fn a_search_says_what_it_did_not_look_at_and_can_look_there() {
    let mut pane = pane();
    push(&mut pane, 0..10);
    push(&mut pane, 500..510);
    pane.to_start();
    pane.search("0505", Direction::Forward);
    search_all(&mut pane);
    assert_eq!(pane.position(), 5050);
    assert_eq!(pane.summary().notice, Some(Notice::Skipped(4900)));
    pane.search("0333", Direction::Backward);
    search_all(&mut pane);
    assert_eq!(pane.summary().notice, Some(Notice::NotFound(4900)));
    pane.load_everything();
    pane.search("0333", Direction::Backward);
    search_all(&mut pane);
    assert_eq!(pane.wants(), Some(PageWish::All));
    assert_eq!(pane.wants(), None);
    push(&mut pane, 10..500);
    search_all(&mut pane);
    assert_eq!(pane.position(), 3330);
    assert_eq!(pane.wants(), None);
}

#[test]
fn a_search_that_is_tried_out_can_be_taken_back() {
    let mut pane = pane();
    push(&mut pane, 0..300);
    pane.begin_search();
    for text in ["2", "22", "227"] {
        pane.search(text, Direction::Backward);
        search_all(&mut pane);
    }
    assert_eq!(pane.position(), 2270);
    pane.cancel_search();
    assert!(pane.is_following() && pane.summary().search.is_none());
    pane.begin_search();
    pane.search("017", Direction::Backward);
    search_all(&mut pane);
    pane.accept_search();
    assert_eq!(pane.position(), 1790);
}

#[test]
fn a_filter_hides_the_rest_also_of_what_arrives() {
    let mut pane = pane();
    push(&mut pane, 0..300);
    pane.set_filter("7");
    search_all(&mut pane);
    assert_eq!(seen(&pane), ["0277", "0278", "0279", "0287", "0297"]);
    push(&mut pane, 300..308);
    search_all(&mut pane);
    assert_eq!(seen(&pane)[4], "0307");
    pane.scroll(-2);
    let before = seen(&pane);
    push(&mut pane, 308..400);
    search_all(&mut pane);
    assert_eq!(seen(&pane), before);
    assert_eq!(pane.summary().new_below, 18);
    pane.search("line 03", Direction::Forward);
    search_all(&mut pane);
    assert_eq!(pane.position(), 3070, "a search stays among what passes");
    pane.set_filter("!7");
    search_all(&mut pane);
    assert!(seen(&pane).iter().all(|line| !line.contains('7')));
    pane.set_filter("");
    assert_eq!(pane.summary().filter, None);
    assert_eq!(pane.position(), 3070);
}

#[test]
fn errors_are_found_first_next_and_previous() {
    let mut pane = pane();
    push(&mut pane, 0..50);
    pane.push(piece(500, b"an ERROR\nok\nERROR 2\n"));
    pane.first_error();
    search_all(&mut pane);
    assert_eq!(pane.position(), 500);
    pane.next_error(Direction::Forward);
    assert_eq!(pane.position(), 512);
    pane.next_error(Direction::Backward);
    assert_eq!(pane.position(), 500);
    search_all(&mut pane);
    assert_eq!(pane.summary().errors, Some(2));
    let rows = pane.visible_rows(40, 5);
    assert!(
        rows.iter()
            .any(|row| row.is_current && matches!(row.body, Body::Line { is_error: true, .. }))
    );
}

#[test]
fn the_first_error_of_all_waits_for_all() {
    let mut pane = pane();
    push(&mut pane, 100..110);
    pane.push(piece(1100, b"ERROR two\n"));
    pane.load_everything();
    pane.first_error();
    search_all(&mut pane);
    assert_eq!(pane.wants(), Some(PageWish::All));
    assert!(pane.summary().is_looking && pane.is_following());
    pane.push(piece(0, b"ERROR one\n"));
    push(&mut pane, 1..100);
    search_all(&mut pane);
    assert_eq!((pane.position(), pane.summary().is_looking), (0, false));
    pane.first_error();
    pane.scroll(50);
    search_all(&mut pane);
    assert!(!pane.summary().is_looking, "a key ends the wait");
}

#[test]
fn lines_are_selected_and_copied() {
    let mut pane = pane();
    push(&mut pane, 0..100);
    assert_eq!(pane.text_to_copy(), "line 0095");
    pane.toggle_selection();
    pane.scroll(-7);
    push(&mut pane, 100..200);
    assert_eq!(seen(&pane)[0], "0092");
    assert_eq!(pane.summary().selected, Some(8));
    let text = pane.text_to_copy();
    assert!(text.starts_with("line 0092\nline 0093\n") && text.ends_with("line 0099"));
    assert_eq!(
        pane.visible_rows(40, 5)
            .iter()
            .filter(|row| row.is_selected)
            .count(),
        5
    );
    pane.follow();
    assert_eq!(pane.summary().selected, Some(101));
    pane.toggle_selection();
    assert_eq!(pane.selection(), None);
    assert_eq!(pane.plain_lines().count(), 200);
}

#[test]
fn wrapped_lines_take_the_rows_they_need() {
    let mut pane = pane();
    let wide = "日本語".repeat(20);
    pane.push(piece(
        0,
        format!("first\n{wide}\n{}\nlast\n", "x".repeat(100)).as_bytes(),
    ));
    pane.toggle_wrap();
    assert_eq!(
        seen(&pane),
        [
            wide[40 * 3..].to_owned(),
            "x".repeat(40),
            "x".repeat(40),
            "x".repeat(20),
            "last".to_owned()
        ]
    );
    pane.scroll(-2);
    assert_eq!(seen(&pane)[4], "x".repeat(40));
    pane.toggle_wrap();
    pane.side_step(true);
    assert_eq!(pane.left(), 16);
    assert_eq!(seen(&pane)[1], "日本語".repeat(20)[24..24 + 60]);
}

#[test]
fn a_match_far_to_the_right_is_brought_into_sight() {
    let mut pane = pane();
    pane.push(piece(0, format!("{}needle\n", "x".repeat(200)).as_bytes()));
    pane.search("needle", Direction::Forward);
    search_all(&mut pane);
    assert!(seen(&pane)[0].contains("needle"));
    pane.toggle_wrap();
    push(&mut pane, 21..40);
    pane.follow();
    pane.next_match(Direction::Forward);
    search_all(&mut pane);
    assert!(
        seen(&pane).iter().any(|row| row.contains("needle")),
        "{:?}",
        seen(&pane)
    );
}

#[test]
fn what_a_paused_view_shows_outlives_the_budget() {
    let mut pane = LogPane::new(Settings {
        signs: false,
        budget: 2 << 20,
        ..Settings::default()
    });
    pane.resize(40, 5);
    push(&mut pane, 0..20_000);
    pane.to_start();
    pane.scroll(7);
    let before = seen(&pane);
    for page in 1..20 {
        push(&mut pane, page * 20_000..(page + 1) * 20_000);
    }
    assert_eq!(seen(&pane), before);
    assert!(pane.store().memory() < 3 << 20, "{}", pane.store().memory());
    let summary = pane.summary();
    assert!(summary.unloaded > 1_000_000, "{summary:?}");
    pane.follow();
    assert_eq!(pane.wants(), None, "the end is there");
}
