//! A lively farm without any server: `caur-tui --demo` plays it, to try the console and to show it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caur_core::model::{BuildClass, IdError, Job, JobId, JobRequest, JobState, Target};
use tokio::time::{MissedTickBehavior, interval};

use super::demo_log::DemoLog;
use super::{Backend, Reports, Wanted};
use crate::msg::{BackendMsg, LinkState, LogEvent, Snapshot};

const STEP: Duration = Duration::from_millis(100);
/// The link is lost for a while every so many steps, to show what that looks like.
const OUTAGE_EVERY: u64 = 900;
const OUTAGE_STEPS: u64 = 60;
const BUILDERS: &[&str] = &["alder", "birch", "cedar"];
const MAX_FINAL: usize = 60;
const REFILL_BELOW: usize = 14;
/// Bytes of a log that are kept of its start, and of its end.
const KEPT: usize = 12 << 10;
const PACKAGES: &[&str] = &[
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
pub struct Demo {
    now: u64,
    steps: u64,
    next_id: u64,
    next_package: usize,
    random: u64,
    jobs: Vec<Job>,
    logs: HashMap<JobId, (DemoLog, Vec<u8>)>,
}

impl Demo {
    /// A farm that has been at work for a while.
    ///
    /// # Errors
    /// [`IdError`] if a name of the demo is no valid identifier; a test shows that all are.
    pub fn new() -> Result<Self, IdError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Self::at(now)
    }

    fn at(now: u64) -> Result<Self, IdError> {
        let mut demo = Self {
            now: now.saturating_sub(400_000),
            steps: 0,
            next_id: now.saturating_sub(4_000_000),
            next_package: 0,
            random: 0x2545_f491_4f6c_dd1d,
            jobs: Vec::new(),
            logs: HashMap::new(),
        };
        while demo.now < now {
            demo.step()?;
        }
        demo.steps = 0;
        Ok(demo)
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    /// Advances the farm; says whether any job changed.
    fn step(&mut self) -> Result<bool, IdError> {
        self.now += u64::try_from(STEP.as_millis()).unwrap_or(100);
        self.steps += 1;
        let mut changed = self.refill()?;
        changed |= self.release();
        changed |= self.claim();
        changed |= self.work();
        changed |= self.publish();
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

    fn snapshot(&self) -> BackendMsg {
        BackendMsg::Jobs(Snapshot {
            jobs: self.jobs.clone(),
            taken: self.now,
        })
    }

    fn attempt(&self, id: JobId) -> u32 {
        self.jobs
            .iter()
            .find(|job| job.id == id)
            .map_or(0, |job| job.attempt)
    }

    fn is_building(&self, id: JobId) -> bool {
        self.jobs
            .iter()
            .any(|job| job.id == id && job.state == JobState::Building)
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
        },
        state: JobState::Ready,
        attempt: 0,
        builder: None,
        phase: None,
        reason: None,
        requested_by: "ci".to_owned(),
        waits_for: Vec::new(),
        expected: 0,
        chain: 0,
        built_commit: None,
        packages: Vec::new(),
        since: now,
        started: None,
        finished: None,
    })
}

/// How much of which log the console has.
#[derive(Debug, Default)]
struct Sent {
    job: Option<JobId>,
    attempt: u32,
    bytes: usize,
    ended: bool,
}

impl Sent {
    /// What the console lacks of the log it wants.
    fn news(&mut self, demo: &Demo, wanted: Option<JobId>) -> Vec<BackendMsg> {
        if self.job != wanted {
            *self = Self {
                job: wanted,
                ..Self::default()
            };
            if let Some(job) = wanted.filter(|job| !demo.logs.contains_key(job)) {
                return vec![BackendMsg::Log(job, LogEvent::Missing)];
            }
        }
        let Some((job, (_, text))) = wanted.and_then(|job| Some((job, demo.logs.get(&job)?))) else {
            return Vec::new();
        };
        let mut news = Vec::new();
        let attempt = demo.attempt(job);
        if self.attempt != attempt {
            (self.attempt, self.bytes, self.ended) = (attempt, 0, false);
            news.push(BackendMsg::Log(job, LogEvent::Begin { attempt }));
        }
        if let Some(more) = text.get(self.bytes..).filter(|more| !more.is_empty()) {
            news.extend(pieces(more).map(|event| BackendMsg::Log(job, event)));
            self.bytes = text.len();
        }
        if !self.ended && !demo.is_building(job) {
            self.ended = true;
            news.push(BackendMsg::Log(job, LogEvent::End));
        }
        news
    }
}

