//! What operators do to jobs, builders and the queue. Each is recorded with who asked and why.

use serde::Serialize;

use super::record::parse_state;
use super::{Queue, QueueError, keys, scripts};
use crate::model::{BuilderName, JobId, JobState};

/// The least and the greatest priority of a job; 0 is the usual one.
pub const PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;

/// Who asks for something, and why; both are kept in the trail.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// An operator's name, or a CI pipeline.
    pub by: &'a str,
    /// The reason; may be empty.
    pub why: &'a str,
}

/// One entry of the trail: who asked for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrailEntry {
    /// Its place in the trail, `MILLISECONDS-NUMBER` by Redis' clock.
    pub id: String,
    /// What was asked for: `submit`, `cancel`, `pause` and so on.
    pub action: String,
    /// The package, builder or queue.
    pub about: String,
    /// The job, where it was about one.
    pub job: Option<JobId>,
    /// Who asked.
    pub by: String,
    /// Why, or what came of it.
    pub why: String,
}

impl Queue {
    /// Cancels a job: a queued one at once, a running one as soon as its builder stops it.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when it has ended or is being published.
    pub async fn cancel(&self, id: JobId, asker: Asker<'_>) -> Result<JobState, QueueError> {
        self.operate("cancel", &scripts::CANCEL, id, asker, "").await
    }

    /// Lets a waiting, blocked, paused or held job start at once, whatever it waits for.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when it is not in the queue, or its predecessor for the same package still runs.
    pub async fn release(&self, id: JobId, asker: Asker<'_>) -> Result<JobState, QueueError> {
        self.operate("release", &scripts::RELEASE, id, asker, "").await
    }

    /// Keeps a queued job from starting until [`Queue::unhold`].
    ///
    /// # Errors
    /// [`QueueError::Refused`] when it is not in the queue.
    pub async fn hold(&self, id: JobId, asker: Asker<'_>) -> Result<JobState, QueueError> {
        self.operate("hold", &scripts::HOLD, id, asker, "").await
    }

    /// Lets a held job go on.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when it is not held.
    pub async fn unhold(&self, id: JobId, asker: Asker<'_>) -> Result<JobState, QueueError> {
        self.operate("unhold", &scripts::UNHOLD, id, asker, "").await
    }

    /// Changes the priority of a queued job; higher ones are taken before anything else.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when it is not in the queue, or the priority is out of [`PRIORITIES`].
    pub async fn set_priority(
        &self,
        id: JobId,
        priority: i32,
        asker: Asker<'_>,
    ) -> Result<JobState, QueueError> {
        if !PRIORITIES.contains(&priority) {
            return Err(QueueError::Refused {
                action: format!("set the priority of job {id} to {priority}"),
                reason: format!(
                    "it must lie between {} and {}",
                    PRIORITIES.start(),
                    PRIORITIES.end()
                ),
            });
        }
        let value = priority.to_string();
        self.operate("set the priority of", &scripts::PRIORITY, id, asker, &value)
            .await
    }

    async fn operate(
        &self,
        what: &'static str,
        function: &scripts::Function,
        id: JobId,
        asker: Asker<'_>,
        value: &str,
    ) -> Result<JobState, QueueError> {
        let mut script = self.operation(function);
        script.arg(id.0).arg(asker.by).arg(asker.why).arg(value);
        let (word, text): (String, String) = self.call("operate on a job", &script).await?;
        if word == "ok" {
            return parse_state(id, &text);
        }
        Err(QueueError::Refused {
            action: format!("{what} job {id}"),
            reason: text,
        })
    }

    /// Pauses a builder, or the whole queue: nothing more is claimed, what runs goes on.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when no such builder was ever seen.
    pub async fn pause(&self, builder: Option<&BuilderName>, asker: Asker<'_>) -> Result<u32, QueueError> {
        self.set_mode("pause", &scripts::PAUSE, builder, asker).await
    }

    /// Ends a pause or a drain.
    ///
    /// # Errors
    /// As [`Queue::pause`].
    pub async fn resume(&self, builder: Option<&BuilderName>, asker: Asker<'_>) -> Result<u32, QueueError> {
        self.set_mode("resume", &scripts::RESUME, builder, asker).await
    }

    /// Has the processes of a builder end once their jobs have; those started later are not concerned.
    ///
    /// # Errors
    /// As [`Queue::pause`].
    pub async fn drain(&self, builder: &BuilderName, asker: Asker<'_>) -> Result<u32, QueueError> {
        self.set_mode("drain", &scripts::DRAIN, Some(builder), asker)
            .await
    }

    async fn set_mode(
        &self,
        what: &'static str,
        function: &scripts::Function,
        builder: Option<&BuilderName>,
        asker: Asker<'_>,
    ) -> Result<u32, QueueError> {
        let name = builder.map_or("", BuilderName::as_str);
        let mut script = self.operation(function);
        script.arg(name).arg(asker.by).arg(asker.why);
        let (word, text): (String, String) = self.call("operate on a builder", &script).await?;
        if word == "ok" {
            return text
                .parse()
                .map_err(|error| QueueError::corrupt("the answer to a pause", error));
        }
        Err(QueueError::Refused {
            action: format!("{what} {name}"),
            reason: text,
        })
    }

    /// Why the whole queue is paused; none where it is not.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn paused(&self) -> Result<Option<Pause>, QueueError> {
        let text: Option<String> = self
            .query("read the queue's pause", redis::cmd("GET").arg(keys::PAUSE))
            .await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| QueueError::corrupt("the queue's pause", error))
    }

    /// Removes every job, queued, running or finished, with its log, if there are just `jobs` of them. Builders that
    /// hold one stop it.
    ///
    /// # Errors
    /// [`QueueError::Refused`] when there are more or fewer jobs; then nothing is changed.
    pub async fn reset(&self, jobs: u64, asker: Asker<'_>) -> Result<(), QueueError> {
        let mut script = self.operation(&scripts::RESET);
        script.arg(asker.by).arg(asker.why).arg(jobs);
        let (word, text): (String, String) = self.call("empty the queue", &script).await?;
        if word == "ok" {
            return Ok(());
        }
        Err(QueueError::Refused {
            action: format!("remove {jobs} jobs"),
            reason: text,
        })
    }

    /// The newest `limit` entries of the trail, newest first.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn trail(&self, limit: usize) -> Result<Vec<TrailEntry>, QueueError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(keys::TRAIL).arg("+").arg("-").arg("COUNT").arg(limit);
        let found: redis::streams::StreamRangeReply = self.query("read the trail", &command).await?;
        let entries = found.ids.into_iter().map(|entry| {
            let text = |name: &str| entry.get::<String>(name).unwrap_or_default();
            TrailEntry {
                action: text("action"),
                about: text("about"),
                job: text("job").parse().ok(),
                by: text("by"),
                why: text("why"),
                id: entry.id.clone(),
            }
        });
        Ok(entries.collect())
    }
}

/// That somebody, or a builder itself, wants no more jobs taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Pause {
    /// Why, in words.
    pub reason: String,
    /// Who asked.
    pub by: String,
    /// Milliseconds since 1970 at which it began.
    pub since: u64,
    /// Milliseconds since 1970 at which it ends by itself, if it does.
    #[serde(rename = "till")]
    pub until: Option<u64>,
}
