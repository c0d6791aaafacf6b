//! A step of the demo farm: jobs come, wait, are built, fail and are published.

use std::collections::HashMap;

use caur_core::model::{BuildClass, CommitId, IdError, Job, JobId, JobState, PastAttempt, Phase, PhaseStart};

use super::farm::{Farm, PACKAGES, STEP, new_job};
use super::log::DemoLog;

/// Finished jobs that the queue lists.
const MAX_FINAL: usize = 60;
/// Fewer queued jobs than this, and more are scheduled.
const REFILL_BELOW: usize = 14;
/// How long a build that is canceled takes to end, in milliseconds.
const STOPS_WITHIN: u64 = 1_500;
/// How long a job pauses after a failure of the farm, in milliseconds.
pub(super) const BACKOFF: u64 = 8_000;
/// How long a blocked job waits for its dependencies to be built after all, in milliseconds.
pub(super) const BLOCKED: u64 = 60_000;

impl Farm {
    /// Advances the farm; says whether any job changed.
    ///
    /// # Errors
    /// As [`Farm::new`].
    pub fn step(&mut self) -> Result<bool, IdError> {
        self.now += u64::try_from(STEP.as_millis()).unwrap_or(100);
        let mut changed = self.refill()?;
        changed |= self.release();
        changed |= self.claim();
        changed |= self.work();
        changed |= self.publish();
        for at in 0..self.builders.len() {
            let jobs = self.held(self.builders[at].name());
            let now = self.now;
            self.builders[at].live(now, jobs)?;
        }
        self.forget();
        Ok(changed)
    }

    /// Schedules more where little is left.
    fn refill(&mut self) -> Result<bool, IdError> {
        if self.jobs.iter().filter(|job| job.state.is_queued()).count() >= REFILL_BELOW {
            return Ok(false);
        }
        let mut batch: Vec<JobId> = Vec::new();
        for _ in 0..PACKAGES.len() / 2 {
            let pkgbase = PACKAGES[self.next_package % PACKAGES.len()];
            self.next_package += 1;
            let is_live = |job: &Job| !job.state.is_final() && job.request.pkgbase.as_str() == pkgbase;
            if self.jobs.iter().any(is_live) {
                continue;
            }
            // A job's number is the time at which it was asked for, made unique.
            self.next_id = (self.next_id + 1).max(self.now);
            let mut job = new_job(JobId(self.next_id), pkgbase, self.now)?;
            job.expected = 5 + self.random.below(40);
            job.chain = job.expected;
            if !batch.is_empty() && self.random.below(3) == 0 {
                let count = 1 + usize::from(batch.len() > 2 && self.random.below(2) == 0);
                job.waits_for = batch.iter().rev().take(count).copied().collect();
                job.state = JobState::Waiting;
            } else {
                job.ready_at = Some(self.now);
            }
            if self.random.below(6) == 0 {
                job.request.class = BuildClass::Number(3 + u32::from(self.random.below(3) == 0));
            }
            batch.push(job.id);
            self.jobs.push(job);
        }
        if !batch.is_empty() {
            let about = format!("garden/x86_64: {} packages", batch.len());
            let why = format!("{} queued, 0 replaced, 0 refused", batch.len());
            self.note("submit", about, None, "ci", &why);
        }
        Ok(!batch.is_empty())
    }

    /// Jobs whose dependencies have ended become ready or blocked.
    fn release(&mut self) -> bool {
        let states: HashMap<JobId, JobState> = self.jobs.iter().map(|job| (job.id, job.state)).collect();
        let now = self.now;
        let mut changed = false;
        for job in &mut self.jobs {
            if job.state == JobState::Backoff && now > job.since + BACKOFF
                || job.state == JobState::Blocked && now > job.since + BLOCKED
            {
                enter(job, JobState::Ready, now, None);
                changed = true;
            }
            if job.state != JobState::Waiting {
                continue;
            }
            let satisfied = |id: &JobId| states.get(id).is_none_or(|state| state.satisfies_dependants());
            let ended = |id: &JobId| states.get(id).is_none_or(|state| state.is_final());
            if job.waits_for.iter().all(satisfied) {
                enter(job, JobState::Ready, now, None);
                changed = true;
            } else if job.waits_for.iter().all(ended) {
                enter(job, JobState::Blocked, now, Some("a dependency failed"));
                changed = true;
            }
        }
        changed
    }

    /// Free slots take the next ready jobs.
    fn claim(&mut self) -> bool {
        let mut changed = false;
        for at in 0..self.builders.len() {
            let builder = &self.builders[at];
            if self.pause.is_some() || !builder.status.takes_jobs() {
                continue;
            }
            let name = builder.name().to_owned();
            let instance = builder.status.report.instance.to_string();
            let free = builder.status.report.slots.saturating_sub(self.held(&name));
            for _ in 0..free {
                let builder = &self.builders[at];
                let ready = |job: &&mut Job| job.state == JobState::Ready && builder.fits(&job.request.class);
                let next = self.jobs.iter_mut().filter(ready);
                let Some(job) = next.max_by_key(|job| (job.priority, std::cmp::Reverse(job.id))) else {
                    break;
                };
                enter(job, JobState::Building, self.now, None);
                job.attempt += 1;
                job.builder = Some(name.clone());
                job.instance = Some(instance.clone());
                job.started = Some(self.now);
                let hash = job.id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                job.built_commit = CommitId::new(format!("{hash:016x}{:024x}", job.id.0)).ok();
                job.phases.clear();
                begin_phase(job, Phase::Fetch, self.now);
                let lines = usize::try_from(job.expected).unwrap_or(40) * 12;
                let log = DemoLog::new(job.request.pkgbase.as_str(), lines);
                self.logs.insert(job.id, (log, Vec::new()));
                changed = true;
            }
        }
        changed
    }

