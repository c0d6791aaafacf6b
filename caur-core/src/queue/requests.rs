//! What people and CI ask of a repository: they reach only Redis, so a `database` carries it out and answers.
//!
//! A request is named by its asker, so that making it twice is making it once; it is begun in time or not at all, and
//! one at a time of each target. `answer.rs` is the database's side.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use redis::Pipeline;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::claim::millis;
use super::publish::parse_target;
use super::{Asker, Queue, QueueError, keys, scripts};
use crate::model::{Pkgbase, RequestId, Target};

/// Requests that may wait at a time.
const MOST_WAITING: usize = 1000;
/// Bytes of a request's text; a keep-list of 2,534 names has 50,000.
const LARGEST: usize = 1 << 20;

/// What is asked of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoRequest {
    /// Its name.
    pub id: RequestId,
    /// Which repository.
    pub target: Target,
    /// What to do.
    #[serde(flatten)]
    pub action: RepoAction,
    /// Whether guards against accidents are off.
    #[serde(default)]
    pub force: bool,
    /// Whether it is only to be said what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// The state of the target that the asker looked at; where it is another by now, nothing is done.
    #[serde(default)]
    pub previewed: Option<String>,
    /// How long it may wait until it is begun.
    #[serde(skip, default)]
    pub patience: Duration,
}

/// What a repository is asked to do. Names are compared with those that it lists, whatever they look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum RepoAction {
    /// Removes packages.
    Remove {
        /// Which ones.
        pkgnames: Vec<String>,
    },
    /// Removes the packages of a pkgbase.
    RemovePkgbase {
        /// Which one.
        pkgbase: String,
    },
    /// Removes all packages but those of the named pkgbases. A newer one takes the place of an older one.
    AutoRemove {
        /// The pkgbases that stay.
        keep: BTreeSet<String>,
    },
    /// Brings an earlier state back.
    Rollback {
        /// Its number.
        to: u64,
    },
    /// Lets another pkgbase publish a pkgname.
    Transfer {
        /// The pkgname.
        pkgname: String,
        /// Who may publish it next; none takes such a permission back.
        to: Option<Pkgbase>,
    },
    /// Looks for what is wrong.
    Check {
        /// Whether what is safe is mended.
        fix: bool,
        /// Whether all contents are read.
        hashes: bool,
        /// Whether libraries are looked at.
        sonames: bool,
    },
    /// Says which packages need which libraries.
    Sonames {
        /// Which library; none: all of them.
        library: Option<String>,
    },
    /// Lists what was done.
    History {
        /// How many of the newest changes.
        limit: usize,
    },
    /// Says how two states differ.
    Difference {
        /// The number of the first.
        from: u64,
        /// The number of the other; none: as it is now.
        to: Option<u64>,
    },
    /// Moves and removes files whose time has come.
    Tidy,
}

impl RepoRequest {
    /// A request of this process, without force, that has to be begun within an hour.
    #[must_use]
    pub fn new(target: Target, action: RepoAction) -> Self {
        let id = RequestId::new(format!("{:032x}", rand::random::<u128>()));
        Self {
            id: id.expect("hexadecimal digits are a plain name"),
            target,
            action,
            force: false,
            dry_run: false,
            previewed: None,
            patience: Duration::from_hours(1),
        }
    }

    /// What the trail calls it; none where nothing can change.
    fn trail_name(&self) -> Option<&'static str> {
        let name = match &self.action {
            RepoAction::Remove { .. } | RepoAction::RemovePkgbase { .. } => "repo-remove",
            RepoAction::AutoRemove { .. } => "auto-repo-remove",
            RepoAction::Rollback { .. } => "repo-rollback",
            RepoAction::Transfer { .. } => "repo-transfer",
            RepoAction::Check { fix: true, .. } => "repo-check",
            RepoAction::Tidy => "repo-tidy",
            RepoAction::Check { fix: false, .. }
            | RepoAction::Sonames { .. }
            | RepoAction::History { .. }
            | RepoAction::Difference { .. } => return None,
        };
        (!self.dry_run).then_some(name)
    }

    /// Whether it takes the place of older requests of its kind.
    fn is_keep_list(&self) -> bool {
        matches!(self.action, RepoAction::AutoRemove { .. }) && !self.dry_run
    }
}

impl fmt::Display for RepoAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove { pkgnames } if pkgnames.len() <= 5 => {
                write!(f, "remove {}", pkgnames.join(" "))
            }
            Self::Remove { pkgnames } => write!(f, "remove {} packages", pkgnames.len()),
            Self::RemovePkgbase { pkgbase } => write!(f, "remove the pkgbase {pkgbase}"),
            Self::AutoRemove { keep } => write!(f, "keep {} pkgbases", keep.len()),
            Self::Rollback { to } => write!(f, "roll back to {to}"),
            Self::Transfer {
                pkgname,
                to: Some(pkgbase),
            } => write!(f, "give {pkgname} to {pkgbase}"),
            Self::Transfer { pkgname, to: None } => write!(f, "leave {pkgname} where it is"),
            Self::Check { fix, .. } => f.write_str(if *fix { "check and mend" } else { "check" }),
            Self::Sonames {
                library: Some(library),
            } => write!(f, "say who needs {library}"),
            Self::Sonames { library: None } => f.write_str("say who needs which library"),
            Self::History { .. } => f.write_str("tell the history"),
            Self::Difference { from, to: Some(to) } => write!(f, "compare {from} with {to}"),
            Self::Difference { from, to: None } => write!(f, "compare {from} with now"),
            Self::Tidy => f.write_str("tidy"),
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepoOutcome {
    /// It was done.
    Done,
    /// A rule forbids it; nothing was done.
    Refused,
    /// It was tried and did not succeed.
    Failed,
    /// No database began it in time; nothing was done.
    Expired,
}

