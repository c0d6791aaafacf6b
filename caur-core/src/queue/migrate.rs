//! Brings an older queue up to date, step by step from version to version, each step atomic.

use super::{Queue, QueueError, SCHEMA_VERSION, keys, scripts};

impl Queue {
    pub(super) async fn ensure_schema(&self) -> Result<(), QueueError> {
        loop {
            let stored: Option<u32> = self
                .query("read the schema version", redis::cmd("GET").arg(keys::SCHEMA))
                .await?;
            match stored {
                Some(SCHEMA_VERSION) => return Ok(()),
                Some(stored @ 1) => {
                    let script = scripts::MIGRATE_1.prepare_invoke();
                    match self.call::<u64>("upgrade the queue", &script).await {
                        Ok(jobs) => tracing::info!(jobs, "upgraded the queue from schema {stored} to 2"),
                        // Somebody else was faster.
                        Err(QueueError::NewerSchema { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Some(stored) => {
                    return Err(QueueError::NewerSchema {
                        stored,
                        known: SCHEMA_VERSION,
                    });
                }
                None => {
                    let mut set = redis::cmd("SET");
                    set.arg(keys::SCHEMA).arg(SCHEMA_VERSION).arg("NX");
                    self.query::<Option<String>>("write the schema version", &set)
                        .await?;
                }
            }
        }
    }
}
