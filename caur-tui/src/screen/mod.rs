//! The views: each has its state, the rows it lists and how it is drawn.

pub mod activity;
pub mod builders;
pub mod history;
pub mod job;
pub mod queue;
pub mod repository;
pub mod statistics;
