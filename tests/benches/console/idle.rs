//! What a console costs that is only looked at: processor time, and bytes over the link.

use std::time::Duration;

use caur_tests::Window;
use caur_tests::measure::Measured;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::farm::{Farm, PACKAGES, REPORT};
use super::process::cpu_time;

/// How long is looked: a whole number of what builders and keepalives repeat.
const LOOK: Duration = Duration::from_secs(60);
/// Until what a start brings with it is over.
const SETTLED: Duration = Duration::from_secs(5);

const LOGS: u32 = 20;
const LINES_A_SECOND: u64 = 500;
const PACE: Duration = Duration::from_millis(20);

/// Two builders that report, and a queue in which nothing happens.
pub async fn nothing_changes() -> Vec<Measured> {
    let mut farm = Farm::new().await;
    farm.fill().await;
    for name in ["alder", "birch"] {
        farm.builder(name, 1).await;
    }
    let console = farm.console();
    console.shows(&format!("of {PACKAGES} done")).await;
    console.shows("alder 0/1").await;
    sleep(SETTLED).await;
    let (bytes, cpu) = (farm.relay.carried(), cpu_time(console.program()));
    sleep(LOOK).await;
    let cpu = cpu_time(console.program()).saturating_sub(cpu);
    let bytes = farm.relay.carried() - bytes;
    let seconds = LOOK.as_secs_f64();
    vec![
        Measured::new(
            "CPU when nothing changes, 2 builders online",
            cpu.as_secs_f64() / seconds * 100.0,
            "%",
            Some(0.5),
            format!("{cpu:.0?} in {LOOK:.0?}, {PACKAGES} jobs, reports every {REPORT:.0?}"),
        ),
        Measured::new(
            "bytes over the link when nothing changes",
            bytes as f64 / seconds,
            "B/s",
            Some(200.0),
            format!("{bytes} bytes in {LOOK:.0?}, both directions, as TCP carries them"),
        ),
    ]
}

/// Twenty jobs that log, one of them open.
pub async fn many_logs() -> Vec<Measured> {
    let mut farm = Farm::new().await;
    farm.fill().await;
    let mut logging = tokio::task::JoinSet::new();
    for (name, slots) in [("alder", LOGS / 2), ("birch", LOGS / 2)] {
        let instance = farm.builder(name, slots).await;
        for slot in 0..slots {
            let token = farm.claim(&instance, slot).await;
            let writer = farm.writer(&token);
            logging.spawn(async move {
                let sender = writer.sender();
                let mut ticks = interval(PACE);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let mut number = 0_u64;
                loop {
                    ticks.tick().await;
                    let mut text = String::new();
                    for _ in 0..LINES_A_SECOND * u64::try_from(PACE.as_millis()).unwrap_or(20) / 1000 {
                        number += 1;
                        text += &format!(
                            "\x1b[32m[{number:>6}]\x1b[0m Building CXX object src/part/CMakeFiles/part.dir/{:x}.cpp.o\n",
                            number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
                        );
                    }
                    if sender.send(text.into_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    }
    let mut console = farm.console();
    console.shows(&format!("of {PACKAGES} done")).await;
    console.types("g\r").await;
    console.shows("Building CXX object").await;
    console.shows("live").await;
    sleep(SETTLED).await;
    let (bytes, cpu) = (farm.relay.carried(), cpu_time(console.program()));
    let (begin, first) = (Instant::now(), newest_line(&console));
    sleep(LOOK / 2).await;
    let lines = newest_line(&console) - first;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = cpu_time(console.program()).saturating_sub(cpu);
    let bytes = farm.relay.carried() - bytes;
    let shown = lines as f64 / seconds;
    assert!(shown > LINES_A_SECOND as f64 * 0.9, "it shows {shown} lines/s");
    vec![Measured::new(
        &format!("CPU with {LOGS} jobs that log {LINES_A_SECOND} lines/s, one open"),
        cpu.as_secs_f64() / seconds * 100.0,
        "%",
        Some(15.0),
        format!(
            "{cpu:.0?} in {seconds:.0} s, {shown:.0} lines/s followed, {:.0} KiB/s over the link",
            bytes as f64 / seconds / 1024.0
        ),
    )]
}

/// The number of the last line of the log that is on the screen.
fn newest_line(console: &Window) -> u64 {
    let text = console.text();
    let mut numbers = text.lines().filter_map(|line| {
        let (number, _) = line.split_once('[')?.1.split_once("] Building")?;
        number.trim().parse::<u64>().ok()
    });
    numbers
        .next_back()
        .unwrap_or_else(|| panic!("no log is shown:\n{text}"))
}
