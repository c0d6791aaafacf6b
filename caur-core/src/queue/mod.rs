//! The queue on Redis: what is to be built, who builds it, what came of it.
//!
//! Every state change is one Lua function (`scripts/`), so any process can die between any two calls and the queue is
//! still right; the invariants stand at the top of `scripts/lib.lua` and [`audit`](Queue::audit) checks them. Only
//! Redis' clock counts. Works over any [`RedisLink`].

mod answer;
mod audit;
mod claim;
mod collection;
mod error;
mod explain;
mod farm;
mod fleet;
mod follow;
mod forecast;
mod keys;
mod mark;
mod migrate;
mod operate;
mod past;
pub mod plan;
pub mod policy;
mod publish;
mod read;
mod record;
mod requests;
mod result;
mod rules;
mod scripts;
pub mod simulate;
mod size;
pub mod statistics;
mod submit;
mod sweep;
#[cfg(test)]
mod tests;
mod wait;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult};

pub use answer::{LookAgain, TakenRequest};
pub use audit::Violation;
pub use claim::{Attempt, Claim, ClaimRequest, Claimed, Directive, Refusal};
pub use error::QueueError;
pub use explain::{Dependency, Why};
pub use fleet::{BuilderOrders, new_instance};
pub use follow::{EventFollower, NewEvents};
pub use mark::{MarkedOutcome, new_mark};
pub use operate::{Asker, PRIORITIES, Pause, TrailEntry};
pub use plan::BrokenEdge;
pub use publish::{PublishClaim, PublishOutcome};
pub use read::{Event, JobFilter};
pub use requests::{RepoAction, RepoAnswer, RepoOutcome, RepoRequest, WaitingRequest};
pub use rules::QueueRules;
pub use size::QueueSize;
pub use statistics::{BuilderHour, Histogram, HourStatistics, QueueSample, Statistics};
pub use submit::{Disposition, SubmitReport, Submitted};
pub use sweep::{SweepReport, SweepSettings};
pub use wait::{Signal, Waiter};

use crate::link::RedisLink;
use crate::model::OperationMark;

/// The schema version that this program reads and writes.
const SCHEMA_VERSION: u32 = 2;
/// The version of what builders and the rest of the farm have agreed on besides the schema: manifests, uploads, logs.
const PROTOCOL: u32 = 1;

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    link: RedisLink,
    /// What the operations of this handle are told by.
    mark: Option<OperationMark>,
}

impl Queue {
    /// Opens the queue behind `link`: an empty Redis becomes an empty queue, an older schema is brought up to date.
    ///
    /// # Errors
    /// [`QueueError::NewerSchema`] when a newer program wrote it, [`QueueError::Link`] when Redis is out of reach.
    pub async fn open(link: RedisLink) -> Result<Self, QueueError> {
        let queue = Self { link, mark: None };
        queue.ensure_schema().await?;
        Ok(queue)
    }

    /// The link that the queue works over.
    #[must_use]
    pub fn link(&self) -> &RedisLink {
        &self.link
    }

    async fn query<T: FromRedisValue>(
        &self,
        action: &'static str,
        command: &redis::Cmd,
    ) -> Result<T, QueueError> {
        self.on_link(action, |mut connection| async move {
            command.query_async(&mut connection).await
        })
        .await
    }

    async fn pipeline<T: FromRedisValue>(
        &self,
        action: &'static str,
        pipeline: &redis::Pipeline,
    ) -> Result<T, QueueError> {
        self.on_link(action, |mut connection| async move {
            pipeline.query_async(&mut connection).await
        })
        .await
    }

    async fn call<T: FromRedisValue>(
        &self,
        action: &'static str,
        function: &redis::Cmd,
    ) -> Result<T, QueueError> {
        self.on_link(action, |mut connection| async move {
            match function.query_async(&mut connection).await {
                Err(error) if scripts::is_missing(&error) => {
                    scripts::load().exec_async(&mut connection).await?;
                    function.query_async(&mut connection).await
                }
                answer => answer,
            }
        })
        .await
        .map_err(|error| match error {
            QueueError::Link { action, source } => QueueError::of_call(action, source),
            other => other,
        })
    }

    async fn on_link<T, F>(
        &self,
        action: &'static str,
        operation: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, QueueError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        self.link
            .run(operation)
            .await
            .map_err(|source| QueueError::Link { action, source })
    }
}
