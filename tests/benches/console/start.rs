//! How soon something is seen.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use caur_tests::Window;
use caur_tests::measure::Measured;

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
        times.sort_unstable();
        table.push(Measured::new(
            &format!("start to first frame, no server reachable{what}"),
            milliseconds(&times),
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
    let all = format!("of {PACKAGES} done");
    let before = farm.relay.carried();
    farm.console().shows(&all).await;
    let kibibytes = (farm.relay.carried() - before) / 1024;

    let url = format!("redis://127.0.0.1:{}", farm.server.port());
    let straight = || farm.console_with(&["--redis-url", &url]);
    let (times, first) = timed(|| farm.console_without_relay(), &all).await;
    let (yardstick, _) = timed(straight, &all).await;
    vec![
        Measured::new(
            &format!("start to full queue of {PACKAGES} jobs through SSH"),
            milliseconds(&times),
            "ms",
            Some(500.0),
            format!(
                "{}; first jobs after {:.0} ms, {kibibytes} KiB over the link",
                spread(&times),
                milliseconds(&first)
            ),
        ),
        Measured::new(
            "the same straight from Redis",
            milliseconds(&yardstick),
            "ms",
            None,
            spread(&yardstick),
        ),
    ]
}

/// The times, in order, from each start until the whole queue was there, and until any of it was.
async fn timed(start: impl Fn() -> Window, all: &str) -> (Vec<Duration>, Vec<Duration>) {
    let (mut times, mut first) = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        let begin = Instant::now();
        let console = start();
        console.shows(" done").await;
        first.push(begin.elapsed());
        console.shows(all).await;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    first.sort_unstable();
    (times, first)
}

fn milliseconds(sorted: &[Duration]) -> f64 {
    sorted[sorted.len() / 2].as_secs_f64() * 1e3
}

fn spread(sorted: &[Duration]) -> String {
    let [first, .., last] = sorted else {
        return String::new();
    };
    format!("median of {}, {first:.0?} to {last:.0?}", sorted.len())
}
