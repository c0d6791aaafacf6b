//! `repo check` with all hashes, beside `sha256sum` of the same files.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use caur_core::model::Target;
use caur_core::repo::check::{CheckRequest, check};
use caur_tests::measure::{Measured, median};

use super::generated::{Noise, databases, memory_folder};
use super::process::timed;

/// Package files in the repository, of so many mebibytes each: 5 GiB.
const FILES: usize = 40;
const MEBIBYTES: usize = 128;
const ROUNDS: usize = 3;

/// A repository of 5 GiB whose package files hold noise: hashing does not look into them.
pub fn hashes() -> Vec<Measured> {
    let folder = memory_folder();
    let public = folder.path().join("farm/x86_64");
    databases(&public, FILES, (MEBIBYTES as u64) << 20);
    for number in 0..FILES {
        let name = format!("package-{number:05}-1.2.3-4-x86_64.pkg.tar.zst");
        let mut file = File::create(public.join(name)).expect("a file");
        Noise::new(number as u64).write(&mut file, MEBIBYTES);
    }
    let (mut one, mut two, mut sums) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        one.push(checked(folder.path(), 1));
        sums.push(timed(
            Command::new("sh")
                .arg("-c")
                .arg("exec sha256sum \"$0\"/*.pkg.tar.zst")
                .arg(&public),
        ));
        two.push(checked(folder.path(), 2));
    }
    let [one, two, sums] = [&mut one, &mut two, &mut sums].map(|times| median(times));
    let bytes: u64 = fs::read_dir(&public)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").metadata().expect("a file").len())
        .sum();
    vec![
        Measured::new(
            "repo check of 5 GiB over sha256sum, one core",
            one.as_secs_f64() / sums.as_secs_f64(),
            "×",
            Some(1.2),
            format!("medians {one:.1?} and {sums:.1?}, {bytes} bytes"),
        ),
        Measured::new(
            "the same on two cores, time of both together",
            2.0 * two.as_secs_f64() / sums.as_secs_f64(),
            "×",
            Some(1.2),
            format!("{two:.1?}"),
        ),
    ]
}

fn checked(root: &Path, threads: usize) -> Duration {
    let target = Target {
        repo: "farm".parse().expect("a name"),
        arch: "x86_64".parse().expect("an architecture"),
    };
    let request = CheckRequest {
        dependencies: false,
        sonames: false,
        threads,
        ..CheckRequest::default()
    };
    let started = Instant::now();
    let report = check(root, &target, &request).expect("a repository");
    let took = started.elapsed();
    assert_eq!(report.bytes_hashed, (FILES * MEBIBYTES) as u64 * (1 << 20));
    took
}
