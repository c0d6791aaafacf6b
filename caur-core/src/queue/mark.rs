//! Operations that are carried out once, however often they are sent: for consoles whose connection may be lost between
//! a call and its answer.
//!
//! A marked operation leaves its answer beside its mark. The same call again gets that answer and changes nothing.
//! Asking what came of it gets it too or, where it did not happen, sees to it that it never will: what is still under
//! way in some buffer is refused when it arrives. So the answer, once given, stays true for a day.

use redis::Cmd;
use serde_json::Value;

use super::scripts::Function;
use super::{Queue, QueueError, scripts};
use crate::model::OperationMark;

/// How long what came of an operation is kept; as in `scripts/once.lua`.
const KEPT_S: u64 = 86_400;
/// How long the mark is kept that asks whether this user may do anything.
const PROBE_KEPT_S: u64 = 1;

/// What came of a marked operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkedOutcome {
    /// It was carried out.
    Done {
        /// What the queue answered: the state of a job, a count of builders, or what became of a batch.
        answer: String,
    },
    /// The queue's rules forbade it; nothing was changed.
    Refused {
        /// Why.
        reason: String,
    },
    /// It never reached the queue, and never will.
    Never,
}

impl Queue {
    /// This queue, with one operation to be carried out once: whatever an operator may do to jobs, builders and the
    /// queue, submits included, is told from others by `mark`. Use a mark for one operation with its arguments only.
    #[must_use]
    pub fn marked(&self, mark: &OperationMark) -> Self {
        Self {
            mark: Some(mark.clone()),
            ..self.clone()
        }
    }

    /// What came of the operation with this mark. Where it did not happen it cannot any more: the next call under
    /// this mark ends with [`QueueError::Void`].
    ///
    /// # Errors
    /// [`QueueError::Link`]: it is still not known; ask again.
    pub async fn outcome_of(&self, mark: &OperationMark) -> Result<MarkedOutcome, QueueError> {
        let answer = self.ask_outcome(mark, KEPT_S).await?;
        if answer.is_empty() {
            return Ok(MarkedOutcome::Never);
        }
        let words: Vec<String> = serde_json::from_str(&answer)
            .map_err(|error| QueueError::corrupt(format!("what came of operation {mark}"), error))?;
        outcome(&words)
            .ok_or_else(|| QueueError::corrupt(format!("what came of operation {mark}"), Value::from(words)))
    }

    /// Whether the user of this connection may change things, as operators do.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn may_operate(&self) -> Result<bool, QueueError> {
        match self.ask_outcome(&new_mark(), PROBE_KEPT_S).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_forbidden() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ask_outcome(&self, mark: &OperationMark, kept: u64) -> Result<String, QueueError> {
        let mut script = scripts::OUTCOME.prepare_invoke();
        script.arg(mark.as_str()).arg(kept);
        self.call("ask what came of an operation", &script).await
    }

    /// A call of an operator's function, with this handle's mark.
    pub(super) fn operation(&self, function: &Function) -> Cmd {
        match &self.mark {
            Some(mark) => function.prepare_once(mark),
            None => function.prepare_invoke(),
        }
    }
}

/// A mark that nobody else uses.
#[must_use]
pub fn new_mark() -> OperationMark {
    OperationMark::new(format!("{:032x}", rand::random::<u128>())).expect("hexadecimal digits are valid")
}

/// Reads what an operator's function answered: `no` with a reason, or `ok` with a text or with the number and the
/// disposition of every job of a batch.
fn outcome(words: &[String]) -> Option<MarkedOutcome> {
    let (word, rest) = words.split_first()?;
    match (word.as_str(), rest) {
        ("no", [reason]) => Some(MarkedOutcome::Refused {
            reason: reason.clone(),
        }),
        ("ok", [answer]) => Some(MarkedOutcome::Done {
            answer: answer.clone(),
        }),
        ("ok", [id, disposition]) => Some(MarkedOutcome::Done {
            answer: format!("job {id} {disposition}"),
        }),
        ("ok", batch) => Some(MarkedOutcome::Done {
            answer: format!("{} jobs", batch.len() / 2),
        }),
        _ => None,
    }
}
