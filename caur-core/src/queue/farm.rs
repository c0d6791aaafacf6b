//! What `database` publishes for builders and CI: the farm's configuration and the index of published packages.

use std::collections::HashMap;

use super::{Queue, QueueError, QueueRules, keys, scripts};
use crate::model::{FarmConfig, PublishedPackage, Target};

impl Queue {
    /// Publishes the farm's configuration.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn publish_farm(&self, farm: &FarmConfig) -> Result<(), QueueError> {
        let text = serde_json::to_string(farm).expect("the farm's configuration is plain data");
        self.query(
            "publish the configuration",
            redis::cmd("SET").arg(keys::FARM).arg(text),
        )
        .await
    }

    /// The farm's configuration; none where no `database` published one yet.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn farm(&self) -> Result<Option<FarmConfig>, QueueError> {
        let text: Option<String> = self
            .query("read the farm's configuration", redis::cmd("GET").arg(keys::FARM))
            .await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| QueueError::corrupt("the farm's configuration", error))
    }

    /// Publishes how the queue works; the scripts look there.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn publish_rules(&self, rules: &QueueRules) -> Result<(), QueueError> {
        let mut command = redis::cmd("HSET");
        command.arg(keys::POLICY);
        for (field, value) in rules.fields() {
            command.arg(field).arg(value);
        }
        self.query("publish the queue's rules", &command).await
    }

    /// Replaces the index of a target's published packages.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn publish_index(
        &self,
        target: &Target,
        packages: &[PublishedPackage],
    ) -> Result<(), QueueError> {
        let mut script = scripts::SET_INDEX.prepare_invoke();
        script.arg(target.to_string());
        for package in packages {
            let mut names = package.provides.clone();
            names.push(package.pkgname.to_string());
            script
                .arg(package.pkgname.as_str())
                .arg(serde_json::to_string(package).expect("an index entry is plain data"))
                .arg(names.join(" "));
        }
        self.call::<u64>("publish the package index", &script)
            .await
            .map(|_| ())
    }

    /// How many packages each of these targets lists.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn index_sizes(&self, targets: &[Target]) -> Result<Vec<u64>, QueueError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::Pipeline::new();
        for target in targets {
            pipeline.hlen(keys::index(target));
        }
        self.pipeline("count the packages", &pipeline).await
    }

    /// The packages that a target lists, by name.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn index(&self, target: &Target) -> Result<Vec<PublishedPackage>, QueueError> {
        let entries: HashMap<String, String> = self
            .query(
                "read the package index",
                redis::cmd("HGETALL").arg(keys::index(target)),
            )
            .await?;
        let mut packages = entries
            .into_iter()
            .map(|(name, text)| {
                serde_json::from_str(&text)
                    .map_err(|error| QueueError::corrupt(format!("index entry {name} of {target}"), error))
            })
            .collect::<Result<Vec<PublishedPackage>, _>>()?;
        packages.sort_by(|a, b| a.pkgname.cmp(&b.pkgname));
        Ok(packages)
    }
}
