//! The repository's speed and size, each beside its yardstick in the same run:
//! `cargo bench -p caur-tests --bench repository`, after `cargo build --release -p caur-daemon`.
//!
//! Everything lies on a memory file system, as the promises say. Ends with a table of all numbers and their bars; a
//! missed bar is a non-zero exit status.

#![expect(
    clippy::cast_precision_loss,
    reason = "sizes and times of a benchmark stay far below 2^53"
)]

mod adding;
mod checking;
mod generated;
mod memory;
mod process;

use std::process::ExitCode;

use caur_tests::measure::{asked, conclude};

fn main() -> ExitCode {
    let mut table = Vec::new();
    if asked("add") {
        table.extend(adding::one_package());
    }
    if asked("many") {
        table.extend(adding::many_packages());
    }
    if asked("memory") {
        table.extend(memory::large_package());
        table.extend(memory::large_repository());
    }
    if asked("check") {
        table.extend(checking::hashes());
    }
    conclude(&table)
}
