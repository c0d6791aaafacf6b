//! The workers' journals tell the same story as the events: what counted was asked for, what was refused did not count.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use caur_core::model::{JobId, JobState};
use caur_core::queue::Event;

use super::{History, Verdict, shown};
use crate::journal::{Answer, Fact, Hold, Stage, What};

/// One lease as its holder tells of it. Times are by the monotonic clock.
#[derive(Default)]
struct Testimony {
    holders: BTreeSet<String>,
    claimed: Option<u64>,
    /// Outcomes that were asked for, and what was answered; none where the answer never came.
    asked: Vec<(u64, String, Option<Answer>)>,
}

impl Testimony {
    fn is_done(&self) -> bool {
        self.asked
            .iter()
            .any(|(_, _, answer)| *answer == Some(Answer::Done))
    }

    /// Whether a finish may have counted whose answer got lost.
    fn may_be_done(&self) -> bool {
        self.asked
            .iter()
            .any(|(_, _, answer)| matches!(answer, None | Some(Answer::Lost)))
    }

    fn asked_for(&self, outcome: &str) -> bool {
        self.asked.iter().any(|(_, asked, _)| asked == outcome)
    }
}

/// What the holders of one attempt's leases tell.
type Testimonies<'a> = Vec<(&'a Hold, &'a Testimony)>;

/// The events of one attempt.
#[derive(Default)]
struct Attempt<'a> {
    /// Its claims by builders, of which there is one.
    built: Vec<&'a Event>,
    /// Ends of the build that a builder asked for.
    finished: Vec<&'a Event>,
    /// Claims by publishers.
    published: usize,
    /// Ends of a publication that a publisher asked for.
    told: Vec<&'a Event>,
}

/// Compares journals with events.
pub fn judge(history: &History, verdict: &mut Verdict) {
    let attempts = attempts(&history.events);
    let leases = testimonies(&history.facts, verdict);
    let nothing = Attempt::default();
    let mut of_attempt: BTreeMap<(JobId, u32, Stage), Testimonies> = BTreeMap::new();
    for (hold, testimony) in &leases {
        of_attempt
            .entry((hold.job, hold.attempt, hold.stage))
            .or_default()
            .push((hold, testimony));
        let attempt = attempts.get(&(hold.job, hold.attempt)).unwrap_or(&nothing);
        match hold.stage {
            Stage::Build => judge_build(hold, testimony, attempt, verdict),
            Stage::Publish => {
                if testimony.claimed.is_some() && attempt.published == 0 {
                    lie(
                        verdict,
                        hold,
                        "a publisher was given it, and no event tells of that",
                    );
                }
            }
        }
    }
    let unheard = Vec::new();
    for ((job, number), attempt) in &attempts {
        let of = |stage| of_attempt.get(&(*job, *number, stage)).unwrap_or(&unheard);
        judge_attempt(attempt, of(Stage::Build), of(Stage::Publish), verdict);
    }
    judge_times(&leases, verdict);
    judge_counts(history, verdict);
}

fn lie(verdict: &mut Verdict, hold: &Hold, problem: &str) {
    verdict.lies.push(format!(
        "job {} attempt {} lease {}: {problem}",
        hold.job, hold.attempt, hold.nonce
    ));
}

/// One builder's lease against the attempt's events.
fn judge_build(hold: &Hold, testimony: &Testimony, attempt: &Attempt, verdict: &mut Verdict) {
    if testimony.claimed.is_some() {
        let builder = attempt.built.first().map(|event| event.builder.as_str());
        if builder.is_none_or(|builder| !testimony.holders.contains(builder)) {
            let holders = &testimony.holders;
            lie(
                verdict,
                hold,
                &format!("{holders:?} were given it, the events say {builder:?}"),
            );
        }
    }
    let counted = attempt.finished.first();
    if testimony.is_done() && counted.is_none() {
        lie(
            verdict,
            hold,
            "its finish was accepted, and no event tells of that",
        );
    }
    if let Some(event) = counted
        && !testimony.is_done()
        && !testimony.may_be_done()
    {
        let problem = "its finish was refused as stale, and counted";
        lie(verdict, hold, &format!("{problem}: {}", shown(event)));
    }
    if let Some(event) = counted
        && !fits(testimony, event.to)
    {
        lie(
            verdict,
            hold,
            &format!("its holder never asked for that: {}", shown(event)),
        );
    }
}

/// Whether a finish that the holder asked for leads to `state`.
fn fits(testimony: &Testimony, state: JobState) -> bool {
    let outcomes: &[&str] = match state {
        JobState::Uploaded => &["built"],
        JobState::Backoff | JobState::InfrastructureFailed => &["infrastructure"],
        JobState::Ready => &["released"],
        // Somebody else asked for it, be the build done or not.
        JobState::Canceled => return !testimony.asked.is_empty(),
        other => return testimony.asked_for(other.as_str()),
    };
    outcomes.iter().any(|outcome| testimony.asked_for(outcome))
}

