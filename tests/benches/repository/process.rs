//! Programs that are measured from the outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use caur_tests::caur_daemon;

/// Runs a program that must succeed, and says how long it took.
pub fn timed(command: &mut Command) -> Duration {
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let took = started.elapsed();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

/// Runs a program that must succeed, and returns the most memory that it held, in bytes.
pub fn peak_memory(command: &mut Command) -> u64 {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // The kernel keeps the high-water mark, so looking now and then misses only what the last moments add.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let kibibytes = text.lines().find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        });
        peak = peak.max(kibibytes.unwrap_or(0) << 10);
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success(), "{command:?}: {status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// `caur-daemon repo add` without signing.
pub fn repo_add(root: &Path, files: &[PathBuf]) -> Command {
    let mut command = Command::new(caur_daemon());
    command
        .args([
            "repo",
            "add",
            "--no-sign",
            "--target",
            "farm",
            "--arch",
            "x86_64",
            "--root",
        ])
        .arg(root)
        .args(files)
        .env("RUST_LOG", "warn");
    command
}
