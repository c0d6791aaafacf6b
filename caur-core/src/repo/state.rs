//! What is known of a target besides its databases: the newest transaction, files that no database lists any more,
//! what was published for whom. It changes with the databases, in the same transaction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use serde::{Deserialize, Serialize};

use super::RepoError;
use super::layout::Layout;
use crate::model::{JobId, Pkgbase, Pkgname};

const FORMAT: u32 = 1;
/// How many publishes and requests are remembered, so that one whose answer got lost is recognised.
const REMEMBERED: usize = 2000;

/// What is known of a target besides its databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// The newest transaction; 0 before the first.
    pub number: u64,
    /// SHA-256 of the packages database that it left. Another one in place was made by another program.
    pub database: String,
    /// Files that no database lists any more.
    pub retired: Vec<Retired>,
    /// What was published last: job and attempt.
    published: VecDeque<(JobId, u32)>,
    /// Requests that were carried out last, with their transactions.
    requests: VecDeque<(String, u64)>,
    /// Who may take a package over from the pkgbase that owns it.
    pub transfers: BTreeMap<Pkgname, Pkgbase>,
    /// Pkgbases whose packages came by hand, not from a job.
    pub by_hand: BTreeSet<String>,
}

/// A package file that no database lists any more. Its signature goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Its public name.
    pub name: String,
    /// SHA-256, where a database stated it.
    pub sha256: Option<String>,
    /// The transaction that took it out of the database; 0: no database is known to have listed it.
    pub left: u64,
    /// When that was, in seconds since 1970.
    pub at: u64,
    /// Its place in the archive, once it is there.
    pub archived: Option<Archived>,
}

/// A place in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The path below the archive.
    pub path: String,
    /// When the file went there, in seconds since 1970.
    pub at: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            format: FORMAT,
            number: 0,
            database: String::new(),
            retired: Vec::new(),
            published: VecDeque::new(),
            requests: VecDeque::new(),
            transfers: BTreeMap::new(),
            by_hand: BTreeSet::new(),
        }
    }
}

impl State {
    /// Reads the state of a target; a fresh one where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(layout: &Layout) -> Result<Self, RepoError> {
        let path = layout.state();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(RepoError::io("read", &path, error)),
        };
        let bad = |problem: String| RepoError::Record {
            path: path.clone(),
            problem,
        };
        let state: Self = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if state.format == FORMAT {
            Ok(state)
        } else {
            Err(bad(format!(
                "it has the format {}, known is {FORMAT}",
                state.format
            )))
        }
    }

    /// As it is written.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every key is text")
    }

    /// Whether the upload of this attempt was published.
    #[must_use]
    pub fn has_published(&self, job: JobId, attempt: u32) -> bool {
        self.published.contains(&(job, attempt))
    }

    /// Remembers that the upload of this attempt was published.
    pub fn remember_published(&mut self, job: JobId, attempt: u32) {
        self.published.push_back((job, attempt));
        while self.published.len() > REMEMBERED {
            self.published.pop_front();
        }
    }

    /// The transaction of a request that was carried out.
    #[must_use]
    pub fn transaction_of(&self, request: &str) -> Option<u64> {
        let mut requests = self.requests.iter();
        requests.find(|(id, _)| id == request).map(|&(_, number)| number)
    }

    /// Remembers that a request was carried out by the newest transaction.
    pub fn remember_request(&mut self, request: &str) {
        self.requests.push_back((request.to_owned(), self.number));
        while self.requests.len() > REMEMBERED {
            self.requests.pop_front();
        }
    }

    /// The files that lie beside the listed ones for their time of grace.
    #[must_use]
    pub fn in_grace(&self) -> BTreeSet<&str> {
        let waiting = self.retired.iter().filter(|retired| retired.archived.is_none());
        waiting.map(|retired| retired.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_much_is_remembered() {
        let mut state = State::default();
        for number in 1..=REMEMBERED as u64 + 1 {
            state.number = number;
            state.remember_published(JobId(number), 2);
            state.remember_request(&number.to_string());
        }
        assert!(!state.has_published(JobId(1), 2) && state.has_published(JobId(2), 2));
        assert!(!state.has_published(JobId(2), 1));
        assert_eq!(
            (state.transaction_of("1"), state.transaction_of("2")),
            (None, Some(2))
        );
        assert_eq!(serde_json::from_slice::<State>(&state.to_json()).unwrap(), state);
    }
}
