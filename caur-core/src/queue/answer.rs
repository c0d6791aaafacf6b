//! A database's side of requests to the repositories: take one, keep its lease, answer it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::claim::{millis, nonce};
use super::requests::StoredAsk;
use super::{Queue, QueueError, RepoAnswer, RepoRequest, scripts};
use crate::model::RequestId;

/// Bytes of an answer's text; the rest of a longer one is left out.
const LARGEST: usize = 4 << 20;

/// A request that this process carries out.
#[derive(Debug, Clone)]
pub struct TakenRequest {
    /// Its name.
    pub id: RequestId,
    /// What is asked, or why that cannot be read.
    pub request: Result<RepoRequest, String>,
    /// Who asked.
    pub by: String,
    /// Why.
    pub why: String,
    /// Milliseconds since 1970 at which it was made.
    pub asked: u64,
    /// How often it was answered already and left for later.
    pub round: u32,
    /// What the round before left for this one: [`LookAgain::left`].
    pub left: BTreeMap<String, String>,
    nonce: String,
}

impl TakenRequest {
    /// What tells one round of this request from every other, whoever carries it out.
    #[must_use]
    pub fn round_name(&self) -> String {
        match self.round {
            0 => self.id.to_string(),
            round => format!("{}.{round}", self.id),
        }
    }
}

/// That a request was answered and is not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAgain {
    /// After this time, or when a job of the target ends.
    pub after: Duration,
    /// It is given up this long after its first answer.
    pub limit: Duration,
    /// The packages that the next round is about, by name, with the file that was listed then.
    pub left: BTreeMap<String, String>,
}

impl Queue {
    /// Takes the oldest request that is due; of each target one at a time.
    ///
    /// # Errors
    /// [`QueueError::Link`]; a request whose answer got lost returns with its lease.
    pub async fn take_repo_request(&self, lease: Duration) -> Result<Option<TakenRequest>, QueueError> {
        let nonce = nonce();
        let mut script = scripts::TAKE_ASK.prepare_invoke();
        script.arg(&nonce).arg(millis(lease));
        let answer: Vec<String> = self.call("take a request", &script).await?;
        let Ok([id, text, asked, round, left]) = <[String; 5]>::try_from(answer) else {
            return Ok(None);
        };
        let corrupt = |error: &dyn ToString| QueueError::corrupt(format!("request {id}"), error.to_string());
        let stored: Result<StoredAsk<RepoRequest>, _> = serde_json::from_str(&text);
        let (request, by, why) = match stored {
            Ok(stored) => (Ok(stored.request), stored.by, stored.why),
            Err(error) => (Err(error.to_string()), String::new(), String::new()),
        };
        Ok(Some(TakenRequest {
            id: RequestId::new(id.as_str()).map_err(|error| corrupt(&error))?,
            request,
            by,
            why,
            asked: asked.parse().map_err(|error| corrupt(&error))?,
            round: round.parse().map_err(|error| corrupt(&error))?,
            left: serde_json::from_str(&left).map_err(|error| corrupt(&error))?,
            nonce,
        }))
    }

    /// Extends the lease of a request.
    ///
    /// # Errors
    /// [`QueueError::StaleRequest`] when it is lost.
    pub async fn keep_repo_request(&self, taken: &TakenRequest, lease: Duration) -> Result<(), QueueError> {
        let mut script = scripts::KEEP_ASK.prepare_invoke();
        script.arg(taken.id.as_str()).arg(&taken.nonce).arg(millis(lease));
        fresh(taken, &self.call::<String>("extend a lease", &script).await?)
    }

    /// Answers a request, which ends it unless it is to be looked at again: then this answer stays, and what later
    /// rounds say goes to the trail only, where it is not empty.
    ///
    /// # Errors
    /// [`QueueError::StaleRequest`] when the lease is lost, or this call came through before.
    pub async fn answer_repo_request(
        &self,
        taken: &TakenRequest,
        answer: RepoAnswer,
        again: Option<LookAgain>,
    ) -> Result<(), QueueError> {
        let mut answer = RepoAnswer {
            at: self.now().await?,
            ..answer
        };
        let text = |answer: &RepoAnswer| serde_json::to_string(answer).expect("an answer is plain data");
        let mut json = text(&answer);
        if json.len() > LARGEST {
            answer.value = serde_json::Value::Null;
            answer.message += " (the details are too long for an answer)";
            json = text(&answer);
        }
        let again = again.map(|again| {
            let left = serde_json::to_string(&again.left).expect("names are plain data");
            [
                millis(again.after).to_string(),
                millis(again.limit).to_string(),
                left,
            ]
        });
        let mut script = scripts::ANSWER.prepare_invoke();
        script
            .arg(taken.id.as_str())
            .arg(&taken.nonce)
            .arg(json)
            .arg(&answer.by)
            .arg(&answer.message)
            .arg(&again.unwrap_or_default()[..]);
        fresh(taken, &self.call::<String>("answer a request", &script).await?)
    }
}

fn fresh(taken: &TakenRequest, answer: &str) -> Result<(), QueueError> {
    if answer == "stale" {
        return Err(QueueError::StaleRequest(taken.id.clone()));
    }
    Ok(())
}