    /// Running builds write their logs and end.
    fn work(&mut self) -> bool {
        let mut changed = false;
        for at in 0..self.jobs.len() {
            if self.jobs[at].state != JobState::Building {
                continue;
            }
            let pieces = self.random.below(3);
            let dice = self.random.below(40);
            let now = self.now;
            let job = &mut self.jobs[at];
            let Some((log, text)) = self.logs.get_mut(&job.id) else {
                continue;
            };
            if job.canceling.is_some() && now > job.since + STOPS_WITHIN {
                let reason = job.canceling.take();
                enter(job, JobState::Canceled, now, reason.as_deref());
                job.phase = None;
                changed = true;
                continue;
            }
            for _ in 0..pieces {
                text.extend(log.next_piece().bytes());
            }
            let percent = log.percent();
            if percent < 100 {
                changed |= begin_phase(job, phase_at(percent), now);
                continue;
            }
            changed = true;
            let (state, reason) = outcome(dice);
            let error = (state == JobState::Failed).then_some("A failure occurred in build().");
            text.extend(log.last_lines(error).bytes());
            if state == JobState::Backoff {
                job.history.push(PastAttempt {
                    attempt: job.attempt,
                    outcome: "infrastructure".to_owned(),
                    builder: job.builder.clone().unwrap_or_default(),
                    started: job.started,
                    ended: now,
                    reason: reason.unwrap_or_default().to_owned(),
                });
            }
            enter(job, state, now, reason);
            job.canceling = None;
            job.phase = None;
        }
        changed
    }

    /// Uploads are published one after the other.
    fn publish(&mut self) -> bool {
        let now = self.now;
        if let Some(job) = self.jobs.iter_mut().find(|job| job.state == JobState::Publishing) {
            let over = now > job.since + 1_500;
            if over {
                enter(job, JobState::Succeeded, now, None);
                job.packages = super::repository::files(job);
            }
            return over;
        }
        match self
            .jobs
            .iter_mut()
            .find(|job| job.state == JobState::Uploaded && now > job.since + 1_000)
        {
            Some(job) => {
                enter(job, JobState::Publishing, now, None);
                true
            }
            None => false,
        }
    }

    /// The queue lists the oldest jobs that are over no more.
    fn forget(&mut self) {
        while self.jobs.iter().filter(|job| job.state.is_final()).count() > MAX_FINAL {
            let oldest = self
                .jobs
                .iter()
                .enumerate()
                .filter(|(_, job)| job.state.is_final())
                .min_by_key(|(_, job)| job.since);
            let Some((at, _)) = oldest else { return };
            let job = self.jobs.remove(at);
            self.put_by(job);
        }
    }
}

/// How a build ends, by a number below 40.
fn outcome(dice: u64) -> (JobState, Option<&'static str>) {
    match dice {
        0..=4 => (JobState::Failed, Some("makepkg: build() failed (exit status 4)")),
        5 => (JobState::TimedOut, Some("no end after 3600 s")),
        6 => (JobState::OutOfMemory, Some("more than 16 GiB")),
        7..=8 => (
            JobState::Backoff,
            Some("image pull: connection reset; again in 8 s"),
        ),
        9..=10 => (JobState::Skipped, Some("the package asked to be skipped")),
        11..=14 => (JobState::AlreadyBuilt, Some("1.4.2-1 is in the repository")),
        _ => (JobState::Uploaded, None),
    }
}

/// What a builder does when so much of the log is written.
fn phase_at(percent: usize) -> Phase {
    match percent {
        0..=1 => Phase::Fetch,
        2..=4 => Phase::Prepare,
        5..=96 => Phase::Build,
        _ => Phase::Upload,
    }
}

/// Begins a phase, unless it is under way; says whether it did.
fn begin_phase(job: &mut Job, phase: Phase, now: u64) -> bool {
    if job.phase.as_deref() == Some(phase.as_str()) {
        return false;
    }
    job.phase = Some(phase.as_str().to_owned());
    job.phases.push(PhaseStart {
        name: phase.as_str().to_owned(),
        since: now,
    });
    true
}

/// Puts a job into a state.
pub(super) fn enter(job: &mut Job, state: JobState, now: u64, reason: Option<&str>) {
    job.state = state;
    job.since = now;
    job.reason = reason.map(str::to_owned);
    job.finished = state.is_final().then_some(now);
    if state == JobState::Ready {
        job.ready_at.get_or_insert(now);
    }
}
