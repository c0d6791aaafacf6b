//! The made-up farm of the demo: what it holds, and what can be seen of it.

use std::collections::HashMap;
use std::time::Duration;

use caur_core::model::{BuildClass, BuilderStatus, IdError, Job, JobId, JobRequest, JobState, Target};
use caur_core::queue::{Pause, Statistics, TrailEntry};

use super::fleet::{self, DemoBuilder, held};
use super::log::DemoLog;
use super::past::{Random, week};
use super::statistics;
use crate::msg::Snapshot;

/// How much time passes in one step.
pub const STEP: Duration = Duration::from_millis(100);
/// How long the farm has been at work when somebody looks for the first time, in milliseconds.
const BEFORE: u64 = 400_000;
/// Finished jobs that are held at most, those of the past included.
const MAX_PAST: usize = 6_000;
/// Entries of the trail that are held at most.
const MAX_TRAIL: usize = 2_000;
/// Of so many jobs that end while somebody looks, one counts for the statistics: a demo ends hundreds of them an hour,
/// and they would dwarf what its past did.
const COUNTED: u64 = 20;

/// The packages of the farm.
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
    "anki-git",
    "brave-origin",
    "ffmpeg-full",
    "gamescope-git",
    "librewolf",
    "mangohud-git",
    "openrgb-git",
    "proton-ge-custom",
    "spotify-launcher-git",
    "wezterm-git",
];

/// The farm, advanced in steps of [`STEP`].
#[derive(Debug)]
pub struct Farm {
    pub(super) now: u64,
    /// When the past ended.
    began: u64,
    pub(super) next_id: u64,
    pub(super) next_package: usize,
    pub(super) random: Random,
    /// Every current job and the latest finished ones.
    pub(super) jobs: Vec<Job>,
    /// Finished jobs that the queue lists no more, oldest first.
    pub(super) past: Vec<Job>,
    pub(super) logs: HashMap<JobId, (DemoLog, Vec<u8>)>,
    pub(super) builders: Vec<DemoBuilder>,
    pub(super) pause: Option<Pause>,
    /// Oldest first.
    pub(super) trail: Vec<TrailEntry>,
}

impl Farm {
    /// A farm that has been at work for a week, `now` milliseconds after 1970.
    ///
    /// # Errors
    /// [`IdError`] if a name of the demo is no valid identifier; a test shows that all are.
    pub fn new(now: u64) -> Result<Self, IdError> {
        let start = now.saturating_sub(BEFORE);
        let mut farm = Self {
            now: start,
            began: start,
            next_id: start.saturating_sub(60_000),
            next_package: 0,
            random: Random::new(0x2545_f491_4f6c_dd1d),
            jobs: Vec::new(),
            past: week(start)?,
            logs: HashMap::new(),
            builders: fleet::builders(start)?,
            pause: None,
            trail: Vec::new(),
        };
        farm.remember_the_past();
        while farm.now < now {
            farm.step()?;
        }
        Ok(farm)
    }

