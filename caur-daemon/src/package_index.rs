//! What Redis says of published packages: written after every change, by whoever made it.

use std::sync::Arc;

use caur_core::model::Target;
use caur_core::queue::Queue;
use caur_core::repo::Repository;
use color_eyre::eyre::Result;
use tokio::sync::Mutex;

/// Tells Redis what repositories list.
pub struct PackageIndex {
    queue: Queue,
    repository: Arc<Repository>,
    /// Between reading and telling nobody else may tell something newer.
    telling: Mutex<()>,
}

impl PackageIndex {
    /// Of these repositories.
    pub fn new(queue: Queue, repository: Arc<Repository>) -> Self {
        Self {
            queue,
            repository,
            telling: Mutex::default(),
        }
    }

    /// Publishes what `target` lists now.
    ///
    /// # Errors
    /// The database cannot be read, or Redis is out of reach.
    pub async fn publish(&self, target: &Target) -> Result<()> {
        let _telling = self.telling.lock().await;
        let (repository, owned) = (self.repository.clone(), target.clone());
        let packages = tokio::task::spawn_blocking(move || repository.packages(&owned)).await??;
        Ok(self.queue.publish_index(target, &packages).await?)
    }
}
