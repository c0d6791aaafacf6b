//! Why a job of the demo farm is not being built, and when it is likely to be.

use std::collections::{BTreeMap, HashMap};

use caur_core::model::{Job, JobId, JobState, Manifest, ManifestFile, PastBuild};
use caur_core::queue::policy::NORMAL_SPEED;
use caur_core::queue::simulate::{OnlineBuilder, Span, Standing, UnfinishedJob, forecast};
use caur_core::queue::{Dependency, Why};

use super::farm::Farm;
use super::fleet::DemoBuilder;
use super::work::{BACKOFF, BLOCKED};
use crate::msg::JobDetails;

impl Farm {
    /// What is known of a job besides itself.
    pub fn details(&self, id: JobId) -> Option<JobDetails> {
        let job = self.job(id)?;
        Some(JobDetails {
            job: job.clone(),
            why: self.why(job),
            manifest: manifest(job),
            past: self.past_of(job),
        })
    }

    /// Earlier builds of a job's package, newest first.
    fn past_of(&self, job: &Job) -> Vec<PastBuild> {
        let same = |other: &&Job| {
            other.request.pkgbase == job.request.pkgbase && other.state.is_final() && other.attempt > 0
        };
        let mut past: Vec<PastBuild> = self
            .jobs
            .iter()
            .chain(&self.past)
            .filter(same)
            .filter_map(|other| {
                let (started, ended) = (other.started?, other.finished?);
                Some(PastBuild {
                    job: other.id,
                    attempt: other.attempt,
                    outcome: other.state.to_string(),
                    builder: other.builder.clone().unwrap_or_default(),
                    started,
                    ended,
                    build_seconds: ended.saturating_sub(started) / 1000,
                    reason: other.reason.clone().unwrap_or_default(),
                })
            })
            .collect();
        past.sort_by_key(|build| std::cmp::Reverse(build.ended));
        past.truncate(20);
        past
    }

    /// When jobs are likely to start and to end.
    pub fn forecast(&self) -> HashMap<JobId, Span> {
        let jobs: Vec<UnfinishedJob> = self
            .jobs
            .iter()
            .filter(|job| !job.state.is_final())
            .map(|job| UnfinishedJob {
                id: job.id,
                class: job.request.class.clone(),
                priority: job.priority,
                expected: job.expected,
                chain: job.chain,
                delay: job.delay,
                waits_for: job.waits_for.clone(),
                standing: standing(job),
            })
            .collect();
        let builders = self.builders.iter();
        let online: Vec<OnlineBuilder> = builders
            .filter(|builder| self.pause.is_none() && builder.status.takes_jobs())
            .map(|builder| OnlineBuilder {
                name: builder.status.report.name.clone(),
                class: builder.status.report.class,
                slots: builder.status.report.slots,
                speed: NORMAL_SPEED,
            })
            .collect();
        forecast(&jobs, &online, self.now)
    }

    fn why(&self, job: &Job) -> Why {
        let reason = || job.reason.clone().unwrap_or_default();
        match job.state {
            JobState::Waiting => Why::Dependencies {
                on: self.dependencies(job),
            },
            JobState::Blocked => Why::Blocked {
                on: self.dependencies(job),
                until: job.since + BLOCKED,
            },
            JobState::Backoff => Why::Backoff {
                until: job.since + BACKOFF,
                reason: reason(),
            },
            JobState::Held => Why::Held { reason: reason() },
            JobState::Ready => self.why_ready(job),
            JobState::Building
            | JobState::Uploaded
            | JobState::Publishing
            | JobState::Succeeded
            | JobState::AlreadyBuilt
            | JobState::Skipped
            | JobState::Failed
            | JobState::TimedOut
            | JobState::OutOfMemory
            | JobState::Canceled
            | JobState::InfrastructureFailed => Why::Nothing,
        }
    }

