//! The console's own log: a file in the state directory, never the terminal.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use directories::ProjectDirs;
use tracing_subscriber::EnvFilter;

/// A larger file is started anew.
const MAX_BYTES: u64 = 4 << 20;

/// Starts logging and returns the file. `RUST_LOG` decides how much; `info` without it.
///
/// # Errors
/// If the file cannot be written.
pub fn start() -> io::Result<PathBuf> {
    let directory = ProjectDirs::from("", "", "caur")
        .and_then(|dirs| Some(dirs.state_dir()?.to_owned()))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no home directory"))?;
    create_dir_all(&directory)?;
    let path = directory.join("tui.log");
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(Mutex::new(open(&path)?))
        .with_ansi(false)
        .init();
    Ok(path)
}

fn open(path: &PathBuf) -> io::Result<File> {
    let is_full = path.metadata().is_ok_and(|metadata| metadata.len() > MAX_BYTES);
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if is_full {
        options.truncate(true);
    } else {
        options.append(true);
    }
    options.open(path)
}
