//! How things look: one symbol and one word for every state, and colours on top where they are wanted.
//!
//! Nothing is told by colour alone, so the console reads the same without any (`NO_COLOR`).

use caur_core::model::JobState;
use clap::ValueEnum;
use ratatui::style::{Color, Modifier, Style};

/// A choice of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// The terminal's own sixteen colours, for a dark background.
    Dark,
    /// For a light background.
    Light,
    /// Bright colours and full contrast.
    HighContrast,
    /// Blue, orange and their like, which people with any usual colour blindness tell apart.
    ColorBlind,
    /// No colours; weight and reversal only.
    Mono,
}

/// What a thing on screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Done, working.
    Good,
    /// Worked on.
    Active,
    /// About to be worked on.
    Ready,
    /// To be looked at.
    Warning,
    /// Broken.
    Error,
    /// Of less interest.
    Faint,
    /// Headings.
    Accent,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 5] = [
        Self::Dark,
        Self::Light,
        Self::HighContrast,
        Self::ColorBlind,
        Self::Mono,
    ];

    /// Its name on the command line and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::ColorBlind => "color-blind",
            Self::Mono => "mono",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// The theme to begin with: the one that was asked for; else none with colours where `NO_COLOR` is set and not empty.
    pub fn choose(asked: Option<Self>, configured: Option<Self>, no_color: Option<&str>) -> Self {
        let without = no_color.is_some_and(|value| !value.is_empty());
        asked
            .or(without.then_some(Self::Mono))
            .or(configured)
            .unwrap_or(Self::Dark)
    }

    /// The style of a meaning.
    pub fn style(self, meaning: Meaning) -> Style {
        let bold = match meaning {
            Meaning::Warning | Meaning::Error | Meaning::Active => Modifier::BOLD,
            Meaning::Good | Meaning::Ready | Meaning::Faint | Meaning::Accent => Modifier::empty(),
        };
        let style = Style::new().add_modifier(bold);
        match self.color(meaning) {
            Some(color) => style.fg(color),
            None => style,
        }
    }

    fn color(self, meaning: Meaning) -> Option<Color> {
        use Meaning as M;
        Some(match (self, meaning) {
            (Self::Mono, _) => return None,
            (Self::Dark, M::Good) => Color::Green,
            (Self::Dark, M::Active | M::Accent) => Color::Cyan,
            (Self::Dark, M::Ready) => Color::LightBlue,
            (Self::Dark, M::Warning) => Color::Yellow,
            (Self::Dark, M::Error) => Color::LightRed,
            (Self::Dark, M::Faint) => Color::DarkGray,
            (Self::Light, M::Good) => Color::Indexed(22),
            (Self::Light, M::Active | M::Accent) => Color::Indexed(25),
            (Self::Light, M::Ready) => Color::Indexed(54),
            (Self::Light, M::Warning) => Color::Indexed(94),
            (Self::Light, M::Error) => Color::Indexed(124),
            (Self::Light, M::Faint) => Color::Indexed(243),
            (Self::HighContrast, M::Good) => Color::LightGreen,
            (Self::HighContrast, M::Active | M::Accent) => Color::LightCyan,
            (Self::HighContrast, M::Ready | M::Faint) => Color::White,
            (Self::HighContrast, M::Warning) => Color::LightYellow,
            (Self::HighContrast, M::Error) => Color::LightRed,
            // After Okabe and Ito's palette.
            (Self::ColorBlind, M::Good) => Color::Indexed(36),
            (Self::ColorBlind, M::Active | M::Accent) => Color::Indexed(74),
            (Self::ColorBlind, M::Ready) => Color::Indexed(32),
            (Self::ColorBlind, M::Warning) => Color::Indexed(214),
            (Self::ColorBlind, M::Error) => Color::Indexed(166),
            (Self::ColorBlind, M::Faint) => Color::Indexed(245),
        })
    }

    /// A job's state.
    pub fn state(self, state: JobState) -> Style {
        self.style(meaning(state))
    }

    /// The selected row: reversed, so that it is seen without colours, too.
    pub fn selection(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A marked row.
    pub fn marked(self) -> Style {
        self.style(Meaning::Warning)
    }

    /// Column headings and the titles of panes; `focused` ones stand out.
    pub fn title(self, focused: bool) -> Style {
        if focused {
            self.style(Meaning::Accent)
                .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        } else {
            Style::new().add_modifier(Modifier::BOLD)
        }
    }

    /// What matters less.
    pub fn faint(self) -> Style {
        self.style(Meaning::Faint)
    }

    /// A link that works, something that was done.
    pub fn good(self) -> Style {
        self.style(Meaning::Good)
    }

    /// Something to look at.
    pub fn warning(self) -> Style {
        self.style(Meaning::Warning)
    }

    /// Something is broken.
    pub fn error(self) -> Style {
        self.style(Meaning::Error)
    }

    /// A place that a search found; the one it stands on is reversed on top.
    pub fn found(self, current: bool) -> Style {
        let style = self.style(Meaning::Warning).add_modifier(Modifier::UNDERLINED);
        if current {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        }
    }

    /// A style that a build log asks for.
    pub fn log(self, style: Style) -> Style {
        match self {
            Self::Mono => Style {
                fg: None,
                bg: None,
                ..style
            },
            Self::Dark | Self::Light | Self::HighContrast | Self::ColorBlind => style,
        }
    }
}

/// What a state means.
pub fn meaning(state: JobState) -> Meaning {
    match state {
        JobState::Waiting | JobState::Skipped | JobState::AlreadyBuilt | JobState::Canceled => Meaning::Faint,
        JobState::Ready => Meaning::Ready,
        JobState::Backoff | JobState::Blocked | JobState::Held => Meaning::Warning,
        JobState::Building | JobState::Uploaded | JobState::Publishing => Meaning::Active,
        JobState::Succeeded => Meaning::Good,
        JobState::Failed | JobState::TimedOut | JobState::OutOfMemory | JobState::InfrastructureFailed => {
            Meaning::Error
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
    }

    #[test]
    fn every_theme_shows_the_selection_and_names_itself() {
        for theme in Theme::ALL {
            assert!(theme.selection().add_modifier.contains(Modifier::REVERSED));
            assert_eq!(Theme::named(theme.name()), Some(theme));
            assert_eq!(theme.to_possible_value().unwrap().get_name(), theme.name());
        }
    }

    #[test]
    fn no_color_counts_when_it_is_not_empty_and_nothing_else_was_asked_for() {
        assert_eq!(Theme::choose(None, None, None), Theme::Dark);
        assert_eq!(Theme::choose(None, Some(Theme::Light), Some("")), Theme::Light);
        assert_eq!(Theme::choose(None, Some(Theme::Light), Some("1")), Theme::Mono);
        assert_eq!(
            Theme::choose(Some(Theme::ColorBlind), None, Some("1")),
            Theme::ColorBlind
        );
    }
}
