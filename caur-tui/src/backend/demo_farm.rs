//! The made-up farm of the demo: jobs that wait, are built, fail and are published, a step at a time.

use std::collections::HashMap;
use std::time::Duration;

use caur_core::model::{BuildClass, IdError, Job, JobId, JobRequest, JobState, Target};

use super::demo_log::DemoLog;
use crate::msg::Snapshot;

/// How much time passes in one step.
pub const STEP: Duration = Duration::from_millis(100);
const BUILDERS: &[&str] = &["alder", "birch", "cedar"];
const MAX_FINAL: usize = 60;
const REFILL_BELOW: usize = 14;
pub const PACKAGES: &[&str] = &[
    "aurutils",
    "bottom-git",
    "cosmic-ext-applets",
    "dolphin-emu-git",
    "emulsion",
    "firedragon",
    "ghostty-git",
    "hyprland-git",
    "input-remapper",
    "jellyfin-mpv",
    "kwin-effects-forceblur",
    "lib32-mesa-git",
    "mesa-git",
    "neovim-git",
    "obs-studio-git",
    "paru",
    "qt6-base-git",
    "rpcs3-git",
    "sunshine",
    "telegram-desktop-git",
    "ungoogled-chromium",
    "vesktop",
    "waybar-git",
    "xone-dkms",
    "yay",
    "zen-browser",
];

/// The farm, advanced in steps of [`STEP`].
#[derive(Debug)]
pub struct Farm {
    now: u64,
    next_id: u64,
    next_package: usize,
    random: u64,
    jobs: Vec<Job>,
    logs: HashMap<JobId, (DemoLog, Vec<u8>)>,
}

impl Farm {
    /// A farm that has been at work for a while, `now` milliseconds after 1970.
    ///
    /// # Errors
    /// [`IdError`] if a name of the demo is no valid identifier; a test shows that all are.
    pub fn new(now: u64) -> Result<Self, IdError> {
        let mut farm = Self {
            now: now.saturating_sub(400_000),
            next_id: now.saturating_sub(4_000_000),
            next_package: 0,
            random: 0x2545_f491_4f6c_dd1d,
            jobs: Vec::new(),
            logs: HashMap::new(),
        };
        while farm.now < now {
            farm.step()?;
        }
        Ok(farm)
    }

    /// Advances the farm; says whether any job changed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn step(&mut self) -> Result<bool, IdError> {
        self.now += u64::try_from(STEP.as_millis()).unwrap_or(100);
        let mut changed = self.refill()?;
        changed |= self.release();
        changed |= self.claim();
        changed |= self.work();
        changed |= self.publish();
        self.forget();
        Ok(changed)
    }

    /// The jobs as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            jobs: self.jobs.clone(),
            taken: self.now,
            partial: false,
        }
    }

    /// The latest log of a job: its attempt, what is written, and whether it is complete.
    pub fn log(&self, id: JobId) -> Option<(u32, &[u8], bool)> {
        let (_, text) = self.logs.get(&id)?;
        let job = self.jobs.iter().find(|job| job.id == id)?;
        Some((job.attempt, text, job.state != JobState::Building))
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
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
            if self
                .jobs
                .iter()
                .any(|job| !job.state.is_final() && job.request.pkgbase.as_str() == pkgbase)
            {
                continue;
            }
            self.next_id += 1 + self.random(900);
            let mut job = new_job(JobId(self.next_id), pkgbase, self.now)?;
            job.expected = 5 + self.random(40);
            if !batch.is_empty() && self.random(3) == 0 {
                let count = 1 + usize::from(batch.len() > 2 && self.random(2) == 0);
                job.waits_for = batch.iter().rev().take(count).copied().collect();
                job.state = JobState::Waiting;
            }
            if self.random(6) == 0 {
                job.request.class = BuildClass::Number(3);
            }
            batch.push(job.id);
            self.jobs.push(job);
        }
        Ok(!batch.is_empty())
    }

    /// Jobs whose dependencies have ended become ready or blocked.
    fn release(&mut self) -> bool {
        let states: HashMap<JobId, JobState> = self.jobs.iter().map(|job| (job.id, job.state)).collect();
        let now = self.now;
        let mut changed = false;
        for job in &mut self.jobs {
            if job.state == JobState::Backoff && now > job.since + 8_000
                || job.state == JobState::Blocked && now > job.since + 60_000
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

    /// Idle builders take the next ready job.
    fn claim(&mut self) -> bool {
        let mut changed = false;
        for builder in BUILDERS {
            let busy = self
                .jobs
                .iter()
                .any(|job| job.state == JobState::Building && job.builder.as_deref() == Some(builder));
            let now = self.now;
            let Some(job) = self.jobs.iter_mut().find(|job| job.state == JobState::Ready) else {
                return changed;
            };
            if busy {
                continue;
            }
            enter(job, JobState::Building, now, None);
            job.attempt += 1;
            job.builder = Some((*builder).to_owned());
            job.started = Some(now);
            job.phase = Some("build".to_owned());
            let lines = usize::try_from(job.expected).unwrap_or(40) * 12;
            let log = DemoLog::new(job.request.pkgbase.as_str(), lines);
            self.logs.insert(job.id, (log, Vec::new()));
            changed = true;
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
            let pieces = self.random(3);
            let dice = self.random(40);
            let now = self.now;
            let job = &mut self.jobs[at];
            let Some((log, text)) = self.logs.get_mut(&job.id) else {
                continue;
            };
            for _ in 0..pieces {
                text.extend(log.next_piece().bytes());
            }
            if log.percent() < 100 {
                continue;
            }
            changed = true;
            let (state, reason) = match dice {
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
            };
            let error = (state == JobState::Failed).then_some("A failure occurred in build().");
            text.extend(log.last_lines(error).bytes());
            enter(job, state, now, reason);
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
                job.packages = super::demo_repository::files(job);
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

    /// Drops the oldest jobs that are over.
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
            self.logs.remove(&job.id);
        }
    }
}

fn enter(job: &mut Job, state: JobState, now: u64, reason: Option<&str>) {
    job.state = state;
    job.since = now;
    job.reason = reason.map(str::to_owned);
    job.finished = state.is_final().then_some(now);
}

fn new_job(id: JobId, pkgbase: &str, now: u64) -> Result<Job, IdError> {
    Ok(Job {
        id,
        request: JobRequest {
            target: Target {
                repo: "garden".parse()?,
                arch: "x86_64".parse()?,
            },
            source: "garden".parse()?,
            pkgbase: pkgbase.parse()?,
            class: BuildClass::DEFAULT,
            names: vec![pkgbase.to_owned()],
            needs: Vec::new(),
            build_commit: None,
            status_commit: None,
            arch_mirror: None,
            rebuild: false,
        },
        state: JobState::Ready,
        attempt: 0,
        builder: None,
        instance: None,
        phase: None,
        reason: None,
        canceling: None,
        requested_by: "ci".to_owned(),
        waits_for: Vec::new(),
        broken: Vec::new(),
        released: false,
        priority: 0,
        expected: 0,
        chain: 0,
        delay: 0,
        ready_at: None,
        built_commit: None,
        packages: Vec::new(),
        since: now,
        started: None,
        finished: None,
        history: Vec::new(),
        phases: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farm_is_lively_and_bounded() {
        let mut farm = Farm::new(1_764_000_000_000).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20_000 {
            farm.step().unwrap();
            seen.extend(farm.jobs.iter().map(|job| job.state));
        }
        assert!(seen.len() >= 12, "{seen:?}");
        assert!(farm.jobs.len() < 150);
        assert!(farm.logs.len() <= farm.jobs.len());
    }
}
