//! The checker finds every kind of lie, and none in a true story.

use caur_core::model::{JobId, JobState};
use caur_core::queue::Event;

use super::{History, Record};
use crate::journal::{Answer, Fact, Hold, Stage, What};

/// Builds a history, step by step.
#[derive(Default)]
struct Story {
    history: History,
    clock: u64,
}

fn key(job: u64) -> String {
    format!("chaos/x86_64/p{}", job % 100)
}

fn state(name: &str) -> JobState {
    name.parse().unwrap()
}

impl Story {
    /// An event: job, attempt, action, from (`-` for none), to.
    fn event(&mut self, job: u64, attempt: u32, action: &str, from: &str, to: &str) -> &mut Self {
        self.clock += 10_000;
        self.history.events.push(Event {
            id: format!("{}-0", self.clock),
            job: JobId(job),
            key: key(job),
            action: action.to_owned(),
            from: (from != "-").then(|| state(from)),
            to: state(to),
            attempt,
            builder: "b".to_owned(),
            reason: String::new(),
            by: String::new(),
        });
        let record = Record {
            id: JobId(job),
            state: state(to),
            attempt,
        };
        self.history.jobs.retain(|other| other.id != record.id);
        self.history.jobs.push(record);
        self
    }

    fn fact(&mut self, who: &str, what: What) -> &mut Self {
        self.clock += 1;
        self.history.facts.push(Fact {
            at: self.clock,
            who: who.to_owned(),
            pid: 1,
            what,
        });
        self
    }

    fn submit(&mut self, job: u64) -> &mut Self {
        self.event(job, 0, "submit", "-", "waiting")
            .event(job, 0, "submit", "waiting", "ready")
    }

    /// A claim as both sides tell of it.
    fn claim(&mut self, job: u64, attempt: u32) -> &mut Self {
        self.fact("b", What::Claiming)
            .event(job, attempt, "claim", "ready", "building")
            .fact("b", What::Claimed(hold(Stage::Build, job, attempt)))
    }

    fn ask(&mut self, stage: Stage, job: u64, attempt: u32, outcome: &str) -> &mut Self {
        let outcome = outcome.to_owned();
        let hold = hold(stage, job, attempt);
        self.fact("b", What::Finishing { hold, outcome })
    }

    fn answer(&mut self, stage: Stage, job: u64, attempt: u32, answer: Answer) -> &mut Self {
        let hold = hold(stage, job, attempt);
        self.fact("b", What::Finished { hold, answer })
    }

    /// A finish of a build as both sides tell of it.
    fn finish(&mut self, job: u64, attempt: u32, outcome: &str, to: &str) -> &mut Self {
        self.ask(Stage::Build, job, attempt, outcome)
            .event(job, attempt, "finish", "building", to)
            .answer(Stage::Build, job, attempt, Answer::Done)
    }

    fn skip(&mut self, job: u64) -> &mut Self {
        self.submit(job)
            .claim(job, 1)
            .finish(job, 1, "skipped", "skipped")
    }

    fn publish(&mut self, job: u64, attempt: u32) -> &mut Self {
        self.event(job, attempt, "publish", "uploaded", "publishing")
            .fact("b", What::Claimed(hold(Stage::Publish, job, attempt)))
            .ask(Stage::Publish, job, attempt, "succeeded")
            .event(job, attempt, "publish", "publishing", "succeeded")
            .answer(Stage::Publish, job, attempt, Answer::Done)
    }

    fn edge(&mut self, dependant: u64, dependency: u64) -> &mut Self {
        self.history.edges.push((key(dependant), key(dependency)));
        self
    }

    #[track_caller]
    fn is_true(&self) {
        assert_eq!(self.history.judge().lies, [""; 0]);
    }

    /// The checker finds a lie with these words.
    #[track_caller]
    fn is_a_lie(&self, words: &str) {
        let lies = self.history.judge().lies;
        assert!(
            lies.iter().any(|lie| lie.contains(words)),
            "{words:?} is not among {lies:#?}"
        );
    }
}

fn hold(stage: Stage, job: u64, attempt: u32) -> Hold {
    Hold {
        stage,
        job: JobId(job),
        attempt,
        nonce: format!("{job}.{attempt}"),
    }
}

fn story() -> Story {
    Story::default()
}

/// Job 1 was claimed, lost by its sweeper and claimed again.
fn lost_once() -> Story {
    let mut story = story();
    story
        .submit(1)
        .claim(1, 1)
        .event(1, 1, "sweep", "building", "backoff")
        .event(1, 1, "sweep", "backoff", "ready")
        .claim(1, 2);
    story
}

