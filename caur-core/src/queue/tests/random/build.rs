//! What builders do with jobs.

use super::act::stale;
use super::model::{Mode, Process, Standing};
use super::step::SLOTS;
use super::world::{Checked, Ended, Hold, HoldOf, World, builder_name, check};
use crate::model::{BuildOutcome, InstanceId, JobState, LeaseToken, Phase};
use crate::queue::tests::{LEASE, attempt};
use crate::queue::{Attempt, Claim, ClaimRequest, Claimed, Directive, Refusal, keys};

impl World<'_> {
    pub async fn claim(&mut self, builder: u8, request: &ClaimRequest) -> Checked {
        let answer = self
            .queue
            .claim(request)
            .await
            .map_err(|error| error.to_string())?;
        self.claimed(builder, request, answer).await
    }

    /// Which job is policy; that it is one which this builder may take is not.
    async fn claimed(&mut self, builder: u8, request: &ClaimRequest, answer: Claimed) -> Checked {
        let name = builder_name(builder);
        let known = &self.model.builders[&name];
        let Some(&Process { draining, .. }) = known.processes.get(&request.instance) else {
            let unknown = matches!(answer, Claimed::Refused(Refusal::Unknown));
            check!(unknown, "{name} is not registered and gets {answer:?}");
            return Ok(());
        };
        let mut jobs = self.model.jobs.iter();
        let given = jobs.find(|(_, job)| {
            let lease = job.lease.as_ref();
            job.state == JobState::Building && lease.is_some_and(|token| token.nonce == request.nonce)
        });
        if let Some((id, job)) = given {
            let token = job.lease.clone();
            let same = matches!(&answer, Claimed::Job(claim) if Some(&claim.token) == token.as_ref());
            check!(same, "{name} asks again for job {id} and gets {answer:?}");
            for hold in self
                .holds
                .iter_mut()
                .filter(|hold| Some(&hold.token) == token.as_ref())
            {
                hold.forgotten = false;
            }
            return Ok(());
        }
        let stopped = draining || self.model.queue_paused || known.mode != Mode::Free;
        let able = self.model.claimable(&name);
        match answer {
            Claimed::Refused(refusal) => {
                let right = match refusal {
                    Refusal::Draining(_) => draining,
                    Refusal::QueuePaused(_) => self.model.queue_paused,
                    Refusal::Paused(_) => known.mode != Mode::Free,
                    Refusal::Unknown | Refusal::Incompatible(_) => false,
                };
                check!(right, "{name} is refused: {refusal}; the model has {known:?}");
            }
            _ if stopped => {
                return Err(format!(
                    "{name} takes no jobs and gets {answer:?}; the model has {known:?}"
                ));
            }
            Claimed::Nothing => {
                let mut kept = able.iter().filter(|id| !self.model.may_avoid(**id, &name));
                // One that is slower than others may leave a job to them.
                if let Some(id) = kept.next() {
                    let slower = self.is_slower(&request.instance).await;
                    check!(slower, "{name} gets nothing, and may take job {id}");
                }
            }
            Claimed::Job(claim) => {
                let id = claim.token.job;
                check!(
                    able.contains(&id),
                    "{name} gets job {id}, and may take only {able:?}"
                );
                self.given(builder, request, claim)?;
            }
        }
        Ok(())
    }

    fn given(&mut self, builder: u8, request: &ClaimRequest, claim: Box<Claim>) -> Checked {
        let name = builder_name(builder);
        let id = claim.token.job;
        check!(
            !self.model.must_avoid(id, &name),
            "{name} gets job {id}, which it failed before"
        );
        let job = &self.model.jobs[&id];
        check!(
            claim.token.attempt == job.attempt + 1,
            "{name} gets {:?} of {job:?}",
            claim.token
        );
        let missing = if job.strict {
            self.model.missing(id)
        } else {
            Vec::new()
        };
        check!(
            missing.is_empty(),
            "job {id} is built while {missing:?}, which it needs, are not done"
        );
        self.model.claim(&claim.token, &name, &request.instance);
        self.holds.push(Hold {
            token: claim.token.clone(),
            of: HoldOf::Build { builder, claim },
            ended: None,
            forgotten: false,
        });
        Ok(())
    }

    /// Whether a builder is slower than the fastest one that takes jobs.
    async fn is_slower(&self, instance: &InstanceId) -> bool {
        let mut speed = redis::cmd("HGET");
        speed.arg(keys::builder(instance.as_str())).arg("speed");
        let own: u64 = self.redis(&speed).await;
        let capacity: Vec<(String, u64)> = self.redis(redis::cmd("HGETALL").arg("{caur}:q:capacity")).await;
        capacity
            .iter()
            .any(|(group, speed)| group.starts_with('f') && *speed > own)
    }

    pub async fn heartbeat(&mut self, at: usize) -> Checked {
        let token = self.holds[at].token.clone();
        let answer = self.queue.heartbeat(&token, LEASE, Phase::Build).await;
        if self.model.standing(&token, JobState::Building) != Standing::Current {
            return stale(&token, answer);
        }
        let directive = answer.map_err(|error| format!("a heartbeat of {token:?}: {error}"))?;
        let job = self.model.job(token.job);
        job.time_up = false;
        let told = matches!(directive, Directive::Cancel { .. });
        check!(
            told == job.canceling,
            "a heartbeat of {token:?} is told {directive:?}"
        );
        Ok(())
    }

    pub async fn adopt(&mut self, at: usize) -> Checked {
        let Hold { token, .. } = self.holds[at].clone();
        let builder = self.holds[at].builder().unwrap_or_default();
        let process: InstanceId = self.processes[usize::from(builder)].clone();
        let answer = self
            .queue
            .adopt(&token, &process, LEASE)
            .await
            .map_err(|error| error.to_string())?;
        let registered = self.model.builders[&builder_name(builder)]
            .processes
            .contains_key(&process);
        if registered && self.model.standing(&token, JobState::Building) == Standing::Current {
            let same = answer
                .as_ref()
                .is_some_and(|claim| claim.token == token && claim.job.id == token.job);
            check!(same, "{process} adopts {token:?} and gets {answer:?}");
            let job = self.model.job(token.job);
            job.instance = Some(process);
            job.time_up = false;
            self.holds[at].forgotten = false;
        } else {
            check!(answer.is_none(), "{process} adopts {token:?}, which is stale");
        }
        Ok(())
    }

    pub async fn finish(&mut self, at: usize, outcome: BuildOutcome, claims: bool, n: u8) -> Checked {
        let HoldOf::Build { builder, claim } = &self.holds[at].of else {
            return Ok(());
        };
        let (builder, attempt) = (*builder, attempt(claim, outcome));
        let next = claims.then(|| {
            let slot = n % SLOTS;
            let process = self.processes[usize::from(builder)].clone();
            let request = ClaimRequest::new(process, u32::from(slot), LEASE);
            self.requests.insert((builder, slot), request.clone());
            (slot, request)
        });
        self.holds[at].ended = Some(Ended { attempt, next });
        self.end_build(at).await
    }

    /// Ends a build as its holder means to, for the first time or once more.
    pub async fn end_build(&mut self, at: usize) -> Checked {
        let hold = self.holds[at].clone();
        let (Some(builder), Some(Ended { attempt, next })) = (hold.builder(), hold.ended) else {
            return Ok(());
        };
        // Only the last claim of a slot is ever repeated.
        let last = |(slot, request): &(u8, ClaimRequest)| {
            let last = self.requests.get(&(builder, *slot));
            last.is_some_and(|last| last.nonce == request.nonce)
        };
        let Some((_, request)) = next.filter(last) else {
            return self.end_with(&hold.token, &attempt).await;
        };
        let standing = self.model.standing(&hold.token, JobState::Building);
        let answer = self.queue.finish_and_claim(&hold.token, &attempt, &request).await;
        if standing == Standing::Stale {
            stale(&hold.token, answer)?;
            // The claim may have been carried out even so.
            return self.claim(builder, &request).await;
        }
        let answer = answer.map_err(|error| format!("{standing:?} end of {:?}: {error}", hold.token))?;
        if standing == Standing::Current {
            self.model.finish(&hold.token, attempt.outcome);
        }
        self.claimed(builder, &request, answer).await
    }

    pub async fn end_with(&mut self, token: &LeaseToken, attempt: &Attempt) -> Checked {
        let standing = self.model.standing(token, JobState::Building);
        let answer = self.queue.finish(token, attempt).await;
        if standing == Standing::Stale {
            return stale(token, answer);
        }
        answer.map_err(|error| format!("{standing:?} end of {token:?}: {error}"))?;
        if standing == Standing::Current {
            self.model.finish(token, attempt.outcome);
        }
        Ok(())
    }
}
