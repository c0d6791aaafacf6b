//! A real collection of 2,534 packages is scheduled in one call. Skipped where the collection is absent.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Instant;

use caur_core::ci::{DepTree, SrcInfo};
use caur_core::model::{Arch, JobState, Pkgbase};
use caur_core::queue::JobFilter;
use caur_tests::{Farm, FarmOptions, SOURCE, TARGET, repository_root};

/// The folders of the collection with their `.SRCINFO`; none where there is no collection.
fn collection() -> Option<BTreeMap<Pkgbase, Option<SrcInfo>>> {
    let path = env::var_os("CAUR_FIXTURE").map_or_else(
        || repository_root().join("../shared/fixtures/packages-2534.tar.zst"),
        PathBuf::from,
    );
    let Ok(file) = File::open(&path) else {
        println!(
            "skipped: the package collection {} is absent (set CAUR_FIXTURE)",
            path.display()
        );
        return None;
    };
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut packages = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let Some((folder, file)) = path.trim_start_matches("./").split_once('/') else {
            continue;
        };
        let Ok(folder) = Pkgbase::new(folder) else {
            continue;
        };
        let info = packages.entry(folder.clone()).or_insert(None);
        if file == ".SRCINFO" {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            *info = Some(SrcInfo::parse(&folder, &text));
        }
    }
    Some(packages)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collection_is_scheduled_in_one_call() {
    let Some(packages) = collection() else { return };
    assert_eq!(packages.len(), 2534);
    let infos = packages
        .iter()
        .filter_map(|(folder, info)| info.as_ref().map(|info| (folder, info)));
    let tree = DepTree::from_srcinfos(infos, &Arch::new("x86_64").unwrap()).to_text();
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
