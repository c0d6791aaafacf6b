//! Which key does what: one list, from which the keys act, the footer hints and the help is written.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Move the selection or the log.
    Move(Motion),
    /// The log to the left.
    Left,
    /// The log to the right.
    Right,
    /// The full log, and back.
    FullScreen,
    /// The other pane.
    SwitchPane,
    /// Type a filter.
    Filter,
    /// One step leave help, log, filter.
    Back,
    /// Help, and back.
    Help,
    /// Leave.
    Quit,
}

/// Where to move within a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line; a log is followed again.
    Last,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub KeyCode, pub KeyModifiers);

/// The keys of one action.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Each of them asks for the action.
    pub keys: &'static [Key],
    /// The action.
    pub action: Action,
    /// What it does, for the help.
    pub help: &'static str,
    /// A word for the footer, where it is worth one.
    pub hint: Option<&'static str>,
}

const fn plain(code: KeyCode) -> Key {
    Key(code, KeyModifiers::NONE)
}

const fn char(c: char) -> Key {
    plain(KeyCode::Char(c))
}

const fn control(c: char) -> Key {
    Key(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn binding(
    keys: &'static [Key],
    action: Action,
    help: &'static str,
    hint: Option<&'static str>,
) -> Binding {
    Binding {
        keys,
        action,
        help,
        hint,
    }
}

/// Every binding, in the order of the help; hints stand in this order too, so the vital ones come first.
pub const BINDINGS: &[Binding] = &[
    binding(&[char('?')], Action::Help, "this help, and back", Some("help")),
    binding(&[char('q'), control('c')], Action::Quit, "quit", Some("quit")),
    binding(
        &[plain(KeyCode::Tab), plain(KeyCode::BackTab)],
        Action::SwitchPane,
        "between queue and log",
        Some("queue/log"),
    ),
    binding(
        &[plain(KeyCode::Enter)],
        Action::FullScreen,
        "full log, and back",
        Some("full log"),
    ),
    binding(&[char('/')], Action::Filter, "filter the queue", Some("filter")),
    binding(
        &[plain(KeyCode::Up), char('k')],
        Action::Move(Motion::Up),
        "one line up",
        None,
    ),
    binding(
        &[plain(KeyCode::Down), char('j')],
        Action::Move(Motion::Down),
        "one line down",
        None,
    ),
    binding(
        &[plain(KeyCode::PageUp), control('b')],
        Action::Move(Motion::PageUp),
        "one page up",
        None,
    ),
    binding(
        &[plain(KeyCode::PageDown), control('f')],
        Action::Move(Motion::PageDown),
        "one page down",
        None,
    ),
    binding(
        &[plain(KeyCode::Home), char('g')],
        Action::Move(Motion::First),
        "to the top",
        None,
    ),
    binding(
        &[plain(KeyCode::End), char('G')],
        Action::Move(Motion::Last),
        "end; follow the log",
        Some("follow"),
    ),
    binding(
        &[plain(KeyCode::Left), char('h')],
        Action::Left,
        "log to the left",
        None,
    ),
    binding(
        &[plain(KeyCode::Right), char('l')],
        Action::Right,
        "log to the right",
        None,
    ),
    binding(
        &[plain(KeyCode::Esc)],
        Action::Back,
        "leave help, log, filter",
        None,
    ),
];

/// Keys while a filter is typed, as label and meaning.
pub const FILTER_KEYS: &[(&str, &str)] = &[
    ("text", "words a job must hold"),
    ("Enter", "keep the filter"),
    ("Esc", "drop the filter"),
    ("Ctrl-U", "empty the filter"),
];

/// What `event` asks for.
pub fn action(event: KeyEvent) -> Option<Action> {
    // Terminals disagree on whether a capital letter comes with the shift modifier.
    let key = Key(event.code, event.modifiers - KeyModifiers::SHIFT);
    BINDINGS
        .iter()
        .find(|binding| binding.keys.contains(&key))
        .map(|binding| binding.action)
}

/// Whether the key leaves the console even while text is typed.
pub fn is_interrupt(event: KeyEvent) -> bool {
    event.modifiers.contains(KeyModifiers::CONTROL) && event.code == KeyCode::Char('c')
}

/// The name of a key as it is printed on keyboards.
pub fn label(key: Key) -> String {
    let Key(code, modifiers) = key;
    let name = match code {
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => c.to_ascii_uppercase().to_string(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Up => "↑".to_owned(),
        KeyCode::Down => "↓".to_owned(),
        KeyCode::Left => "←".to_owned(),
        KeyCode::Right => "→".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        KeyCode::BackTab => "Shift-Tab".to_owned(),
        other => other.to_string(),
    };
    if modifiers.contains(KeyModifiers::CONTROL) {
        format!("Ctrl-{name}")
    } else {
        name
    }
}

/// The names of all keys of a binding.
pub fn labels(binding: &Binding) -> String {
    let names: Vec<String> = binding.keys.iter().copied().map(label).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_bound_twice() {
        let keys: Vec<Key> = BINDINGS
            .iter()
            .flat_map(|binding| binding.keys)
            .copied()
            .collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{} is bound twice", label(*key));
        }
    }

    #[test]
    fn keys_find_their_action() {
        let press = |code, modifiers| action(KeyEvent::new(code, modifiers));
        assert_eq!(
            press(KeyCode::Char('G'), KeyModifiers::SHIFT),
            Some(Action::Move(Motion::Last))
        );
        assert_eq!(
            press(KeyCode::BackTab, KeyModifiers::SHIFT),
            Some(Action::SwitchPane)
        );
        assert_eq!(
            press(KeyCode::Char('c'), KeyModifiers::CONTROL),
            Some(Action::Quit)
        );
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::NONE), None);
    }

    #[test]
    fn keys_have_names() {
        assert_eq!(label(control('c')), "Ctrl-C");
        assert_eq!(label(plain(KeyCode::PageUp)), "PgUp");
        assert_eq!(labels(&BINDINGS[0]), "?");
    }
}
