//! What the kernel says about a process.

use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// The processor time that it has used so far, all threads together.
pub fn cpu_time(process: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).expect("it runs");
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').expect("the kernel writes it so");
    let ticks: u64 = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number of ticks"))
        .sum();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

/// The most memory that it has held so far, in bytes.
pub fn peak_memory(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).expect("it runs");
    let kibibytes: Option<u64> = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()
    });
    kibibytes.expect("the kernel keeps it") << 10
}
