//! Which process may clean up after a builder's name: containers and directories of earlier attempts belong to
//! whoever holds a lock in the shared directory. The kernel frees it when its holder dies, however it dies.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::BuildError;
use crate::model::BuilderName;

/// A claim to everything that carries one builder's name.
#[derive(Debug)]
pub(super) struct Ownership {
    path: PathBuf,
    file: File,
    held: AtomicBool,
}

impl Ownership {
    /// Takes the name, or stands in line for it behind another process.
    ///
    /// # Errors
    /// [`BuildError::File`] when there can be no lock in the shared directory.
    pub(super) fn claim(shared: &Path, builder: &BuilderName) -> Result<Self, BuildError> {
        let directory = shared.join("builders");
        std::fs::create_dir_all(&directory).map_err(BuildError::file("create", &directory))?;
        let path = directory.join(format!("{builder}.lock"));
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(BuildError::file("open", &path))?;
        let held =
            AtomicBool::new(lock(&file).map_err(|error| BuildError::file("lock", &path)(error.into()))?);
        Ok(Self { path, file, held })
    }

    /// The lock that another living process holds; none when the name is ours. Asks again each time, since
    /// that process may have ended.
    pub(super) fn twin(&self) -> Option<&Path> {
        if self.held.load(Ordering::Relaxed) {
            return None;
        }
        let held = lock(&self.file).unwrap_or(false);
        self.held.store(held, Ordering::Relaxed);
        (!held).then_some(self.path.as_path())
    }
}

fn lock(file: &File) -> Result<bool, Errno> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_owner_at_a_time() {
        let shared = tempfile::tempdir().unwrap();
        let claim = |name: &str| Ownership::claim(shared.path(), &name.parse().unwrap()).unwrap();
        let first = claim("b1");
        let second = claim("b1");
        assert_eq!(first.twin(), None);
        assert_eq!(
            second.twin(),
            Some(shared.path().join("builders/b1.lock").as_path())
        );
        assert_eq!(claim("b2").twin(), None, "another name is another lock");
        drop(first);
        assert_eq!(second.twin(), None, "it inherits");
        assert!(claim("b1").twin().is_some());
    }
}
