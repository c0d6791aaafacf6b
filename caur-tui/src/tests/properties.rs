//! Whatever keys, sizes and news come: nothing breaks, and nothing but text reaches the terminal.

use proptest::prelude::*;
use ratatui::style::Modifier;

use super::*;

const KEYS: [char; 26] = [
    'j', 'k', 'g', 'G', '⏎', '⇥', '⎋', '/', '?', '↑', '↓', '→', '⇞', 'm', '⌫', 'h', ' ', 'x', 'd', 't', 'F',
    'i', 'W', ':', '1', '7',
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_size_any_keys_any_log(
        width in 0_u16..180,
        height in 0_u16..60,
        keys in prop::collection::vec(0_usize..KEYS.len(), 0..24),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut app = with_log(80, 24);
        app.update(Msg::Resize(width, height));
        let total = app.job_screen().pane().store().total();
        let piece = LogPiece { offset: total, at: NOW, bytes };
        log(&mut app, LogEvent::Pieces(vec![piece], Vec::new()));
        for key in keys {
            press(&mut app, &KEYS[key].to_string());
            for cell in &buffer(&app, width, height).content {
                prop_assert!(!cell.symbol().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn only_colours_of_a_log_reach_the_cells(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut app = online(80, 24);
        press(&mut app, "⏎");
        log(&mut app, LogEvent::Begin { attempt: 1, total: 0 });
        log(&mut app, LogEvent::Pieces(vec![LogPiece { offset: 0, at: NOW, bytes }], Vec::new()));
        for cell in &buffer(&app, 80, 24).content {
            let refused = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            let symbol = cell.symbol();
            prop_assert!(!symbol.contains(refused), "{:?}", symbol);
            prop_assert!(!cell.modifier.intersects(Modifier::HIDDEN | Modifier::SLOW_BLINK | Modifier::RAPID_BLINK));
        }
    }
}
