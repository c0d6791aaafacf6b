//! What Redis needs per job, event and log.

use caur_core::log::LogWriter;
use caur_core::model::{BuildOutcome, CommitId, Manifest, ManifestFile, Phase};
use caur_core::queue::{Attempt, PublishOutcome};
use caur_tests::Collection;

use super::farm::{ASKER, Bench, Client, nothing_to_do, request, target};
use super::submit::requests;
use caur_tests::measure::Measured;

const LEASE: std::time::Duration = std::time::Duration::from_secs(600);

/// The memory of the real packages while they are queued, and after all were published.
pub async fn per_job() -> Vec<Measured> {
    let bench = Bench::new().await;
    let client = bench.client("one").await;
    let batch = match Collection::load() {
        Some(collection) => {
            let names: Vec<String> = collection.0.keys().map(ToString::to_string).collect();
            requests(&collection.tree(&target().arch).to_text(), &names)
        }
        None => (0..2534)
            .map(|number| request(&format!("package-{number}")))
            .collect(),
    };
    let count = batch.len() as f64;
    let empty = used(&bench, &[]).await;
    bench
        .queue
        .submit(batch.clone(), ASKER)
        .await
        .expect("the batch is taken");
    let streams = [
        "{caur}:q:events",
        "{caur}:q:wake",
        "{caur}:q:wake-publisher",
        "{caur}:operate:trail",
    ];
    let queued = used(&bench, &streams).await - empty;

    build_everything(&bench, &client).await;
    let mut logs: Vec<String> = Vec::new();
    for log in command::<Vec<String>>(&bench, &["KEYS", "{caur}:build:log:*"]).await {
        logs.push(log);
    }
    let past: Vec<String> = command(&bench, &["KEYS", "{caur}:q:past:*"]).await;
    let past: Vec<&str> = past.iter().map(String::as_str).collect();
    let mut with_logs: Vec<&str> = streams.to_vec();
    with_logs.extend(logs.iter().map(String::as_str));
    with_logs.extend([
        "{caur}:build:log-sizes",
        "{caur}:build:log-ended",
        "{caur}:q:durations",
    ]);
    let rest = [with_logs.as_slice(), &past].concat();
    let finished = used(&bench, &rest).await - empty;
    let past_bytes = size(&bench, &past).await;
    let log_bytes = size(&bench, &with_logs[streams.len()..]).await;
    let events: usize = command(&bench, &["XLEN", "{caur}:q:events"]).await;
    let event_bytes = size(&bench, &streams[..1]).await;

    vec![
        Measured::new(
            "memory per queued job",
            queued / count,
            "bytes",
            Some(2048.0),
            format!("{count} real packages"),
        ),
        Measured::new(
            "memory per finished job",
            finished / count,
            "bytes",
            Some(1024.0),
            String::new(),
        ),
        Measured::new(
            "memory per package with one build in its past",
            past_bytes / past.len() as f64,
            "bytes",
            None,
            String::new(),
        ),
        Measured::new(
            "memory per event",
            event_bytes / events as f64,
            "bytes",
            None,
            format!("{:.1} events a job", events as f64 / count),
        ),
        Measured::new(
            "memory per short log, on top of its text",
            log_bytes / logs.len() as f64,
            "bytes",
            None,
            String::new(),
        ),
        long_log(&bench, &client).await,
    ]
}

/// Every job is built and published, some fail, until nothing is left.
async fn build_everything(bench: &Bench, client: &Client) {
    let mut number = 0_usize;
    loop {
        let claimed = client
            .queue
            .claim(&client.request())
            .await
            .expect("Redis answers")
            .job();
        if let Some(claim) = &claimed {
            number += 1;
            for phase in [Phase::Fetch, Phase::Prepare, Phase::Build, Phase::Upload] {
                client
                    .queue
                    .heartbeat(&claim.token, LEASE, phase)
                    .await
                    .expect("Redis answers");
            }
            let request = &claim.job.request;
            let manifest = Manifest {
                job: claim.token.job,
                attempt: claim.token.attempt,
                pkgbase: request.pkgbase.clone(),
                target: request.target.clone(),
                commit: CommitId::new("0123456789012345678901234567890123456789").expect("a valid commit"),
                builder: "one".parse().expect("a valid name"),
                image: "sha256:0123456789abcdef".into(),
                namcap: Vec::new(),
                files: vec![ManifestFile {
                    name: format!("{}-1.2.3-1-x86_64.pkg.tar.zst", request.pkgbase),
                    size: 1_000_000,
                    sha256: "0123456789abcdef".repeat(4),
                }],
            };
            let failed = number.is_multiple_of(20);
            let ended = Attempt {
                outcome: if failed {
                    BuildOutcome::Failed
                } else {
                    BuildOutcome::Built
                },
                reason: if failed {
                    "makepkg ended with exit status 4: a failure occurred in build(); see the log above"
                        .into()
                } else {
                    String::new()
                },
                commit: Some(manifest.commit.clone()),
                manifest: Some(manifest),
                ..nothing_to_do()
            };
            client
                .queue
                .finish(&claim.token, &ended)
                .await
                .expect("Redis answers");
        }
        let uploads = bench
            .queue
            .claim_uploads(&target(), "publisher", LEASE, 500)
            .await
            .expect("Redis answers");
        for upload in &uploads {
            let manifest = upload.manifest.as_ref().expect("it is ours");
            let packages = manifest.files.iter().map(|file| file.name.clone()).collect();
            bench
                .queue
                .finish_publish(&upload.token, &PublishOutcome::Published { packages })
                .await
                .expect("Redis answers");
        }
        if claimed.is_none() && uploads.is_empty() {
            return;
        }
    }
}

async fn long_log(bench: &Bench, client: &Client) -> Measured {
    const PIECES: usize = 160;
    bench.fill("with-log", 1).await;
    let claim = client.claim().await;
    let line = "gcc -DHAVE_CONFIG_H -I. -O2 -c -o object.o source.c\n".repeat(1260);
    for _ in 0..PIECES {
        LogWriter::append(client.queue.link(), &claim.token, &line, LEASE)
            .await
            .expect("Redis answers");
    }
    client.finish(&claim).await;
    let key = format!("{{caur}}:build:log:{}.{}", claim.token.job, claim.token.attempt);
    let bytes = size(bench, &[&key]).await;
    let text = (line.len() * PIECES) as f64;
    Measured::new(
        "memory per byte of a long log",
        bytes / text,
        "bytes",
        None,
        format!("{:.1} MiB of text", text / f64::from(1 << 20)),
    )
}

/// Bytes that Redis uses for data, its main hash table included, without these keys.
async fn used(bench: &Bench, without: &[&str]) -> f64 {
    let report: String = command(bench, &["INFO", "memory"]).await;
    let field = |name: &str| -> f64 {
        report
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
            .expect("Redis tells it")
    };
    let table = field("used_memory_overhead") - field("used_memory_startup") - field("mem_clients_normal");
    field("used_memory_dataset") + table - size(bench, without).await
}

async fn size(bench: &Bench, keys: &[&str]) -> f64 {
    let mut sum = 0.0;
    for key in keys {
        sum += command::<Option<f64>>(bench, &["MEMORY", "USAGE", key, "SAMPLES", "0"])
            .await
            .unwrap_or(0.0);
    }
    sum
}

async fn command<T: redis::FromRedisValue>(bench: &Bench, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    bench
        .queue
        .link()
        .run(|mut connection| async move { command.query_async(&mut connection).await })
        .await
        .expect("Redis answers")
}
