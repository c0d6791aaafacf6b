//! The reference: what the queue promises, as plain data in one place, without Redis, scripts and sets. Written from
//! the documentation; where the two differ, one of them is wrong.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    BuildClass, BuildOutcome, FailedDependency, InstanceId, JobId, JobRequest, JobState, LeaseToken, Target,
};

/// Infrastructure failures in a row after which a builder stops itself.
const FAILURES: u32 = 3;
/// Different builders that a job may take down, less one.
const VICTIMS: usize = 2;
/// Publishers that a job may lose, less one.
const LOST_PUBLISHERS: u32 = 5;

/// Why one job waits for another.
#[derive(Debug, Clone, PartialEq)]
pub enum Edge {
    /// It needs these names of it.
    Needs(BTreeSet<String>),
    /// It takes its place, whatever comes of it.
    Succession,
}

#[derive(Debug, Clone)]
pub struct ModelJob {
    pub request: JobRequest,
    pub state: JobState,
    pub attempt: u32,
    pub edges: BTreeMap<JobId, Edge>,
    pub builder: Option<String>,
    pub instance: Option<InstanceId>,
    /// Proof of the lease that somebody has on it now.
    pub lease: Option<LeaseToken>,
    /// Proof of the lease with which the last build ended, and the last publishing.
    pub built_by: Option<LeaseToken>,
    pub published_by: Option<LeaseToken>,
    pub canceling: bool,
    pub released: bool,
    pub priority: i32,
    pub failures: u32,
    pub victims: BTreeSet<String>,
    pub avoids: BTreeSet<String>,
    /// The time for which it avoids them is over.
    pub forgives: bool,
    pub lost_publishers: u32,
    /// Its lease, pause or block has run out; the next sweep sees it.
    pub time_up: bool,
    pub packages: Vec<String>,
    /// Attempts and how they ended.
    pub history: Vec<(u32, String)>,
    /// Whether it waited for all that it needs ever since it was submitted: never built, released, or part of a cycle.
    pub strict: bool,
}

impl ModelJob {
    pub fn new(request: JobRequest) -> Self {
        Self {
            request,
            state: JobState::Waiting,
            attempt: 0,
            edges: BTreeMap::new(),
            builder: None,
            instance: None,
            lease: None,
            built_by: None,
            published_by: None,
            canceling: false,
            released: false,
            priority: 0,
            failures: 0,
            victims: BTreeSet::new(),
            avoids: BTreeSet::new(),
            forgives: false,
            lost_publishers: 0,
            time_up: false,
            packages: Vec::new(),
            history: Vec::new(),
            strict: true,
        }
    }

    fn avoids(&self, builder: &str) -> bool {
        !self.forgives && self.avoids.contains(builder)
    }

    /// Enters a state; whatever ran out belonged to the one before.
    pub fn enter(&mut self, state: JobState) {
        self.state = state;
        self.time_up = false;
        if !state.is_leased() {
            self.lease = None;
        }
    }

    /// An attempt appears in the history once.
    pub fn remember(&mut self, outcome: &str) {
        if self.attempt > 0 && self.history.last().is_none_or(|(last, _)| *last < self.attempt) {
            self.history.push((self.attempt, outcome.to_owned()));
        }
    }
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    Current,
    /// It ended its lease itself.
    Repeated,
    Stale,
}

/// A builder's process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    pub online: bool,
    pub draining: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    Free,
    Paused,
    PausedItself,
}

#[derive(Debug, Clone)]
pub struct ModelBuilder {
    pub class: Option<u32>,
    pub processes: BTreeMap<InstanceId, Process>,
    pub mode: Mode,
    pub failures: u32,
}

impl ModelBuilder {
    /// Whether it would take a job of this class now.
    fn could_take(&self, name: &str, class: &BuildClass) -> bool {
        self.mode == Mode::Free
            && self
                .processes
                .values()
                .any(|process| process.online && !process.draining)
            && fits(name, self.class, class)
    }
}

pub fn fits(name: &str, own: Option<u32>, class: &BuildClass) -> bool {
    match class {
        BuildClass::Number(number) => own.is_some_and(|own| own >= *number),
        BuildClass::Builder(wanted) => wanted.as_str() == name,
    }
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub jobs: BTreeMap<JobId, ModelJob>,
    pub builders: BTreeMap<String, ModelBuilder>,
    pub queue_paused: bool,
    /// Names that each target lists.
    pub index: BTreeMap<Target, BTreeSet<String>>,
    pub rule: FailedDependency,
}

