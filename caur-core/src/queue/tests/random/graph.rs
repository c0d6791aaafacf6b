//! What waits for what after a submit, as the documentation of planning says.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Edge, Model, ModelJob};
use super::world::{Checked, check};
use crate::model::{JobId, JobRequest, JobState, Target};
use crate::queue::Disposition;

/// Dependant and dependency.
type Pair = (JobId, JobId);

impl Model {
    /// What is to become of each request.
    pub fn dispositions(&self, batch: &[JobRequest], again: bool) -> Vec<Disposition> {
        let of = |request: &JobRequest| match self.live(&request.key()) {
            _ if again => Disposition::Again,
            None => Disposition::Queued,
            Some(live) if self.jobs[&live].state.is_queued() => Disposition::Replaced,
            Some(live) => Disposition::Succeeds(live),
        };
        batch.iter().map(of).collect()
    }

    /// Carries out a submit whose jobs got the numbers `ids`. `recorded` says what the queue made wait for what: edges
    /// that are part of a cycle may be left out, and only there it is asked.
    pub fn submit(
        &mut self,
        batch: &[JobRequest],
        ids: &[JobId],
        dispositions: &[Disposition],
        recorded: &BTreeMap<JobId, BTreeSet<JobId>>,
    ) {
        let mut moved: Vec<Pair> = Vec::new();
        for ((request, id), disposition) in batch.iter().zip(ids).zip(dispositions) {
            match disposition {
                Disposition::Queued => {
                    self.jobs.insert(*id, ModelJob::new(request.clone()));
                }
                Disposition::Succeeds(old) => {
                    let mut job = ModelJob::new(request.clone());
                    job.edges.insert(*old, Edge::Succession);
                    self.jobs.insert(*id, job);
                    let old = (*old, self.job(*old));
                    if old.1.state == JobState::Building {
                        old.1.canceling = true;
                        moved.push((old.0, *id));
                    }
                }
                Disposition::Replaced => self.job(*id).renew(request),
                Disposition::Again => {
                    let job = self.job(*id);
                    let ended = job.state.as_str();
                    job.remember(ended);
                    job.packages.clear();
                    job.renew(request);
                }
            }
        }
        // What waited for a running job waits for its successor.
        for (old, new) in moved {
            for (id, job) in &mut self.jobs {
                if *id != new
                    && let Some(edge) = job.edges.remove(&old)
                {
                    job.edges.insert(new, edge);
                }
            }
        }

        let wanted = self.wanted(ids);
        // An edge to an ended older job of the same package is answered by the newer one.
        for &(dependant, dependency) in wanted.keys().filter(|(dependant, _)| !ids.contains(dependant)) {
            let key = self.jobs[&dependency].request.key();
            let answered = |on: &JobId| {
                let old = &self.jobs[on];
                *on != dependency && old.state.is_final() && old.request.key() == key
            };
            let mut edges = self.jobs[&dependant].edges.clone();
            edges.retain(|on, _| !answered(on));
            self.job(dependant).edges = edges;
        }
        self.tie(wanted, recorded);
        self.settle();
    }

    /// The edges that a batch asks for: of its jobs to what is there, and of queued jobs to those of the batch.
    fn wanted(&self, ids: &[JobId]) -> BTreeMap<Pair, BTreeSet<String>> {
        let mut wanted: BTreeMap<Pair, BTreeSet<String>> = BTreeMap::new();
        // What an operator let start stays free, until a newer request takes its place.
        for (&dependant, job) in self
            .jobs
            .iter()
            .filter(|(_, job)| job.state.is_queued() && !job.released)
        {
            for need in &job.request.needs {
                let provider = self.provider(&job.request.target, &need.name);
                if let Some(provider) = provider.filter(|on| *on != dependant)
                    && (ids.contains(&dependant) || ids.contains(&provider))
                {
                    wanted
                        .entry((dependant, provider))
                        .or_default()
                        .insert(need.name.clone());
                }
            }
        }
        wanted
    }

