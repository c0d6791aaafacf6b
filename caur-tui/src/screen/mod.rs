//! The views: each has its state, the rows it lists and how it is drawn.

pub mod job;
pub mod queue;
