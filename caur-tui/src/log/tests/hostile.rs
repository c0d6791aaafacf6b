//! No log reaches past its lines.

use super::*;

proptest! {
    #[test]
    fn no_control_character_survives(bytes in hostile()) {
        for text in texts(&store(&[&bytes])) {
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
            prop_assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}']), "{:?}", text);
        }
    }

    #[test]
    fn styles_begin_inside_their_line_in_order(bytes in hostile()) {
        for item in items(&store(&[&bytes])) {
            let Item::Line(line) = item else { panic!("nothing is missing") };
            prop_assert!(line.runs.is_sorted_by(|a, b| a.at < b.at));
            prop_assert!(line.runs.iter().all(|run| line.text.is_char_boundary(usize::from(run.at))));
        }
    }

    #[test]
    fn pieces_from_nowhere_do_no_harm(
        pieces in prop::collection::vec((any::<u64>(), hostile()), 0..8),
        cuts in prop::collection::vec((any::<u64>(), any::<u64>()), 0..4),
    ) {
        let mut log = LogStore::new(1000);
        for (offset, bytes) in &pieces {
            log.push(piece(*offset, bytes));
        }
        for (start, end) in cuts {
            log.mark_cut(start..end);
        }
        log.finish();
        prop_assert!(items(&log).is_sorted_by(|a, b| a.end() <= b.offset()));
    }
}

#[test]
fn escape_sequences_without_an_end_take_no_memory() {
    let mut log = LogStore::default();
    let mut offset = 0;
    for chunk in [
        &b"\x1b]0;"[..],
        &vec![b'x'; 60_000],
        b"\x1b[",
        &vec![b'1'; 60_000],
        b"\nclean\n",
    ] {
        log.push(piece(offset, chunk));
        offset += chunk.len() as u64;
    }
    assert_eq!(texts(&log), ["", "clean"]);
    assert!(log.memory() < 4000, "{}", log.memory());
}
