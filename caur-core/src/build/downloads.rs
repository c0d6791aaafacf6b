//! The downloads that makepkg keeps between builds of one package, which are one build's at a time: the build
//! image empties them before a build of a package that does not ask to keep them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::BuildError;
use super::workspace::Place;
use crate::model::JobRequest;

/// Downloads that no build used for this long are dropped.
const LIFETIME: Duration = Duration::from_secs(31 * 86_400);

/// Where the downloads of all packages are, as `TARGET/PKGBASE`.
#[derive(Debug, Clone)]
pub(super) enum Downloads {
    /// In the shared directory.
    Shared(Place),
    /// On the engine's host, of which this process may not see that part.
    Host(PathBuf),
}

/// The directory that one build downloads into, and nobody else as long as this lives.
#[derive(Debug)]
pub(super) struct Taken {
    /// As the engine's host sees it.
    pub host: PathBuf,
    _lock: Option<File>,
}

/// Whether a package's downloads could be had.
enum Hold {
    Ours(File),
    Busy,
    /// This file system has no such locks.
    Unknown,
}

impl Downloads {
    /// Takes the downloads of a package, or `private`, which is empty, while another build has them: such as one
    /// of the same package for another architecture.
    pub(super) fn take(&self, request: &JobRequest, private: &Place) -> Result<Taken, BuildError> {
        let place = match self {
            // The engine makes it.
            Self::Host(host) => {
                return Ok(Taken {
                    host: host.join(below(request)),
                    _lock: None,
                });
            }
            Self::Shared(root) => root.join(below(request)),
        };
        let make = |path: &Path| fs::create_dir_all(path).map_err(BuildError::file("create", path));
        make(&place.own)?;
        let (place, lock) = match hold(&place.own) {
            Hold::Ours(lock) => (place, Some(lock)),
            Hold::Unknown => (place, None),
            Hold::Busy => {
                make(&private.own)?;
                (private.clone(), None)
            }
        };
        Ok(Taken {
            host: place.host,
            _lock: lock,
        })
    }

    /// Takes them again for a build that an earlier process began with them.
    pub(super) fn retake(&self, request: &JobRequest) -> Option<File> {
        let Self::Shared(root) = self else {
            return None;
        };
        match hold(&root.own.join(below(request))) {
            Hold::Ours(lock) => Some(lock),
            Hold::Busy | Hold::Unknown => None,
        }
    }

    /// Drops those of packages that were not built for a month; returns which.
    pub(super) fn drop_old(&self, now: SystemTime) -> Vec<PathBuf> {
        let root = match self {
            Self::Shared(root) => &root.own,
            Self::Host(host) => host,
        };
        let targets = list(root);
        let caches = targets.iter().flat_map(|target| list(target));
        caches
            .filter(|cache| is_old(cache, now))
            .filter(|cache| match fs::remove_dir_all(cache) {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(cache = %cache.display(), %error, "old downloads cannot be removed");
                    false
                }
            })
            .collect()
    }
}

fn below(request: &JobRequest) -> PathBuf {
    Path::new(request.target.repo.as_str()).join(request.pkgbase.as_str())
}

/// The lock is on the directory itself, so that nothing of it stays behind.
fn hold(directory: &Path) -> Hold {
    let Ok(file) = File::open(directory) else {
        return Hold::Unknown;
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Hold::Ours(file),
        Err(Errno::WOULDBLOCK) => Hold::Busy,
        Err(_) => Hold::Unknown,
    }
}

fn list(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn is_old(cache: &Path, now: SystemTime) -> bool {
    fs::metadata(cache.join(".timestamp"))
        .and_then(|stamp| stamp.modified())
        .is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > LIFETIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BuildClass, Target};

    fn request() -> JobRequest {
        JobRequest {
            target: Target {
                repo: "repo".parse().unwrap(),
                arch: "x86_64".parse().unwrap(),
            },
            source: "src".parse().unwrap(),
            pkgbase: "foo".parse().unwrap(),
            class: BuildClass::DEFAULT,
            names: Vec::new(),
            needs: Vec::new(),
            build_commit: None,
            status_commit: None,
            arch_mirror: None,
            rebuild: false,
        }
    }

    fn place(directory: &tempfile::TempDir, name: &str) -> Place {
        Place {
            own: directory.path().join(name),
            host: Path::new("/host").join(name),
        }
    }

    #[test]
    fn the_downloads_of_a_package_are_one_builds_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let downloads = Downloads::Shared(place(&directory, "cache"));
        let take = |private: &str| downloads.take(&request(), &place(&directory, private)).unwrap();
        let kept = Path::new("/host/cache/repo/foo");
        let first = take("one");
        assert_eq!(first.host, kept);
        let second = take("two");
        assert_eq!(second.host, Path::new("/host/two"));
        assert!(directory.path().join("two").is_dir() && !directory.path().join("one").exists());

        drop(first);
        let retaken = downloads.retake(&request());
        assert!(retaken.is_some() && downloads.retake(&request()).is_none());
        assert_eq!(take("three").host, Path::new("/host/three"));
        drop(retaken);
        assert_eq!(take("four").host, kept);
    }

    #[test]
    fn they_are_dropped_after_a_month_without_use() {
        let directory = tempfile::tempdir().unwrap();
        let downloads = Downloads::Shared(place(&directory, "cache"));
        drop(downloads.take(&request(), &place(&directory, "private")).unwrap());
        let cache = directory.path().join("cache/repo/foo");
        let later = |days: u64| SystemTime::now() + Duration::from_secs(days * 86_400);
        assert!(
            downloads.drop_old(later(365)).is_empty(),
            "without a stamp it is new"
        );
        fs::write(cache.join(".timestamp"), "").unwrap();
        assert!(downloads.drop_old(later(30)).is_empty());
        assert_eq!(downloads.drop_old(later(32)), std::slice::from_ref(&cache));
        assert!(!cache.exists());
    }
}
