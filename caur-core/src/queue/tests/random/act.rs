//! Who does what: CI, publishers, and the processes of builders.

use super::graph;
use super::model::{ModelJob, Standing};
use super::step::{Ask, Late, PKGBASES, Published, Step};
use super::world::{Checked, Hold, HoldOf, World, builder_class, builder_name, check};
use crate::model::{JobId, JobRequest, JobState, LeaseToken, Need, Pkgbase, Pkgname, PublishedPackage};
use crate::queue::tests::{LEASE, TESTER, attempt, classed, report, target};
use crate::queue::{Attempt, ClaimRequest, Disposition, PublishOutcome, QueueError};

pub const TARGETS: [&str; 2] = ["repo", "other"];

impl World<'_> {
    pub async fn act(&mut self, step: &Step) -> Checked {
        match step {
            Step::Submit(asks) => self.submit(asks).await,
            Step::Report(builder) => self.report(*builder).await,
            Step::Restart { builder, adopts } => self.restart(*builder, *adopts).await,
            Step::Leave(builder) => self.leave(*builder).await,
            Step::Claim { builder, slot } => {
                let process = self.processes[usize::from(*builder)].clone();
                let request = ClaimRequest::new(process, u32::from(*slot), LEASE);
                self.requests.insert((*builder, *slot), request.clone());
                self.claim(*builder, &request).await
            }
            Step::ClaimAgain { builder, slot } => match self.requests.get(&(*builder, *slot)).cloned() {
                Some(request) => self.claim(*builder, &request).await,
                None => Ok(()),
            },
            Step::Heartbeat(n) => match self.pick_hold(*n, Hold::builds) {
                Some(at) => self.heartbeat(at).await,
                None => Ok(()),
            },
            Step::Finish(n, outcome) => match self.pick_hold(*n, Hold::builds) {
                Some(at) => self.finish(at, *outcome, false, *n).await,
                None => Ok(()),
            },
            Step::FinishAndClaim(n, outcome) => match self.pick_hold(*n, Hold::builds) {
                Some(at) => self.finish(at, *outcome, true, *n).await,
                None => Ok(()),
            },
            Step::FinishAgain(n) => match self.pick_hold(*n, |hold| hold.ended.is_some()) {
                Some(at) => self.end_build(at).await,
                None => Ok(()),
            },
            Step::Forget(n) => {
                if let Some(at) = self.pick_hold(*n, |hold| !hold.forgotten) {
                    self.holds[at].forgotten = true;
                }
                Ok(())
            }
            Step::UseLate(n, late) => match self.pick_hold(*n, |_| true) {
                Some(at) => self.use_late(at, *late).await,
                None => Ok(()),
            },
            Step::ClaimUploads { target, limit } => self.claim_uploads(*target, *limit).await,
            Step::EndPublish(n, how) => {
                let publishes =
                    |hold: &Hold| !hold.forgotten && matches!(hold.of, HoldOf::Publishing { ended: false });
                match self.pick_hold(*n, publishes) {
                    Some(at) => self.end_publish(at, *how).await,
                    None => Ok(()),
                }
            }
            Step::Index { target, names } => self.publish_index(*target, names).await,
            other => self.operate(other).await,
        }
    }

    fn pick_hold(&self, n: u8, of: impl Fn(&Hold) -> bool) -> Option<usize> {
        let found: Vec<usize> = (0..self.holds.len()).filter(|at| of(&self.holds[*at])).collect();
        (!found.is_empty()).then(|| found[usize::from(n) % found.len()])
    }

    async fn submit(&mut self, asks: &[Ask]) -> Checked {
        let batch: Vec<JobRequest> = asks.iter().map(requested).collect();
        let mut last: Vec<JobRequest> = Vec::new();
        for (place, request) in batch.iter().enumerate() {
            if batch[place + 1..]
                .iter()
                .all(|later| later.key() != request.key())
            {
                last.push(request.clone());
            }
        }
        let expected = self.model.dispositions(&last, false);
        let done = self
            .queue
            .submit(batch, TESTER)
            .await
            .map_err(|error| error.to_string())?;
        let requests: Vec<&JobRequest> = done.jobs.iter().map(|job| &job.request).collect();
        check!(
            requests == last.iter().collect::<Vec<_>>(),
            "the answer is about other requests"
        );
        let dispositions: Vec<_> = done.jobs.iter().map(|job| job.disposition).collect();
        check!(
            dispositions == expected,
            "the queue says {dispositions:?}, the model {expected:?}"
        );
        let ids: Vec<JobId> = done.jobs.iter().map(|job| job.id).collect();
        graph::check_ids(&self.model, &last, &ids, &dispositions)?;
        self.commit(&last, &ids, &dispositions).await
    }

    /// Carries out in the model what the queue did with a batch.
    pub async fn commit(
        &mut self,
        batch: &[JobRequest],
        ids: &[JobId],
        dispositions: &[Disposition],
    ) -> Checked {
        let recorded = self.recorded().await?;
        let edges = recorded
            .into_iter()
            .map(|(id, job)| (id, job.waits_for.into_iter().collect()));
        self.model.submit(batch, ids, dispositions, &edges.collect());
        Ok(())
    }

    async fn restart(&mut self, builder: u8, adopts: bool) -> Checked {
        let process = self.fresh_process(builder);
        self.processes[usize::from(builder)] = process;
        self.requests.retain(|(of, _), _| *of != builder);
        self.report(builder).await?;
        for at in 0..self.holds.len() {
            let hold = &mut self.holds[at];
            if hold.builder() != Some(builder) {
                continue;
            }
            if let Some(ended) = &mut hold.ended {
                ended.next = None;
            } else if adopts {
                self.adopt(at).await?;
            } else {
                hold.forgotten = true;
            }
        }
        Ok(())
    }

    async fn leave(&mut self, builder: u8) -> Checked {
        let name = builder_name(builder);
        let process = self.processes[usize::from(builder)].clone();
        let said = report(process.as_str(), &name, builder_class(builder));
        self.queue.leave(&said).await.map_err(|error| error.to_string())?;
        self.requests.retain(|(of, _), _| *of != builder);
        for hold in &mut self.holds {
            if hold.builder() == Some(builder)
                && let Some(ended) = &mut hold.ended
            {
                ended.next = None;
            }
        }
        self.model
            .builders
            .get_mut(&name)
            .expect("it is known")
            .processes
            .remove(&process);
        Ok(())
    }

    async fn use_late(&mut self, at: usize, late: Late) -> Checked {
        let hold = self.holds[at].clone();
        match late {
            Late::Beat => self.heartbeat(at).await,
            Late::Adopts => self.adopt(at).await,
            Late::EndPublishing(how) => self.end_publish(at, how).await,
            Late::BeatPublishing => {
                let answer = self.queue.heartbeat_publish(&hold.token, LEASE).await;
                if self.model.standing(&hold.token, JobState::Publishing) != Standing::Current {
                    return stale(&hold.token, answer);
                }
                self.model.job(hold.token.job).time_up = false;
                answer.map_err(|error| format!("a publisher's heartbeat: {error}"))
            }
            Late::End(outcome) => {
                let attempt = match &hold.of {
                    HoldOf::Build { claim, .. } => attempt(claim, outcome),
                    HoldOf::Publishing { .. } => Attempt {
                        outcome,
                        reason: String::new(),
                        commit: None,
                        manifest: None,
                        took: LEASE,
                    },
                };
                self.end_with(&hold.token, &attempt).await
            }
        }
    }

    async fn claim_uploads(&mut self, place: u8, limit: u8) -> Checked {
        let of = target(TARGETS[usize::from(place)]);
        let waits = |job: &ModelJob| job.state == JobState::Uploaded && job.request.target == of;
        let waiting = self.model.jobs.values().filter(|job| waits(job)).count();
        let answer = self
            .queue
            .claim_uploads(&of, "publisher", LEASE, usize::from(limit))
            .await;
        let claims = answer.map_err(|error| error.to_string())?;
        check!(
            claims.len() == waiting.min(usize::from(limit)),
            "{waiting} uploads wait, a publisher gets {} of at most {limit}",
            claims.len()
        );
        for claim in claims {
            let job = self.model.jobs.get_mut(&claim.token.job).filter(|job| waits(job));
            let right = job.as_ref().is_some_and(|job| claim.token.attempt == job.attempt);
            check!(
                right && claim.manifest.is_ok(),
                "a publisher gets {claim:?} of {job:?}"
            );
            let job = self.model.job(claim.token.job);
            job.enter(JobState::Publishing);
            job.lease = Some(claim.token.clone());
            self.holds.push(Hold {
                token: claim.token,
                of: HoldOf::Publishing { ended: false },
                ended: None,
                forgotten: false,
            });
        }
        Ok(())
    }

    async fn end_publish(&mut self, at: usize, how: Published) -> Checked {
        let token = self.holds[at].token.clone();
        if let HoldOf::Publishing { ended } = &mut self.holds[at].of {
            *ended = true;
        }
        let reason = String::from("because");
        let outcome = match how {
            Published::InPlace => PublishOutcome::Published {
                packages: vec![
                    "a-1-1-any.pkg.tar.zst".to_owned(),
                    "b-1-1-any.pkg.tar.zst".to_owned(),
                ],
            },
            Published::Refuse => PublishOutcome::Refused { reason },
            Published::TryLater => PublishOutcome::Retry { reason },
        };
        let standing = self.model.standing(&token, JobState::Publishing);
        let answer = self.queue.finish_publish(&token, &outcome).await;
        if standing == Standing::Stale {
            return stale(&token, answer);
        }
        answer.map_err(|error| format!("{standing:?} end of publishing {token:?}: {error}"))?;
        if standing == Standing::Current {
            let job = self.model.job(token.job);
            job.published_by = Some(token.clone());
            match outcome {
                PublishOutcome::Published { packages } => {
                    job.packages = packages;
                    self.model.end(token.job, JobState::Succeeded);
                }
                PublishOutcome::Refused { .. } => self.model.end(token.job, JobState::Failed),
                PublishOutcome::Retry { .. } => job.enter(JobState::Uploaded),
            }
        }
        Ok(())
    }

    async fn publish_index(&mut self, place: u8, names: &[u8]) -> Checked {
        let of = target(TARGETS[usize::from(place)]);
        let package = |number: &u8| PublishedPackage {
            pkgname: Pkgname::new(name(*number)).expect("the name is valid"),
            pkgbase: Pkgbase::new(name(*number)).expect("the name is valid"),
            version: "1-1".into(),
            file_name: format!("{}-1-1-any.pkg.tar.zst", name(*number)),
            size: 1,
            build_date: 1,
            provides: Vec::new(),
        };
        let packages: Vec<PublishedPackage> = names.iter().map(package).collect();
        self.queue
            .publish_index(&of, &packages)
            .await
            .map_err(|error| error.to_string())?;
        self.model
            .index
            .insert(of, names.iter().map(|number| name(*number)).collect());
        self.model.settle();
        Ok(())
    }
}

/// A token that is worth nothing must be refused.
pub fn stale<T: std::fmt::Debug>(token: &LeaseToken, answer: Result<T, QueueError>) -> Checked {
    match answer {
        Err(QueueError::Stale { .. }) => Ok(()),
        other => Err(format!("{token:?} is stale, the answer is {other:?}")),
    }
}

fn name(number: u8) -> String {
    match number.checked_sub(PKGBASES) {
        Some(library) => format!("lib{library}"),
        None => format!("p{number}"),
    }
}

fn requested(ask: &Ask) -> JobRequest {
    let class = match ask.class {
        0 => "b1".to_owned(),
        4 => "b3".to_owned(),
        number => number.to_string(),
    };
    let mut names = vec![name(ask.pkgbase)];
    names.extend(ask.provides.map(|library| name(PKGBASES + library)));
    let needs = ask.needs.iter().map(|&(number, kind)| Need {
        name: name(number),
        kind,
    });
    JobRequest {
        target: target(TARGETS[usize::from(ask.target)]),
        needs: needs.collect(),
        names,
        ..classed(&name(ask.pkgbase), &class)
    }
}
