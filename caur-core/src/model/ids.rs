//! Newtypes for identifiers. Each parses from text once, at the edge, and says what a valid value is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest identifier that is accepted, in bytes; file names built from it must fit into 255.
const MAX_LENGTH: usize = 128;

/// A text that is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {value:?}: expected {expected}")]
pub struct IdError {
    /// Which identifier was expected, in words.
    pub what: &'static str,
    /// The refused text.
    pub value: String,
    /// The rule that it breaks, in words.
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and takes it as an identifier.
            ///
            /// # Errors
            /// [`IdError`] with the rule that `text` breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let value = text.into();
                if value.len() <= MAX_LENGTH && $valid(&value) {
                    Ok(Self(value))
                } else {
                    Err(IdError { what: $what, value, expected: $expected })
                }
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// The name that the packages of one PKGBUILD share; also the name of its folder.
    Pkgbase,
    "pkgbase",
    "lower-case letters, digits and any of @ . _ + -, not starting with - or ., at most 128 bytes",
    is_pkgbase
);
text_id!(
    /// The name of one package.
    Pkgname,
    "pkgname",
    "letters, digits and any of @ . _ + -, not starting with - or ., at most 128 bytes",
    is_plain_name
);
text_id!(
    /// The identifier of a repository that packages are published to, as in `PACKAGE_TARGET_REPOS`.
    TargetRepo,
    "target repository",
    "letters, digits and any of @ . _ + -, not starting with - or ., at most 128 bytes",
    is_plain_name
);
text_id!(
    /// The identifier of a git repository of package folders, as in `PACKAGE_REPOS`.
    SourceRepo,
    "source repository",
    "letters, digits and any of @ . _ + -, not starting with - or ., at most 128 bytes",
    is_plain_name
);
text_id!(
    /// A machine architecture in pacman's spelling, such as `x86_64`.
    Arch,
    "architecture",
    "lower-case letters, digits and _, such as x86_64",
    is_arch
);
text_id!(
    /// The name under which a builder claims jobs, as in `BUILDER_HOSTNAME`.
    BuilderName,
    "builder name",
    "letters, digits and any of @ . _ + -, not starting with - or ., not a number, at most 128 bytes",
    is_builder_name
);
text_id!(
    /// One process of a builder, told from others that use the same name.
    InstanceId,
    "builder instance",
    "letters, digits and any of @ . _ + -, not starting with - or ., at most 128 bytes",
    is_plain_name
);
text_id!(
    /// A request to the repository, named by whoever makes it: made twice under one name, it is one request.
    RequestId,
    "request",
    "letters, digits and any of @ . _ + -, not starting with - or ., at most 128 bytes",
    is_plain_name
);
text_id!(
    /// What an operator does once, named by whoever does it: sent twice under one name, it is done once.
    OperationMark,
    "operation mark",
    "letters, digits and any of @ . _ + -, not starting with - or ., at most 128 bytes",
    is_plain_name
);
text_id!(
    /// A full git commit hash (SHA-1 or SHA-256) in lower-case hexadecimal.
    CommitId,
    "commit",
    "40 or 64 lower-case hexadecimal digits",
    is_commit
);

fn is_plain_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first != b'-' && first != b'.')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"@._+-".contains(&b))
}

fn is_pkgbase(text: &str) -> bool {
    is_plain_name(text) && !text.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_arch(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_builder_name(text: &str) -> bool {
    is_plain_name(text) && text.parse::<u32>().is_err()
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A job's identifier: milliseconds since 1970 of the moment it was submitted by Redis' clock, made unique.
///
/// The same number is the timestamp in the address of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl FromStr for JobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self).map_err(|_| IdError {
            what: "job",
            value: text.to_owned(),
            expected: "the job's number",
        })
    }
}

/// One repository database: a target repository for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The repository.
    pub repo: TargetRepo,
    /// The architecture.
    pub arch: Arch,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.repo, self.arch)
    }
}

/// Which builders may take a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BuildClass {
    /// Builders whose class is at least this number.
    Number(u32),
    /// Only the builder of this name.
    Builder(BuilderName),
}

impl BuildClass {
    /// The class of a job that states none.
    pub const DEFAULT: Self = Self::Number(1);
}

impl FromStr for BuildClass {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        BuilderName::new(text).map(Self::Builder).map_err(|_| IdError {
            what: "build class",
            value: text.to_owned(),
            expected: "a number or the name of a builder",
        })
    }
}

impl TryFrom<String> for BuildClass {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<BuildClass> for String {
    fn from(class: BuildClass) -> String {
        class.to_string()
    }
}

impl fmt::Display for BuildClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.pad(&number.to_string()),
            Self::Builder(name) => f.pad(name.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkgbase_follows_the_contract() {
        for good in ["a", "gtk2+extra", "x.y_z-1", "2bwm-git", "_x", "foo@bar"] {
            assert!(Pkgbase::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "A", "a b", "a/b", "a;b", "ä", "a\n", "$(x)"] {
            assert!(Pkgbase::new(bad).is_err(), "{bad:?}");
        }
        assert!(Pkgbase::new("a".repeat(129)).is_err());
    }

    #[test]
    fn an_invalid_identifier_names_what_and_the_rule() {
        let error = Pkgbase::new("Bad Name").unwrap_err().to_string();
        assert!(
            error.contains("pkgbase \"Bad Name\"") && error.contains("lower-case"),
            "{error}"
        );
    }

    #[test]
    fn a_class_is_a_number_or_a_builder() {
        assert_eq!("3".parse(), Ok(BuildClass::Number(3)));
        assert_eq!(
            "big-one".parse(),
            Ok(BuildClass::Builder(BuilderName::new("big-one").unwrap()))
        );
        assert!("a b".parse::<BuildClass>().is_err());
        assert!("".parse::<BuildClass>().is_err());
    }
}
