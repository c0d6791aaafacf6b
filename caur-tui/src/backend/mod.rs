//! Where the console's knowledge comes from: the farm behind Redis, a made-up one, or a script.

pub mod demo;
pub mod interviewer;
pub mod redis;
#[cfg(test)]
pub mod scripted;

use std::future::Future;

use tokio::sync::{mpsc, watch};

use crate::msg::{BackendMsg, Interest, Request};

/// Where reports go. Sending waits while the console is busy.
pub type Reports = mpsc::Sender<BackendMsg>;

/// What the console wants.
#[derive(Debug)]
pub struct Wishes {
    /// What is on the screen and has to be kept up to date.
    pub interest: watch::Receiver<Interest>,
    /// What is to be done once, in this order.
    pub requests: mpsc::UnboundedReceiver<Request>,
}

/// A source of reports.
pub trait Backend: Send + 'static {
    /// Reports until nobody listens any more.
    fn run(self, wishes: Wishes, reports: Reports) -> impl Future<Output = ()> + Send;
}
