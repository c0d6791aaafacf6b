//! A lively farm without any server: `caur-tui --demo` plays it, to try the console and to show it.
//!
//! [`farm`] holds it, [`work`] advances it, [`operate`] changes it as operators ask; [`seen`] tells the console what it
//! wants to know. What happened before anybody looked is in [`past`].

mod database;
mod farm;
mod fleet;
mod log;
mod operate;
mod outlook;
mod past;
mod repository;
mod seen;
mod statistics;
mod work;

use caur_core::log::LogPiece;
use caur_core::model::{IdError, JobId};
use tokio::time::{MissedTickBehavior, interval};

use self::farm::{Farm, PACKAGES, STEP};
use self::repository::DemoRepositories;
use self::seen::Seen;
use super::{Backend, Reports, Wishes};
use crate::msg::{BackendMsg, LinkState, LogEvent, OperationNews, Request};

/// The link is lost for a while every so many steps, to show what that looks like.
const OUTAGE_EVERY: u32 = 1800;
const OUTAGE_STEPS: u32 = 60;
/// Bytes of a log that are kept of its start, and of its end, where it is opened late.
const KEPT: usize = 12 << 10;

/// The backend that plays a [`Farm`].
#[derive(Debug)]
pub struct Demo {
    farm: Farm,
    repositories: DemoRepositories,
    steps: u32,
}

impl Demo {
    /// A farm that has been at work for a while, `now` milliseconds after 1970.
    ///
    /// # Errors
    /// As [`Farm::new`].
    pub fn new(now: u64) -> Result<Self, IdError> {
        Ok(Self {
            farm: Farm::new(now)?,
            repositories: DemoRepositories::new(PACKAGES, now)?,
            steps: 0,
        })
    }
}

/// Which log, and how often one was opened.
type Wanted = (Option<(JobId, Option<u32>)>, u64);

/// How much of which log the console has.
#[derive(Debug, Default)]
struct Sent {
    wanted: Wanted,
    attempt: u32,
    bytes: usize,
    ended: bool,
}

impl Sent {
    /// What the console lacks of the log it wants.
    fn news(&mut self, farm: &mut Farm, wanted: Wanted) -> Vec<BackendMsg> {
        let is_new = self.wanted != wanted;
        if is_new {
            *self = Self {
                wanted,
                ..Self::default()
            };
        }
        let (Some((job, asked)), _) = wanted else {
            return Vec::new();
        };
        let now = farm.snapshot().taken;
        let Some((attempt, text, complete)) = farm.log(job) else {
            let missing = BackendMsg::Log(job, LogEvent::Missing);
            return if is_new { vec![missing] } else { Vec::new() };
        };
        // The demo keeps the log of the newest attempt only.
        if asked.is_some_and(|asked| asked != attempt) {
            let missing = BackendMsg::Log(job, LogEvent::Missing);
            return if is_new { vec![missing] } else { Vec::new() };
        }
        let mut news = Vec::new();
        if self.attempt != attempt {
            (self.attempt, self.bytes, self.ended) = (attempt, 0, false);
            news.push(LogEvent::Begin {
                attempt,
                total: text.len() as u64,
            });
        }
        if let Some(more) = text.get(self.bytes..).filter(|more| !more.is_empty()) {
            news.push(pieces(self.bytes, now, more));
            self.bytes = text.len();
        }
        if complete && !self.ended {
            self.ended = true;
            news.push(LogEvent::End);
        }
        news.into_iter()
            .map(|event| BackendMsg::Log(job, event))
            .collect()
    }
}

/// `text`, which begins at an offset, as pieces without their middle where it is beyond the farm's size limit.
fn pieces(offset: usize, at: u64, text: &[u8]) -> LogEvent {
    let piece = |start: usize, end: usize| LogPiece {
        offset: (offset + start) as u64,
        at,
        bytes: text[start..end].to_vec(),
    };
    if text.len() <= 2 * KEPT {
        return LogEvent::Pieces(vec![piece(0, text.len())], Vec::new());
    }
    let tail = text.len() - KEPT;
    let cut = (offset + KEPT) as u64..(offset + tail) as u64;
    LogEvent::Pieces(vec![piece(0, KEPT), piece(tail, text.len())], vec![cut])
}

impl Backend for Demo {
    async fn run(mut self, mut wishes: Wishes, reports: Reports) {
        let mut sent = Sent::default();
        let mut seen = Seen::default();
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut news = self.back();
        loop {
            for msg in news.drain(..) {
                if reports.send(msg).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = wishes.interest.changed() => if changed.is_err() { return },
                request = wishes.requests.recv() => match request {
                    Some(request) => news.extend(self.carry_out(request)),
                    None => return,
                },
                _ = ticks.tick() => news = self.tick(),
            }
            if self.is_online() {
                let interest = wishes.interest.borrow_and_update().clone();
                news.extend(seen.news(&self.farm, &interest));
                news.extend(sent.news(&mut self.farm, (interest.log, interest.log_opened)));
                let snapshot = self.farm.snapshot();
                self.repositories.publish(&snapshot.jobs, snapshot.taken);
                news.extend(
                    self.repositories
                        .news(interest.repository.as_ref(), snapshot.taken),
                );
            }
        }
    }
}

