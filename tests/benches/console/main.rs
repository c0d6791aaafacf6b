//! The console's speed and size: `cargo bench -p caur-tests --bench console`, after
//! `cargo build --release -p caur-tui`.
//!
//! Keys are measured in this process, everything else with the real program in a terminal, a real OpenSSH and a real
//! Redis. Ends with a table of all numbers and their bars; a missed bar is a non-zero exit status.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts and times of a benchmark stay far below 2^53"
)]

mod farm;
mod idle;
mod keys;
mod large_log;
mod process;
mod start;

use std::process::ExitCode;

use caur_tests::measure::{asked, conclude};

fn main() -> ExitCode {
    let mut table = Vec::new();
    if asked("keys") {
        table.extend(keys::many_jobs());
        table.extend(keys::long_log());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the runtime starts");
    runtime.block_on(async {
        if asked("start") {
            table.extend(start::nobody_there().await);
            table.extend(start::full_queue().await);
        }
        if asked("log") {
            table.extend(large_log::opened().await);
        }
        if asked("idle") {
            table.extend(idle::nothing_changes().await);
        }
        if asked("busy") {
            table.extend(idle::many_logs().await);
        }
    });
    conclude(&table)
}
