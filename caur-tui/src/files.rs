//! Files that the application asks for: a saved log, a keep-list.

use std::io::Write;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::UnboundedSender;

use crate::msg::{FileUse, Msg};

/// Bytes of a file that is read at most.
const LARGEST: u64 = 4 << 20;

/// Writes a file that does not exist yet, and reports.
pub fn save(path: PathBuf, text: String, done: UnboundedSender<Msg>) {
    tokio::task::spawn_blocking(move || {
        let path = at_home(path);
        let written = write_new(&path, &text).map(|()| text.len() as u64);
        // Without a receiver the console is closing.
        let _closing = done.send(Msg::Saved(path, written));
    });
}

/// Reads a file, and reports.
pub fn read(purpose: FileUse, path: PathBuf, done: UnboundedSender<Msg>) {
    tokio::task::spawn_blocking(move || {
        let path = at_home(path);
        let text = read_text(&path);
        let _closing = done.send(Msg::Read(purpose, path, text));
    });
}

/// `~/` stands for the home directory, as people type it.
fn at_home(path: PathBuf) -> PathBuf {
    let base = directories::BaseDirs::new();
    match (path.strip_prefix("~"), base) {
        (Ok(rest), Some(base)) => base.home_dir().join(rest),
        _ => path,
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let mut file = std::fs::File::create_new(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => "it exists already; give another name".to_owned(),
        _ => error.to_string(),
    })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| error.to_string())
}

fn read_text(path: &Path) -> Result<String, String> {
    let size = path.metadata().map_err(|error| error.to_string())?.len();
    if size > LARGEST {
        return Err(format!("it has {size} bytes, the most is {LARGEST}"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_and_nothing_huge_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        write_new(&path, "first").unwrap();
        assert!(write_new(&path, "second").unwrap_err().contains("exists already"));
        assert_eq!(read_text(&path).unwrap(), "first");
        std::fs::File::create(&path)
            .unwrap()
            .set_len(LARGEST + 1)
            .unwrap();
        assert!(read_text(&path).unwrap_err().contains("bytes"));
    }
}
