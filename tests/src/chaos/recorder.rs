//! Follows the event stream while the storm rages, so that nothing that was ever told can be taken back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use caur_core::model::{JobId, JobState};
use caur_core::queue::{Event, Queue, QueueError};
use tokio::task::JoinHandle;

/// How often it looks.
const PACE: Duration = Duration::from_millis(50);
/// Events that are read at a time.
const PAGE: usize = 2000;

#[derive(Default)]
struct Seen {
    events: Vec<Event>,
    states: BTreeMap<JobId, JobState>,
}

/// What was told so far. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    seen: Arc<Mutex<Seen>>,
    following: Arc<JoinHandle<()>>,
}

impl Recorder {
    /// Follows the events of `queue` from the beginning, through outages.
    #[must_use]
    pub fn start(queue: Queue) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let following = tokio::spawn(follow(queue, Arc::clone(&seen)));
        Self {
            seen,
            following: Arc::new(following),
        }
    }

    /// How many jobs there are, and how many of them are not final.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let seen = self.lock();
        let live = seen.states.values().filter(|state| !state.is_final());
        (seen.states.len(), live.count())
    }

    /// The jobs that are in a state that `wanted` says yes to.
    pub fn jobs(&self, wanted: impl Fn(JobState) -> bool) -> Vec<JobId> {
        let seen = self.lock();
        let found = seen.states.iter().filter(|(_, state)| wanted(**state));
        found.map(|(id, _)| *id).collect()
    }

    /// Whether it still follows.
    #[must_use]
    pub fn is_following(&self) -> bool {
        !self.following.is_finished()
    }

    /// Everything that was told so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// Ends it.
    pub fn end(&self) {
        self.following.abort();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every event that the stream holds.
///
/// # Errors
/// As the queue's.
pub async fn read_all_events(queue: &Queue) -> Result<Vec<Event>, QueueError> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or("0", |event| event.id.as_str());
        let page = queue.events_after(after, PAGE, Duration::ZERO).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

async fn follow(queue: Queue, seen: Arc<Mutex<Seen>>) {
    let mut after = "0".to_owned();
    loop {
        match queue.events_after(&after, PAGE, Duration::ZERO).await {
            Ok(page) => {
                if let Some(last) = page.last() {
                    after.clone_from(&last.id);
                }
                let full = page.len() == PAGE;
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                for event in page {
                    seen.states.insert(event.job, event.to);
                    seen.events.push(event);
                }
                if full {
                    continue;
                }
            }
            Err(QueueError::Link { .. }) => {}
            Err(error) => panic!("cannot follow the events: {error}"),
        }
        tokio::time::sleep(PACE).await;
    }
}
