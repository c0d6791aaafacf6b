//! The parts of the chaos test: workers that are real processes, the storm that befalls them, and what is recorded.

mod graph;
mod operator;
mod recorder;
mod storm;
mod worker;

pub use graph::{Graph, request_graph};
pub use operator::{Operator, OperatorReport};
pub use recorder::{Recorder, read_all_events};
pub use storm::{Storm, StormReport};
pub use worker::{Role, SshWay, WorkerPlan, WorkerProcess};