impl Model {
    pub fn job(&mut self, id: JobId) -> &mut ModelJob {
        self.jobs.get_mut(&id).expect("the model knows the job")
    }

    /// Attempts that infrastructure failures may cost a job. Fewer under the rarer rules, so that giving up is not rare.
    pub fn attempts(&self) -> u32 {
        match self.rule {
            FailedDependency::Published => 3,
            FailedDependency::Block | FailedDependency::Ignore => 2,
        }
    }

    /// The newest job of a `TARGET/ARCH/PKGBASE` that has not ended.
    pub fn live(&self, key: &str) -> Option<JobId> {
        let mut live = self.jobs.iter().rev();
        live.find(|(_, job)| !job.state.is_final() && job.request.key() == key)
            .map(|(id, _)| *id)
    }

    /// Whether a queued job has to wait for the running one whose place it takes.
    pub fn succeeds_a_running_one(&self, id: JobId) -> bool {
        let mut edges = self.jobs[&id].edges.iter();
        edges.any(|(on, edge)| *edge == Edge::Succession && !self.jobs[on].state.is_final())
    }

    pub fn standing(&self, token: &LeaseToken, state: JobState) -> Standing {
        let Some(job) = self.jobs.get(&token.job) else {
            return Standing::Stale;
        };
        let ended = if state == JobState::Building {
            &job.built_by
        } else {
            &job.published_by
        };
        if job.state == state && job.lease.as_ref() == Some(token) {
            Standing::Current
        } else if ended.as_ref() == Some(token) {
            Standing::Repeated
        } else {
            Standing::Stale
        }
    }

    /// Every queued job that looks at what it waits for stands where that puts it.
    pub fn settle(&mut self) {
        let ids: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in ids {
            let job = &self.jobs[&id];
            let looks = match job.state {
                JobState::Waiting | JobState::Ready | JobState::Blocked => true,
                JobState::Backoff => !job.edges.is_empty(),
                _ => false,
            };
            if looks {
                self.look(id);
            }
        }
    }

    /// A dependency that is done, or failed where that does not matter, is waited for no more; one that failed blocks.
    pub fn look(&mut self, id: JobId) {
        let job = &self.jobs[&id];
        let mut edges = job.edges.clone();
        edges.retain(|on, edge| !self.is_met(&job.request.target, *on, edge));
        let state = if edges.keys().any(|on| self.jobs[on].state.is_final()) {
            JobState::Blocked
        } else if edges.is_empty() {
            JobState::Ready
        } else {
            JobState::Waiting
        };
        let job = self.job(id);
        job.edges = edges;
        if job.state != state {
            job.enter(state);
        }
    }

    fn is_met(&self, target: &Target, on: JobId, edge: &Edge) -> bool {
        let state = self.jobs[&on].state;
        let published =
            |names: &BTreeSet<String>| self.index.get(target).is_some_and(|all| names.is_subset(all));
        state.is_final()
            && match edge {
                Edge::Succession => true,
                Edge::Needs(_) if state.satisfies_dependants() => true,
                Edge::Needs(names) => match self.rule {
                    FailedDependency::Ignore => true,
                    FailedDependency::Published => published(names),
                    FailedDependency::Block => false,
                },
            }
    }

    /// A job ends; what only a live one has goes.
    pub fn end(&mut self, id: JobId, state: JobState) {
        let job = self.job(id);
        job.enter(state);
        job.edges.clear();
        job.instance = None;
        job.canceling = false;
        job.released = false;
        job.priority = 0;
        job.failures = 0;
        job.victims.clear();
        job.avoids.clear();
        job.lost_publishers = 0;
        self.settle();
    }

