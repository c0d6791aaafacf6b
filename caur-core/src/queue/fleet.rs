//! The builders: how they register, and who is there.

use std::collections::{BTreeMap, HashMap};

use redis::Pipeline;

use super::operate::Pause;
use super::{PROTOCOL, Queue, QueueError, keys, scripts};
use crate::model::{BuilderReport, BuilderStatus, InstanceId, JobId};

/// Milliseconds without a sign of life after which a builder does not count any more; as in `scripts/lib.lua`.
pub(super) const GONE_MS: u64 = 90_000;

/// Builder processes with the milliseconds since 1970 of their last signs of life.
type Seen = Vec<(String, u64)>;

/// What a builder learns when it reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuilderOrders {
    /// Why it is paused.
    pub paused: Option<String>,
    /// Why it is to end once its jobs have.
    pub draining: Option<String>,
    /// Another live process that uses the same name.
    pub double: Option<String>,
}

impl Queue {
    /// Registers a builder, or keeps it registered: to be repeated every 15 s, and when something changes.
    ///
    /// # Errors
    /// [`QueueError::Link`].
    pub async fn report_status(&self, report: &BuilderReport) -> Result<BuilderOrders, QueueError> {
        let (paused, draining, double) = self.status(report, false).await?;
        let some = |text: String| (!text.is_empty()).then_some(text);
        Ok(BuilderOrders {
            paused: some(paused),
            draining: some(draining),
            double: some(double),
        })
    }

    /// Takes a builder that ends off the register.
    ///
    /// # Errors
    /// [`QueueError::Link`]; it then counts as lost after a while.
    pub async fn leave(&self, report: &BuilderReport) -> Result<(), QueueError> {
        self.status(report, true).await.map(|_| ())
    }

    async fn status(
        &self,
        report: &BuilderReport,
        leaves: bool,
    ) -> Result<(String, String, String), QueueError> {
        let text = serde_json::to_string(report).expect("a builder's report is plain data");
        let mut script = scripts::STATUS.prepare_invoke();
        script
            .arg(report.instance.as_str())
            .arg(report.name.as_str())
            .arg(report.class.map_or_else(String::new, |class| class.to_string()))
            .arg(report.slots)
            .arg(PROTOCOL)
            .arg(&report.version)
            .arg(text)
            .arg(u8::from(leaves));
        self.call("report to the queue", &script).await
    }

    /// Every builder process that was there within a week, by name, with what it holds.
    ///
    /// # Errors
    /// As [`Queue::job`].
    pub async fn builders(&self) -> Result<Vec<BuilderStatus>, QueueError> {
        let mut pipeline = Pipeline::new();
        pipeline
            .zrange_withscores(keys::ONLINE, 0, -1)
            .hgetall(keys::MODES)
            .zrange(keys::LEASES, 0, -1)
            .cmd("TIME");
        let (seen, modes, leased, time): (Seen, HashMap<String, String>, Vec<u64>, (u64, u64)) =
            self.pipeline("list builders", &pipeline).await?;
        let now = time.0 * 1000 + time.1 / 1000;

        let mut pipeline = Pipeline::new();
        for &id in &leased {
            pipeline.hget(keys::job(JobId(id)), "instance");
        }
        for (instance, _) in &seen {
            pipeline.hgetall(keys::builder(instance));
        }
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let answers: Vec<redis::Value> = self.pipeline("list builders", &pipeline).await?;
        let corrupt = |what: String, error: &dyn ToString| QueueError::corrupt(what, error.to_string());
        let mut holding: BTreeMap<String, Vec<JobId>> = BTreeMap::new();
        let (holders, records) = answers.split_at(leased.len());
        for (&id, holder) in leased.iter().zip(holders) {
            let holder: Option<String> = redis::from_redis_value(holder.clone())
                .map_err(|error| corrupt(format!("the holder of job {id}"), &error))?;
            holding
                .entry(holder.unwrap_or_default())
                .or_default()
                .push(JobId(id));
        }
        let mut builders = Vec::new();
        for ((instance, last_seen), record) in seen.into_iter().zip(records) {
            let what = || format!("builder {instance:?}");
            let record: HashMap<String, String> =
                redis::from_redis_value(record.clone()).map_err(|error| corrupt(what(), &error))?;
            let Some(status) = record.get("status") else {
                continue;
            };
            let report: BuilderReport =
                serde_json::from_str(status).map_err(|error| corrupt(what(), &error))?;
            let paused = modes
                .get(report.name.as_str())
                .map(|text| serde_json::from_str::<Pause>(text))
                .transpose()
                .map_err(|error| corrupt(what(), &error))?
                .filter(|pause| pause.until.is_none_or(|until| until > now));
            let protocol = record.get("protocol").map(String::as_str).unwrap_or_default();
            builders.push(BuilderStatus {
                started: record
                    .get("started")
                    .and_then(|text| text.parse().ok())
                    .unwrap_or_default(),
                last_seen,
                online: last_seen + GONE_MS >= now,
                jobs: holding.remove(&instance).unwrap_or_default(),
                paused: paused.map(|pause| pause.reason),
                draining: record.get("draining").cloned(),
                incompatible: (protocol != PROTOCOL.to_string())
                    .then(|| format!("it speaks protocol {protocol}, this farm speaks {PROTOCOL}")),
                double: record.get("double").filter(|other| !other.is_empty()).cloned(),
                report,
            });
        }
        builders
            .sort_by(|a, b| (&a.report.name, &a.report.instance).cmp(&(&b.report.name, &b.report.instance)));
        Ok(builders)
    }
}

/// A new process' identity.
#[must_use]
pub fn new_instance() -> InstanceId {
    InstanceId::new(format!("{:016x}", rand::random::<u64>())).expect("hexadecimal digits are valid")
}
