//! The library behind Caur: the queue on Redis, builds in containers and the pacman repository.
//!
//! No terminal, no process-wide state, no printing: roles and commands live in `caur-daemon`, the
//! console in `caur-tui`. `docs/ARCHITECTURE.md` says which module may use which.

#![warn(clippy::unwrap_used)]

pub mod build;
pub mod ci;
pub mod config;
pub mod connect;
pub mod link;
pub mod log;
pub mod model;
pub mod queue;
pub mod repo;
pub mod ssh;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