impl Demo {
    /// One step of the farm and what is seen of it.
    fn tick(&mut self) -> Vec<BackendMsg> {
        self.steps += 1;
        let changed = match self.farm.step() {
            Ok(changed) => changed,
            Err(error) => {
                let reason = format!("the demo farm cannot go on: {error}");
                return vec![BackendMsg::Link(LinkState::Failed { reason })];
            }
        };
        match self.steps % OUTAGE_EVERY {
            0 => self.back(),
            phase if phase + OUTAGE_STEPS == OUTAGE_EVERY => {
                let lost = BackendMsg::Link(LinkState::Reconnecting {
                    attempt: 1,
                    next_in: STEP * OUTAGE_STEPS,
                    reason: "the demo farm pretends that its link was lost".to_owned(),
                });
                [vec![lost], self.repositories.lost()].concat()
            }
            _ if changed && self.is_online() => vec![BackendMsg::Jobs(self.farm.snapshot())],
            _ => Vec::new(),
        }
    }

    /// Does what was asked for, and says what came of it.
    fn carry_out(&mut self, request: Request) -> Vec<BackendMsg> {
        match request {
            Request::Operate(operation) => {
                let news = if self.is_online() {
                    self.farm.operate(&operation)
                } else {
                    OperationNews::Never("the link was lost before it was sent".to_owned())
                };
                let told = BackendMsg::Operation(operation.id, news);
                vec![told, BackendMsg::Jobs(self.farm.snapshot())]
            }
            Request::Repository(request, why) => {
                vec![self.repositories.ask(request, why, self.farm.snapshot().taken)]
            }
            Request::Reconnect if self.is_online() => Vec::new(),
            Request::Reconnect => {
                self.steps += OUTAGE_EVERY - self.steps % OUTAGE_EVERY;
                self.back()
            }
            // The demo asks nothing, and sends all that it has of a log.
            Request::Answer(..) | Request::Page(_) => Vec::new(),
        }
    }

    fn back(&mut self) -> Vec<BackendMsg> {
        vec![
            BackendMsg::Link(LinkState::Online),
            BackendMsg::Access {
                may_operate: true,
                who: operate::YOU.to_owned(),
            },
            self.repositories.farm(),
            BackendMsg::Jobs(self.farm.snapshot()),
        ]
    }

    fn is_online(&self) -> bool {
        self.steps % OUTAGE_EVERY < OUTAGE_EVERY - OUTAGE_STEPS
    }
}

#[cfg(test)]
mod tests {
    use caur_core::model::JobState;

    use super::*;

    #[test]
    fn a_wanted_log_begins_and_goes_on_where_it_was() {
        let mut farm = Farm::new(1_764_000_000_000).unwrap();
        let jobs = farm.snapshot().jobs;
        let building = jobs
            .iter()
            .find(|job| job.state == JobState::Building)
            .unwrap()
            .id;
        let mut sent = Sent::default();
        let first = sent.news(&mut farm, (Some((building, None)), 0));
        assert!(
            matches!(first[0], BackendMsg::Log(id, LogEvent::Begin { attempt: 1.., .. }) if id == building)
        );
        let before = sent.bytes;
        while farm.log(building).is_some_and(|(_, _, complete)| !complete) {
            farm.step().unwrap();
        }
        let rest = sent.news(&mut farm, (Some((building, None)), 0));
        assert!(matches!(&rest[0], BackendMsg::Log(_, LogEvent::Pieces(..))));
        assert_eq!(rest.last(), Some(&BackendMsg::Log(building, LogEvent::End)));
        assert!(sent.bytes > before);
        assert_eq!(
            sent.news(&mut farm, (Some((JobId(1), None)), 0)),
            [BackendMsg::Log(JobId(1), LogEvent::Missing)]
        );
        assert_eq!(sent.news(&mut farm, (Some((JobId(1), None)), 0)), []);
    }

    #[test]
    fn the_link_is_lost_and_comes_back_with_the_queue() {
        let mut demo = Demo::new(1_764_000_000_000).unwrap();
        let links: Vec<BackendMsg> = (0..OUTAGE_EVERY)
            .flat_map(|_| demo.tick())
            .skip_while(|msg| !matches!(msg, BackendMsg::Link(_)))
            .collect();
        assert!(matches!(
            links[0],
            BackendMsg::Link(LinkState::Reconnecting { .. })
        ));
        assert_eq!(links[1], BackendMsg::Link(LinkState::Online));
        assert!(matches!(
            links[2],
            BackendMsg::Access {
                may_operate: true,
                ..
            }
        ));
        assert!(links.iter().any(|msg| matches!(msg, BackendMsg::Jobs(_))));
    }
}
