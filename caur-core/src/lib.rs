//! The library behind Caur: the queue on Redis, builds in containers and the pacman repository.
//!
//! No terminal, no process-wide state, no printing: roles and commands live in `caur-daemon`, the
//! console in `caur-tui`. `docs/ARCHITECTURE.md` says which module may use which.

pub mod build;
pub mod config;
pub mod model;
