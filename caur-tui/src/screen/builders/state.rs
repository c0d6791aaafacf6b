//! What a builder is doing on the whole, in a symbol and a word.

use caur_core::model::BuilderStatus;

use crate::printable::one_line;
use crate::theme::Meaning;

/// What a builder is doing on the whole; where several things hold, the gravest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuilderState {
    /// It takes jobs.
    Online,
    /// It says itself that it takes none.
    Stopped,
    /// An operator, or its own failures, paused it.
    Paused,
    /// It ends once its jobs have.
    Draining,
    /// It cannot work for this farm.
    Incompatible,
    /// It has given no sign of life for too long.
    Lost,
}

impl BuilderState {
    /// The state of a builder.
    pub fn of(builder: &BuilderStatus) -> Self {
        if !builder.online {
            Self::Lost
        } else if builder.incompatible.is_some() {
            Self::Incompatible
        } else if builder.draining.is_some() {
            Self::Draining
        } else if builder.paused.is_some() {
            Self::Paused
        } else if builder.report.note.is_some() {
            Self::Stopped
        } else {
            Self::Online
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Incompatible => "incompatible",
            Self::Lost => "lost",
        }
    }

    /// Its symbol, one column wide.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Online => "●",
            Self::Stopped => "■",
            Self::Paused => "‖",
            Self::Draining => "↓",
            Self::Incompatible => "✗",
            Self::Lost => "?",
        }
    }

    /// What it means.
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Online => Meaning::Good,
            Self::Stopped | Self::Paused | Self::Draining => Meaning::Warning,
            Self::Incompatible | Self::Lost => Meaning::Error,
        }
    }
}

/// Every reason for which a builder takes no jobs, and what else is wrong with it; none where all is well.
pub fn reasons(builder: &BuilderStatus) -> Vec<String> {
    let mut reasons = Vec::new();
    if !builder.online {
        reasons.push("no sign of life: its jobs go to others once their leases end".to_owned());
    }
    let said = [
        &builder.incompatible,
        &builder.draining,
        &builder.paused,
        &builder.report.note,
    ];
    reasons.extend(said.into_iter().flatten().map(|reason| one_line(reason)));
    if let Some(other) = &builder.double {
        reasons.push(format!(
            "another process uses this name, too: {}",
            one_line(other)
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::builder;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_gravest_state_is_shown_and_every_reason() {
        let mut it = builder("alder");
        let mut seen = vec![BuilderState::of(&it)];
        assert_eq!(reasons(&it), Vec::<String>::new());
        it.report.note = Some("the disk is full".to_owned());
        seen.push(BuilderState::of(&it));
        it.paused = Some("paused by kim".to_owned());
        seen.push(BuilderState::of(&it));
        it.draining = Some("drained by kim".to_owned());
        seen.push(BuilderState::of(&it));
        it.incompatible = Some("protocol 2".to_owned());
        seen.push(BuilderState::of(&it));
        it.online = false;
        seen.push(BuilderState::of(&it));
        assert_eq!(
            seen,
            [
                BuilderState::Online,
                BuilderState::Stopped,
                BuilderState::Paused,
                BuilderState::Draining,
                BuilderState::Incompatible,
                BuilderState::Lost
            ]
        );
        it.double = Some("4711".to_owned());
        assert_eq!(reasons(&it).len(), 6);
        for state in seen {
            assert_eq!(state.symbol().width(), 1);
            assert!(state.word().len() <= 12);
        }
    }
}
