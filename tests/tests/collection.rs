//! A real collection of 2,534 packages is scheduled in one call. Skipped where the collection is absent.

use std::collections::BTreeMap;
use std::time::Instant;

use caur_core::model::{Arch, JobState, Pkgbase};
use caur_core::queue::JobFilter;
use caur_tests::{Collection, Farm, FarmOptions, SOURCE, TARGET};

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collection_is_scheduled_in_one_call() {
    let Some(collection) = Collection::load() else {
        return;
    };
    let packages = &collection.0;
    assert_eq!(packages.len(), 2534);
    let tree = collection.tree(&Arch::new("x86_64").unwrap()).to_text();
    let farm = Farm::make(FarmOptions::default()).await;
    let environment = farm.database_environment();
    let mut arguments = vec![
        "schedule",
        "--json",
        "--target-repo",
        TARGET,
        "--source-repo",
        SOURCE,
        "--deptree",
        "-",
    ];
    arguments.extend(packages.keys().map(Pkgbase::as_str));

    let begin = Instant::now();
    let said = farm
        .caur_with(&environment, &arguments, &tree)
        .await
        .expect(0)
        .json();
    let first = begin.elapsed();
    let results = |said: &serde_json::Value| -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for job in said["jobs"].as_array().unwrap() {
            *counts
                .entry(job["result"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        counts
    };
    assert_eq!(results(&said), [("queued".to_owned(), 2534)].into());
    assert_eq!(said["refused"].as_array().map(Vec::len), Some(0));

    let jobs = farm.queue().jobs(JobFilter::default()).await.unwrap();
    let edges: usize = jobs.iter().map(|job| job.waits_for.len()).sum();
    let ready = jobs.iter().filter(|job| job.state == JobState::Ready).count();
    assert_eq!(jobs.len(), 2534);
    // The collection has 2,922 edges by depends and makedepends of the bases alone.
    assert!(ready > 900 && edges > 2922, "{ready} ready, {edges} edges");
    for warning in said["warnings"].as_array().unwrap() {
        println!("warning: {}", warning.as_str().unwrap());
    }
    farm.check_queue().await;

    // Once more: every job is there already and changes in place.
    let begin = Instant::now();
    let said = farm
        .caur_with(&environment, &arguments, &tree)
        .await
        .expect(0)
        .json();
    let second = begin.elapsed();
    assert_eq!(results(&said), [("replaced".to_owned(), 2534)].into());
    let again = farm.queue().jobs(JobFilter::default()).await.unwrap();
    let edges_again: usize = again.iter().map(|job| job.waits_for.len()).sum();
    assert_eq!((again.len(), edges_again), (2534, edges));
    farm.check_queue().await;
    println!(
        "2534 packages, {edges} edges, {ready} ready at once; scheduled in {first:.2?}, again in {second:.2?}"
    );
}
