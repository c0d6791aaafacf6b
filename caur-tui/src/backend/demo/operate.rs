//! What operators can do to the demo farm, with the words that the queue has for it.

use caur_core::model::{BuilderName, Job, JobId, JobRequest, JobState};
use caur_core::queue::{PRIORITIES, Pause};

use super::farm::{Farm, new_job};
use super::work::enter;
use crate::msg::OperationNews;
use crate::operation::{Act, Operation};

/// Who operates the demo.
pub const YOU: &str = "you";

/// What an operation says when it was done, or why it was not.
type Outcome = Result<String, String>;

impl Farm {
    /// Does what was asked for.
    pub fn operate(&mut self, operation: &Operation) -> OperationNews {
        let why = operation.why.as_str();
        let outcome = match &operation.act {
            Act::Retry(id, rebuild) => self.retry(*id, *rebuild),
            Act::Cancel(id) => self.cancel(*id, why),
            Act::Release(id) => self.release_job(*id),
            Act::Hold(id) => self.hold(*id, why),
            Act::Unhold(id) => self.unhold(*id),
            Act::Priority(id, priority) => self.set_priority(*id, *priority),
            Act::Schedule(request) => self.schedule(request),
            Act::PauseQueue => {
                self.pause = Some(Pause {
                    reason: said("paused", why),
                    by: YOU.to_owned(),
                    since: self.now,
                    until: None,
                });
                self.note("pause", "queue".to_owned(), None, YOU, why);
                Ok("nothing is taken until it is resumed".to_owned())
            }
            Act::ResumeQueue => {
                self.pause = None;
                self.note("resume", "queue".to_owned(), None, YOU, why);
                Ok(String::new())
            }
            Act::PauseBuilder(name) => self.on_builder("pause", name, why),
            Act::ResumeBuilder(name) => self.on_builder("resume", name, why),
            Act::DrainBuilder(name) => self.on_builder("drain", name, why),
        };
        match outcome {
            Ok(text) => OperationNews::Done(text),
            Err(reason) => OperationNews::Refused(reason),
        }
    }

    /// A job of the queue that satisfies a condition, else what it says instead.
    fn job_that(&mut self, id: JobId, fits: fn(JobState) -> bool, instead: &str) -> Result<&mut Job, String> {
        let state = self.job(id).map(|job| job.state).ok_or("there is no such job")?;
        if !fits(state) && state.is_final() {
            return Err(format!("it has ended already: {state}"));
        }
        if !fits(state) {
            return Err(format!("it is {state} and {instead}"));
        }
        self.jobs
            .iter_mut()
            .find(|job| job.id == id)
            .ok_or("there is no such job".to_owned())
    }

    /// Notes what was done to a job, and says what it is now.
    fn done(&mut self, action: &str, id: JobId, why: &str) -> Outcome {
        let Some((key, state)) = self.job(id).map(|job| (job.request.key(), job.state)) else {
            return Ok(String::new());
        };
        self.note(action, key, Some(id), YOU, why);
        Ok(format!("it is {state}"))
    }

    fn retry(&mut self, id: JobId, rebuild: bool) -> Outcome {
        let job = self.job(id).ok_or("there is no such job")?.clone();
        if !job.state.is_final() {
            return Err(format!("it is {} and has not ended", job.state));
        }
        let key = job.request.key();
        let newer = |other: &&Job| !other.state.is_final() && other.request.key() == key;
        if let Some(newer) = self.jobs.iter().find(newer) {
            return Err(format!("job {} of the same package is {}", newer.id, newer.state));
        }
        self.jobs.retain(|other| other.id != id);
        self.past.retain(|other| other.id != id);
        let mut job = Job {
            started: None,
            priority: 0,
            ready_at: None,
            ..job
        };
        job.request.rebuild |= rebuild;
        // Jobs of the past took as long as real ones, and a demo is over before.
        job.expected = job.expected.min(45);
        enter(&mut job, JobState::Ready, self.now, None);
        self.jobs.push(job);
        self.done("retry", id, if rebuild { "rebuild" } else { "" })
    }

