//! The builders of the demo farm: what they have, how busy they are, and who does not work at the moment.

use caur_core::model::{BuildClass, BuilderReport, BuilderStatus, IdError, InstanceId, Job, JobId, Machine};

/// How often a builder gives a sign of life, in milliseconds.
const HEARTBEAT: u64 = 5_000;
/// How long a drained builder is away before it is started again, in milliseconds.
const AWAY: u64 = 20_000;
const GIB: u64 = 1 << 30;

/// A builder.
#[derive(Debug, Clone)]
pub struct DemoBuilder {
    /// As the queue knows it; its jobs are filled in when somebody asks.
    pub status: BuilderStatus,
    /// When it comes back, after it was drained.
    back_at: Option<u64>,
    /// Shifts its heartbeat and its load against those of the others.
    phase: u64,
    starts: u32,
}

/// What a builder of the demo is like: name, class, slots, cores, memory in GiB, disk in GiB.
type Kind = (&'static str, Option<u32>, u32, u32, u64, u64);

const KINDS: [Kind; 6] = [
    ("alder", Some(9), 3, 32, 128, 840),
    ("birch", Some(3), 2, 16, 64, 310),
    ("cedar", Some(3), 2, 16, 32, 122),
    ("dogwood", Some(5), 2, 24, 96, 503),
    ("elder", Some(2), 1, 8, 16, 4),
    ("fir", None, 1, 4, 8, 61),
];

/// The builders, `now` milliseconds after 1970: most of them at work, one paused, one with a full disk, one lost.
///
/// # Errors
/// [`IdError`] if a name is no valid one; a test shows that all are.
pub fn builders(now: u64) -> Result<Vec<DemoBuilder>, IdError> {
    let mut builders = Vec::new();
    for (phase, (name, class, slots, cores, memory, disk)) in (0..).zip(KINDS) {
        let mut status = BuilderStatus {
            report: BuilderReport {
                instance: InstanceId::new(format!("{name}-1"))?,
                name: name.parse()?,
                class,
                slots,
                version: if name == "fir" { "0.0.9" } else { "0.1.0" }.to_owned(),
                machine: Machine {
                    engine: "docker 28.1.1".to_owned(),
                    cores,
                    memory: memory * GIB,
                    memory_free: memory * GIB * 9 / 10,
                    disk_free: disk * GIB,
                    load: 0.2,
                },
                note: None,
            },
            started: now - (phase + 1) * 71_000_000,
            last_seen: now,
            online: true,
            jobs: Vec::new(),
            paused: None,
            draining: None,
            incompatible: None,
            double: None,
        };
        match name {
            "dogwood" => status.paused = Some("paused by kim: kernel update".to_owned()),
            "elder" => {
                status.report.note = Some("4 GiB are left in /var/lib/caur, 20 GiB are needed".to_owned());
            }
            "fir" => {
                status.online = false;
                status.last_seen = now - 420_000;
            }
            _ => {}
        }
        builders.push(DemoBuilder {
            status,
            back_at: None,
            phase,
            starts: 1,
        });
    }
    Ok(builders)
}

impl DemoBuilder {
    /// Its name.
    pub fn name(&self) -> &str {
        self.status.report.name.as_str()
    }

    /// Whether it may take a job of this class.
    pub fn fits(&self, class: &BuildClass) -> bool {
        match class {
            BuildClass::Number(number) => self.status.report.class.is_some_and(|most| most >= *number),
            BuildClass::Builder(name) => self.status.report.name == *name,
        }
    }

    /// Why it takes no jobs.
    pub fn why_not(&self) -> Option<String> {
        let status = &self.status;
        let said = [&status.draining, &status.paused, &status.report.note];
        said.into_iter().flatten().next().cloned()
    }

    /// Lives on until `now` with so many jobs. One that drains and has none left ends, and is started again later.
    ///
    /// # Errors
    /// [`IdError`] if its new process has no valid name; a test shows that it has.
    pub fn live(&mut self, now: u64, jobs: u32) -> Result<(), IdError> {
        if let Some(back_at) = self.back_at {
            if now < back_at {
                return Ok(());
            }
            self.back_at = None;
            self.starts += 1;
            let name = self.name().to_owned();
            self.status.report.instance = InstanceId::new(format!("{name}-{}", self.starts))?;
            self.status.online = true;
            self.status.started = now;
        } else if self.status.online && self.status.draining.is_some() && jobs == 0 {
            self.status.draining = None;
            self.status.online = false;
            self.back_at = Some(now + AWAY);
        }
        if !self.status.online {
            return Ok(());
        }
        let beat = now - (now + self.phase * 1_300) % HEARTBEAT;
        if beat > self.status.last_seen || self.status.started == now {
            self.status.last_seen = beat.max(self.status.started);
            self.measure(jobs);
        }
        Ok(())
    }

    /// What its machine says with so many jobs; it wavers a little.
    fn measure(&mut self, jobs: u32) {
        let beat = self.status.last_seen / HEARTBEAT + self.phase;
        let machine = &mut self.status.report.machine;
        let waver = beat.wrapping_mul(2_654_435_761) % 1000;
        let share = f64::from(jobs) * 0.4 + f64::from(u16::try_from(waver).unwrap_or(0)) / 4000.0;
        machine.load = f64::from(machine.cores) * share;
        let per_job = machine.memory / 6;
        let used = u64::from(jobs) * per_job + machine.memory / 12 + machine.memory / 20_000 * waver;
        machine.memory_free = machine.memory.saturating_sub(used);
    }

    /// As the queue knows it, with the jobs that it holds.
    pub fn with_jobs(&self, jobs: &[Job]) -> BuilderStatus {
        BuilderStatus {
            jobs: held(jobs, self.name()),
            ..self.status.clone()
        }
    }
}

/// The jobs that a builder holds.
pub fn held(jobs: &[Job], builder: &str) -> Vec<JobId> {
    let building = |job: &&Job| {
        job.state == caur_core::model::JobState::Building && job.builder.as_deref() == Some(builder)
    };
    jobs.iter().filter(building).map(|job| job.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_764_000_000_000;

    #[test]
    fn one_is_paused_one_has_a_note_one_is_lost() {
        let builders = builders(NOW).unwrap();
        let count = |which: fn(&BuilderStatus) -> bool| {
            let all = builders.iter().map(|builder| &builder.status);
            all.filter(|status| which(status)).count()
        };
        assert_eq!(count(|status| status.paused.is_some()), 1);
        assert_eq!(count(|status| status.report.note.is_some()), 1);
        assert_eq!(count(|status| !status.online), 1);
        assert_eq!(count(BuilderStatus::takes_jobs), 3);
    }

    #[test]
    fn a_drained_builder_ends_with_its_jobs_and_comes_back_as_another_process() {
        let mut alder = builders(NOW).unwrap().remove(0);
        let first = alder.status.report.instance.clone();
        alder.status.draining = Some("drained by you".to_owned());
        alder.live(NOW + 100, 1).unwrap();
        assert!(alder.status.online);
        alder.live(NOW + 200, 0).unwrap();
        assert!(!alder.status.online);
        alder.live(NOW + 300 + AWAY, 0).unwrap();
        assert!(alder.status.takes_jobs());
        assert_ne!(alder.status.report.instance, first);
    }

    #[test]
    fn signs_of_life_come_again_and_again() {
        let mut alder = builders(NOW).unwrap().remove(0);
        for step in 1..400 {
            let now = NOW + step * 100;
            alder.live(now, 2).unwrap();
            assert!(now - alder.status.last_seen <= HEARTBEAT);
        }
        let machine = &alder.status.report.machine;
        assert!(machine.load > 10.0 && machine.memory_free < machine.memory);
    }
}
