//! How soon something is seen.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use caur_tests::measure::{Measured, median};

use super::farm::{Farm, PACKAGES};

const REPEATS: usize = 11;

/// The first frame where nobody answers: once straight to Redis, once through SSH.
pub async fn nobody_there() -> Vec<Measured> {
    let farm = Farm::new().await;
    // It is connected to and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let url = format!("redis://127.0.0.1:{port}");
    let host = format!("nobody@127.0.0.1:{port}");
    let straight = ["--redis-url", &url];
    let tunnel = ["--redis-url", "redis://127.0.0.1:6379", "--ssh", &host];
    let mut table = Vec::new();
    for (what, arguments) in [("", straight.as_slice()), (", through SSH", &tunnel)] {
        let mut times = Vec::new();
        for _ in 0..REPEATS {
            let begin = Instant::now();
            let console = farm.console_with(arguments);
            console.shows("connecting").await;
            times.push(begin.elapsed());
        }
        table.push(Measured::new(
            &format!("start to first frame, no server reachable{what}"),
            median(&mut times).as_secs_f64() * 1e3,
            "ms",
            Some(100.0),
            spread(&times),
        ));
    }
    table
}

/// The whole queue: through SSH and, as its yardstick, straight from Redis.
pub async fn full_queue() -> Vec<Measured> {
    let farm = Farm::new().await;
    farm.fill().await;
    let url = format!("redis://127.0.0.1:{}", farm.server.port());
    let all = format!("of {PACKAGES} done");
    let mut table = Vec::new();
    for (what, bar) in [("through SSH", Some(500.0)), ("without SSH", None)] {
        let (mut times, mut first) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for _ in 0..REPEATS {
            let before = farm.relay.carried();
            let begin = Instant::now();
            let console = match bar {
                Some(_) => farm.console(),
                None => farm.console_with(&["--redis-url", &url]),
            };
            console.shows(" done").await;
            first.push(begin.elapsed());
            console.shows(&all).await;
            times.push(begin.elapsed());
            bytes = farm.relay.carried() - before;
        }
        let first = median(&mut first);
        table.push(Measured::new(
            &format!("start to full queue of {PACKAGES} jobs {what}"),
            median(&mut times).as_secs_f64() * 1e3,
            "ms",
            bar,
            format!(
                "{}; first jobs after {first:.0?}, {} KiB over the link",
                spread(&times),
                bytes / 1024
            ),
        ));
    }
    table
}

fn spread(sorted: &[Duration]) -> String {
    let [first, .., last] = sorted else {
        return String::new();
    };
    format!("median of {}, {first:.0?} to {last:.0?}", sorted.len())
}
