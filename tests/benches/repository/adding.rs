//! Adding packages to a repository of 3,000: beside `repo-add`, and beside the least that any rewrite of the databases
//! has to do, which is unpacking and packing them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use caur_core::model::Target;
use caur_core::repo::{AddOptions, Origin, Repository, RepositoryOptions};
use caur_tests::measure::{Measured, median};

use super::generated::{DATABASES, databases, memory_folder, package};
use super::process::{repo_add, timed};

const PACKAGES: usize = 3000;
const ROUNDS: usize = 9;

/// One package, with the command and with the library.
pub fn one_package() -> Vec<Measured> {
    let folder = memory_folder();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    databases(&ours.join("farm/x86_64"), PACKAGES, 1 << 20);
    databases(&theirs, PACKAGES, 1 << 20);
    let packages: Vec<PathBuf> = (0..=ROUNDS)
        .map(|round| package(folder.path(), "added", &format!("{round}-1")))
        .collect();
    // The first finds a repository of another program, which it notes in the history.
    timed(&mut repo_add(&ours, &packages[..1]));
    timed(&mut repo_add_of_pacman(&theirs, &packages[0]));

    let (mut command, mut library, mut pacman, mut floor) = (vec![], vec![], vec![], vec![]);
    let (repository, target) = open(&ours);
    for (round, file) in packages.iter().enumerate().skip(1) {
        command.push(timed(&mut repo_add(&ours, std::slice::from_ref(file))));
        // The same once more, with another version.
        let again = package(folder.path(), "again", &format!("{round}-1"));
        let started = Instant::now();
        repository
            .add(&target, &[again], AddOptions::default(), &Origin::default())
            .expect("a good package");
        library.push(started.elapsed());
        if round <= 3 {
            pacman.push(timed(&mut repo_add_of_pacman(&theirs, file)));
        }
        floor.push(timed(&mut repack(&ours.join("farm/x86_64"), folder.path())));
    }
    let sizes = |folder: &Path| -> u64 {
        let size = |name: &&str| fs::metadata(folder.join(name)).expect("a database").len();
        DATABASES.iter().map(size).sum()
    };
    let [command, library, pacman, floor] =
        [&mut command, &mut library, &mut pacman, &mut floor].map(|times| median(times));
    // One package more is listed by ours than by theirs, as both `added` and `again` are.
    let (our_size, their_size) = (sizes(&ours.join("farm/x86_64")), sizes(&theirs));
    vec![
        Measured::new(
            "repo-add's time over ours, 1 package to 3,000",
            ratio(pacman, command),
            "×",
            None,
            format!("at least 50; medians {pacman:.1?} and {command:.1?}"),
        ),
        Measured::new(
            "ours over repo-add, 1 package to 3,000",
            ratio(command, pacman),
            "×",
            Some(1.0 / 50.0),
            "the same the other way round".to_owned(),
        ),
        Measured::new(
            "ours over zstd -dc | zstd -c of both databases",
            ratio(command, floor),
            "×",
            Some(3.0),
            format!("medians {command:.1?} and {floor:.1?}; in the library {library:.1?}"),
        ),
        Measured::new(
            "size of both databases over repo-add's",
            our_size as f64 / their_size as f64,
            "×",
            Some(1.05),
            format!("{our_size} and {their_size} bytes"),
        ),
        syncs(&ours, folder.path()),
    ]
}

/// How often one transaction waits for the disk.
fn syncs(root: &Path, folder: &Path) -> Measured {
    let file = package(folder, "synced", "1-1");
    let counts = folder.join("counts");
    let mut command = Command::new("strace");
    let ours = repo_add(root, &[file]);
    command
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs", "-o"])
        .arg(&counts)
        .arg(ours.get_program())
        .args(ours.get_args());
    let count = match command.output() {
        Ok(output) if output.status.success() => {
            let text = fs::read_to_string(&counts).unwrap_or_default();
            text.lines()
                .filter(|line| line.contains("sync") && line.contains("= 0"))
                .count() as f64
        }
        Ok(_) | Err(_) => f64::NAN,
    };
    Measured::new(
        "fsyncs of that transaction",
        count,
        "",
        None,
        "as strace counts them".to_owned(),
    )
}

/// A hundred packages in one transaction, over one.
pub fn many_packages() -> Vec<Measured> {
    let folder = memory_folder();
    let root = folder.path().join("ours");
    databases(&root.join("farm/x86_64"), PACKAGES, 1 << 20);
    let make = |names: &str, count: usize, round: usize| -> Vec<PathBuf> {
        (0..count)
            .map(|number| package(folder.path(), &format!("{names}-{number}"), &format!("{round}-1")))
            .collect()
    };
    timed(&mut repo_add(&root, &make("first", 1, 0)));
    let (mut one, mut hundred) = (vec![], vec![]);
    for round in 1..=ROUNDS {
        one.push(timed(&mut repo_add(&root, &make("one", 1, round))));
        hundred.push(timed(&mut repo_add(&root, &make("hundred", 100, round))));
    }
    let (one, hundred) = (median(&mut one), median(&mut hundred));
    vec![Measured::new(
        "100 packages in one transaction, over one",
        ratio(hundred, one),
        "×",
        Some(4.0),
        format!("medians {hundred:.1?} and {one:.1?}"),
    )]
}

fn open(root: &Path) -> (Repository, Target) {
    let repository = Repository::open(RepositoryOptions::new(root.to_owned())).expect("a repository");
    let target = Target {
        repo: "farm".parse().expect("a name"),
        arch: "x86_64".parse().expect("an architecture"),
    };
    (repository, target)
}

fn repo_add_of_pacman(folder: &Path, file: &Path) -> Command {
    let mut command = Command::new("repo-add");
    command.arg(folder.join("farm.db.tar.zst")).arg(file);
    command
}

fn repack(databases: &Path, out: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-ec").arg(
        "for name in farm.db farm.files; do zstd -dcq < \"$0/$name.tar.zst\" | zstd -cq > \"$1/$name.repacked\"; done",
    );
    command.arg(databases).arg(out);
    command
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
