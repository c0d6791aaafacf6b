//! What the console keeps between two starts, in the state directory: its log, and the filters that were used.

use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::recall::Recall;

/// Bytes of remembered filters that are read at most.
const LARGEST: u64 = 256 << 10;

/// The state directory, which is made where it is missing.
///
/// # Errors
/// When there is none, or it cannot be made.
pub fn open() -> io::Result<PathBuf> {
    let folder = ProjectDirs::from("", "", "caur")
        .and_then(|dirs| Some(dirs.state_dir()?.to_owned()))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no home directory"))?;
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    Ok(folder)
}

/// Filters that were used, the newest last; none where they cannot be read.
pub fn filters(folder: &Path) -> Vec<String> {
    let path = file(folder);
    let mut text = String::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    match read {
        Ok(_) => text.lines().map(str::to_owned).collect(),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the filters that were used cannot be read");
            }
            Vec::new()
        }
    }
}

/// Adds filters to those that are remembered, among them those of another console meanwhile.
pub fn remember_filters(folder: &Path, used: &[String]) {
    let mut all = Recall::new(filters(folder));
    let before = all.clone();
    for filter in used {
        all.remember(filter);
    }
    if all == before {
        return;
    }
    if let Err(error) = replace(folder, &file(folder), all.entries()) {
        tracing::warn!(folder = %folder.display(), %error, "the filters that were used cannot be kept");
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("filters")
}

fn replace(folder: &Path, path: &Path, lines: &[String]) -> io::Result<()> {
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    for line in lines {
        writeln!(new, "{line}")?;
    }
    new.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn filters_are_remembered_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(filters(folder).is_empty());
        remember_filters(folder, &texts(&["state:failed", "linux"]));
        assert_eq!(filters(folder), ["state:failed", "linux"]);
        // Another console used one in between.
        remember_filters(folder, &texts(&["state:failed"]));
        assert_eq!(filters(folder), ["linux", "state:failed"]);
        let many: Vec<String> = (0..1000).map(|number| format!("filter {number}")).collect();
        remember_filters(folder, &many);
        let kept = filters(folder);
        assert!(
            kept.len() < 100 && kept.last().unwrap() == "filter 999",
            "{kept:?}"
        );
    }

    #[test]
    fn what_cannot_be_kept_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        remember_filters(&folder.path().join("absent"), &texts(&["a"]));
        std::fs::write(folder.path().join("filters"), b"\xff\xfe").unwrap();
        assert!(filters(folder.path()).is_empty());
    }
}
