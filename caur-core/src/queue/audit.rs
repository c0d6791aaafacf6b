//! Checks the queue's invariants, which stand at the top of `scripts/lib.lua`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use redis::Pipeline;

use super::explain::group;
use super::{JobFilter, Queue, QueueError, keys};
use crate::model::{Job, JobId, JobState, RequestId};

/// How many of the newest events are looked at.
const EVENTS_CHECKED: usize = 2000;

/// Sizes of logs by name, names of ended ones, and what live and ended ones count as together.
type Logs = (HashMap<String, i64>, BTreeSet<String>, Option<i64>, Option<i64>);

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Queue {
    /// Checks every invariant; an empty answer means that the queue is sound. For a queue at rest: it reads in
    /// several steps.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable.
    pub async fn audit(&self) -> Result<Vec<Violation>, QueueError> {
        let mut jobs: BTreeMap<JobId, Job> = self
            .jobs(JobFilter {
                finished: usize::MAX >> 1,
            })
            .await?
            .into_iter()
            .map(|job| (job.id, job))
            .collect();
        self.read_all_edges(&mut jobs).await?;
        let mut found = Findings(Vec::new());
        self.check_membership(&jobs, &mut found).await?;
        self.check_live(&jobs, &mut found).await?;
        self.check_edges(&jobs, &mut found).await?;
        self.check_logs(&mut found).await?;
        self.check_events(&mut found).await?;
        self.check_requests(&mut found).await?;
        Ok(found.0)
    }

    /// Reads what jobs wait for, also of those that cannot wait any more.
    async fn read_all_edges(&self, jobs: &mut BTreeMap<JobId, Job>) -> Result<(), QueueError> {
        let mut pipeline = Pipeline::new();
        for id in jobs.keys() {
            pipeline.hkeys(keys::deps(*id));
        }
        if jobs.is_empty() {
            return Ok(());
        }
        let edges: Vec<BTreeSet<u64>> = self.pipeline("audit the queue", &pipeline).await?;
        for (job, edges) in jobs.values_mut().zip(edges) {
            job.waits_for = edges.into_iter().map(JobId).collect();
        }
        Ok(())
    }

    /// Each state's jobs, and only those, stand in the sets that belong to it.
    async fn check_membership(
        &self,
        jobs: &BTreeMap<JobId, Job>,
        found: &mut Findings,
    ) -> Result<(), QueueError> {
        let mut pipeline = Pipeline::new();
        for set in [
            keys::ACTIVE,
            keys::FINISHED,
            keys::LEASES,
            keys::BACKOFF,
            keys::BLOCKED,
        ] {
            pipeline.zrange(set, 0, -1);
        }
        let sets: Vec<Vec<u64>> = self.pipeline("audit the queue", &pipeline).await?;
        // Those that were held before the set was there are missing in it.
        let held: Vec<u64> = self
            .query("audit the queue", redis::cmd("SMEMBERS").arg(keys::HELD))
            .await?;
        for id in ids(held) {
            if jobs.get(&id).is_none_or(|job| job.state != JobState::Held) {
                found.add(format!("job {id} is not held and stands in held"));
            }
        }
        let names = ["active", "finished", "leases", "backoff", "blocked"];
        let belongs: [fn(JobState) -> bool; 5] = [
            |state| !state.is_final(),
            JobState::is_final,
            JobState::is_leased,
            |state| state == JobState::Backoff,
            |state| state == JobState::Blocked,
        ];
        for ((name, set), belongs) in names.into_iter().zip(sets).zip(belongs) {
            found.compare(name, ids(set), jobs, |job| belongs(job.state));
        }

        let groups: BTreeSet<String> = jobs.values().map(|job| group(&job.request.class)).collect();
        for name in &groups {
            let mut pipeline = Pipeline::new();
            pipeline
                .zrange(keys::ready(name, "chain"), 0, -1)
                .zrange(keys::ready(name, "short"), 0, -1);
            let (chain, short): (Vec<u64>, Vec<u64>) = self.pipeline("audit the queue", &pipeline).await?;
            for (order, set) in [("chain", chain), ("short", short)] {
                found.compare(&format!("ready:{name}:{order}"), ids(set), jobs, |job| {
                    job.state == JobState::Ready && group(&job.request.class) == *name
                });
            }
        }

        let targets: BTreeSet<String> = jobs.values().map(|job| job.request.target.to_string()).collect();
        for target in targets {
            let set: Vec<u64> = self
                .query(
                    "audit the queue",
                    redis::cmd("ZRANGE").arg(keys::uploads(&target)).arg(0).arg(-1),
                )
                .await?;
            found.compare(&format!("uploads:{target}"), ids(set), jobs, |job| {
                job.state == JobState::Uploaded && job.request.target.to_string() == target
            });
        }
        Ok(())
    }

    /// `live` names the newest job of every package that has one, and the expected work adds up.
    async fn check_live(&self, jobs: &BTreeMap<JobId, Job>, found: &mut Findings) -> Result<(), QueueError> {
        let mut pipeline = Pipeline::new();
        pipeline.hgetall(keys::LIVE).hgetall(keys::WORK);
        let (live, work): (BTreeMap<String, u64>, BTreeMap<String, i64>) =
            self.pipeline("audit the queue", &pipeline).await?;
        let newest: BTreeMap<String, u64> = jobs
            .values()
            .filter(|job| !job.state.is_final())
            .map(|job| (job.request.key(), job.id.0))
            .collect();
        if live != newest {
            found.add(format!(
                "live is {live:?}, the newest unfinished jobs are {newest:?}"
            ));
        }
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for job in jobs.values().filter(|job| is_work(job.state)) {
            *expected.entry(group(&job.request.class)).or_default() +=
                i64::try_from(job.expected).unwrap_or(i64::MAX);
        }
        if work != expected {
            found.add(format!("work is {work:?}, the jobs add up to {expected:?}"));
        }
        let mut queued: HashMap<String, JobId> = HashMap::new();
        for job in jobs
            .values()
            .filter(|job| job.state.is_queued() || job.state == JobState::Building)
        {
            if job.state.is_queued()
                && let Some(other) = queued.insert(job.request.key(), job.id)
            {
                found.add(format!(
                    "{} is queued twice, as {other} and {}",
                    job.request.key(),
                    job.id
                ));
            }
        }
        Ok(())
    }

    /// What live and ended logs need together is what their sizes add up to.
    async fn check_logs(&self, found: &mut Findings) -> Result<(), QueueError> {
        let mut pipeline = Pipeline::new();
        pipeline
            .hgetall(keys::LOG_SIZES)
            .zrange(keys::LOG_ENDED, 0, -1)
            .get(keys::LOG_LIVE)
            .get(keys::LOG_KEPT);
        let (sizes, ended, live, kept): Logs = self.pipeline("audit the logs", &pipeline).await?;
        let sum = |of_ended: bool| -> i64 {
            let sizes = sizes.iter().filter(|(log, _)| ended.contains(*log) == of_ended);
            sizes.map(|(_, size)| size).sum()
        };
        for (what, counted, sum) in [("live", live, sum(false)), ("ended", kept, sum(true))] {
            if counted.unwrap_or(0) != sum {
                found.add(format!("{what} logs count as {counted:?} bytes and have {sum}"));
            }
        }
        Ok(())
    }

    /// Every request to a repository stands where it should, with its text, and blocks no other without reason.
    async fn check_requests(&self, found: &mut Findings) -> Result<(), QueueError> {
        let mut pipeline = Pipeline::new();
        pipeline
            .zrange(keys::ASKS, 0, -1)
            .zrange(keys::ASK_LEASES, 0, -1)
            .hgetall(keys::KEEP_LISTS);
        let (waiting, running, keep_lists): (BTreeSet<String>, BTreeSet<String>, BTreeMap<String, String>) =
            self.pipeline("audit the requests", &pipeline).await?;
        for id in waiting.intersection(&running) {
            found.add(format!("request {id} waits and is carried out"));
        }
        let mut targets: BTreeMap<String, String> = BTreeMap::new();
        let mut busy = BTreeSet::new();
        for id in waiting.union(&running) {
            let Ok(name) = RequestId::new(id.as_str()) else {
                found.add(format!("request {id:?} has no valid name"));
                continue;
            };
            let mut pipeline = Pipeline::new();
            pipeline
                .exists(keys::ask(&name))
                .hmget(keys::asked(&name), &["target", "nonce"]);
            let (text, [target, nonce]): (bool, [Option<String>; 2]) =
                self.pipeline("audit a request", &pipeline).await?;
            if !text || target.is_none() {
                found.add(format!("request {id} has no text or no target"));
            }
            if nonce.is_some() != running.contains(id) {
                found.add(format!("request {id} has a lease, or a holder, and not both"));
            }
            let target = target.unwrap_or_default();
            if running.contains(id) && !busy.insert(target.clone()) {
                found.add(format!("two requests to {target} are carried out at once"));
            }
            targets.insert(id.clone(), target);
        }
        for (target, id) in &keep_lists {
            if targets.get(id) != Some(target) {
                found.add(format!("the keep-list {id} of {target} has ended"));
            }
        }
        Ok(())
    }

    /// The newest events tell of no transition that is not drawn.
    async fn check_events(&self, found: &mut Findings) -> Result<(), QueueError> {
        for event in self.newest_events(EVENTS_CHECKED).await? {
            let legal = match event.from {
                None => event.to == JobState::Waiting,
                Some(from) => from == event.to || from.successors().contains(&event.to),
            };
            if !legal {
                found.add(format!(
                    "event {}: job {} went from {:?} to {}",
                    event.id, event.job, event.from, event.to
                ));
            }
        }
        Ok(())
    }

    /// Both ends of an edge know of it, nothing waits in vain, and nothing is ready too early.
    async fn check_edges(&self, jobs: &BTreeMap<JobId, Job>, found: &mut Findings) -> Result<(), QueueError> {
        let mut pipeline = Pipeline::new();
        for id in jobs.keys() {
            pipeline.smembers(keys::dependants(*id));
        }
        if jobs.is_empty() {
            return Ok(());
        }
        let dependants: Vec<BTreeSet<u64>> = self.pipeline("audit the queue", &pipeline).await?;
        let backward: BTreeSet<(JobId, JobId)> = jobs
            .keys()
            .zip(dependants)
            .flat_map(|(id, set)| set.into_iter().map(|dependant| (JobId(dependant), *id)))
            .collect();
        let forward: BTreeSet<(JobId, JobId)> = jobs
            .values()
            .flat_map(|job| job.waits_for.iter().map(|on| (job.id, *on)))
            .collect();
        for (job, on) in forward.symmetric_difference(&backward) {
            found.add(format!("only one end knows that job {job} waits for job {on}"));
        }
        for id in circular(jobs) {
            found.add(format!("job {id} waits in a circle, or for one that does"));
        }
        for job in jobs.values() {
            let unmet = job
                .waits_for
                .iter()
                .any(|on| jobs.get(on).is_none_or(|on| !on.state.is_final()));
            match job.state {
                JobState::Waiting if !unmet => found.add(format!("job {} waits for nothing", job.id)),
                JobState::Blocked if job.waits_for.is_empty() => {
                    found.add(format!("job {} is blocked by nothing", job.id));
                }
                JobState::Waiting | JobState::Blocked | JobState::Held => {}
                _ if !job.waits_for.is_empty() => {
                    found.add(format!(
                        "job {} is {} and still waits for {:?}",
                        job.id, job.state, job.waits_for
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, text: String) {
        self.0.push(Violation(text));
    }

    fn compare(
        &mut self,
        set: &str,
        members: BTreeSet<JobId>,
        jobs: &BTreeMap<JobId, Job>,
        belongs: impl Fn(&Job) -> bool,
    ) {
        let expected: BTreeSet<JobId> = jobs
            .values()
            .filter(|job| belongs(job))
            .map(|job| job.id)
            .collect();
        for id in members.difference(&expected) {
            let state = jobs.get(id).map_or("unknown", |job| job.state.as_str());
            self.add(format!("job {id} is {state} and stands in {set}"));
        }
        for id in expected.difference(&members) {
            self.add(format!("job {id} is {} and is missing in {set}", jobs[id].state));
        }
    }
}

/// Whether builders still have to build a job in this state, as far as they can.
fn is_work(state: JobState) -> bool {
    matches!(
        state,
        JobState::Waiting | JobState::Ready | JobState::Backoff | JobState::Building
    )
}

/// Jobs that can never start, since following what they wait for leads back to them.
fn circular(jobs: &BTreeMap<JobId, Job>) -> BTreeSet<JobId> {
    let mut stuck: BTreeSet<JobId> = jobs
        .values()
        .filter(|job| !job.waits_for.is_empty())
        .map(|job| job.id)
        .collect();
    loop {
        let free: Vec<JobId> = stuck
            .iter()
            .filter(|id| jobs[id].waits_for.iter().all(|on| !stuck.contains(on)))
            .copied()
            .collect();
        if free.is_empty() {
            return stuck;
        }
        for id in free {
            stuck.remove(&id);
        }
    }
}

fn ids(set: Vec<u64>) -> BTreeSet<JobId> {
    set.into_iter().map(JobId).collect()
}