#[test]
fn a_true_story_is_believed() {
    let mut whole = lost_once();
    whole
        .edge(2, 1)
        .event(2, 0, "submit", "-", "waiting")
        .ask(Stage::Build, 1, 1, "built")
        .answer(Stage::Build, 1, 1, Answer::Stale)
        .finish(1, 2, "built", "uploaded")
        .publish(1, 2)
        .event(2, 0, "publish", "waiting", "ready")
        .claim(2, 1)
        .event(2, 1, "cancel", "building", "building")
        .finish(2, 1, "canceled", "canceled");
    whole.is_true();
    let verdict = whole.history.judge();
    assert_eq!(
        (verdict.jobs, verdict.lives, verdict.attempts, verdict.fenced),
        (2, 2, 3, 1)
    );
}

#[test]
fn a_retry_starts_a_new_life_that_ends_once_too() {
    let mut story = story();
    story
        .skip(1)
        .event(1, 1, "submit", "skipped", "waiting")
        .event(1, 1, "submit", "waiting", "ready")
        .claim(1, 2)
        .finish(1, 2, "failed", "failed");
    story.is_true();
    assert_eq!(story.history.judge().lives, 2);
    story
        .event(1, 2, "finish", "failed", "skipped")
        .is_a_lie("the job was final already in this life");
}

#[test]
fn a_job_that_never_ends_or_is_lost_is_found() {
    let mut story = story();
    story
        .submit(1)
        .is_a_lie("job 1 (chaos/x86_64/p1) attempt 0 never became final");
    story.claim(1, 1).finish(1, 1, "skipped", "skipped").is_true();
    story.history.submitted.insert(JobId(7));
    story.is_a_lie("no event tells of job 7");
    story.history.jobs[0].attempt = 9;
    story.is_a_lie("is skipped in attempt 9, its events say skipped in attempt 1");
    story.history.jobs.clear();
    story.is_a_lie("job 1 (chaos/x86_64/p1) was lost");
}

#[test]
fn a_path_with_a_gap_or_a_forbidden_step_is_found() {
    story()
        .submit(1)
        .claim(1, 1)
        .event(1, 1, "publish", "uploaded", "publishing")
        .is_a_lie("the job was building before");
    story()
        .submit(1)
        .event(1, 0, "finish", "ready", "succeeded")
        .is_a_lie("no rule allows that");
    story()
        .submit(1)
        .event(1, 1, "sweep", "ready", "building")
        .is_a_lie("no rule allows that");
    let mut swapped = story();
    swapped.skip(1).history.events.swap(0, 1);
    swapped.is_a_lie("it does not come after the event before it");
}

#[test]
fn attempts_that_overlap_repeat_or_are_skipped_are_found() {
    story()
        .submit(1)
        .claim(1, 1)
        .event(1, 2, "claim", "building", "building")
        .is_a_lie("two live attempts");
    story().submit(1).claim(1, 2).is_a_lie("it should be attempt 1");
    story()
        .submit(1)
        .claim(1, 1)
        .submit(101)
        .claim(101, 1)
        .is_a_lie("others work on the same package");
}

#[test]
fn a_start_before_its_dependency_is_found() {
    let mut early = story();
    early.edge(2, 1).submit(1).submit(2).claim(2, 1);
    early.is_a_lie("it depends on chaos/x86_64/p1, whose job 1 is ready");

    let mut failed = story();
    failed.edge(2, 1).submit(1).submit(2).claim(1, 1);
    failed.finish(1, 1, "failed", "failed").claim(2, 1);
    failed.is_a_lie("whose job 1 is failed");

    story()
        .edge(2, 1)
        .submit(2)
        .claim(2, 1)
        .is_a_lie("which no event tells of");

    // Asked for anew while the dependant waits: the newer one counts.
    let mut anew = story();
    anew.edge(2, 1).skip(1).submit(2).submit(101).claim(2, 1);
    anew.is_a_lie("whose job 101 is ready");
}

#[test]
fn a_start_that_the_plan_allows_is_none() {
    // Planned when the dependency had failed already: edges run between queued jobs only.
    let mut after = story();
    after
        .edge(2, 1)
        .submit(1)
        .claim(1, 1)
        .finish(1, 1, "failed", "failed");
    after.skip(2).is_true();

    // Asked for anew while somebody worked on the dependant.
    let mut working = story();
    working.edge(2, 1).skip(1).submit(2).claim(2, 1).submit(101);
    working
        .finish(2, 1, "released", "ready")
        .claim(2, 2)
        .finish(2, 2, "skipped", "skipped")
        .claim(101, 1)
        .finish(101, 1, "skipped", "skipped")
        .is_true();

    // A cycle that a later plan cut elsewhere.
    let mut cycle = story();
    cycle.edge(2, 1).submit(1).submit(2);
    cycle
        .event(2, 0, "submit", "ready", "waiting")
        .event(2, 0, "submit", "waiting", "ready");
    cycle.claim(2, 1).finish(2, 1, "skipped", "skipped");
    cycle.claim(1, 1).finish(1, 1, "skipped", "skipped");
    cycle.is_a_lie("whose job 1 is ready");
    cycle.history.broken.insert((key(1), key(2)));
    cycle.is_true();
}