/// `text` as chunks, without its middle where it is beyond the farm's size limit.
fn pieces(text: &[u8]) -> impl Iterator<Item = LogEvent> {
    let (head, cut, tail) = if text.len() > 2 * KEPT {
        let end = text.len() - KEPT;
        (&text[..KEPT], end - KEPT, &text[end..])
    } else {
        (text, 0, &text[text.len()..])
    };
    let middle = [LogEvent::Cut(cut as u64), LogEvent::Chunk(tail.to_vec())];
    std::iter::once(LogEvent::Chunk(head.to_vec())).chain(middle.into_iter().take(if cut > 0 {
        2
    } else {
        0
    }))
}

impl Backend for Demo {
    async fn run(mut self, mut wanted: Wanted, reports: Reports) {
        let mut sent = Sent::default();
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut news = vec![BackendMsg::Link(LinkState::Online), self.snapshot()];
        loop {
            for msg in news.drain(..) {
                if reports.send(msg).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {
                    let changed = match self.step() {
                        Ok(changed) => changed,
                        Err(error) => {
                            let reason = format!("the demo farm stopped: {error}");
                            // Nobody is left to tell if the console is gone.
                            let _ = reports.send(BackendMsg::Link(LinkState::Failed { reason })).await;
                            return;
                        }
                    };
                    match self.steps % OUTAGE_EVERY {
                        0 => news.push(BackendMsg::Link(LinkState::Online)),
                        phase if phase + OUTAGE_STEPS == OUTAGE_EVERY => {
                            news.push(BackendMsg::Link(LinkState::Reconnecting {
                                attempt: 1,
                                next_in: STEP * u32::try_from(OUTAGE_STEPS).unwrap_or(1),
                                reason: "the demo farm pretends that its link was lost".to_owned(),
                            }));
                        }
                        _ => {}
                    }
                    let online = self.steps % OUTAGE_EVERY < OUTAGE_EVERY - OUTAGE_STEPS;
                    let back = self.steps.is_multiple_of(OUTAGE_EVERY);
                    if online && (changed || back) {
                        news.push(self.snapshot());
                    }
                    if !online {
                        continue;
                    }
                }
            }
            let job = *wanted.borrow_and_update();
            news.extend(sent.news(&self, job));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farm_is_lively_and_bounded() {
        let mut demo = Demo::at(1_764_000_000_000).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20_000 {
            demo.step().unwrap();
            seen.extend(demo.jobs.iter().map(|job| job.state));
        }
        assert!(seen.len() >= 12, "{seen:?}");
        assert!(demo.jobs.len() < 150);
        assert!(demo.logs.len() <= demo.jobs.len());
    }

    #[test]
    fn a_wanted_log_begins_and_goes_on_where_it_was() {
        let mut demo = Demo::at(1_764_000_000_000).unwrap();
        let building = demo
            .jobs
            .iter()
            .find(|job| job.state == JobState::Building)
            .unwrap()
            .id;
        let mut sent = Sent::default();
        let first = sent.news(&demo, Some(building));
        assert!(matches!(first[0], BackendMsg::Log(id, LogEvent::Begin { attempt: 1.. }) if id == building));
        let before = sent.bytes;
        while demo.is_building(building) {
            demo.step().unwrap();
        }
        let rest = sent.news(&demo, Some(building));
        assert!(matches!(&rest[0], BackendMsg::Log(_, LogEvent::Chunk(_))));
        assert_eq!(rest.last(), Some(&BackendMsg::Log(building, LogEvent::End)));
        assert!(sent.bytes > before);
        assert!(matches!(
            sent.news(&demo, Some(JobId(1)))[..],
            [BackendMsg::Log(JobId(1), LogEvent::Missing)]
        ));
    }
}
