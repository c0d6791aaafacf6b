//! What namcap says about the built packages, as far as it is kept with the job.
//!
//! The report comes out of the build's container, so it is no more trusted than a package: only a plain file is read,
//! and little of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Lines that are kept.
const LINES: usize = 100;
/// Bytes of the report that are read.
const BYTES: usize = 16 << 10;

/// The lines of the report about `pkgbase` in `directory`; none where there is no report that can be read. A report
/// that is too long says so in its last line.
pub(super) fn findings(directory: &Path, pkgbase: &str) -> Vec<String> {
    let path = directory.join(format!("{pkgbase}.namcap"));
    match beginning(&path) {
        Ok(text) => lines(&text),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("cannot read the analysis {}: {error}", path.display());
            }
            Vec::new()
        }
    }
}

/// One byte more than [`BYTES`] tells that there is more.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut text = Vec::new();
    file.take(BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn lines(report: &[u8]) -> Vec<String> {
    let whole = report.len() <= BYTES;
    let text = String::from_utf8_lossy(&report[..report.len().min(BYTES)]);
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.replace(|c: char| c.is_control(), " ").trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    if !whole || lines.len() > LINES {
        lines.truncate(LINES - 1);
        lines.push("the rest of the report is left out".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_kept_line_by_line() {
        let directory = tempfile::tempdir().unwrap();
        assert!(findings(directory.path(), "foo").is_empty());
        let text = b"foo W: Dependency bar included\n\nfoo E: \x1b[31mred\xff\n";
        std::fs::write(directory.path().join("foo.namcap"), text).unwrap();
        assert_eq!(
            findings(directory.path(), "foo"),
            ["foo W: Dependency bar included", "foo E:  [31mred\u{fffd}"]
        );
    }

    #[test]
    fn a_long_report_is_cut_and_says_so() {
        for text in ["x\n".repeat(101), "x".repeat(17 << 10), "é\n".repeat(9000)] {
            let found = lines(&text.as_bytes()[..text.len().min(BYTES + 1)]);
            assert!(found.len() <= LINES, "{}", found.len());
            assert_eq!(found.last().unwrap(), "the rest of the report is left out");
        }
        assert_eq!(lines("x\n".repeat(100).as_bytes()).len(), 100);
    }

    #[test]
    fn what_is_no_plain_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("foo.namcap");
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(findings(directory.path(), "foo").is_empty());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(findings(directory.path(), "foo").is_empty());
        std::fs::remove_dir(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::RUSR).unwrap();
        assert!(findings(directory.path(), "foo").is_empty());
    }
}