/// What came of a request; kept for a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepoAnswer {
    /// How it ended.
    pub outcome: RepoOutcome,
    /// In words: what was done, or why not.
    pub message: String,
    /// For programs; what it holds depends on the action.
    #[serde(default)]
    pub value: Value,
    /// Which database answered.
    pub by: String,
    /// Milliseconds since 1970 at which it was answered; 0 in one that was not given yet.
    #[serde(default)]
    pub at: u64,
}

/// A request that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingRequest {
    /// Its name.
    pub id: RequestId,
    /// Which repository.
    pub target: Target,
    /// What is asked, in words.
    pub what: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub why: String,
    /// Milliseconds since 1970 at which it was made.
    pub asked: u64,
    /// Whether a database carries it out at the moment.
    pub running: bool,
    /// How often it was answered and is to be looked at again.
    pub round: u32,
}

/// A request as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAsk<R> {
    #[serde(flatten)]
    pub request: R,
    pub by: String,
    pub why: String,
}

impl Queue {
    /// Asks for something. Asking again with the same request is harmless.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when it is too long, or too many requests wait.
    pub async fn ask_repository(&self, request: &RepoRequest, asker: Asker<'_>) -> Result<(), QueueError> {
        let refused = |reason: String| QueueError::Refused {
            action: format!("ask {} to {}", request.target, request.action),
            reason,
        };
        let stored = StoredAsk {
            request,
            by: asker.by.to_owned(),
            why: asker.why.to_owned(),
        };
        let text = serde_json::to_string(&stored).expect("a request is plain data");
        if text.len() > LARGEST {
            return Err(refused(format!(
                "it has {} bytes, the most is {LARGEST}",
                text.len()
            )));
        }
        let mut script = scripts::ASK.prepare_invoke();
        script
            .arg(request.id.as_str())
            .arg(request.target.to_string())
            .arg(text)
            .arg(request.trail_name().unwrap_or_default())
            .arg(request.action.to_string())
            .arg(asker.by)
            .arg(asker.why)
            .arg(millis(request.patience))
            .arg(u8::from(request.is_keep_list()))
            .arg(MOST_WAITING);
        let answer: Vec<String> = self.call("ask the repository", &script).await?;
        match answer.first().map(String::as_str) {
            Some("no") => Err(refused(answer.get(1).cloned().unwrap_or_default())),
            _ => Ok(()),
        }
    }

    /// What came of a request; none while it waits, and when it is unknown.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn repo_answer(&self, id: &RequestId) -> Result<Option<RepoAnswer>, QueueError> {
        let text: Option<String> = self
            .query("read an answer", redis::cmd("GET").arg(keys::answer(id)))
            .await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| QueueError::corrupt(format!("the answer to request {id}"), error))
    }

    /// What came of a request, as soon as it is known; none after `limit`.
    ///
    /// # Errors
    /// As [`Queue::repo_answer`].
    pub async fn wait_for_repo_answer(
        &self,
        id: &RequestId,
        limit: Duration,
    ) -> Result<Option<RepoAnswer>, QueueError> {
        let end = Instant::now() + limit;
        let mut signals = self.repository_signals();
        loop {
            signals.begin().await?;
            let answer = self.repo_answer(id).await?;
            let left = end.saturating_duration_since(Instant::now());
            if answer.is_some() || left.is_zero() {
                return Ok(answer);
            }
            signals.wait(left).await?;
        }
    }

    /// The requests that have not ended, oldest first.
    ///
    /// # Errors
    /// As [`Queue::repo_answer`].
    pub async fn repo_requests(&self) -> Result<Vec<WaitingRequest>, QueueError> {
        let mut pipeline = Pipeline::new();
        pipeline.zrange(keys::ASKS, 0, -1).zrange(keys::ASK_LEASES, 0, -1);
        let (waiting, running): (Vec<String>, Vec<String>) = self
            .pipeline("list requests to the repository", &pipeline)
            .await?;
        let mut found = Vec::new();
        for (text, running) in waiting
            .iter()
            .map(|id| (id, false))
            .chain(running.iter().map(|id| (id, true)))
        {
            let id = RequestId::new(text.as_str())
                .map_err(|error| QueueError::corrupt("a request's name", error))?;
            found.extend(self.waiting_request(id, running).await?);
        }
        found.sort_by(|a, b| (a.asked, &a.id).cmp(&(b.asked, &b.id)));
        Ok(found)
    }

    async fn waiting_request(
        &self,
        id: RequestId,
        running: bool,
    ) -> Result<Option<WaitingRequest>, QueueError> {
        let mut pipeline = Pipeline::new();
        pipeline
            .get(keys::ask(&id))
            .hmget(keys::asked(&id), &["target", "asked", "round"]);
        let (text, [target, asked, round]): (Option<String>, [Option<String>; 3]) =
            self.pipeline("read a request", &pipeline).await?;
        // It may have ended between the two reads.
        let (Some(text), Some(target)) = (text, target) else {
            return Ok(None);
        };
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let (what, by, why) = match serde_json::from_str::<StoredAsk<RepoRequest>>(&text) {
            Ok(stored) => (stored.request.action.to_string(), stored.by, stored.why),
            Err(error) => (format!("unreadable: {error}"), String::new(), String::new()),
        };
        Ok(Some(WaitingRequest {
            target: parse_target(&target)?,
            what,
            by,
            why,
            asked: number(asked).unwrap_or_default(),
            running,
            round: number(round).and_then(|round| round.try_into().ok()).unwrap_or(0),
            id,
        }))
    }
}
