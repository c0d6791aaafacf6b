//! What a worker process of the chaos test did, fact by fact, in a file that outlives its SIGKILL.
//!
//! A fact is one line that is appended by one write: before a call of the queue what is about to be asked, after it
//! what was answered. Processes are compared by the monotonic clock, which all processes of a machine share.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use caur_core::model::{JobId, LeaseToken};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Which lease a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// A builder's.
    Build,
    /// A publisher's.
    Publish,
}

/// A lease as journals name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// Who may hold it.
    pub stage: Stage,
    /// The job.
    pub job: JobId,
    /// Its attempt.
    pub attempt: u32,
    /// The lease's nonce.
    pub nonce: String,
}

impl Hold {
    /// The lease that `token` proves.
    #[must_use]
    pub fn of(stage: Stage, token: &LeaseToken) -> Self {
        Self {
            stage,
            job: token.job,
            attempt: token.attempt,
            nonce: token.nonce.clone(),
        }
    }

    /// The proof of it.
    #[must_use]
    pub fn token(&self) -> LeaseToken {
        LeaseToken {
            job: self.job,
            attempt: self.attempt,
            nonce: self.nonce.clone(),
        }
    }
}

/// What the queue said to a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// The lease is lost.
    Stale,
    /// Nothing: the connection broke.
    Lost,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The process started.
    Started,
    /// It is about to ask for work, by a claim or by the second half of a finish.
    Claiming,
    /// It was given this lease.
    Claimed(Hold),
    /// It took this lease over from its predecessor.
    Adopted(Hold),
    /// A heartbeat told that the lease is lost.
    Fenced(Hold),
    /// It is about to end this lease.
    Finishing {
        /// The lease.
        hold: Hold,
        /// How, as the queue names it.
        outcome: String,
    },
    /// What was answered to that.
    Finished {
        /// The lease.
        hold: Hold,
        /// The answer.
        answer: Answer,
    },
    /// A sweep that took this many jobs back.
    Swept {
        /// Leases that had run out.
        expired: usize,
    },
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Microseconds of the monotonic clock.
    pub at: u64,
    /// The worker's name.
    pub who: String,
    /// Its process.
    pub pid: u32,
    /// What happened.
    pub what: What,
}

/// A worker's journal. All processes of one name append to the same file, one after the other.
pub struct Journal {
    file: File,
    who: String,
}

impl Journal {
    /// Opens the journal of the worker `who`.
    ///
    /// # Errors
    /// As the file system says.
    pub fn open(directory: &Path, who: &str) -> io::Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(path(directory, who))?;
        Ok(Self {
            file,
            who: who.to_owned(),
        })
    }

    /// Writes a fact down.
    ///
    /// # Panics
    /// When that fails: a worker without a journal proves nothing.
    pub fn note(&self, what: What) {
        let fact = Fact {
            at: micros(),
            who: self.who.clone(),
            pid: std::process::id(),
            what,
        };
        let mut line = serde_json::to_vec(&fact).expect("a fact is plain data");
        line.push(b'\n');
        (&self.file).write_all(&line).expect("the journal takes a line");
    }
}

/// Every fact of the worker `who`, in order; none where it never wrote one.
///
/// # Errors
/// As the file system says, or when a line is no fact.
pub fn read(directory: &Path, who: &str) -> io::Result<Vec<Fact>> {
    let text = match std::fs::read_to_string(path(directory, who)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let facts = text
        .lines()
        .map(|line| serde_json::from_str(line).map_err(Into::into));
    facts.collect()
}

/// Every fact of every worker, by time.
///
/// # Errors
/// As [`read`].
pub fn read_all<'a>(directory: &Path, workers: impl IntoIterator<Item = &'a str>) -> io::Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for who in workers {
        facts.extend(read(directory, who)?);
    }
    facts.sort_by_key(|fact| fact.at);
    Ok(facts)
}

fn path(directory: &Path, who: &str) -> PathBuf {
    directory.join(format!("{who}.journal"))
}

/// The monotonic clock, which does not jump and is the same in all processes.
fn micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
    u64::try_from(micros).unwrap_or_default()
}
