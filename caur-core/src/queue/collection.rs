//! What the farm knows of packages beyond jobs: which pkgbases a source repository holds, and which packages are on
//! their way to a target.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{JobFilter, Queue, QueueError, keys};
use crate::model::{Pkgbase, Pkgname, SourceRepo, Target};

impl Queue {
    /// Remembers which pkgbases `source` holds, all of them. Costs little where nothing changed.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn publish_collection(
        &self,
        source: &SourceRepo,
        pkgbases: &BTreeSet<Pkgbase>,
    ) -> Result<(), QueueError> {
        let text = pkgbases.iter().map(Pkgbase::as_str).collect::<Vec<_>>().join(" ");
        let hash = hex::encode(Sha256::digest(&text));
        let mut stored = redis::cmd("HGET");
        stored.arg(keys::COLLECTION_HASHES).arg(source.as_str());
        let stored: Option<String> = self.query("read a collection's hash", &stored).await?;
        if stored.as_ref() == Some(&hash) {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        pipeline
            .atomic()
            .hset(keys::COLLECTIONS, source.as_str(), text)
            .ignore()
            .hset(keys::COLLECTION_HASHES, source.as_str(), hash)
            .ignore();
        self.pipeline("publish a collection", &pipeline).await
    }

    /// The pkgbases that `sources` hold together; none where those of one are not known, or cannot be read.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn collection(&self, sources: &[SourceRepo]) -> Result<Option<BTreeSet<Pkgbase>>, QueueError> {
        if sources.is_empty() {
            return Ok(None);
        }
        let mut command = redis::cmd("HMGET");
        command.arg(keys::COLLECTIONS);
        for source in sources {
            command.arg(source.as_str());
        }
        let texts: Vec<Option<String>> = self.query("read collections", &command).await?;
        let mut pkgbases = BTreeSet::new();
        for text in texts {
            let Some(text) = text else {
                return Ok(None);
            };
            for name in text.split_whitespace() {
                // What is left out would seem to be gone.
                let Ok(name) = Pkgbase::new(name) else {
                    return Ok(None);
                };
                pkgbases.insert(name);
            }
        }
        Ok(Some(pkgbases))
    }

    /// What jobs that have not ended are about to bring to `target`, each name with the job in words. Their pkgnames
    /// and what these provide are not told apart.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn names_on_their_way(&self, target: &Target) -> Result<BTreeMap<Pkgname, String>, QueueError> {
        let jobs = self.jobs(JobFilter::default()).await?;
        let mut names = BTreeMap::new();
        for job in jobs.iter().filter(|job| job.request.target == *target) {
            let said = format!("{} (job {}, {})", job.request.pkgbase, job.id, job.state);
            // A name such as libfoo.so=1 is no pkgname.
            for name in job
                .request
                .names
                .iter()
                .filter_map(|name| Pkgname::new(name.as_str()).ok())
            {
                names.insert(name, said.clone());
            }
        }
        Ok(names)
    }
}
