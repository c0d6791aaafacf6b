//! The farm on a real Redis beside the model, and what has to be the same in both after every step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::model::{Mode, Model, ModelBuilder};
use super::step::{BUILDERS, Step};
use crate::model::{FailedDependency, InstanceId, Job, JobId, JobState, LeaseToken};
use crate::queue::tests::{LEASE, report};
use crate::queue::{Attempt, Claim, ClaimRequest, JobFilter, Queue, QueueRules, SweepSettings};
use crate::testing::RedisServer;

/// Nothing, or what differs.
pub type Checked = Result<(), String>;

/// Fails the step with a text unless the condition holds.
macro_rules! check {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
pub(super) use check;

/// A lease as an actor remembers it.
#[derive(Clone)]
pub struct Hold {
    pub token: LeaseToken,
    pub of: HoldOf,
    /// How its holder ended the build, whether or not the answer came.
    pub ended: Option<Ended>,
    pub forgotten: bool,
}

#[derive(Clone)]
pub enum HoldOf {
    Build { builder: u8, claim: Box<Claim> },
    Publishing { ended: bool },
}

impl Hold {
    /// Whose build it is.
    pub fn builder(&self) -> Option<u8> {
        match self.of {
            HoldOf::Build { builder, .. } => Some(builder),
            HoldOf::Publishing { .. } => None,
        }
    }

    /// Whether its holder builds with it, as far as that one knows.
    pub fn builds(&self) -> bool {
        self.builder().is_some() && self.ended.is_none() && !self.forgotten
    }
}

/// How a build was ended, to do it again.
#[derive(Clone)]
pub struct Ended {
    pub attempt: Attempt,
    pub next: Option<(u8, ClaimRequest)>,
}

pub struct World<'a> {
    pub server: &'a mut RedisServer,
    pub queue: Queue,
    pub model: Model,
    pub holds: Vec<Hold>,
    /// The last claim of each builder's slot.
    pub requests: BTreeMap<(u8, u8), ClaimRequest>,
    /// The process of each builder that lives, by builder.
    pub processes: Vec<InstanceId>,
    pub started: u32,
    last_event: String,
}

pub fn builder_name(builder: u8) -> String {
    format!("b{builder}")
}

/// `b0` takes every class, `b3` only jobs for its name.
pub fn builder_class(builder: u8) -> Option<u32> {
    (builder < BUILDERS - 1).then_some(u32::from(BUILDERS - 1 - builder))
}

impl<'a> World<'a> {
    /// An empty farm whose builders are there.
    pub async fn new(server: &'a mut RedisServer, rule: FailedDependency) -> Self {
        let link = server.link();
        link.run(|mut connection| async move { redis::cmd("FLUSHALL").exec_async(&mut connection).await })
            .await
            .expect("Redis can be emptied");
        let queue = Queue::open(link).await.expect("an empty Redis becomes a queue");
        let model = Model {
            rule,
            ..Model::default()
        };
        let rules = QueueRules {
            failed_dependency: rule,
            attempts: model.attempts(),
            ..QueueRules::default()
        };
        queue.publish_rules(&rules).await.expect("Redis is there");
        let mut world = Self {
            server,
            queue,
            model,
            holds: Vec::new(),
            requests: BTreeMap::new(),
            processes: Vec::new(),
            started: 0,
            last_event: "0-0".to_owned(),
        };
        world.sweep(false).await.expect("the first sweep");
        for builder in 0..BUILDERS {
            let known = ModelBuilder {
                class: builder_class(builder),
                processes: BTreeMap::new(),
                mode: Mode::Free,
                failures: 0,
            };
            world.model.builders.insert(builder_name(builder), known);
            let process = world.fresh_process(builder);
            world.processes.push(process);
            world.report(builder).await.expect("a builder can register");
        }
        world
    }

    pub fn fresh_process(&mut self, builder: u8) -> InstanceId {
        self.started += 1;
        InstanceId::new(format!("b{builder}-{}", self.started)).expect("the name is valid")
    }

    /// Takes a step in both worlds and compares them.
    pub async fn step(&mut self, step: &Step) -> Checked {
        let before: BTreeMap<JobId, JobState> =
            self.model.jobs.iter().map(|(id, job)| (*id, job.state)).collect();
        self.act(step).await?;
        self.compare(&before).await
    }

    pub async fn report(&mut self, builder: u8) -> Checked {
        let name = builder_name(builder);
        let instance = self.processes[usize::from(builder)].clone();
        let mut said = report(instance.as_str(), &name, builder_class(builder));
        said.slots = 2;
        let orders = self
            .queue
            .report_status(&said)
            .await
            .map_err(|error| error.to_string())?;
        let known = self.model.builders.get_mut(&name).expect("it is known");
        let process = known.processes.entry(instance).or_default();
        process.online = true;
        check!(
            orders.paused.is_some() == (known.mode != Mode::Free)
                && orders.draining.is_some() == process.draining,
            "{name} is told {orders:?}, the model has {known:?}"
        );
        Ok(())
    }

