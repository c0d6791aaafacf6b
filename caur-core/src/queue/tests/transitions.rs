//! The states and transitions that are drawn are those that happen. That no other happens is part of every audit.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::model::PublishedPackage;

type Pair = (JobState, JobState);

/// Everything that `JobState::successors` allows.
fn allowed() -> BTreeSet<Pair> {
    let of = |from: JobState| from.successors().iter().map(move |to| (from, *to));
    JobState::ALL.into_iter().flat_map(of).collect()
}

/// The arrows of the diagram in the documentation; `[*]` is where a job begins.
fn drawn() -> (BTreeSet<Pair>, Vec<JobState>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let diagram = text
        .split("stateDiagram-v2\n")
        .nth(1)
        .expect("there is a diagram");
    let diagram = diagram.split("```").next().unwrap();
    let (mut pairs, mut first) = (BTreeSet::new(), Vec::new());
    for line in diagram.lines().filter(|line| line.contains("-->")) {
        let (from, rest) = line.split_once("-->").unwrap();
        let (to, label) = rest.split_once(':').expect("every arrow says why");
        assert!(!label.trim().is_empty(), "{line}");
        let to: JobState = to.trim().parse().unwrap();
        match from.trim() {
            "[*]" => first.push(to),
            from => assert!(pairs.insert((from.parse().unwrap(), to)), "twice: {line}"),
        }
    }
    (pairs, first)
}

#[test]
fn the_diagram_shows_every_transition_and_no_other() {
    let (drawn, first) = drawn();
    assert_eq!(first, [JobState::Waiting]);
    let allowed = allowed();
    let missing: Vec<_> = allowed.difference(&drawn).collect();
    let too_many: Vec<_> = drawn.difference(&allowed).collect();
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "missing {missing:?}, too many {too_many:?}"
    );
}

struct Story {
    farm: Fixture,
    next: u32,
}

impl Story {
    fn name(&mut self) -> String {
        self.next += 1;
        format!("p{}", self.next)
    }

    /// A new job in this state, made from nothing, and its package.
    async fn job_in(&mut self, state: JobState) -> (JobId, String) {
        let name = self.name();
        let id = match state {
            JobState::Waiting => {
                let lib = self.name();
                self.farm
                    .submit(vec![request(&lib, &[]), request(&name, &[&lib])])
                    .await[1]
            }
            JobState::Blocked => {
                let lib = self.name();
                let ids = self
                    .farm
                    .submit(vec![request(&lib, &[]), request(&name, &[&lib])])
                    .await;
                self.farm.queue.cancel(ids[0], TESTER).await.unwrap();
                ids[1]
            }
            _ => self.farm.submit(vec![request(&name, &[])]).await[0],
        };
        let queue = &self.farm.queue;
        match state {
            JobState::Waiting | JobState::Blocked | JobState::Ready => {}
            JobState::Held => drop(queue.hold(id, TESTER).await.unwrap()),
            JobState::Backoff => self.end(id, BuildOutcome::Infrastructure).await,
            JobState::Building => drop(self.claim(id).await),
            JobState::Uploaded => self.end(id, BuildOutcome::Built).await,
            JobState::Publishing => {
                self.end(id, BuildOutcome::Built).await;
                self.farm
                    .queue
                    .claim_uploads(&target("repo"), "p", LEASE, 99)
                    .await
                    .unwrap();
            }
            JobState::Succeeded => {
                self.end(id, BuildOutcome::Built).await;
                self.farm.publish().await;
            }
            JobState::AlreadyBuilt => self.end(id, BuildOutcome::AlreadyBuilt).await,
            JobState::Skipped => self.end(id, BuildOutcome::Skipped).await,
            JobState::Failed => self.end(id, BuildOutcome::Failed).await,
            JobState::TimedOut => self.end(id, BuildOutcome::TimedOut).await,
            JobState::OutOfMemory => self.end(id, BuildOutcome::OutOfMemory).await,
            JobState::Canceled => drop(queue.cancel(id, TESTER).await.unwrap()),
            JobState::InfrastructureFailed => {
                for _ in 0..3 {
                    self.end(id, BuildOutcome::Infrastructure).await;
                    self.farm.let_time_pass().await;
                }
            }
        }
        assert_eq!(self.farm.state(id).await, state, "{name}");
        (id, name)
    }

    /// Claims this job, whatever else is ready.
    async fn claim(&mut self, id: JobId) -> Claim {
        for job in self.farm.queue.jobs(JobFilter::default()).await.unwrap() {
            if job.state.is_queued() && job.priority > 0 {
                self.farm.queue.set_priority(job.id, 0, TESTER).await.unwrap();
            }
        }
        self.farm.queue.set_priority(id, 100, TESTER).await.unwrap();
        self.next += 1;
        let claim = self.farm.claim(&format!("b{}", self.next), 2).await.unwrap();
        assert_eq!(claim.job.id, id);
        claim
    }

    async fn end(&mut self, id: JobId, outcome: BuildOutcome) {
        let claim = self.claim(id).await;
        self.farm.finish(&claim, outcome).await;
    }

