//! What is submitted: the real collection's dependency graph, or one of the same size.

use std::collections::{BTreeMap, BTreeSet};

use caur_core::model::{Arch, BuildClass, JobRequest, Need, Pkgbase, SourceRepo, Target, TargetRepo};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Collection;

/// Names and needs by package.
type Packages = BTreeMap<Pkgbase, (Vec<String>, Vec<String>)>;

/// A batch of requests.
pub struct Graph {
    /// The requests.
    pub requests: Vec<JobRequest>,
    /// Where they come from, in words.
    pub origin: &'static str,
}

/// `count` requests of the real collection, those that depend on each other first; of a generated graph where there
/// is no collection, or where it is too small.
#[must_use]
pub fn request_graph(count: usize, seed: u64) -> Graph {
    let real = real_packages().filter(|packages| packages.len() >= count);
    let (origin, packages) = match real {
        Some(packages) => ("the real collection", packages),
        None => ("a generated graph", generated(count, seed)),
    };
    let mut owner: BTreeMap<&str, &Pkgbase> = BTreeMap::new();
    for (pkgbase, (names, _)) in &packages {
        owner.insert(pkgbase.as_str(), pkgbase);
        owner.extend(names.iter().map(|name| (name.as_str(), pkgbase)));
    }
    let mut connected: BTreeSet<&Pkgbase> = BTreeSet::new();
    for (pkgbase, (_, needs)) in &packages {
        for dependency in needs.iter().filter_map(|need| owner.get(need.as_str())) {
            connected.extend([pkgbase, *dependency]);
        }
    }
    let alone = packages.keys().filter(|pkgbase| !connected.contains(pkgbase));
    let chosen = connected.iter().copied().chain(alone).take(count);
    let requests = chosen.map(|pkgbase| {
        let (names, needs) = &packages[pkgbase];
        request(pkgbase, names, needs)
    });
    Graph {
        requests: requests.collect(),
        origin,
    }
}

fn real_packages() -> Option<Packages> {
    let tree = Collection::load()?.tree(&arch());
    let entries = tree.entries.into_iter();
    Some(
        entries
            .map(|(pkgbase, entry)| (pkgbase, (entry.names, entry.deps)))
            .collect(),
    )
}

/// Packages of which every second needs up to three earlier ones.
fn generated(count: usize, seed: u64) -> Packages {
    let mut dice = StdRng::seed_from_u64(seed);
    let name = |number: usize| format!("made-up-{number:05}");
    let package = |number: usize| {
        let needs = if number == 0 || dice.random_bool(0.5) {
            Vec::new()
        } else {
            let first = number.saturating_sub(300);
            (0..dice.random_range(1..=3))
                .map(|_| name(dice.random_range(first..number)))
                .collect()
        };
        let pkgbase = Pkgbase::new(name(number)).expect("letters, digits and - are valid");
        (pkgbase, (vec![name(number)], needs))
    };
    (0..count).map(package).collect()
}

fn request(pkgbase: &Pkgbase, names: &[String], needs: &[String]) -> JobRequest {
    JobRequest {
        target: Target {
            repo: TargetRepo::new("chaos").expect("letters are valid"),
            arch: arch(),
        },
        source: SourceRepo::new("chaos").expect("letters are valid"),
        pkgbase: pkgbase.clone(),
        // Some need a better builder.
        class: BuildClass::Number(1 + u32::from(pkgbase.as_str().len().is_multiple_of(5))),
        names: names.to_vec(),
        needs: needs.iter().map(Need::make).collect(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}

fn arch() -> Arch {
    Arch::new("x86_64").expect("letters, digits and _ are valid")
}
