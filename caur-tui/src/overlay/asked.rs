//! A question that the backend asks while it connects.

use crossterm::event::{KeyCode, KeyEvent};
use secrecy::SecretString;

use crate::input::Input;
use crate::question::{Answer, Question};

/// A question of the backend that is being answered.
pub struct Asked {
    /// Its number.
    pub id: u64,
    /// The question.
    pub question: Question,
    /// Whether the dangerous button is the chosen one.
    pub yes: bool,
    /// What was typed; shown as dots.
    pub typed: Input,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is typed may be a passphrase.
        f.debug_struct("Asked")
            .field("id", &self.id)
            .field("question", &self.question)
            .finish_non_exhaustive()
    }
}

impl Asked {
    /// A question that nobody answered yet.
    pub fn new(id: u64, question: Question) -> Self {
        Self {
            id,
            question,
            yes: false,
            typed: Input::default(),
        }
    }

    /// Takes a key; the answer, once there is one. No letter is a yes: whoever types something else when the question
    /// comes does not trust a server by it.
    pub fn key(&mut self, event: KeyEvent) -> Option<Answer> {
        match (&self.question, event.code) {
            (Question::TrustHost { .. }, code) => match code {
                KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => Some(Answer::Trust(false)),
                KeyCode::Enter => Some(Answer::Trust(self.yes)),
                KeyCode::Left | KeyCode::Right | KeyCode::Tab | KeyCode::BackTab => {
                    self.yes = !self.yes;
                    None
                }
                _ => None,
            },
            (Question::Passphrase { .. }, KeyCode::Esc) => Some(Answer::Passphrase(None)),
            (Question::Passphrase { .. }, KeyCode::Enter) => {
                let typed = std::mem::take(&mut self.typed);
                Some(Answer::Passphrase(Some(SecretString::from(
                    typed.text().to_owned(),
                ))))
            }
            (Question::Passphrase { .. }, _) => {
                self.typed.key(event);
                None
            }
        }
    }
}
