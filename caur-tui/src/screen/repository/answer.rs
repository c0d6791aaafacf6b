//! What a database answers, in the form that the console needs. The console does not know the repository's own types.

use caur_core::queue::RepoAnswer;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A package in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Its name.
    pub pkgname: String,
    /// Its pkgbase.
    pub pkgbase: String,
    /// Its version.
    pub version: String,
}

/// A package with another version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Change {
    /// Its name.
    pub pkgname: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
}

/// How two states differ.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Difference {
    /// Packages that are new.
    pub added: Vec<Entry>,
    /// Packages that are gone.
    pub removed: Vec<Entry>,
    /// Packages with another file.
    pub changed: Vec<Change>,
}

/// What a removal removes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Removal {
    /// Packages that go.
    pub removed: Vec<Entry>,
    /// Packages that stay for now, and why.
    pub deferred: Vec<(Entry, String)>,
    /// How many packages there are before.
    pub listed: usize,
    /// The state that was looked at.
    pub snapshot: String,
}

/// What a rollback changes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rollback {
    /// What is different afterwards.
    pub difference: Difference,
    /// The state that was looked at.
    pub snapshot: String,
}

/// A state that a target was in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct State {
    /// Its number.
    pub number: u64,
    /// Since when, in seconds since 1970.
    pub at: u64,
    /// What led to it.
    pub kind: String,
    /// Who did that.
    pub who: String,
    /// Why; may be empty.
    pub reason: String,
    /// What it changed.
    pub difference: Difference,
    /// How many packages it lists.
    pub packages: usize,
    /// Whether it can be brought back.
    #[serde(rename = "snapshot")]
    pub kept: bool,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// How much it is: added, removed, changed.
    pub fn counts(&self) -> String {
        let Self {
            added,
            removed,
            changed,
        } = self;
        format!("+{} -{} ~{}", added.len(), removed.len(), changed.len())
    }

    /// A line for each package.
    pub fn lines(&self) -> Vec<String> {
        let entry = |sign: &str, entry: &Entry| format!("{sign} {} {}", entry.pkgname, entry.version);
        let gone = self.removed.iter().map(|gone| entry("-", gone));
        let new = self.added.iter().map(|new| entry("+", new));
        let changed = self
            .changed
            .iter()
            .map(|change| format!("~ {} {} → {}", change.pkgname, change.from, change.to));
        gone.chain(new).chain(changed).collect()
    }
}

impl Removal {
    /// Whether the database refuses it without force.
    pub fn is_guarded(&self) -> bool {
        is_guarded(self.removed.len(), self.listed)
    }
}

/// Whether a database refuses to take so many packages of so many away without force: it is more than a tenth.
pub fn is_guarded(removed: usize, listed: usize) -> bool {
    removed.saturating_mul(10) > listed
}

/// Whether an answer says that a database refused because of that.
pub fn says_guarded(answer: &RepoAnswer) -> bool {
    answer.message.contains("more than a tenth")
}

/// What an answer holds.
///
/// # Errors
/// It has another form.
pub fn read<T: DeserializeOwned>(answer: &RepoAnswer) -> Result<T, String> {
    T::deserialize(&answer.value)
        .map_err(|error| format!("the answer is of another version of Caur and cannot be shown: {error}"))
}

#[cfg(test)]
mod tests {
    use caur_core::model::Target;
    use caur_core::queue::RepoOutcome;
    use caur_core::repo;
    use serde_json::json;

    use super::*;
    use crate::screen::repository::fixtures::done;

    fn real(name: &str, version: &str) -> repo::Entry {
        repo::Entry {
            pkgname: name.to_owned(),
            pkgbase: "base".to_owned(),
            version: version.to_owned(),
        }
    }

    fn difference() -> repo::Difference {
        repo::Difference {
            added: vec![real("new", "1-1")],
            removed: vec![real("old", "1-1")],
            changed: vec![repo::Change {
                pkgname: "other".to_owned(),
                from: "1-1".to_owned(),
                to: "2-1".to_owned(),
            }],
        }
    }

    #[test]
    fn what_the_repository_tells_is_read_as_it_is() {
        let removal = repo::Removal {
            removed: vec![real("a", "1-1"), real("b", "1:2-1")],
            deferred: vec![(real("c", "1-1"), "on its way from 17".to_owned())],
            listed: 19,
            number: None,
            snapshot: "abc".to_owned(),
        };
        let read_removal: Removal = read(&done("", json!(removal))).unwrap();
        assert_eq!(read_removal.removed[1].version, "1:2-1");
        assert_eq!(read_removal.deferred[0].1, "on its way from 17");
        assert!(read_removal.is_guarded(), "2 of 19 is more than a tenth");
        assert!(!is_guarded(2, 20) && is_guarded(1, 9) && !is_guarded(0, 0));

        let rollback = repo::Rollback {
            difference: difference(),
            number: Some(4),
            snapshot: "def".to_owned(),
        };
        let rollback: Rollback = read(&done("", json!(rollback))).unwrap();
        assert_eq!(rollback.snapshot, "def");
        assert_eq!(
            rollback.difference.lines(),
            ["- old 1-1", "+ new 1-1", "~ other 1-1 → 2-1"]
        );
        assert_eq!(rollback.difference.counts(), "+1 -1 ~1");

        let record = repo::Record {
            number: 3,
            at: 1_764_000_000,
            kind: repo::Kind::AutoRemove,
            who: "ada".to_owned(),
            reason: String::new(),
            request: Some("request".to_owned()),
            jobs: Vec::new(),
            difference: difference(),
            packages: 11,
            database: "0".repeat(64),
            snapshot: true,
        };
        let states: Vec<State> = read(&done("", json!([record]))).unwrap();
        assert_eq!((states[0].kind.as_str(), states[0].kept), ("auto-remove", true));
    }

    #[test]
    fn the_guards_refusal_is_known_by_its_words() {
        let error = repo::RepoError::TooMany {
            target: Target {
                repo: "extra".parse().unwrap(),
                arch: "x86_64".parse().unwrap(),
            },
            removed: 6,
            listed: 11,
        };
        let mut answer = done(&error.to_string(), json!(null));
        answer.outcome = RepoOutcome::Refused;
        assert!(says_guarded(&answer));
        answer.message = "extra/x86_64 does not list a; nothing was changed".to_owned();
        assert!(!says_guarded(&answer));
        assert!(read::<Removal>(&answer).is_err());
    }
}
