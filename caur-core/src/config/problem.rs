//! What can be wrong with a configuration, and where a value came from.
//!
//! No message ever shows a secret: of settings that hold one only key, source and expectation are named.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// A TOML file.
    File {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// This environment variable.
    Environment(String),
    /// An option of the command line.
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::File { path, line } => f.pad(&format!("{}:{line}", path.display())),
            Self::Environment(name) => f.pad(&format!("environment variable {name}")),
            Self::CommandLine => f.pad("command line"),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is not TOML.
    #[error("{}:{line}:{column}: not valid TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// There is no such setting.
    #[error("unknown setting {key} ({origin}){}", suggestion(*closest))]
    UnknownKey {
        /// The key that was given.
        key: String,
        /// Where it was given.
        origin: Source,
        /// The known key that looks most like it.
        closest: Option<&'static str>,
    },
    /// A value does not fit its setting.
    #[error("{key} ({origin}): {}expected {expected}{}", shown(value.as_deref()), note(detail.as_deref()))]
    BadValue {
        /// The setting.
        key: &'static str,
        /// Where the value came from.
        origin: Source,
        /// The value; none where it may not be shown.
        value: Option<String>,
        /// What the setting takes.
        expected: String,
        /// What exactly is wrong, where more is known.
        detail: Option<String>,
    },
    /// A text is not the JSON that its setting takes.
    #[error("{key} ({origin}), line {line}, column {column}: {message}; expected JSON like {expected}")]
    BadJson {
        /// The setting.
        key: &'static str,
        /// Where the value came from.
        origin: Source,
        /// Line of the value, from 1.
        line: usize,
        /// Column of the value, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
        /// A pattern of what is right.
        expected: &'static str,
    },
    /// A value that a role needs is not set.
    #[error("{key} is not set, which the {role} role needs: set {env} to {expected}")]
    Missing {
        /// The setting.
        key: &'static str,
        /// Its environment variable.
        env: &'static str,
        /// Who needs it.
        role: &'static str,
        /// What to set it to.
        expected: &'static str,
    },
    /// A value that is well formed, but cannot be used.
    #[error("{key} ({env}): {message}")]
    Unusable {
        /// The setting.
        key: &'static str,
        /// Its environment variable.
        env: &'static str,
        /// Why not, and what would be right.
        message: String,
    },
}

fn suggestion(closest: Option<&str>) -> String {
    closest.map_or_else(
        || "; docs/caur.toml lists all settings".to_owned(),
        |closest| format!("; did you mean {closest}?"),
    )
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(
        || "the value cannot be used (not shown, as it may be secret): ".to_owned(),
        |value| format!("{value} cannot be used: "),
    )
}

fn note(detail: Option<&str>) -> String {
    detail.map_or_else(String::new, |detail| format!(" ({detail})"))
}

/// Everything that is wrong with a configuration, found in one go.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    /// The problems; never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// An error where there are problems.
    pub(super) fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        for problem in &self.problems {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}

/// Something odd that does not keep the program from running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// An environment variable that looks like ours, but is not.
    #[error("the environment variable {name} means nothing to caur{}", suggestion(*closest))]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The known variable that looks most like it.
        closest: Option<&'static str>,
    },
}
