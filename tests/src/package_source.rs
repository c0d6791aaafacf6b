//! A git repository of package folders, as builders clone it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository.
pub struct PackageSource {
    path: PathBuf,
}

impl PackageSource {
    /// An empty repository at `path` with one commit.
    ///
    /// # Panics
    /// When git fails.
    #[must_use]
    pub fn make(path: &Path) -> Self {
        fs::create_dir_all(path).expect("a temporary directory is writable");
        let source = Self {
            path: path.to_owned(),
        };
        source.git(&["init", "-q", "-b", "main"]);
        source.git(&["commit", "-q", "--allow-empty", "-m", "feat: begin"]);
        source
    }

    /// A repository at `path` with the demo collection of `tests/packages`.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn demo(path: &Path) -> Self {
        let script = crate::repository_root().join("tests/packages/materialise");
        let output = Command::new(&script)
            .arg(path)
            .output()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", script.display()));
        assert!(
            output.status.success(),
            "{} failed: {}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Self {
            path: path.to_owned(),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a small package that holds one file and commits it. `more` is put into its PKGBUILD and may change
    /// everything.
    ///
    /// # Panics
    /// When git fails.
    pub fn package(&self, name: &str, more: &str) -> &Self {
        self.pkgbuild(
            name,
            &format!(
                "pkgname={name}\npkgver=1.0\npkgrel=1\npkgdesc='Made by a test'\narch=('any')\n\
                 license=('GPL-3.0-or-later')\npackage() {{\n  install -d \"$pkgdir/usr/share/$pkgname\"\n  \
                 echo \"$pkgname\" >\"$pkgdir/usr/share/$pkgname/name\"\n}}\n{more}\n"
            ),
        )
    }

    /// Writes a PKGBUILD and commits it.
    ///
    /// # Panics
    /// When git fails.
    pub fn pkgbuild(&self, name: &str, text: &str) -> &Self {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).expect("a temporary directory is writable");
        fs::write(folder.join("PKGBUILD"), text).expect("a temporary directory is writable");
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", &format!("feat: {name}")]);
        self
    }

    /// The commit that a build of the branch head gets.
    ///
    /// # Panics
    /// When git fails.
    #[must_use]
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.path)
            .args(["-c", "user.name=Caur tests", "-c", "user.email=tests@example.org"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .unwrap_or_else(|error| panic!("cannot start git: {error}; install the package git"));
        assert!(
            output.status.success(),
            "git {arguments:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