    fn why_ready(&self, job: &Job) -> Why {
        if let Some(pause) = self.pause.clone() {
            return Why::QueuePaused { pause };
        }
        let online: Vec<&DemoBuilder> = self
            .builders
            .iter()
            .filter(|builder| builder.status.online)
            .collect();
        let class = &job.request.class;
        let fitting: Vec<&DemoBuilder> = online
            .iter()
            .filter(|builder| builder.fits(class))
            .copied()
            .collect();
        if fitting.is_empty() {
            let class_of = |builder: &&DemoBuilder| match builder.status.report.class {
                Some(class) => class.to_string(),
                None => builder.name().to_owned(),
            };
            return Why::NoBuilder {
                class: class.clone(),
                online: online.iter().map(class_of).collect(),
            };
        }
        let working = fitting.iter().filter(|builder| builder.why_not().is_none());
        let slots: u32 = working.clone().map(|builder| builder.status.report.slots).sum();
        if slots == 0 {
            let builders: BTreeMap<String, String> = fitting
                .iter()
                .map(|builder| (builder.name().to_owned(), builder.why_not().unwrap_or_default()))
                .collect();
            return Why::BuildersStopped { builders };
        }
        let busy: u32 = working.map(|builder| self.held(builder.name())).sum();
        if busy < slots {
            return Why::Next;
        }
        let before = |other: &&Job| {
            other.state == JobState::Ready
                && (other.priority, job.id) > (job.priority, other.id)
                && other.id != job.id
        };
        Why::Busy {
            ahead: self.jobs.iter().filter(before).count() as u64,
            slots,
        }
    }

    fn dependencies(&self, job: &Job) -> Vec<Dependency> {
        job.waits_for
            .iter()
            .filter_map(|id| self.job(*id))
            .filter(|other| !other.state.satisfies_dependants())
            .map(|other| Dependency {
                job: other.id,
                key: other.request.key(),
                state: other.state,
                names: other.request.names.clone(),
            })
            .collect()
    }
}

fn standing(job: &Job) -> Standing {
    let builder = job.builder.as_deref().and_then(|name| name.parse().ok());
    match (job.state, builder) {
        (JobState::Building, Some(builder)) => Standing::Building {
            builder,
            started: job.started.unwrap_or(job.since),
        },
        (JobState::Uploaded | JobState::Publishing, _) => Standing::Built,
        (JobState::Backoff, _) => Standing::Backoff {
            until: job.since + BACKOFF,
        },
        (JobState::Held | JobState::Blocked, _) => Standing::Stuck,
        _ => Standing::Queued {
            since: job.ready_at.unwrap_or(job.since),
        },
    }
}

/// What a job of the demo uploaded, with sizes and hashes that are made up like the files.
fn manifest(job: &Job) -> Option<Manifest> {
    if job.state != JobState::Succeeded {
        return None;
    }
    let files = super::repository::files(job)
        .into_iter()
        .map(|name| ManifestFile {
            size: 40_000 + job.id.0 % 90_000_000,
            sha256: format!("{:016x}", job.id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4),
            name,
        });
    Some(Manifest {
        job: job.id,
        attempt: job.attempt,
        pkgbase: job.request.pkgbase.clone(),
        target: job.request.target.clone(),
        commit: job.built_commit.clone().or(job.request.build_commit.clone())?,
        builder: job.builder.as_deref()?.parse().ok()?,
        image: format!("sha256:{:016x}", job.id.0 / 7_000_000),
        files: files.collect(),
        namcap: vec![format!(
            "{} W: Unused shared library '/usr/lib/libm.so.6'",
            job.request.pkgbase
        )],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_has_a_reason_and_what_moves_an_outlook() {
        let mut farm = Farm::new(1_764_000_000_000).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..5_000 {
            farm.step().unwrap();
            for job in farm.jobs.iter().filter(|job| !job.state.is_final()) {
                let why = farm.details(job.id).unwrap().why;
                let name = format!("{why:?}");
                seen.insert(name.split([' ', '{']).next().unwrap_or_default().to_owned());
                let works = matches!(
                    job.state,
                    JobState::Building | JobState::Uploaded | JobState::Publishing
                );
                assert_eq!(works, why == Why::Nothing, "{}", job.state);
            }
        }
        for expected in ["Dependencies", "Blocked", "Backoff", "Busy", "Nothing"] {
            assert!(seen.contains(expected), "{expected} among {seen:?}");
        }
        let outlook = farm.forecast();
        let building = farm.jobs.iter().filter(|job| job.state == JobState::Building);
        assert!(building.clone().count() > 0);
        assert!(building.into_iter().all(|job| outlook.contains_key(&job.id)));
    }
}
