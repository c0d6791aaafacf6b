//! Claim and finish: alone, with many clients, and over a long queue.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use caur_core::queue::JobFilter;

use super::farm::{Bench, Client};
use super::yardstick::{call, command_counts, of_commands, one_hset, prepare, reset_counts, script_time};
use caur_tests::measure::{Measured, median};

const ROUNDS: usize = 3000;
const CLIENTS: usize = 16;
const JOBS_PER_CLIENT: usize = 250;
const REPEATS: usize = 9;

/// Claim and finish of one client against two raw calls of a one-command script, interleaved.
pub async fn one_client() -> Vec<Measured> {
    let bench = Bench::new().await;
    bench.fill("job", 2 * ROUNDS + 10).await;
    let client = bench.client("one").await;
    let (link, script) = (bench.server.link(), one_hset());
    let (mut together, mut apart, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    let mut claim = client.claim().await;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        claim = client.next(&claim).await.expect("a job is ready");
        together.push(begin.elapsed());

        let begin = Instant::now();
        call(&link, &script, "raw").await;
        call(&link, &script, "raw").await;
        raw.push(begin.elapsed());
    }
    client.finish(&claim).await;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let claim = client.claim().await;
        client.finish(&claim).await;
        apart.push(begin.elapsed());
    }
    let (together, apart, raw) = (median(&mut together), median(&mut apart), median(&mut raw));
    let ratio = |time: Duration| time.as_secs_f64() / raw.as_secs_f64();
    vec![
        Measured::new(
            "claim and finish, 1 client, over two raw calls",
            ratio(together),
            "×",
            Some(2.5),
            format!("medians {together:.1?} and {raw:.1?}"),
        ),
        Measured::new(
            "the same as two calls, claim then finish",
            ratio(apart),
            "×",
            None,
            format!("medians {apart:.1?} and {raw:.1?}"),
        ),
    ]
}

/// Many clients against scripts that issue the same commands, block by block in turns.
pub async fn many_clients() -> Vec<Measured> {
    let bench = Bench::new().await;
    bench
        .fill("job", (REPEATS + 1) * CLIENTS * JOBS_PER_CLIENT + 1000 + CLIENTS)
        .await;
    let counts = commands_per_job(&bench).await;
    let scripts = of_commands(&counts);
    let keys = |repeat: usize| {
        (0..CLIENTS).flat_map(move |number| (0..JOBS_PER_CLIENT).map(move |job| raw_key(repeat, number, job)))
    };
    like_the_queues(&bench, &(0..=REPEATS).flat_map(keys).collect::<Vec<_>>()).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(bench.client(&format!("builder{number}")).await);
    }
    let links: Vec<_> = (0..CLIENTS).map(|_| bench.server.link()).collect();
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    let (mut ours_inside, mut raw_inside) = (0.0, 0.0);
    for repeat in 0..=REPEATS {
        reset_counts(&links[0]).await;
        let begin = Instant::now();
        let work = clients.iter().map(work);
        futures_join(work).await;
        let time = begin.elapsed();
        ours_inside = script_time(&links[0]).await;
        reset_counts(&links[0]).await;
        let begin = Instant::now();
        futures_join(links.iter().enumerate().map(|(number, link)| {
            let scripts = &scripts;
            async move {
                for job in 0..JOBS_PER_CLIENT {
                    let key = raw_key(repeat, number, job);
                    call(link, &scripts[0], &key).await;
                    call(link, &scripts[1], &key).await;
                }
            }
        }))
        .await;
        // The first block warms up.
        if repeat > 0 {
            ours.push(time);
            raw.push(begin.elapsed());
        }
        raw_inside = script_time(&links[0]).await;
    }
    let (ours, raw) = (median(&mut ours), median(&mut raw));
    let jobs = (CLIENTS * JOBS_PER_CLIENT) as f64;
    vec![Measured::new(
        "claim and finish, 16 clients, over the same commands",
        ours.as_secs_f64() / raw.as_secs_f64(),
        "×",
        Some(1.5),
        format!(
            "{:.0} and {:.0} jobs/s, inside Redis {:.0} and {:.0} µs a job, {} commands a job",
            jobs / ours.as_secs_f64(),
            jobs / raw.as_secs_f64(),
            ours_inside / jobs,
            raw_inside / jobs,
            counts.values().sum::<usize>()
        ),
    )]
}

async fn work(client: &Client) {
    let mut claim = client.claim().await;
    for job in 1..JOBS_PER_CLIENT {
        claim = match client.next(&claim).await {
            Some(claim) => claim,
            None => panic!("no job is ready after {job}"),
        };
    }
    client.finish(&claim).await;
}

async fn futures_join<F: Future<Output = ()>>(work: impl Iterator<Item = F>) {
    futures::future::join_all(work).await;
}

/// The name of a job of the yardstick, as long as one of the queue.
fn raw_key(repeat: usize, number: usize, job: usize) -> String {
    format!("{repeat:03}{number:04}{job:06}")
}

/// A job of the yardstick is as large as one of the queue.
async fn like_the_queues(bench: &Bench, keys: &[String]) {
    let link = bench.server.link();
    let newest = bench
        .queue
        .jobs(JobFilter::default())
        .await
        .expect("Redis answers");
    let id = newest.last().expect("there are jobs").id;
    let (request, job): (String, Vec<(String, String)>) = link
        .run(|mut connection| async move {
            redis::pipe()
                .get(format!("{{caur}}:submit:{id}"))
                .hgetall(format!("{{caur}}:q:j:{id}"))
                .query_async(&mut connection)
                .await
        })
        .await
        .expect("Redis answers");
    prepare(&link, &request, &job, keys).await;
}

/// What one claim and finish issues, as Redis counts it.
async fn commands_per_job(bench: &Bench) -> BTreeMap<String, usize> {
    const SAMPLE: usize = 500;
    let client = bench.client("counter").await;
    let mut claim = client.claim().await;
    reset_counts(client.queue.link()).await;
    for _ in 0..SAMPLE {
        claim = client.next(&claim).await.expect("a job is ready");
    }
    let counts = command_counts(client.queue.link()).await;
    client.finish(&claim).await;
    counts
        .into_iter()
        .filter(|(name, _)| !matches!(name.as_str(), "fcall" | "info" | "config|resetstat"))
        .map(|(name, calls)| (name, (calls + SAMPLE / 2) / SAMPLE))
        .filter(|(_, calls)| *calls > 0)
        .collect()
}

/// The cost of a claim over a short and a long queue, interleaved.
pub async fn long_queue() -> Vec<Measured> {
    const CLAIMS: usize = 900;
    let (short, long) = (Bench::new().await, Bench::new().await);
    short.fill("job", 1000).await;
    let begin = Instant::now();
    long.fill("job", 100_000).await;
    let filled = begin.elapsed();
    let (few, many) = (short.client("one").await, long.client("one").await);
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..CLAIMS {
        for (client, times) in [(&few, &mut times.0), (&many, &mut times.1)] {
            let begin = Instant::now();
            let claim = client.claim().await;
            times.push(begin.elapsed());
            client.finish(&claim).await;
        }
    }
    let (few, many) = (median(&mut times.0), median(&mut times.1));
    vec![Measured::new(
        "claim with 100,000 queued jobs over 1,000",
        many.as_secs_f64() / few.as_secs_f64(),
        "×",
        Some(1.3),
        format!("medians {many:.1?} and {few:.1?}; queued in {filled:.1?}"),
    )]
}