    /// Who provides a name: the package that is called so, else the first by pkgbase that lists it.
    fn provider(&self, target: &Target, name: &str) -> Option<JobId> {
        let live = self.jobs.iter().filter(|(id, job)| {
            !job.state.is_final()
                && job.request.target == *target
                && self.live(&job.request.key()) == Some(**id)
        });
        let mut able: Vec<(bool, &str, JobId)> = live
            .filter(|(_, job)| {
                job.request.names.iter().any(|own| own == name) || job.request.pkgbase.as_str() == name
            })
            .map(|(id, job)| {
                let pkgbase = job.request.pkgbase.as_str();
                (pkgbase != name, pkgbase, *id)
            })
            .collect();
        able.sort_unstable();
        able.first().map(|(_, _, id)| *id)
    }

    fn tie(&mut self, wanted: BTreeMap<Pair, BTreeSet<String>>, recorded: &BTreeMap<JobId, BTreeSet<JobId>>) {
        let jobs = self.jobs.iter();
        let kept = jobs.flat_map(|(id, job)| job.edges.keys().map(|on| (*id, *on)));
        let all: BTreeSet<Pair> = kept.chain(wanted.keys().copied()).collect();
        for ((dependant, dependency), names) in wanted {
            self.job(dependant).edges.insert(dependency, Edge::Needs(names));
        }
        for &(dependant, dependency) in &all {
            let in_cycle = reaches(&all, dependency, dependant);
            if in_cycle {
                self.job(dependant).strict = false;
                if !recorded
                    .get(&dependant)
                    .is_some_and(|on| on.contains(&dependency))
                {
                    self.job(dependant).edges.remove(&dependency);
                }
            }
        }
    }

    /// Jobs that have to be done before a job that never did anything but wait may be built.
    pub fn missing(&self, id: JobId) -> Vec<JobId> {
        let job = &self.jobs[&id];
        let needs = job.request.needs.iter();
        needs
            .filter_map(|need| self.live(&format!("{}/{}", job.request.target, need.name)))
            .filter(|on| *on != id && !self.was_succeeded(*on))
            .collect()
    }
}

impl Model {
    /// Whether a newer job took its place, be that one canceled since.
    fn was_succeeded(&self, id: JobId) -> bool {
        let key = self.jobs[&id].request.key();
        let mut younger = self.jobs.range(id..).skip(1);
        younger.any(|(_, job)| job.request.key() == key)
    }
}

impl ModelJob {
    /// Takes over a newer request, or the same once more: everything but its number, attempts and who waits for it
    /// begins anew. What an operator holds back stays so.
    fn renew(&mut self, request: &JobRequest) {
        self.request = request.clone();
        self.edges.retain(|_, edge| *edge == Edge::Succession);
        self.failures = 0;
        self.victims.clear();
        self.avoids.clear();
        self.released = false;
        self.strict = true;
        if self.state != JobState::Held {
            self.enter(JobState::Waiting);
        }
    }
}

fn reaches(edges: &BTreeSet<Pair>, from: JobId, to: JobId) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        if id == to {
            return true;
        }
        let next = edges.range((id, JobId(0))..=(id, JobId(u64::MAX)));
        open.extend(next.map(|(_, on)| *on).filter(|on| seen.insert(*on)));
    }
    false
}

/// A replaced job keeps its number, a new one gets a number that was never given before.
pub fn check_ids(
    model: &Model,
    batch: &[JobRequest],
    ids: &[JobId],
    dispositions: &[Disposition],
) -> Checked {
    for ((request, id), disposition) in batch.iter().zip(ids).zip(dispositions) {
        let right = match disposition {
            Disposition::Replaced => model.live(&request.key()) == Some(*id),
            Disposition::Queued | Disposition::Succeeds(_) => {
                model.jobs.last_key_value().is_none_or(|(last, _)| id > last)
            }
            Disposition::Again => true,
        };
        check!(right, "{} is {disposition:?} as job {id}", request.key());
    }
    Ok(())
}
