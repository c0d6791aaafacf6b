//! How things look: one symbol and one word for every state, and colours on top where they are wanted.
//!
//! Nothing is told by colour alone, so the console reads the same without any (`NO_COLOR`).

use caur_core::model::JobState;
use ratatui::style::{Color, Modifier, Style};

/// Colours on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// The terminal's own sixteen colours.
    Color,
    /// None; weight and reversal only.
    Mono,
}

impl Theme {
    /// The theme that the value of `NO_COLOR` asks for.
    pub fn from_no_color(value: Option<&str>) -> Self {
        match value {
            None | Some("") => Self::Color,
            Some(_) => Self::Mono,
        }
    }

    /// A job's state.
    pub fn state(self, state: JobState) -> Style {
        let style = self.fg(match state {
            JobState::Waiting | JobState::Skipped | JobState::AlreadyBuilt | JobState::Canceled => {
                Color::DarkGray
            }
            JobState::Ready => Color::Blue,
            JobState::Backoff | JobState::Blocked | JobState::Held => Color::Yellow,
            JobState::Building | JobState::Uploaded | JobState::Publishing => Color::Cyan,
            JobState::Succeeded => Color::Green,
            JobState::Failed
            | JobState::TimedOut
            | JobState::OutOfMemory
            | JobState::InfrastructureFailed => Color::Red,
        });
        match state {
            JobState::Building | JobState::Failed => style.add_modifier(Modifier::BOLD),
            _ => style,
        }
    }

    /// The selected row.
    pub fn selection(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Column headings and the titles of panes; `focused` ones stand out.
    pub fn title(self, focused: bool) -> Style {
        if focused {
            self.fg(Color::Cyan)
                .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        } else {
            Style::new().add_modifier(Modifier::BOLD)
        }
    }

    /// What matters less.
    pub fn faint(self) -> Style {
        match self {
            Self::Color => Style::new().fg(Color::DarkGray),
            Self::Mono => Style::new(),
        }
    }

    /// A link that works.
    pub fn good(self) -> Style {
        self.fg(Color::Green)
    }

    /// Something to look at.
    pub fn warning(self) -> Style {
        self.fg(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// Something is broken.
    pub fn error(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A style that a build log asks for.
    pub fn log(self, style: Style) -> Style {
        match self {
            Self::Color => style,
            Self::Mono => Style {
                fg: None,
                bg: None,
                ..style
            },
        }
    }

    fn fg(self, color: Color) -> Style {
        match self {
            Self::Color => Style::new().fg(color),
            Self::Mono => Style::new(),
        }
    }
}

/// The symbol of a state, one column wide.
pub fn symbol(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "·",
        JobState::Ready => "○",
        JobState::Backoff => "↻",
        JobState::Blocked => "■",
        JobState::Held => "‖",
        JobState::Building => "▶",
        JobState::Uploaded => "↑",
        JobState::Publishing => "»",
        JobState::Succeeded => "✓",
        JobState::AlreadyBuilt => "=",
        JobState::Skipped => "∅",
        JobState::Failed => "✗",
        JobState::TimedOut => "◷",
        JobState::OutOfMemory => "▲",
        JobState::Canceled => "⊘",
        JobState::InfrastructureFailed => "!",
    }
}

/// The word of a state, short enough for a column.
pub fn word(state: JobState) -> &'static str {
    match state {
        JobState::InfrastructureFailed => "infra-failed",
        other => other.as_str(),
    }
}

/// The columns that the longest word of a state takes.
pub const WORD_WIDTH: u16 = 13;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn every_state_has_its_own_narrow_symbol_and_word() {
        let symbols: BTreeSet<_> = JobState::ALL.into_iter().map(symbol).collect();
        let words: BTreeSet<_> = JobState::ALL.into_iter().map(word).collect();
        assert_eq!(symbols.len(), JobState::ALL.len());
        assert_eq!(words.len(), JobState::ALL.len());
        assert!(symbols.iter().all(|symbol| symbol.width() == 1));
        assert!(words.iter().all(|word| word.width() <= usize::from(WORD_WIDTH)));
    }

    #[test]
    fn mono_uses_no_colour() {
        for state in JobState::ALL {
            let style = Theme::Mono.state(state);
            assert_eq!((style.fg, style.bg), (None, None));
        }
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        assert_eq!(Theme::Mono.log(red), Style::new().add_modifier(Modifier::BOLD));
        assert!(Theme::Mono.selection().add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn no_color_counts_when_it_is_not_empty() {
        assert_eq!(Theme::from_no_color(None), Theme::Color);
        assert_eq!(Theme::from_no_color(Some("")), Theme::Color);
        assert_eq!(Theme::from_no_color(Some("1")), Theme::Mono);
    }
}
