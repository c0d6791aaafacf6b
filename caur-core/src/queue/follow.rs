//! Following the events over one connection that stays open, for consoles: little is sent while nothing happens, and
//! whoever was away for too long learns it.

use std::time::Duration;

use redis::Pipeline;
use redis::streams::{StreamRangeReply, StreamReadReply};

use super::read::{Event, event};
use super::wait::{Tail, read_after};
use super::{Queue, QueueError, keys};

/// The events since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEvents {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Whether there were events before these that are not kept any more, or whether Redis went back to an earlier
    /// state: what was known of the queue is to be fetched anew.
    pub missed: bool,
}

/// Follows the events over a connection of its own, which it keeps.
pub struct EventFollower {
    queue: Queue,
    tail: Tail,
    /// The last event that was told.
    place: Place,
}

/// The id of an event, or the place before all of them.
type Place = (u64, u64);

impl Queue {
    /// Follows the events after the one with the id `after`: [`Queue::last_event`] before the queue is looked at, or
    /// `0` for all that are kept.
    #[must_use]
    pub fn event_follower(&self, after: &str) -> EventFollower {
        EventFollower {
            queue: self.clone(),
            tail: Tail::new(self),
            place: place(after),
        }
    }
}

impl EventFollower {
    /// The id of the last event that was told, from which another follower goes on.
    #[must_use]
    pub fn position(&self) -> String {
        id(self.place)
    }

    /// Up to `limit` events since the last call, waiting up to `wait` (half a minute at most) for the first; none when
    /// nothing happened. May be given up at any time: nothing is lost, but its connection is.
    ///
    /// # Errors
    /// [`QueueError`] when Redis is out of reach or holds something unreadable; the place is kept.
    pub async fn next(&mut self, limit: usize, wait: Duration) -> Result<NewEvents, QueueError> {
        // A Redis that was restored from an older copy counts events anew from an earlier place.
        if !self.tail.is_open() {
            let newest = place(&self.queue.last_event().await?);
            if newest < self.place {
                self.place = newest;
                return Ok(NewEvents {
                    events: Vec::new(),
                    missed: true,
                });
            }
        }
        let after = id(self.place);
        let mut pipeline = Pipeline::new();
        // What is the oldest is asked first: nothing that comes later is removed before it is told.
        pipeline
            .xrange_count(keys::EVENTS, "-", "+", 1)
            .add_command(read_after(keys::EVENTS, &after, limit, wait));
        let (oldest, new): (StreamRangeReply, Option<StreamReadReply>) = self.tail.run(&pipeline).await?;
        let oldest = oldest.ids.first().map(|entry| place(&entry.id));
        let missed = self.place != (0, 0) && oldest.is_none_or(|oldest| oldest > self.place);
        if oldest.is_none() {
            self.place = (0, 0);
        }
        let entries = new
            .unwrap_or_default()
            .keys
            .into_iter()
            .flat_map(|stream| stream.ids);
        let events = entries
            .map(|entry| event(&entry))
            .collect::<Result<Vec<Event>, _>>()?;
        if let Some(last) = events.last() {
            self.place = place(&last.id);
        }
        Ok(NewEvents { events, missed })
    }
}

fn place(id: &str) -> Place {
    let number = |text: &str| text.parse().unwrap_or_default();
    match id.split_once('-') {
        Some((time, count)) => (number(time), number(count)),
        None => (number(id), 0),
    }
}

fn id((time, count): Place) -> String {
    format!("{time}-{count}")
}
