//! The console's own log: a file in the state directory, never the terminal.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// A larger file is started anew.
const MAX_BYTES: u64 = 4 << 20;

/// Starts logging to a file in `folder`. `RUST_LOG` decides how much; `info` without it.
///
/// # Errors
/// If the file cannot be written.
pub fn start(folder: &Path) -> io::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(Mutex::new(open(&folder.join("tui.log"))?))
        .with_ansi(false)
        .init();
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    let is_full = path.metadata().is_ok_and(|metadata| metadata.len() > MAX_BYTES);
    let mut options = OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    if is_full {
        options.truncate(true);
    } else {
        options.append(true);
    }
    options.open(path)
}