    /// The holder of a build's lease ends its attempt.
    pub fn finish(&mut self, token: &LeaseToken, outcome: BuildOutcome) {
        let job = self.job(token.job);
        let canceling = job.canceling;
        job.built_by = Some(token.clone());
        let builder = job.builder.clone().expect("somebody builds it");
        if outcome != BuildOutcome::Infrastructure {
            self.builders.get_mut(&builder).expect("it is known").failures = 0;
        }
        let id = token.job;
        let end = match outcome {
            _ if canceling => JobState::Canceled,
            BuildOutcome::Built => return self.job(id).enter(JobState::Uploaded),
            BuildOutcome::Infrastructure => return self.infrastructure_failure(id, false),
            BuildOutcome::Released => {
                let job = self.job(id);
                job.remember("released");
                return job.enter(JobState::Ready);
            }
            BuildOutcome::AlreadyBuilt => JobState::AlreadyBuilt,
            BuildOutcome::Skipped => JobState::Skipped,
            BuildOutcome::Failed => JobState::Failed,
            BuildOutcome::TimedOut => JobState::TimedOut,
            BuildOutcome::OutOfMemory => JobState::OutOfMemory,
            BuildOutcome::Canceled => JobState::Canceled,
        };
        self.end(id, end);
    }

    fn infrastructure_failure(&mut self, id: JobId, lost: bool) {
        let name = self.jobs[&id].builder.clone().expect("somebody builds it");
        let builder = self.builders.get_mut(&name).expect("it is known");
        builder.failures += 1;
        if builder.failures >= FAILURES && builder.mode == Mode::Free {
            builder.mode = Mode::PausedItself;
        }
        let attempts = self.attempts();
        let job = self.job(id);
        job.failures += 1;
        job.avoids.insert(name.clone());
        job.forgives = false;
        if lost {
            job.victims.insert(name);
        }
        if job.failures >= attempts || job.victims.len() >= VICTIMS {
            self.end(id, JobState::InfrastructureFailed);
        } else {
            job.remember(if lost { "lost" } else { "infrastructure" });
            job.enter(JobState::Backoff);
        }
    }

    /// After an outage every lease gets another chance; else what has run out ends.
    pub fn sweep(&mut self, outage: bool) {
        let over = |model: &Self, state: JobState| -> Vec<JobId> {
            let jobs = model.jobs.iter();
            jobs.filter(|(_, job)| job.time_up && job.state == state)
                .map(|(id, _)| *id)
                .collect()
        };
        if outage {
            for job in self.jobs.values_mut().filter(|job| job.state.is_leased()) {
                job.time_up = false;
            }
        }
        let [lost, unpublished] = [JobState::Building, JobState::Publishing].map(|state| over(self, state));
        for id in lost {
            if self.jobs[&id].canceling {
                self.end(id, JobState::Canceled);
            } else {
                self.infrastructure_failure(id, true);
            }
        }
        for id in unpublished {
            let job = self.job(id);
            job.lost_publishers += 1;
            if job.lost_publishers >= LOST_PUBLISHERS {
                self.end(id, JobState::InfrastructureFailed);
            } else {
                job.enter(JobState::Uploaded);
            }
        }
        for id in over(self, JobState::Backoff) {
            self.job(id).enter(JobState::Ready);
        }
        for id in over(self, JobState::Blocked) {
            self.end(id, JobState::Failed);
        }
    }

    /// Jobs that a builder may be given.
    pub fn claimable(&self, name: &str) -> Vec<JobId> {
        let class = self.builders[name].class;
        let jobs = self.jobs.iter();
        jobs.filter(|(_, job)| job.state == JobState::Ready && fits(name, class, &job.request.class))
            .map(|(id, _)| *id)
            .collect()
    }

    fn online(&self) -> usize {
        let processes = self
            .builders
            .values()
            .flat_map(|builder| builder.processes.values());
        processes.filter(|process| process.online).count()
    }

    /// Whether a builder that failed a job may be kept from it.
    pub fn may_avoid(&self, id: JobId, name: &str) -> bool {
        self.jobs[&id].avoids(name) && self.online() > 1
    }

    /// Whether it has to be: another one is there and could take it.
    pub fn must_avoid(&self, id: JobId, name: &str) -> bool {
        let job = &self.jobs[&id];
        let own = &self.builders[name].processes;
        job.avoids(name)
            && own.values().any(|process| process.online)
            && self
                .builders
                .iter()
                .any(|(other, builder)| other != name && builder.could_take(other, &job.request.class))
    }

    /// A builder got a job.
    pub fn claim(&mut self, token: &LeaseToken, name: &str, instance: &InstanceId) {
        let job = self.job(token.job);
        job.attempt += 1;
        job.enter(JobState::Building);
        job.builder = Some(name.to_owned());
        job.instance = Some(instance.clone());
        job.lease = Some(token.clone());
        job.strict = false;
    }
}
