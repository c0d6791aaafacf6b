//! A real file system without space: a publish, a removal and a rollback on a small one, with less and less room left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::crash::{Operation, check_and_repeat};

/// Tells the child process of this test binary where its small file system is.
const FOLDER: &str = "CAUR_TEST_SMALL_DISK";
const SIZE: u64 = 4 << 20;
const BLOCK: usize = 4 << 10;

#[test]
fn a_full_disk_changes_nothing_and_what_was_asked_for_succeeds_once_there_is_room() {
    let mount_point = tempfile::tempdir().unwrap();
    let me = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && exec \"$3\" --exact --nocapture repo::tests::full_disk::on_a_small_disk";
    let mut command = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        command.arg("--map-root-user");
    }
    // The mount ends with the namespace, whatever happens.
    let output = command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(SIZE.to_string())
        .arg(mount_point.path())
        .arg(me)
        .env(FOLDER, mount_point.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{stdout}");
    assert!(stdout.contains("times without space"), "{stdout}");
}

/// Not a test of its own: the body of the process that has a small file system.
#[test]
fn on_a_small_disk() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    for operation in Operation::ALL {
        let start = operation.start(None);
        let (mut failures, mut free) = (0, 0);
        loop {
            let farm = start.copy_to(&folder);
            let uploads = operation.uploads(&farm);
            let ballast = fill(&folder, free);
            let outcome = farm
                .try_open()
                .and_then(|repository| operation.run(&repository, &uploads));
            fs::remove_file(ballast).unwrap();
            let at = format!("{operation:?} with {free} blocks free");
            match &outcome {
                Ok(()) => {}
                Err(error) => {
                    assert!(
                        error.to_string().contains("No space left on device"),
                        "{at}: {error}"
                    );
                    failures += 1;
                }
            }
            check_and_repeat(operation, &farm, None, &uploads, &at);
            if outcome.is_ok() {
                break;
            }
            free += 1;
        }
        println!("{operation:?}: {failures} times without space, then done with {free} blocks of {BLOCK}");
        assert!(failures >= 3, "{operation:?}: only {failures} failures");
    }
}

/// Fills a file system but for so many blocks.
fn fill(folder: &Path, free: usize) -> PathBuf {
    use std::io::Write;
    let path = folder.join("ballast");
    let mut file = fs::File::create(&path).unwrap();
    let mut blocks = 0_u64;
    while file.write_all(&[1; BLOCK]).is_ok() {
        blocks += 1;
    }
    file.set_len(blocks.saturating_sub(free as u64) * BLOCK as u64)
        .unwrap();
    path
}