    pub async fn sweep(&mut self, outage: bool) -> Checked {
        if outage {
            self.redis::<()>(redis::cmd("SET").arg("{caur}:q:swept").arg(1))
                .await;
        }
        let settings = SweepSettings {
            name: "sweeper".into(),
            term: Duration::from_hours(1),
            outage: Duration::from_hours(1),
            grace: LEASE,
        };
        let swept = self
            .queue
            .sweep(&settings)
            .await
            .map_err(|error| error.to_string())?;
        check!(swept.elected, "the only sweeper is not elected");
        self.model.sweep(outage);
        Ok(())
    }

    /// Changes something in Redis as the clock would.
    pub async fn redis<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        self.queue
            .query("let time pass", command)
            .await
            .expect("Redis is there")
    }

    /// What Redis holds, by job.
    pub async fn recorded(&self) -> Result<BTreeMap<JobId, Job>, String> {
        let all = JobFilter {
            finished: usize::MAX >> 1,
        };
        let jobs = self.queue.jobs(all).await.map_err(|error| error.to_string())?;
        Ok(jobs.into_iter().map(|job| (job.id, job)).collect())
    }

    async fn compare(&mut self, before: &BTreeMap<JobId, JobState>) -> Checked {
        let violations = self.queue.audit().await.map_err(|error| error.to_string())?;
        check!(violations.is_empty(), "audit: {violations:#?}");
        let jobs = self.recorded().await?;
        let known: BTreeSet<JobId> = self.model.jobs.keys().copied().collect();
        let found: BTreeSet<JobId> = jobs.keys().copied().collect();
        check!(
            found == known,
            "Redis has the jobs {found:?}, the model {known:?}"
        );
        for (id, job) in &jobs {
            self.compare_job(*id, job)?;
        }
        one_attempt_per_package(jobs.values())?;
        self.compare_events(before).await
    }

    fn compare_job(&self, id: JobId, job: &Job) -> Checked {
        let model = &self.model.jobs[&id];
        let what = format!("job {id} of {}", job.request.key());
        let waits_for: Vec<JobId> = model.edges.keys().copied().collect();
        let queue = (job.state, job.attempt, &job.waits_for);
        let expected = (model.state, model.attempt, &waits_for);
        check!(
            queue == expected,
            "{what}: the queue has (state, attempt, waits for) {queue:?}, the model {expected:?}"
        );
        check!(
            job.request == model.request,
            "{what}: its request is {:?}, not {:?}",
            job.request,
            model.request
        );
        let queue = (
            &job.builder,
            job.canceling.is_some(),
            job.released,
            job.priority,
            &job.packages,
        );
        let expected = (
            &model.builder,
            model.canceling,
            model.released,
            model.priority,
            &model.packages,
        );
        check!(
            queue == expected,
            "{what}: the queue has (builder, canceling, released, priority, packages) {queue:?}, the model {expected:?}"
        );
        let instance = model.instance.as_ref().map(InstanceId::as_str);
        check!(
            job.state != JobState::Building || job.instance.as_deref() == instance,
            "{what}: process {:?} holds it, not {instance:?}",
            job.instance
        );
        let history: Vec<(u32, String)> = job
            .history
            .iter()
            .map(|past| (past.attempt, past.outcome.clone()))
            .collect();
        check!(
            history == model.history,
            "{what}: its history is {history:?}, not {:?}",
            model.history
        );
        Ok(())
    }

    /// The events since the last step lead every job from where it stood to where it stands, without a gap.
    async fn compare_events(&mut self, before: &BTreeMap<JobId, JobState>) -> Checked {
        let events = self
            .queue
            .events_after(&self.last_event, usize::MAX >> 1, Duration::ZERO)
            .await
            .map_err(|error| error.to_string())?;
        if let Some(last) = events.last() {
            self.last_event.clone_from(&last.id);
        }
        let mut told: HashMap<JobId, Option<JobState>> = HashMap::new();
        for event in &events {
            let from = told
                .entry(event.job)
                .or_insert_with(|| before.get(&event.job).copied());
            check!(
                *from == event.from,
                "an event does not follow from {from:?}: {event:?}"
            );
            *from = Some(event.to);
        }
        for (id, job) in &self.model.jobs {
            let now = told.get(id).copied().unwrap_or_else(|| before.get(id).copied());
            check!(
                now == Some(job.state),
                "events lead job {id} to {now:?}, it is {}: {events:#?}",
                job.state
            );
        }
        Ok(())
    }
}

/// Two attempts of one package never live at the same time.
fn one_attempt_per_package<'j>(jobs: impl Iterator<Item = &'j Job>) -> Checked {
    let mut running: HashMap<String, JobId> = HashMap::new();
    for job in jobs.filter(|job| !job.state.is_final() && !job.state.is_queued()) {
        if let Some(other) = running.insert(job.request.key(), job.id) {
            return Err(format!(
                "{} lives twice, as job {other} and {}",
                job.request.key(),
                job.id
            ));
        }
    }
    Ok(())
}
