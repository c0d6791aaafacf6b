//! Every change that the repository makes on disk goes through here: each is one step after which the process may
//! die, each error names what was attempted on what.
//!
//! Tests put a [`Fault`] in front of the steps, to show that recovery copes with an end at any of them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use super::RepoError;

/// Asked before each step; an error stands for the step's failure.
pub type Fault = Arc<dyn Fn(&Path) -> io::Result<()> + Send + Sync>;

/// The file system as the repository uses it.
#[derive(Clone, Default)]
pub struct Disk {
    fault: Option<Fault>,
}

impl Disk {
    /// A disk on which `fault` is asked before each step.
    #[cfg(test)]
    pub fn with_fault(fault: Fault) -> Self {
        Self { fault: Some(fault) }
    }

    fn step<T>(
        &self,
        action: &'static str,
        path: &Path,
        run: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, RepoError> {
        self.fault
            .as_ref()
            .map_or(Ok(()), |fault| fault(path))
            .and_then(|()| run())
            .map_err(|source| RepoError::Io {
                action,
                path: path.to_owned(),
                source,
            })
    }

    /// Makes sure that a folder exists that everybody may read.
    pub fn public_folder(&self, path: &Path) -> Result<(), RepoError> {
        self.folder(path, 0o755)
    }

    /// Makes sure that a folder exists that nobody else may enter, and that it is no link to elsewhere.
    pub fn private_folder(&self, path: &Path) -> Result<(), RepoError> {
        self.folder(path, 0o700)?;
        let metadata = fs::symlink_metadata(path).map_err(|e| RepoError::io("look at", path, e))?;
        if !metadata.is_dir() {
            let error = io::Error::other("it is not a folder; remove it");
            return Err(RepoError::io("use as a private folder", path, error));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            self.step("make private", path, || {
                fs::set_permissions(path, Permissions::from_mode(0o700))
            })?;
        }
        Ok(())
    }

    fn folder(&self, path: &Path, mode: u32) -> Result<(), RepoError> {
        if path.is_dir() {
            return Ok(());
        }
        self.step("create the folder", path, || {
            match DirBuilder::new().mode(mode).create(path) {
                // Another target's publish was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                outcome => outcome?,
            }
            // Whatever the umask is: a web server under another account must read the public ones.
            fs::set_permissions(path, Permissions::from_mode(mode))
        })?;
        path.parent().map_or(Ok(()), |parent| self.sync_folder(parent))
    }

    /// Creates a file that must not exist yet, readable by nobody else.
    pub fn create(&self, path: &Path) -> Result<File, RepoError> {
        self.step("create", path, || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
        })
    }

    /// Makes a staged file readable for everybody and sees to it that its content is on the disk.
    pub fn settle(&self, path: &Path) -> Result<(), RepoError> {
        self.step("write to the disk", path, || {
            let file = File::open(path)?;
            // Of a file that lay there before, its owner may be somebody else.
            if file.metadata()?.permissions().mode() & 0o777 != 0o644 {
                file.set_permissions(Permissions::from_mode(0o644))?;
            }
            file.sync_all()
        })
    }

    /// Sees to it that the names in a folder are on the disk.
    pub fn sync_folder(&self, path: &Path) -> Result<(), RepoError> {
        self.step("write to the disk the folder", path, || {
            File::open(path)?.sync_all()
        })
    }

    /// Renames within one file system, replacing what is there.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<(), RepoError> {
        self.step("move a file to", to, || {
            fs::rename(from, to)?;
            // Between two names of one file a rename does nothing.
            match fs::remove_file(from) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                outcome => outcome,
            }
        })
    }

    /// Removes a file; one that is gone already is fine.
    pub fn remove(&self, path: &Path) -> Result<(), RepoError> {
        self.step("remove", path, || match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        })
    }

    /// Removes a folder with all that it holds.
    pub fn remove_folder(&self, path: &Path) -> Result<(), RepoError> {
        self.step("remove the folder", path, || match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        })
    }

    /// Replaces a file's content in one step that survives a crash either way.
    pub fn replace(&self, path: &Path, staging: &Path, content: &[u8]) -> Result<(), RepoError> {
        let staged = staging.join(path.file_name().unwrap_or_default());
        self.remove(&staged)?;
        self.write(&staged, content)?;
        self.rename(&staged, path)?;
        path.parent().map_or(Ok(()), |parent| self.sync_folder(parent))
    }

    /// Like [`Self::replace`] for what can be made anew at any time, so it need not outlast a loss of power.
    pub fn replace_derived(&self, path: &Path, staging: &Path, content: &[u8]) -> Result<(), RepoError> {
        let staged = staging.join(path.file_name().unwrap_or_default());
        self.remove(&staged)?;
        let mut file = self.create(&staged)?;
        self.step("write", &staged, || {
            file.write_all(content)?;
            file.set_permissions(Permissions::from_mode(0o644))
        })?;
        self.rename(&staged, path)
    }

    /// Writes a staged file, with its content on the disk.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), RepoError> {
        let mut file = self.create(path)?;
        self.step("write", path, || file.write_all(content))?;
        self.settle(path)
    }

    /// Gives a file a second name, in place of what has that name; a copy where the file system has no hard links.
    pub fn share(&self, from: &Path, to: &Path) -> Result<(), RepoError> {
        self.remove(to)?;
        self.step("give a second name to a file as", to, || {
            fs::hard_link(from, to).or_else(|_| {
                fs::copy(from, to)?;
                File::open(to)?.sync_all()
            })
        })
    }

    /// Copies a file, in place of what has that name: whatever happens to one of them later leaves the other alone.
    pub fn copy(&self, from: &Path, to: &Path) -> Result<(), RepoError> {
        self.remove(to)?;
        self.step("copy a file to", to, || {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        })
    }

    /// Makes `link` a symbolic link to `to`, in one step.
    pub fn link(&self, link: &Path, to: &str, staging: &Path) -> Result<(), RepoError> {
        if fs::read_link(link).is_ok_and(|current| current.as_os_str() == to) {
            return Ok(());
        }
        let staged = staging.join("link");
        self.remove(&staged)?;
        self.step("create the link", &staged, || {
            std::os::unix::fs::symlink(to, &staged)
        })?;
        self.rename(&staged, link)
    }
}
