//! A whole collection scheduled at once.

use std::time::Instant;

use caur_core::ci::DepTree;
use caur_core::model::{JobRequest, Need};
use caur_tests::Collection;

use super::farm::{ASKER, Bench, request, target};
use caur_tests::measure::{Measured, median};

const REPEATS: usize = 7;
const BAR_MS: f64 = 300.0;

/// From the tree's text to committed jobs, on a fresh Redis, and once more over what is queued then.
pub async fn real_packages() -> Vec<Measured> {
    let Some(collection) = Collection::load() else {
        return Vec::new();
    };
    let text = collection.tree(&target().arch).to_text();
    let names: Vec<String> = collection.0.keys().map(ToString::to_string).collect();
    let (mut first, mut second, mut edges) = (Vec::new(), Vec::new(), 0);
    for _ in 0..REPEATS {
        let bench = Bench::new().await;
        let begin = Instant::now();
        bench
            .queue
            .submit(requests(&text, &names), ASKER)
            .await
            .expect("the batch is taken");
        first.push(begin.elapsed());
        let begin = Instant::now();
        bench
            .queue
            .submit(requests(&text, &names), ASKER)
            .await
            .expect("the batch is taken");
        second.push(begin.elapsed());
        let jobs = bench
            .queue
            .jobs(caur_core::queue::JobFilter::default())
            .await
            .expect("Redis answers");
        assert_eq!(jobs.len(), names.len());
        edges = jobs.iter().map(|job| job.waits_for.len()).sum();
    }
    let detail = format!(
        "{} packages, {edges} edges, {} KiB of tree, median of {REPEATS}",
        names.len(),
        text.len() / 1024
    );
    let slowest = first.iter().max().copied().unwrap_or_default();
    vec![
        Measured::new(
            "parse, plan and submit the real packages, cold",
            median(&mut first).as_secs_f64() * 1e3,
            "ms",
            Some(BAR_MS),
            format!("{detail}, slowest {slowest:.0?}"),
        ),
        Measured::new(
            "the same again, all replaced in place",
            median(&mut second).as_secs_f64() * 1e3,
            "ms",
            Some(BAR_MS),
            String::new(),
        ),
    ]
}

/// As `schedule` makes them.
pub fn requests(tree: &str, names: &[String]) -> Vec<JobRequest> {
    let tree = DepTree::parse(tree).expect("the tree is well formed");
    names
        .iter()
        .map(|name| {
            let mut request = request(name);
            if let Some(entry) = tree.entries.get(&request.pkgbase) {
                request.names.clone_from(&entry.names);
                request.needs = entry.deps.iter().map(Need::make).collect();
            }
            request
        })
        .collect()
}
