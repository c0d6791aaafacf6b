//! The farm behind Redis.
//!
//! One part follows the jobs ([`jobs`]); others keep what is on the screen up to date ([`shown`], [`repository`],
//! [`log`]) or do what was asked for once ([`errands`]). While nothing happens next to nothing is sent.

mod errands;
mod hub;
mod jobs;
mod log;
mod repository;
mod shown;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use caur_core::link::RedisLink;
use tokio::sync::{mpsc, watch};

use self::hub::Hub;
use super::{Backend, Reports, Wishes};

/// The farm behind a link.
pub struct Farm {
    link: RedisLink,
    who: String,
}

impl Farm {
    /// The farm behind `link`, on which `who` acts.
    pub fn new(link: RedisLink, who: String) -> Self {
        Self { link, who }
    }
}

impl Backend for Farm {
    async fn run(self, wishes: Wishes, reports: Reports) {
        let closed = reports.clone();
        let (pages, wanted_pages) = mpsc::unbounded_channel();
        let hub = Arc::new(Hub {
            link: self.link,
            who: self.who,
            reports,
            interest: wishes.interest,
            jobs: Mutex::default(),
            builders: Mutex::default(),
            online: watch::Sender::new(None),
            changes: watch::Sender::new(0),
            reconnect: watch::Sender::new(0),
            pages,
        });
        tokio::select! {
            () = jobs::follow(&hub) => {}
            () = shown::introduce(&hub) => {}
            () = shown::builders(&hub) => {}
            () = shown::details(&hub) => {}
            () = shown::history(&hub) => {}
            () = shown::activity(&hub) => {}
            () = shown::statistics(&hub) => {}
            () = repository::follow(&hub) => {}
            () = log::follow(&hub, wanted_pages) => {}
            () = errands::run(&hub, wishes.requests) => {}
            () = closed.closed() => {}
        }
    }
}
