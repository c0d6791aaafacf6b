//! What operators do, and what time and crashes do.

use super::model::{Mode, ModelBuilder, ModelJob};
use super::step::Step;
use super::world::{Checked, World, builder_name, check};
use crate::model::{BuilderName, JobId, JobState};
use crate::queue::tests::TESTER;
use crate::queue::{Disposition, QueueError, keys};

impl World<'_> {
    pub async fn operate(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Silent(builder) => self.silent(builder).await,
            Step::LeaseOver(n) => {
                let leased = self.jobs_in(|job| job.state.is_leased());
                let over = match n {
                    Some(n) if !leased.is_empty() => vec![leased[usize::from(n) % leased.len()]],
                    _ => leased,
                };
                self.time_passes(keys::LEASES, &over).await
            }
            Step::BackoffOver => {
                let over = self.jobs_in(|job| job.state == JobState::Backoff);
                self.time_passes(keys::BACKOFF, &over).await
            }
            Step::BlockedOver(n) => {
                let blocked = self.jobs_in(|job| job.state == JobState::Blocked);
                let one = blocked.get(usize::from(n) % blocked.len().max(1)).copied();
                self.time_passes(keys::BLOCKED, one.as_slice()).await
            }
            Step::AvoidOver => {
                for id in self.jobs_in(|job| !job.avoids.is_empty()) {
                    let mut set = redis::cmd("HSET");
                    self.redis::<()>(set.arg(keys::job(id)).arg("avoid_until").arg(1))
                        .await;
                    self.model.job(id).forgives = true;
                }
                Ok(())
            }
            Step::SelfPauseOver => self.self_pause_over().await,
            Step::Sweep { outage } => self.sweep(outage).await,
            Step::Cancel(n) => match self.pick_job(n, |job| !job.state.is_final()) {
                Some(id) => self.cancel(id).await,
                None => Ok(()),
            },
            Step::Hold(n) => match self.pick_job(n, |job| job.state.is_queued()) {
                Some(id) => {
                    let answer = self.queue.hold(id, TESTER).await;
                    let allowed = self.model.jobs[&id].state.is_queued();
                    if allowed && self.model.jobs[&id].state != JobState::Held {
                        self.model.job(id).enter(JobState::Held);
                    }
                    self.told(id, answer, allowed)
                }
                None => Ok(()),
            },
            Step::Unhold(n) => match self.pick_job(n, |job| job.state == JobState::Held) {
                Some(id) => {
                    let answer = self.queue.unhold(id, TESTER).await;
                    let allowed = self.model.jobs[&id].state == JobState::Held;
                    if allowed {
                        self.model.look(id);
                    }
                    self.told(id, answer, allowed)
                }
                None => Ok(()),
            },
            Step::Release(n) => match self.pick_job(n, |job| job.state.is_queued()) {
                Some(id) => self.release(id).await,
                None => Ok(()),
            },
            Step::Priority(n, priority) => match self.pick_job(n, |job| job.state.is_queued()) {
                Some(id) => {
                    let answer = self.queue.set_priority(id, i32::from(priority), TESTER).await;
                    let allowed = self.model.jobs[&id].state.is_queued();
                    if allowed {
                        self.model.job(id).priority = i32::from(priority);
                    }
                    self.told(id, answer, allowed)
                }
                None => Ok(()),
            },
            Step::Retry { job, rebuild } => match self.pick_job(job, |job| job.state.is_final()) {
                Some(id) => self.retry(id, rebuild).await,
                None => Ok(()),
            },
            Step::PauseQueue | Step::ResumeQueue => {
                let pauses = *step == Step::PauseQueue;
                let answer = if pauses {
                    self.queue.pause(None, TESTER).await
                } else {
                    self.queue.resume(None, TESTER).await
                };
                self.model.queue_paused = pauses;
                answer.map(|_| ()).map_err(|error| error.to_string())
            }
            Step::Pause(builder) | Step::Resume(builder) | Step::Drain(builder) => {
                self.set_mode(step, builder).await
            }
            Step::Reset => {
                let known = self.model.jobs.len() as u64;
                self.queue
                    .reset(known, TESTER)
                    .await
                    .map_err(|error| error.to_string())?;
                self.model.jobs.clear();
                Ok(())
            }
            Step::KillRedis => {
                self.server.kill();
                self.server.revive();
                // The link notices the loss with the first call, and connects anew with the next.
                for _ in 0..3 {
                    if self.queue.now().await.is_ok() {
                        return Ok(());
                    }
                }
                Err("Redis is back and the link is not".to_owned())
            }
            ref other => unreachable!("{other:?} is no operator's step"),
        }
    }

    fn jobs_in(&self, of: impl Fn(&ModelJob) -> bool) -> Vec<JobId> {
        let jobs = self.model.jobs.iter();
        jobs.filter(|(_, job)| of(job)).map(|(id, _)| *id).collect()
    }

    /// Mostly a job for which it makes sense, now and then any.
    fn pick_job(&self, n: u8, likely: impl Fn(&ModelJob) -> bool) -> Option<JobId> {
        let mut among = self.jobs_in(likely);
        if n % 8 == 7 || among.is_empty() {
            among = self.jobs_in(|_| true);
        }
        (!among.is_empty()).then(|| among[usize::from(n / 8) % among.len()])
    }

    async fn time_passes(&mut self, set: &str, ids: &[JobId]) -> Checked {
        for id in ids {
            self.redis::<()>(redis::cmd("ZADD").arg(set).arg(1).arg(id.0))
                .await;
            self.model.job(*id).time_up = true;
        }
        Ok(())
    }

    async fn silent(&mut self, builder: u8) -> Checked {
        let now = self.queue.now().await.map_err(|error| error.to_string())?;
        let known = self
            .model
            .builders
            .get_mut(&builder_name(builder))
            .expect("it is known");
        let mut instances = Vec::new();
        for (instance, process) in &mut known.processes {
            process.online = false;
            instances.push(instance.to_string());
        }
        for instance in instances {
            let mut add = redis::cmd("ZADD");
            add.arg(keys::ONLINE).arg("XX").arg(now - 200_000).arg(instance);
            self.redis::<()>(&add).await;
        }
        Ok(())
    }

    async fn self_pause_over(&mut self) -> Checked {
        let modes: Vec<(String, String)> = self.redis(redis::cmd("HGETALL").arg(keys::MODES)).await;
        for (name, text) in modes {
            let mut mode: serde_json::Value =
                serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let known = self.model.builders.get_mut(&name).expect("it is known");
            let itself = mode.get("till").is_some();
            check!(
                itself == (known.mode == Mode::PausedItself),
                "{name} is paused by {mode}, the model has {known:?}"
            );
            if itself {
                mode["till"] = 1.into();
                let mut set = redis::cmd("HSET");
                set.arg(keys::MODES).arg(&name).arg(mode.to_string());
                known.mode = Mode::Free;
                self.redis::<()>(&set).await;
            }
        }
        self.sweep(false).await
    }

    /// An operation on a job was carried out and leads to the state that the model has, or it was refused.
    fn told(&self, id: JobId, answer: Result<JobState, QueueError>, allowed: bool) -> Checked {
        let state = self.model.jobs[&id].state;
        match answer {
            Ok(told) if allowed && told == state => Ok(()),
            Err(QueueError::Refused { .. }) if !allowed => Ok(()),
            other => Err(format!(
                "job {id}: the answer is {other:?}, the model has {state}, allowed: {allowed}"
            )),
        }
    }

    async fn cancel(&mut self, id: JobId) -> Checked {
        let answer = self.queue.cancel(id, TESTER).await;
        let state = self.model.jobs[&id].state;
        let allowed = !state.is_final() && state != JobState::Publishing;
        if state == JobState::Building {
            self.model.job(id).canceling = true;
        } else if allowed {
            self.model.end(id, JobState::Canceled);
        }
        self.told(id, answer, allowed)
    }

    async fn release(&mut self, id: JobId) -> Checked {
        let answer = self.queue.release(id, TESTER).await;
        let allowed = self.model.jobs[&id].state.is_queued() && !self.model.succeeds_a_running_one(id);
        if allowed {
            let job = self.model.job(id);
            job.edges.clear();
            job.released = true;
            job.strict = false;
            self.model.look(id);
        }
        self.told(id, answer, allowed)
    }

    async fn retry(&mut self, id: JobId, rebuild: bool) -> Checked {
        let mut request = self.model.jobs[&id].request.clone();
        request.rebuild |= rebuild;
        let allowed = self.model.jobs[&id].state.is_final() && self.model.live(&request.key()).is_none();
        match self.queue.retry(id, rebuild, TESTER).await {
            Ok(job) => {
                check!(
                    allowed && job.id == id,
                    "job {id} cannot be retried; the answer is {job:?}"
                );
                self.commit(&[request], &[id], &[Disposition::Again]).await
            }
            Err(QueueError::Refused { .. }) if !allowed => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn set_mode(&mut self, step: &Step, builder: u8) -> Checked {
        let name = BuilderName::new(builder_name(builder)).expect("the name is valid");
        let known = self.model.builders.get_mut(name.as_str()).expect("it is known");
        let ModelBuilder {
            processes,
            mode,
            failures,
            ..
        } = known;
        let seen = !processes.is_empty() || *mode != Mode::Free;
        let answer = match step {
            Step::Pause(_) => self.queue.pause(Some(&name), TESTER).await,
            Step::Resume(_) => self.queue.resume(Some(&name), TESTER).await,
            _ => self.queue.drain(&name, TESTER).await,
        };
        match answer {
            Err(QueueError::Refused { .. }) if !seen => return Ok(()),
            Ok(count) if seen && count as usize == processes.len() => {}
            other => return Err(format!("{step:?}: {other:?}")),
        }
        match step {
            Step::Pause(_) => *mode = Mode::Paused,
            Step::Resume(_) => {
                (*mode, *failures) = (Mode::Free, 0);
                for process in processes.values_mut() {
                    process.draining = false;
                }
            }
            _ => {
                for process in processes.values_mut() {
                    process.draining = true;
                }
            }
        }
        Ok(())
    }
}