    fn cancel(&mut self, id: JobId, why: &str) -> Outcome {
        let now = self.now;
        let open = |state: JobState| !state.is_final() && state != JobState::Publishing;
        let job = self.job_that(id, open, "past canceling")?;
        let reason = said("canceled", why);
        if job.state == JobState::Building {
            job.canceling = Some(reason);
            job.since = now;
        } else {
            enter(job, JobState::Canceled, now, Some(&reason));
        }
        self.done("cancel", id, why)
    }

    fn release_job(&mut self, id: JobId) -> Outcome {
        let now = self.now;
        let job = self.job_that(id, JobState::is_queued, "not in the queue")?;
        job.waits_for.clear();
        job.released = true;
        enter(job, JobState::Ready, now, None);
        self.done("release", id, "")
    }

    fn hold(&mut self, id: JobId, why: &str) -> Outcome {
        let now = self.now;
        let job = self.job_that(id, JobState::is_queued, "not in the queue")?;
        enter(job, JobState::Held, now, Some(&said("held", why)));
        self.done("hold", id, why)
    }

    fn unhold(&mut self, id: JobId) -> Outcome {
        let now = self.now;
        let job = self.job_that(id, |state| state == JobState::Held, "not held")?;
        // What it waits for is looked at in the next step.
        enter(job, JobState::Waiting, now, None);
        self.done("unhold", id, "")
    }

    fn set_priority(&mut self, id: JobId, priority: i32) -> Outcome {
        if !PRIORITIES.contains(&priority) {
            return Err(format!(
                "it must lie between {} and {}",
                PRIORITIES.start(),
                PRIORITIES.end()
            ));
        }
        let job = self.job_that(id, JobState::is_queued, "not in the queue")?;
        job.priority = priority;
        self.done("priority", id, &priority.to_string())
    }

    fn schedule(&mut self, request: &JobRequest) -> Outcome {
        let key = request.key();
        let live = |job: &&mut Job| !job.state.is_final() && job.request.key() == key;
        if let Some(job) = self.jobs.iter_mut().find(live) {
            if !job.state.is_queued() {
                return Err(format!("job {} of it is {}: cancel that one", job.id, job.state));
            }
            job.request = request.clone();
            let id = job.id;
            self.note("submit", key, Some(id), YOU, "0 queued, 1 replaced, 0 refused");
            return Ok(format!("it replaces what job {id} was to build"));
        }
        self.next_id = (self.next_id + 1).max(self.now);
        let id = JobId(self.next_id);
        let mut job = new_job(id, request.pkgbase.as_str(), self.now).map_err(|error| error.to_string())?;
        job.request = request.clone();
        YOU.clone_into(&mut job.requested_by);
        job.expected = 5 + self.random.below(40);
        job.chain = job.expected;
        job.ready_at = Some(self.now);
        self.jobs.push(job);
        self.note("submit", key, Some(id), YOU, "1 queued, 0 replaced, 0 refused");
        Ok(format!("queued as job {id}"))
    }

    fn on_builder(&mut self, action: &str, name: &BuilderName, why: &str) -> Outcome {
        let builder = self
            .builders
            .iter_mut()
            .find(|builder| builder.status.report.name == *name)
            .ok_or("no builder of that name was seen: `builders list` shows them")?;
        let status = &mut builder.status;
        match action {
            "pause" => status.paused = Some(said("paused", why)),
            "drain" => status.draining = Some(said("drained", why)),
            _ => (status.paused, status.draining) = (None, None),
        }
        self.note(action, format!("builder {name}"), None, YOU, why);
        Ok(String::new())
    }
}

