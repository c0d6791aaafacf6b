//! Clients that read while the repository changes under them.

use std::collections::VecDeque;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::fixture::{Farm, Pkg, target};
use crate::repo::database::{Index, read_index};
use crate::repo::{ChangeOptions, Circumstances, Keeping, Origin, Selection};

const PUBLISHES: u64 = 200;
/// Older databases that the client goes on with, as one that synchronised a while ago.
const STALE: usize = 20;

fn download_all(farm: &Farm, index: &Index) -> usize {
    for (name, listed) in index {
        let path = farm.public().join(&listed.file_name);
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{name} {}: {error}", listed.version));
        let found = hex::encode(Sha256::digest(content));
        assert_eq!(Some(&found), listed.sha256.as_ref(), "{name} {}", listed.version);
    }
    index.len()
}

#[test]
fn a_reader_never_sees_an_entry_whose_file_is_missing_or_differs() {
    let mut farm = Farm::new();
    farm.keeping = Keeping {
        grace: Duration::from_hours(1),
        ..Keeping::default()
    };
    let repository = farm.open();
    repository.ensure_target(&target()).unwrap();
    let done = AtomicBool::new(false);
    let (states, downloads) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut stale = VecDeque::<Index>::new();
            let (mut states, mut downloads) = (0_usize, 0_usize);
            loop {
                let last = done.load(Ordering::SeqCst);
                // As clients do: through the link.
                let index = read_index(&farm.public().join("farm.db")).unwrap();
                downloads += download_all(&farm, &index);
                if stale.back() != Some(&index) {
                    states += 1;
                    stale.push_back(index);
                }
                if stale.len() > STALE {
                    stale.pop_front();
                }
                downloads += stale.front().map_or(0, |index| download_all(&farm, index));
                if last {
                    return (states, downloads);
                }
            }
        });
        for number in 0..PUBLISHES {
            let name = format!("p{}", number % 7);
            let upload = farm.upload(number + 1, &name, &[Pkg::new(&name, &format!("{number}-1"))]);
            repository
                .publish(&target(), &[upload], &Circumstances::default())
                .unwrap();
            if number % 10 == 9 {
                let options = ChangeOptions {
                    force: true,
                    ..ChangeOptions::default()
                };
                let selection = Selection::Pkgnames(vec![name]);
                repository
                    .remove(&target(), &selection, &options, &Origin::default())
                    .unwrap();
            }
            if number % 50 == 49 {
                repository.tidy(&target()).unwrap();
            }
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    println!("{PUBLISHES} publishes, {states} states seen, {downloads} downloads");
    assert!(
        states > 20 && downloads > 500,
        "{states} states, {downloads} downloads"
    );
    farm.check(None);
}