    /// The jobs as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            jobs: self.jobs.clone(),
            taken: self.now,
            partial: false,
        }
    }

    /// The builders as they are now.
    pub fn builders(&self) -> Vec<BuilderStatus> {
        let builders = self.builders.iter();
        builders.map(|builder| builder.with_jobs(&self.jobs)).collect()
    }

    /// Why the whole queue is paused.
    pub fn pause(&self) -> Option<Pause> {
        self.pause.clone()
    }

    /// The newest `limit` finished jobs, newest first, and whether there are no more.
    pub fn history(&self, limit: usize) -> (Vec<Job>, bool) {
        let mut jobs: Vec<&Job> = self.finished().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse((job.finished, job.id)));
        let complete = jobs.len() <= limit;
        (jobs.into_iter().take(limit).cloned().collect(), complete)
    }

    /// The newest `limit` entries of the trail, newest first.
    pub fn activity(&self, limit: usize) -> Vec<TrailEntry> {
        self.trail.iter().rev().take(limit).cloned().collect()
    }

    /// When the last job ended, in milliseconds since 1970.
    pub fn last_end(&self) -> u64 {
        let ends = self.jobs.iter().filter_map(|job| job.finished);
        ends.max().unwrap_or(self.began)
    }

    /// The newest entry of the trail.
    pub fn last_entry(&self) -> Option<&str> {
        self.trail.last().map(|entry| entry.id.as_str())
    }

    /// What happened in the last `hours`.
    pub fn statistics(&self, hours: u32) -> Statistics {
        let counted: Vec<&Job> = self
            .finished()
            .filter(|job| job.id.0 < self.began || job.id.0.is_multiple_of(COUNTED))
            .collect();
        let online = self.builders.iter().filter(|builder| builder.status.online);
        let slots = online.map(|builder| u64::from(builder.status.report.slots)).sum();
        let mut statistics = statistics::of(&counted, hours, self.now, slots);
        statistics
            .samples
            .push(statistics::sample(&self.jobs, self.now, slots));
        statistics
    }

    /// The latest log of a job: its attempt, what is written, and whether it is complete.
    pub fn log(&mut self, id: JobId) -> Option<(u32, &[u8], bool)> {
        let job = self.job(id)?;
        let (attempt, complete) = (job.attempt, job.state != JobState::Building);
        if attempt == 0 {
            return None;
        }
        if complete && !self.logs.contains_key(&id) {
            let log = rewritten(job);
            self.logs.insert(id, log);
        }
        let (_, text) = self.logs.get(&id)?;
        Some((attempt, text, complete))
    }

    /// A job, current or past.
    pub(super) fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs
            .iter()
            .chain(self.past.iter().rev())
            .find(|job| job.id == id)
    }

    /// The jobs that a builder holds.
    pub(super) fn held(&self, builder: &str) -> u32 {
        u32::try_from(held(&self.jobs, builder).len()).unwrap_or(u32::MAX)
    }

    /// Notes who did what.
    pub(super) fn note(&mut self, action: &str, about: String, job: Option<JobId>, by: &str, why: &str) {
        let number = self.trail.len();
        self.trail.push(TrailEntry {
            id: format!("{}-{number}", self.now),
            action: action.to_owned(),
            about,
            job,
            by: by.to_owned(),
            why: why.to_owned(),
        });
        let old = self.trail.len().saturating_sub(MAX_TRAIL);
        self.trail.drain(..old);
    }

    /// Takes a job that the queue lists no more.
    pub(super) fn put_by(&mut self, job: Job) {
        self.logs.remove(&job.id);
        self.past.push(job);
        let old = self.past.len().saturating_sub(MAX_PAST);
        self.past.drain(..old);
    }

    fn finished(&self) -> impl Iterator<Item = &Job> {
        self.past
            .iter()
            .chain(self.jobs.iter().filter(|job| job.state.is_final()))
    }

    /// The trail of the week before.
    fn remember_the_past(&mut self) {
        let now = self.now;
        let canceled: Vec<(u64, JobId, String)> = self
            .past
            .iter()
            .filter(|job| job.state == JobState::Canceled)
            .map(|job| (job.finished.unwrap_or(now), job.id, job.request.key()))
            .collect();
        for (at, job, key) in canceled {
            self.now = at;
            self.note("cancel", key, Some(job), "kim", "the next version is out");
        }
        let rest = [
            (
                9_000_000,
                "drain",
                "builder alder",
                "robin",
                "moves to the other rack",
            ),
            (7_000_000, "pause", "queue", "kim", "the mirror is being moved"),
            (6_400_000, "resume", "queue", "kim", ""),
            (
                3_600_000,
                "pause",
                "builder dogwood",
                "dogwood",
                "3 infrastructure failures in a row",
            ),
            (3_000_000, "resume", "builder dogwood", "robin", ""),
            (
                900_000,
                "remove",
                "garden/x86_64",
                "kim",
                "2 packages removed: upstream is gone",
            ),
            (700_000, "pause", "builder dogwood", "kim", "kernel update"),
        ];
        for (ago, action, about, by, why) in rest {
            self.now = now - ago;
            self.note(action, about.to_owned(), None, by, why);
        }
        self.now = now;
        self.trail
            .sort_by_key(|entry| entry.id.split('-').next().and_then(|at| at.parse::<u64>().ok()));
    }
}

/// The log that a job of the past wrote, or would have.
fn rewritten(job: &Job) -> (DemoLog, Vec<u8>) {
    let lines = usize::try_from(job.expected).unwrap_or(40).clamp(60, 900);
    let mut log = DemoLog::new(job.request.pkgbase.as_str(), lines);
    let mut text = Vec::new();
    while log.percent() < 100 {
        text.extend(log.next_piece().bytes());
    }
    let error = (job.state == JobState::Failed).then_some("A failure occurred in build().");
    text.extend(log.last_lines(error).bytes());
    (log, text)
}

/// A job that was just asked for.
pub(super) fn new_job(id: JobId, pkgbase: &str, now: u64) -> Result<Job, IdError> {
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
            for builder in &farm.builders {
                assert!(farm.held(builder.name()) <= builder.status.report.slots);
            }
        }
        assert!(seen.len() >= 12, "{seen:?}");
        assert!(farm.jobs.len() < 150);
        assert!(farm.logs.len() <= farm.jobs.len());
        assert!(farm.past.len() <= MAX_PAST && farm.trail.len() <= MAX_TRAIL);
    }

    #[test]
    fn history_is_paged_and_past_jobs_have_logs() {
        let mut farm = Farm::new(1_764_000_000_000).unwrap();
        let (page, complete) = farm.history(500);
        assert_eq!((page.len(), complete), (500, false));
        assert!(page.is_sorted_by_key(|job| std::cmp::Reverse(job.finished)));
        let (all, complete) = farm.history(100_000);
        assert!(complete && all.len() > 1500);
        let oldest = all.last().unwrap().id;
        assert!(
            farm.log(oldest)
                .is_some_and(|(_, text, complete)| complete && !text.is_empty())
        );
        assert_eq!(farm.activity(5).len(), 5);
    }
}