/// One attempt's events against all that was told of it.
fn judge_attempt(
    attempt: &Attempt,
    builds: &[(&Hold, &Testimony)],
    publications: &[(&Hold, &Testimony)],
    verdict: &mut Verdict,
) {
    if let [(first, _), (second, _), ..] = builds {
        lie(
            verdict,
            first,
            &format!("the same attempt was given out as lease {} too", second.nonce),
        );
    }
    for (hold, testimony) in builds {
        if testimony.holders.len() > 1 {
            lie(
                verdict,
                hold,
                &format!("several hold it: {:?}", testimony.holders),
            );
        }
    }
    if let [event, ..] = attempt.finished.as_slice()
        && builds.iter().all(|(_, testimony)| testimony.asked.is_empty())
    {
        verdict
            .lies
            .push(format!("{}: nobody asked for it", shown(event)));
    }
    let done = publications.iter().filter(|(_, told)| told.is_done()).count();
    let maybe = publications
        .iter()
        .filter(|(_, told)| !told.is_done() && told.may_be_done())
        .count();
    let counted = attempt.told.len();
    if let Some((hold, _)) = publications.first()
        && !(done..=done + maybe).contains(&counted)
    {
        let problem =
            format!("{done} publications were accepted, {maybe} perhaps, and events tell of {counted}");
        lie(verdict, hold, &problem);
    }
    for event in &attempt.told {
        let outcome = if event.to == JobState::Uploaded {
            "retry"
        } else {
            event.to.as_str()
        };
        let asked = publications
            .iter()
            .any(|(_, told)| told.asked_for(outcome) && (told.is_done() || told.may_be_done()));
        if !asked {
            verdict
                .lies
                .push(format!("{}: no publisher asked for it", shown(event)));
        }
    }
}

/// By the clock that all workers share: once the next attempt is in somebody's hands, nothing that the one before
/// first says then may count.
fn judge_times(leases: &BTreeMap<Hold, Testimony>, verdict: &mut Verdict) {
    let builds = leases.iter().filter(|(hold, _)| hold.stage == Stage::Build);
    let mut last: Option<(&Hold, &Testimony)> = None;
    for (hold, testimony) in builds {
        if let Some((older, told)) = last
            && older.job == hold.job
            && older.attempt < hold.attempt
            && let Some(claimed) = testimony.claimed
            && let Some((first, _, _)) = told.asked.first()
            && told.is_done()
            && *first > claimed
        {
            lie(
                verdict,
                older,
                &format!("its finish counted after attempt {} was claimed", hold.attempt),
            );
        }
        last = Some((hold, testimony));
    }
}

/// Whoever got something has asked as often.
fn judge_counts(history: &History, verdict: &mut Verdict) {
    let mut asked: HashMap<&str, usize> = HashMap::new();
    let mut swept = 0;
    for fact in &history.facts {
        match &fact.what {
            What::Claiming => *asked.entry(&fact.who).or_default() += 1,
            What::Swept { expired } => swept += expired,
            _ => {}
        }
    }
    let mut given: BTreeMap<&str, usize> = BTreeMap::new();
    let mut expired = 0;
    for event in &history.events {
        if event.action == "claim" && event.to == JobState::Building {
            *given.entry(&event.builder).or_default() += 1;
        }
        expired += usize::from(event.action == "sweep" && event.from.is_some_and(JobState::is_leased));
    }
    for (builder, given) in given {
        let asked = asked.get(builder).copied().unwrap_or_default();
        if given > asked {
            verdict.lies.push(format!(
                "builder {builder} was given {given} jobs and asked {asked} times"
            ));
        }
    }
    if swept > expired {
        verdict.lies.push(format!(
            "sweepers took {swept} leases back, events tell of {expired}"
        ));
    }
}

fn attempts(events: &[Event]) -> BTreeMap<(JobId, u32), Attempt<'_>> {
    let mut attempts: BTreeMap<(JobId, u32), Attempt> = BTreeMap::new();
    for event in events.iter().filter(|event| event.from != Some(event.to)) {
        let attempt = attempts.entry((event.job, event.attempt)).or_default();
        if event.to == JobState::Building {
            attempt.built.push(event);
        }
        if event.to == JobState::Publishing {
            attempt.published += 1;
        }
        match (event.from, event.action.as_str()) {
            (Some(JobState::Building), "finish") => attempt.finished.push(event),
            (Some(JobState::Publishing), "publish") => attempt.told.push(event),
            _ => {}
        }
    }
    attempts
}

fn testimonies(facts: &[Fact], verdict: &mut Verdict) -> BTreeMap<Hold, Testimony> {
    let mut leases: BTreeMap<Hold, Testimony> = BTreeMap::new();
    for Fact { at, who, what, .. } in facts {
        match what {
            What::Claimed(hold) => {
                let testimony = leases.entry(hold.clone()).or_default();
                testimony.holders.insert(who.clone());
                testimony.claimed.get_or_insert(*at);
            }
            What::Adopted(hold) => {
                leases
                    .entry(hold.clone())
                    .or_default()
                    .holders
                    .insert(who.clone());
                verdict.adopted += 1;
            }
            What::Finishing { hold, outcome } => {
                let testimony = leases.entry(hold.clone()).or_default();
                testimony.asked.push((*at, outcome.clone(), None));
            }
            What::Finished { hold, answer } => {
                match answer {
                    Answer::Done => {}
                    Answer::Stale => verdict.fenced += 1,
                    Answer::Lost => verdict.lost_answers += 1,
                }
                // A worker waits for each answer before it asks again.
                if let Some(asked) = leases.entry(hold.clone()).or_default().asked.last_mut() {
                    asked.2 = Some(*answer);
                }
            }
            What::Started | What::Claiming | What::Fenced(_) | What::Swept { .. } => {}
        }
    }
    leases
}