/// What stands as the reason for something that was done.
fn said(done: &str, why: &str) -> String {
    match why {
        "" => format!("{done} by {YOU}"),
        why => format!("{done} by {YOU}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::OperationId;

    fn farm() -> Farm {
        Farm::new(1_764_000_000_000).unwrap()
    }

    fn act(farm: &mut Farm, act: Act) -> OperationNews {
        farm.operate(&Operation {
            id: OperationId(1),
            mark: "test-1".to_owned(),
            act,
            about: String::new(),
            why: "a test".to_owned(),
        })
    }

    fn in_state(farm: &mut Farm, state: JobState) -> JobId {
        for _ in 0..20_000 {
            if let Some(job) = farm.jobs.iter().find(|job| job.state == state) {
                return job.id;
            }
            farm.step().unwrap();
        }
        panic!("no job ever was {state}");
    }

    fn state(farm: &Farm, id: JobId) -> JobState {
        farm.job(id).unwrap().state
    }

    #[test]
    fn each_operation_on_a_job_does_what_it_says_or_is_refused() {
        let mut farm = farm();
        let ready = in_state(&mut farm, JobState::Ready);
        assert!(matches!(act(&mut farm, Act::Hold(ready)), OperationNews::Done(_)));
        assert_eq!(state(&farm, ready), JobState::Held);
        for _ in 0..100 {
            farm.step().unwrap();
        }
        assert_eq!(state(&farm, ready), JobState::Held);
        assert!(matches!(
            act(&mut farm, Act::Unhold(ready)),
            OperationNews::Done(_)
        ));
        assert!(matches!(
            act(&mut farm, Act::Unhold(ready)),
            OperationNews::Refused(_)
        ));
        let waiting = in_state(&mut farm, JobState::Waiting);
        act(&mut farm, Act::Release(waiting));
        assert_eq!(state(&farm, waiting), JobState::Ready);
        let (done, refused) = (Act::Priority(waiting, 50), Act::Priority(waiting, 101));
        assert!(matches!(act(&mut farm, done), OperationNews::Done(_)));
        assert!(matches!(act(&mut farm, refused), OperationNews::Refused(_)));
        act(&mut farm, Act::Cancel(waiting));
        assert_eq!(state(&farm, waiting), JobState::Canceled);
        assert!(matches!(
            act(&mut farm, Act::Cancel(waiting)),
            OperationNews::Refused(_)
        ));
        let building = in_state(&mut farm, JobState::Building);
        act(&mut farm, Act::Cancel(building));
        assert_eq!(state(&farm, building), JobState::Building);
        for _ in 0..20 {
            farm.step().unwrap();
        }
        assert!(state(&farm, building).is_final());
    }

    #[test]
    fn what_has_ended_is_retried_and_a_package_is_scheduled_once() {
        let mut farm = farm();
        let live = |farm: &Farm, key: &str| {
            let jobs = farm.jobs.iter();
            jobs.filter(|job| !job.state.is_final() && job.request.key() == key)
                .count()
        };
        let ended = farm
            .past
            .iter()
            .find(|job| live(&farm, &job.request.key()) == 0)
            .unwrap()
            .clone();
        assert_eq!(
            act(&mut farm, Act::Retry(ended.id, false)),
            OperationNews::Done("it is ready".to_owned())
        );
        assert!(matches!(
            act(&mut farm, Act::Retry(ended.id, false)),
            OperationNews::Refused(_)
        ));
        let again = act(&mut farm, Act::Schedule(Box::new(ended.request.clone())));
        assert!(matches!(again, OperationNews::Done(text) if text.contains("replaces")));
        assert_eq!(live(&farm, &ended.request.key()), 1);
        let entry = farm.activity(1).remove(0);
        assert_eq!((entry.by.as_str(), entry.job), (YOU, Some(ended.id)));
    }

    #[test]
    fn what_is_paused_takes_nothing() {
        let mut farm = farm();
        act(&mut farm, Act::PauseQueue);
        for _ in 0..3000 {
            farm.step().unwrap();
        }
        assert!(farm.jobs.iter().all(|job| job.state != JobState::Building));
        act(&mut farm, Act::ResumeQueue);
        let alder: BuilderName = "alder".parse().unwrap();
        act(&mut farm, Act::PauseBuilder(alder.clone()));
        for _ in 0..300 {
            farm.step().unwrap();
            assert_eq!(farm.held("alder"), 0);
        }
        act(&mut farm, Act::ResumeBuilder(alder));
        while farm.held("alder") == 0 {
            farm.step().unwrap();
        }
        let nobody = Act::DrainBuilder("nobody".parse().unwrap());
        assert!(matches!(act(&mut farm, nobody), OperationNews::Refused(_)));
    }
}
