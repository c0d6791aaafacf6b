//! A machine of a user of the repository: pacman with a root, a keyring and required signatures of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Ran, SigningKey, run};

/// The machine.
pub struct Client {
    folder: PathBuf,
}

impl Client {
    /// A machine in the new directory `folder` that installs from `server` (with `$repo` and `$arch`) and trusts `key`.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn make(folder: &Path, repo: &str, server: &str, key: &SigningKey) -> Self {
        for name in ["root", "db", "cache"] {
            fs::create_dir_all(folder.join(name)).expect("a temporary directory is writable");
        }
        key.trust_in(&folder.join("gpg"));
        let shown = folder.display();
        let text = format!(
            "[options]\nRootDir = {shown}/root\nDBPath = {shown}/db\nCacheDir = {shown}/cache\n\
             LogFile = {shown}/pacman.log\nGPGDir = {shown}/gpg\nHookDir = {shown}/hooks\nArchitecture = x86_64\n\
             SigLevel = Required DatabaseOptional\n[{repo}]\nServer = {server}\n"
        );
        fs::write(folder.join("pacman.conf"), text).expect("a temporary directory is writable");
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Synchronises and installs `packages` with what they depend on.
    pub async fn install(&self, packages: &[&str]) -> Ran {
        let mut command = Command::new("pacman");
        command
            .arg("--config")
            .arg(self.folder.join("pacman.conf"))
            .args(["--noconfirm", "-Sy"])
            .args(packages)
            .env("LC_ALL", "C");
        run(command, "").await
    }

    /// The file system that packages are installed into.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// Runs an installed program with the installed libraries.
    pub async fn run(&self, program: &str) -> Ran {
        let mut command = Command::new(self.root().join(program));
        command.env("LD_LIBRARY_PATH", self.root().join("usr/lib"));
        run(command, "").await
    }
}