#[test]
fn a_finish_that_counts_though_it_was_refused_is_found() {
    let mut refused = story();
    refused
        .submit(1)
        .claim(1, 1)
        .ask(Stage::Build, 1, 1, "skipped")
        .event(1, 1, "finish", "building", "skipped")
        .answer(Stage::Build, 1, 1, Answer::Stale);
    refused.is_a_lie("its finish was refused as stale, and counted");

    // A repeated finish whose first answer got lost may be refused and have counted.
    let mut repeated = story();
    repeated
        .submit(1)
        .claim(1, 1)
        .ask(Stage::Build, 1, 1, "skipped")
        .event(1, 1, "finish", "building", "skipped")
        .answer(Stage::Build, 1, 1, Answer::Lost)
        .ask(Stage::Build, 1, 1, "skipped")
        .answer(Stage::Build, 1, 1, Answer::Stale);
    repeated.is_true();
}

#[test]
fn a_fenced_attempt_that_writes_is_found() {
    let mut story = lost_once();
    story
        .ask(Stage::Build, 1, 1, "built")
        .answer(Stage::Build, 1, 1, Answer::Done)
        .finish(1, 2, "skipped", "skipped");
    story.is_a_lie("job 1 attempt 1 lease 1.1: its finish was accepted, and no event tells of that");
    story.is_a_lie("its finish counted after attempt 2 was claimed");
}

#[test]
fn a_story_that_only_one_side_tells_is_found() {
    let mut unasked = story();
    unasked
        .submit(1)
        .claim(1, 1)
        .event(1, 1, "finish", "building", "skipped");
    unasked.is_a_lie("nobody asked for it");

    let mut other = story();
    other.submit(1).claim(1, 1).finish(1, 1, "built", "skipped");
    other.is_a_lie("its holder never asked for that");

    let mut unclaimed = story();
    unclaimed
        .submit(1)
        .fact("b", What::Claimed(hold(Stage::Build, 1, 1)));
    unclaimed.is_a_lie("were given it, the events say None");

    let mut unheard = story();
    unheard.submit(1).event(1, 1, "claim", "ready", "building");
    unheard.is_a_lie("builder b was given 1 jobs and asked 0 times");

    let mut swept = story();
    swept.fact("s", What::Swept { expired: 2 });
    swept.is_a_lie("sweepers took 2 leases back, events tell of 0");
}

#[test]
fn an_attempt_in_two_hands_is_found() {
    let mut hands = story();
    hands
        .submit(1)
        .claim(1, 1)
        .fact("other", What::Claimed(hold(Stage::Build, 1, 1)));
    hands.is_a_lie("several hold it");

    let mut leases = story();
    let mut second = hold(Stage::Build, 1, 1);
    "another".clone_into(&mut second.nonce);
    leases.submit(1).claim(1, 1).fact("b", What::Claimed(second));
    leases.is_a_lie("the same attempt was given out as lease");
}

#[test]
fn a_publication_that_counts_twice_or_unasked_is_found() {
    let built = |story: &mut Story| {
        story.submit(1).claim(1, 1).finish(1, 1, "built", "uploaded");
    };
    let mut good = story();
    built(&mut good);
    good.publish(1, 1).is_true();

    let mut unasked = story();
    built(&mut unasked);
    unasked.event(1, 1, "publish", "uploaded", "publishing").event(
        1,
        1,
        "publish",
        "publishing",
        "succeeded",
    );
    unasked.is_a_lie("no publisher asked for it");

    let mut twice = good;
    let mut second = hold(Stage::Publish, 1, 1);
    "second".clone_into(&mut second.nonce);
    let (asked, answer) = (second.clone(), Answer::Done);
    twice
        .fact(
            "b",
            What::Finishing {
                hold: asked,
                outcome: "succeeded".to_owned(),
            },
        )
        .fact("b", What::Finished { hold: second, answer });
    twice.is_a_lie("2 publications were accepted, 0 perhaps, and events tell of 1");
}