    /// A package that needs this one, which then has to wait for it.
    async fn tie(&mut self, name: &str, needs: &str) {
        self.farm.submit(vec![request(needs, &[])]).await;
        let tied = self
            .farm
            .queue
            .live_job(&format!("repo/x86_64/{name}"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(tied.state, JobState::Waiting);
    }

    async fn list(&self, name: &str) {
        let package = PublishedPackage {
            pkgname: crate::model::Pkgname::new(name).unwrap(),
            pkgbase: Pkgbase::new(name).unwrap(),
            version: "1-1".into(),
            file_name: format!("{name}-1-1-any.pkg.tar.zst"),
            size: 1,
            build_date: 1,
            provides: Vec::new(),
        };
        self.farm
            .queue
            .publish_index(&target("repo"), &[package])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn every_transition_that_is_drawn_happens() {
    let farm = Fixture::new().await;
    farm.sweep().await;
    let mut story = Story { farm, next: 0 };
    let queue = story.farm.queue.clone();
    for state in JobState::ALL {
        let (id, name) = story.job_in(state).await;
        if state.is_final() {
            queue.retry(id, false, TESTER).await.unwrap();
        } else if state.is_queued() {
            queue.cancel(id, TESTER).await.unwrap();
            if state != JobState::Held {
                let (id, _) = story.job_in(state).await;
                queue.hold(id, TESTER).await.unwrap();
            }
            if matches!(state, JobState::Backoff | JobState::Blocked | JobState::Waiting) {
                let (id, _) = story.job_in(state).await;
                queue.release(id, TESTER).await.unwrap();
            }
        }
        match state {
            JobState::Uploaded => drop(queue.cancel(id, TESTER).await.unwrap()),
            JobState::Building => {
                queue.cancel(id, TESTER).await.unwrap();
                story.farm.let_time_pass().await;
                let (id, _) = story.job_in(JobState::Ready).await;
                story.end(id, BuildOutcome::Released).await;
            }
            JobState::Publishing => {
                story.farm.let_time_pass().await;
                let upload = queue
                    .claim_uploads(&target("repo"), "p", LEASE, 99)
                    .await
                    .unwrap();
                let refused = PublishOutcome::Refused { reason: "bad".into() };
                queue.finish_publish(&upload[0].token, &refused).await.unwrap();
                let (id, _) = story.job_in(JobState::Publishing).await;
                for _ in 0..4 {
                    story.farm.let_time_pass().await;
                    queue
                        .claim_uploads(&target("repo"), "p", LEASE, 99)
                        .await
                        .unwrap();
                }
                story.farm.let_time_pass().await;
                assert_eq!(story.farm.state(id).await, JobState::InfrastructureFailed);
            }
            JobState::Ready | JobState::Backoff => {
                // Something that it needs is asked for later.
                let (_, name) = story.job_in(JobState::Ready).await;
                let needy = story.name();
                let id = story.farm.submit(vec![request(&needy, &[&name])]).await[0];
                assert_eq!(story.farm.state(id).await, JobState::Waiting);
                let app = story.name();
                let lib = story.name();
                let id = story.farm.submit(vec![request(&app, &[&lib])]).await[0];
                if state == JobState::Backoff {
                    story.end(id, BuildOutcome::Infrastructure).await;
                }
                story.tie(&app, &lib).await;
            }
            JobState::Blocked => {
                // What failed is asked for again.
                let lib = story.farm.job(id).await;
                assert_eq!(lib.state, JobState::Canceled);
                let (id, _) = story.job_in(JobState::Blocked).await;
                let on = story.farm.job(id).await.waits_for[0];
                queue.retry(on, false, TESTER).await.unwrap();
                assert_eq!(story.farm.state(id).await, JobState::Waiting);
                // What it needs is listed.
                let (id, _) = story.job_in(JobState::Blocked).await;
                let on = story.farm.job(story.farm.job(id).await.waits_for[0]).await;
                story.list(on.request.pkgbase.as_str()).await;
                assert_eq!(story.farm.state(id).await, JobState::Ready);
                // Nobody mends it.
                let rules = QueueRules {
                    blocked: Duration::ZERO,
                    ..QueueRules::default()
                };
                story.job_in(JobState::Blocked).await;
                queue.publish_rules(&rules).await.unwrap();
                story.farm.sweep().await;
                queue.publish_rules(&QueueRules::default()).await.unwrap();
            }
            JobState::Held => {
                for from in [JobState::Waiting, JobState::Ready, JobState::Blocked] {
                    let (id, _) = story.job_in(from).await;
                    queue.hold(id, TESTER).await.unwrap();
                    assert_eq!(queue.unhold(id, TESTER).await.unwrap(), from);
                }
            }
            _ => {}
        }
        drop(name);
        story.farm.sound().await;
    }
    let events = queue.events_after("0", 100_000, Duration::ZERO).await.unwrap();
    let happened: BTreeSet<Pair> = events
        .iter()
        .filter_map(|event| Some((event.from?, event.to)))
        .filter(|(from, to)| from != to)
        .collect();
    let missing: Vec<_> = allowed().difference(&happened).copied().collect();
    assert!(missing.is_empty(), "{missing:?}");
}
