//! A log of a million lines: what its end costs, and what all of it does.

use std::time::{Duration, Instant};

use caur_core::log::LogWriter;
use caur_core::model::BuildOutcome;
use caur_core::queue::Attempt;
use caur_tests::eventually;
use caur_tests::measure::Measured;

use super::farm::{Farm, LEASE, request};
use super::process::peak_memory;

/// Lines, and bytes of each.
pub const LINES: usize = 1_000_000;
pub const LINE: usize = 100;

/// Lines of a batch, which has 64 KiB as those of builders.
const BATCH: usize = 655;
const LIMIT: Duration = Duration::from_secs(120);
const MEBIBYTE: f64 = (1 << 20) as f64;

/// Opened at its end through SSH, then loaded whole.
pub async fn opened() -> Vec<Measured> {
    let mut farm = Farm::new().await;
    farm.queue
        .submit(
            vec![request("endless")],
            caur_core::queue::Asker { by: "bench", why: "" },
        )
        .await
        .expect("the batch is taken");
    let instance = farm.builder("alder", 1).await;
    let token = farm.claim(&instance, 0).await;
    // A writer that is outrun leaves the oldest out, so that each batch is waited for.
    for first in (0..LINES).step_by(BATCH) {
        let text: String = (first..LINES.min(first + BATCH)).map(line).collect();
        LogWriter::append(farm.queue.link(), &token, &text, LEASE)
            .await
            .expect("Redis answers");
    }
    let failed = Attempt {
        outcome: BuildOutcome::Failed,
        reason: "it does not compile".to_owned(),
        commit: None,
        manifest: None,
        took: Duration::from_secs(60),
    };
    farm.queue
        .finish(&token, &failed)
        .await
        .expect("the lease is held");

    let mut console = farm.console();
    console.shows("endless").await;
    console.shows("alder 0/1").await;
    let before = farm.relay.carried();
    let begin = Instant::now();
    console.types("\r").await;
    console.shows("complete, ").await;
    let last = line(LINES - 1);
    console.shows(&last[..40]).await;
    let opened = begin.elapsed();
    // Whatever it fetches in the background belongs to it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let bytes = farm.relay.carried() - before;
    let begin = Instant::now();
    console.types("a").await;
    let all = format!("complete, {LINES} lines");
    let came = eventually(LIMIT, || {
        let came = console.text().contains(&all).then_some(());
        async move { came }
    });
    came.await
        .unwrap_or_else(|after| panic!("not loaded after {after:?}:\n{}", console.text()));
    let loaded = begin.elapsed();
    let peak = peak_memory(console.program());
    vec![
        Measured::new(
            "bytes over the link to open a log of 100 MB at its end",
            bytes as f64 / 1e6,
            "MB",
            Some(1.0),
            format!("its end on the screen after {opened:.0?}"),
        ),
        Measured::new(
            "memory with a log of 1,000,000 lines, 100 MB, loaded whole",
            peak as f64 / MEBIBYTE,
            "MiB",
            Some(200.0 * 1e6 / MEBIBYTE),
            format!("loaded in {loaded:.1?} through SSH; the most that was ever resident"),
        ),
    ]
}

/// A line as compilers write them, none like another.
pub fn line(number: usize) -> String {
    let noise = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut line = format!("[{number:>7}/{LINES}] cc -O2 -march=x86-64-v3 -c src/{noise:016x}.c -o ");
    let rest = LINE - 1 - line.len();
    line.push_str(&format!("build/{noise:016x}.o and so on until it is long enough")[..rest]);
    line.push('\n');
    line
}
