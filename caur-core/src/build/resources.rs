//! What a builder's machine has to offer, and how much of it is free at the moment.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

const MEMINFO: &str = "/proc/meminfo";
const LOADAVG: &str = "/proc/loadavg";
/// `/proc/meminfo` counts in kilobytes, which are kibibytes.
const KIBIBYTE: u64 = 1024;

/// One look at a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resources {
    /// Processors that this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes of memory that programs could take without swapping.
    pub memory_available: u64,
    /// Bytes that this process may still write below a directory.
    pub disk_free: u64,
    /// Processes that ran or waited for the disk, on average over the last minute.
    pub load1: f64,
}

/// A machine that does not say what it has.
#[derive(Debug, thiserror::Error)]
pub enum ResourcesError {
    /// A file of the kernel's cannot be read.
    #[error("cannot read {path}: {source}; is /proc mounted?")]
    Read {
        /// Which.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file of the kernel's does not hold what it should.
    #[error("{path} does not tell {what}")]
    Format {
        /// Which.
        path: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The processors cannot be counted.
    #[error("cannot count the processors: {0}")]
    Cores(io::Error),
    /// There is no such file system.
    #[error("cannot ask for the free space of {path}: {source}")]
    Disk {
        /// A directory on it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Resources {
    /// Looks now; `directory` is on the file system whose free space counts. A file system that hangs holds the
    /// calling thread up.
    ///
    /// # Errors
    /// [`ResourcesError`] names what cannot be found out.
    pub fn read(directory: &Path) -> Result<Self, ResourcesError> {
        let (memory_total, memory_available) = memory(&kernel_file(MEMINFO)?)?;
        let disk = statvfs(directory).map_err(|error| ResourcesError::Disk {
            path: directory.to_owned(),
            source: error.into(),
        })?;
        Ok(Self {
            cores: std::thread::available_parallelism()
                .map_err(ResourcesError::Cores)?
                .get(),
            memory_total,
            memory_available,
            disk_free: disk.f_bavail.saturating_mul(disk.f_frsize),
            load1: load(&kernel_file(LOADAVG)?)?,
        })
    }
}

fn kernel_file(path: &'static str) -> Result<String, ResourcesError> {
    std::fs::read_to_string(path).map_err(|source| ResourcesError::Read { path, source })
}

/// Total and available memory in bytes.
fn memory(meminfo: &str) -> Result<(u64, u64), ResourcesError> {
    let field = |what: &'static str| {
        let kilobytes = meminfo.lines().find_map(|line| {
            let value = line.strip_prefix(what)?.strip_prefix(':')?;
            value.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()
        });
        kilobytes
            .map(|kilobytes| kilobytes.saturating_mul(KIBIBYTE))
            .ok_or(ResourcesError::Format { path: MEMINFO, what })
    };
    Ok((field("MemTotal")?, field("MemAvailable")?))
}

fn load(loadavg: &str) -> Result<f64, ResourcesError> {
    loadavg
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .filter(|load: &f64| load.is_finite() && *load >= 0.0)
        .ok_or(ResourcesError::Format {
            path: LOADAVG,
            what: "the load of the last minute",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_table() {
        let good = "MemTotal:       16303428 kB\nMemFree:          234 kB\nMemAvailable:    8000000 kB\nSwapTotal: 1 kB\n";
        assert_eq!(memory(good).unwrap(), (16_303_428 * 1024, 8_000_000 * 1024));
        for (bad, missing) in [
            ("", "MemTotal"),
            ("MemTotal: 1 kB\n", "MemAvailable"),
            ("MemTotal: 1 kB\nMemAvailable: much kB\n", "MemAvailable"),
            ("MemTotal: 1 MB\nMemAvailable: 1 kB\n", "MemTotal"),
            ("MemTotalX: 1 kB\nMemAvailable: -1 kB\n", "MemTotal"),
        ] {
            let error = memory(bad).unwrap_err().to_string();
            assert!(
                error.contains(missing) && error.contains(MEMINFO),
                "{bad:?}: {error}"
            );
        }
    }

    #[test]
    fn the_load_is_the_first_number() {
        for (text, expected) in [
            ("0.00 0.01 0.05 1/123 4567\n", Some(0.0)),
            ("12.5 1 1 1/1 1", Some(12.5)),
            ("", None),
            ("high 1 1", None),
            ("-1 1 1", None),
            ("NaN 1 1", None),
        ] {
            assert_eq!(load(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn this_machine_has_something_of_everything() {
        let directory = tempfile::tempdir().unwrap();
        let found = Resources::read(directory.path()).unwrap();
        assert!(found.cores > 0 && found.disk_free > 0, "{found:?}");
        assert!(
            0 < found.memory_available && found.memory_available <= found.memory_total,
            "{found:?}"
        );
        assert!(found.load1 >= 0.0, "{found:?}");
    }

    #[test]
    fn a_directory_that_is_nowhere_is_named() {
        let error = Resources::read(Path::new("/nowhere/at/all"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
