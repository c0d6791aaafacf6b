//! Whether something is really wanted. The safe button is the default; what is worst has to be typed.

use crossterm::event::{KeyCode, KeyEvent};

use crate::input::Input;
use crate::msg::Request;

/// How much harm something can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// A yes is enough; `no` is the default.
    Confirm,
    /// This has to be typed.
    Type(String),
}

/// A question before something is done.
#[derive(Debug)]
pub struct Confirm {
    /// What is about to be done, as a question.
    pub title: String,
    /// What it means, line by line.
    pub lines: Vec<String>,
    /// How much harm it can do.
    pub danger: Danger,
    /// What a yes asks for.
    pub requests: Vec<Request>,
    /// Whether the dangerous button is the chosen one.
    pub yes: bool,
    /// What was typed so far.
    pub typed: Input,
    /// The first line that is shown.
    pub scroll: usize,
}

/// What a key did to the question.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is still open.
    Open,
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Confirm {
    /// A question whose default is no.
    pub fn new(title: impl Into<String>, lines: Vec<String>, danger: Danger, requests: Vec<Request>) -> Self {
        Self {
            title: title.into(),
            lines,
            danger,
            requests,
            yes: false,
            typed: Input::default(),
            scroll: 0,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, event: KeyEvent) -> Verdict {
        match event.code {
            KeyCode::Esc => return Verdict::No,
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            // How far it can go depends on the screen; the application keeps it there.
            KeyCode::Down => self.scroll += 1,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::PageDown => self.scroll += 10,
            _ => match &self.danger {
                Danger::Type(word) => {
                    if event.code == KeyCode::Enter {
                        if self.typed.text().trim() == word {
                            return Verdict::Yes;
                        }
                    } else {
                        self.typed.key(event);
                    }
                }
                Danger::Confirm => match event.code {
                    KeyCode::Char('y' | 'Y') => return Verdict::Yes,
                    KeyCode::Char('n' | 'N' | 'q') => return Verdict::No,
                    KeyCode::Enter => return if self.yes { Verdict::Yes } else { Verdict::No },
                    KeyCode::Left
                    | KeyCode::Right
                    | KeyCode::Tab
                    | KeyCode::BackTab
                    | KeyCode::Char('h' | 'l') => {
                        self.yes = !self.yes;
                    }
                    _ => {}
                },
            },
        }
        Verdict::Open
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn press(confirm: &mut Confirm, code: KeyCode) -> Verdict {
        confirm.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn enter_alone_is_a_no() {
        let mut confirm = Confirm::new("cancel?", Vec::new(), Danger::Confirm, Vec::new());
        assert_eq!(press(&mut confirm, KeyCode::Enter), Verdict::No);
        assert_eq!(press(&mut confirm, KeyCode::Left), Verdict::Open);
        assert_eq!(press(&mut confirm, KeyCode::Enter), Verdict::Yes);
        assert_eq!(press(&mut confirm, KeyCode::Char('y')), Verdict::Yes);
        assert_eq!(press(&mut confirm, KeyCode::Esc), Verdict::No);
    }

    #[test]
    fn what_is_worst_has_to_be_typed() {
        let mut confirm = Confirm::new("remove?", Vec::new(), Danger::Type("foo".into()), Vec::new());
        assert_eq!(press(&mut confirm, KeyCode::Char('y')), Verdict::Open);
        assert_eq!(press(&mut confirm, KeyCode::Enter), Verdict::Open);
        press(&mut confirm, KeyCode::Backspace);
        for c in "foo".chars() {
            press(&mut confirm, KeyCode::Char(c));
        }
        assert_eq!(press(&mut confirm, KeyCode::Enter), Verdict::Yes);
    }
}
