//! Views of logs to which anything happens.

use super::pane::{LINE, numbered, pane, push, search_all};
use super::*;
use crate::log::{Body, Direction, LogPane, Settings};

/// Something that happens to a log.
#[derive(Debug, Clone)]
enum Event {
    Append(u64),
    Prepend(u64),
    Step,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        (1_u64..60).prop_map(Event::Append),
        (1_u64..60).prop_map(Event::Prepend),
        Just(Event::Step),
    ];
    prop::collection::vec(event, 1..30)
}

proptest! {
    #[test]
    fn a_paused_view_never_moves(
        events in events(),
        up in 1_i64..120,
        down in 0_i64..60,
        wrap in any::<bool>(),
        filter in prop::sample::select(vec!["", "7", "!3", "nothing has this"]),
        is_filtered_late in any::<bool>(),
    ) {
        let mut pane = LogPane::new(Settings { signs: false, ..Settings::default() });
        pane.resize(7, 5);
        let rows = |pane: &LogPane| -> Vec<(u64, String)> {
            pane.visible_rows(7, 5)
                .into_iter()
                .map(|row| match row.body {
                    Body::Line { line, bytes, .. } => (row.offset, line.text[bytes].to_owned()),
                    Body::Gap(_) => (row.offset, "gap".to_owned()),
                })
                .collect()
        };
        let (mut first, mut end) = (5000, 5100);
        push(&mut pane, first..end);
        if wrap {
            pane.toggle_wrap();
        }
        if !is_filtered_late {
            pane.set_filter(filter);
            search_all(&mut pane);
        }
        pane.scroll(-up);
        pane.scroll(down);
        if is_filtered_late {
            pane.set_filter(filter);
            search_all(&mut pane);
        }
        prop_assume!(!pane.is_following());
        let before = rows(&pane);
        prop_assume!(before.iter().any(|(_, text)| text != "gap"));
        for event in events {
            match event {
                Event::Append(count) => {
                    push(&mut pane, end..end + count);
                    end += count;
                }
                Event::Prepend(count) => {
                    // In bytes, so that pages meet in the middle of lines.
                    let bytes = numbered(first - count..first);
                    let half = bytes.len() / 2 + 3;
                    let start = (first - count) * LINE;
                    pane.push(piece(start + half as u64, &bytes[half..]));
                    pane.push(piece(start, &bytes[..half]));
                    first -= count;
                }
                Event::Step => search_all(&mut pane),
            }
            search_all(&mut pane);
            let now = rows(&pane);
            for (row, (old, new)) in before.iter().zip(&now).enumerate() {
                prop_assert!(old == new || old.1 == "gap", "row {}: {:?} became {:?}", row, before, now);
            }
            prop_assert!(now.len() >= before.len());
        }
    }

    #[test]
    fn nothing_that_is_done_breaks_the_view(
        bytes in hostile(),
        width in 0_u16..30,
        height in 0_u16..8,
        keys in prop::collection::vec(0_u8..20, 0..40),
    ) {
        let mut pane = pane();
        pane.resize(width, height);
        for (number, key) in keys.into_iter().enumerate() {
            match key {
                0 => pane.scroll(-3),
                1 => pane.scroll(2),
                2 => pane.page(-1),
                3 => pane.to_start(),
                4 => pane.follow(),
                5 => pane.to_percent(40),
                6 => pane.toggle_wrap(),
                7 => pane.toggle_times(),
                8 => pane.toggle_selection(),
                9 => pane.search("p", Direction::Forward),
                10 => pane.next_match(Direction::Backward),
                11 => pane.set_filter("!plain"),
                12 => pane.set_filter(""),
                13 => pane.next_error(Direction::Forward),
                14 => pane.side_step(true),
                15 => pane.resize(height, width),
                16 => pane.load_everything(),
                17 => pane.finish(),
                _ => {
                    let start = (number * 37) % 2000;
                    pane.push(piece(start as u64, &bytes));
                }
            }
            pane.step(1000);
            pane.wants();
            pane.text_to_copy();
            pane.summary();
            prop_assert!(pane.visible_rows(width, height).len() <= usize::from(height));
        }
    }
}
