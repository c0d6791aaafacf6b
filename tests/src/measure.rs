//! What benchmarks share: a number with its bar, and the table at the end.

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

/// Prints all numbers again; a missed bar is a non-zero exit status.
#[must_use]
pub fn conclude(table: &[Measured]) -> ExitCode {
    println!("\nAll numbers:");
    for measured in table {
        println!("{measured}");
    }
    let missed = table.iter().filter(|measured| measured.misses()).count();
    println!("{} numbers, {missed} bars missed", table.len());
    if missed > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Whether a benchmark's part was asked for on the command line; without any name all are.
#[must_use]
pub fn asked(name: &str) -> bool {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    wanted.is_empty() || wanted.iter().any(|word| word == name)
}
