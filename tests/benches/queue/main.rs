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
use std::time::Duration;

/// One line of the table.
pub struct Measured {
    what: String,
    value: f64,
    unit: &'static str,
    /// The greatest value that is good enough; none where the number is only stated.
    bar: Option<f64>,
    detail: String,
}

impl Measured {
    /// Prints and keeps a number.
    pub fn new(what: &str, value: f64, unit: &'static str, bar: Option<f64>, detail: String) -> Self {
        let measured = Self {
            what: what.to_owned(),
            value,
            unit,
            bar,
            detail,
        };
        println!("{measured}");
        measured
    }

    fn misses(&self) -> bool {
        self.bar.is_some_and(|bar| self.value > bar)
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bar = match self.bar {
            Some(bar) if self.misses() => format!("MISSES {bar}"),
            Some(bar) => format!("bar {bar}"),
            None => "stated".to_owned(),
        };
        write!(
            f,
            "{:<58} {:>9.2} {:<6} {:<12} {}",
            self.what, self.value, self.unit, bar, self.detail
        )
    }
}

/// The middle of some times.
pub fn median(times: &mut [Duration]) -> Duration {
    percentile(times, 50)
}

/// The time that so many of a hundred do not exceed.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the runtime starts");
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let asked = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
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
    println!("\nAll numbers:");
    for measured in &table {
        println!("{measured}");
    }
    let missed = table.iter().filter(|measured| measured.misses()).count();
    println!("{} numbers, {missed} bars missed", table.len());
    if missed > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
