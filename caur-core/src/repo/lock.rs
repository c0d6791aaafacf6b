//! The lock of one target and architecture. It is a file lock, so it holds against every process on the machine and
//! ends with its process, whatever became of that.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::RepoError;

/// How often a lock that others hold is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock that is held until it is dropped.
pub struct Lock(File);

impl Lock {
    /// Waits for the lock on `path`, at most as long as `patience`.
    ///
    /// # Errors
    /// When somebody holds it for longer, or the file cannot be opened.
    pub fn take(path: &Path, patience: Duration) -> Result<Self, RepoError> {
        let failed = |error| RepoError::io("lock", path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() < patience => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(RepoError::Locked {
                        path: path.to_owned(),
                        holder: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        // For whoever finds it locked; the lock itself does not depend on it.
        let _ = file
            .set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has just forked holds the file until it executes.
        let _ = self.0.unlock();
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    match read {
        Ok(_) if !text.is_empty() => format!("process {text}"),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for_and_its_holder_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::take(&path, Duration::ZERO).unwrap();
        let Err(error) = Lock::take(&path, Duration::from_millis(1)) else {
            panic!("locked twice");
        };
        let text = error.to_string();
        assert!(
            text.contains(&format!("process {}", std::process::id())),
            "{text}"
        );
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Lock::take(&path, Duration::from_secs(60)).map(drop));
            drop(held);
            waiting.join().unwrap().unwrap();
        });
    }
}
