//! What the demo farm did in the week before anybody looked: jobs that came in batches and were built by its builders.

use caur_core::model::{CommitId, IdError, Job, JobId, JobState};

use super::farm::{PACKAGES, new_job};

/// Milliseconds that the past goes back.
const WEEK: u64 = 7 * 24 * HOUR;
const HOUR: u64 = 3_600_000;
/// The past ends so many milliseconds before the present begins.
const UNTIL: u64 = 420_000;

/// The slots that built in the past: one place of this list for each.
const SLOTS: [&str; 9] = [
    "alder", "alder", "alder", "birch", "birch", "cedar", "cedar", "dogwood", "elder",
];

/// A stream of numbers that looks random and is the same at each start.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream that begins with `seed`, which is not 0.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `below`.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The finished jobs of the week before `now`, oldest first.
///
/// # Errors
/// [`IdError`] if a name is no valid one; a test shows that all are.
pub fn week(now: u64) -> Result<Vec<Job>, IdError> {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut free = [0_u64; SLOTS.len()];
    let mut jobs = Vec::new();
    let mut batch = now.saturating_sub(WEEK);
    while batch < now - UNTIL {
        // The nightly one is the largest.
        let count = if batch % (24 * HOUR) < 6 * HOUR { 90 } else { 36 };
        for at in 0..count + random.below(30) {
            let pkgbase = PACKAGES[usize::try_from(random.below(PACKAGES.len() as u64)).unwrap_or(0)];
            let mut job = new_job(JobId(batch + at * 7), pkgbase, batch)?;
            let slot = (0..SLOTS.len()).min_by_key(|slot| free[*slot]).unwrap_or(0);
            let started = free[slot].max(batch + 3_000 + at * 150);
            let draw = random.below(100);
            let seconds = 40 + draw * draw * draw / 170 + random.below(60);
            let ended = started + seconds * 1000;
            if ended > now - UNTIL {
                continue;
            }
            free[slot] = ended;
            end(&mut job, SLOTS[slot], started, ended, &mut random)?;
            jobs.push(job);
        }
        batch += 4 * HOUR + random.below(2 * HOUR);
    }
    jobs.sort_by_key(|job| (job.finished, job.id));
    Ok(jobs)
}

fn end(job: &mut Job, builder: &str, started: u64, ended: u64, random: &mut Random) -> Result<(), IdError> {
    let (state, reason) = match random.below(100) {
        0..=6 => (JobState::Failed, Some("makepkg: build() failed (exit status 4)")),
        7 => (JobState::TimedOut, Some("no end after 3600 s")),
        8 => (JobState::OutOfMemory, Some("more than 16 GiB")),
        9 => (
            JobState::InfrastructureFailed,
            Some("3 attempts failed: image pull: connection reset"),
        ),
        10..=11 => (
            JobState::Canceled,
            Some("canceled by kim: the next version is out"),
        ),
        12..=17 => (JobState::Skipped, Some("the package asked to be skipped")),
        18..=29 => (JobState::AlreadyBuilt, Some("1.4.2-1 is in the repository")),
        _ => (JobState::Succeeded, None),
    };
    job.state = state;
    job.reason = reason.map(str::to_owned);
    job.attempt = if random.below(12) == 0 { 2 } else { 1 };
    job.builder = Some(builder.to_owned());
    job.expected = (ended - started) / 1000;
    let by = match random.below(5) {
        0 => "nightly",
        1 => "kim",
        _ => "ci",
    };
    by.clone_into(&mut job.requested_by);
    let commit = format!("{:016x}{:024x}", random.below(u64::MAX), random.below(u64::MAX));
    job.built_commit = Some(CommitId::new(commit)?);
    job.since = ended;
    job.started = Some(started);
    job.finished = Some(ended);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_a_week_of_finished_jobs_that_no_slot_built_two_of_at_a_time() {
        let now = 1_764_000_000_000;
        let jobs = week(now).unwrap();
        assert!((1500..6000).contains(&jobs.len()), "{}", jobs.len());
        assert!(jobs.iter().all(|job| job.state.is_final()));
        assert!(jobs.is_sorted_by_key(|job| job.finished));
        assert!(jobs.iter().all(|job| job.finished.unwrap() < now));
        let failed = jobs.iter().filter(|job| job.state == JobState::Failed).count();
        assert!(failed * 25 > jobs.len() && failed * 8 < jobs.len());
        for at in (now - WEEK..now).step_by(3_600_000) {
            let running = |job: &&Job| job.started.unwrap() <= at && at < job.finished.unwrap();
            assert!(jobs.iter().filter(running).count() <= SLOTS.len());
        }
    }
}
