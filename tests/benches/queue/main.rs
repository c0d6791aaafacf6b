//! The queue's speed and size, each beside its yardstick in the same run: `cargo bench -p caur-tests --bench queue`.
//!
//! Ends with a table of all numbers and their bars; a missed bar is a non-zero exit status.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts and times of a benchmark stay far below 2^53"
)]

mod claims;
mod farm;
mod latency;
mod memory;
mod submit;
mod yardstick;

use std::process::ExitCode;

use caur_tests::measure::{asked, conclude};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the runtime starts");
    let mut table = Vec::new();
    runtime.block_on(async {
        if asked("claims") {
            table.extend(claims::one_client().await);
            table.extend(claims::many_clients().await);
            table.extend(claims::long_queue().await);
        }
        if asked("submit") {
            table.extend(submit::real_packages().await);
        }
        if asked("latency") {
            table.extend(latency::ready_to_claimed().await);
        }
        if asked("memory") {
            table.extend(memory::per_job().await);
        }
    });
    conclude(&table)
}
