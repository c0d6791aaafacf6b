//! A fresh signing key in a GnuPG home of its own, and the keyring package that makes build containers trust it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::package_file::write_package;

/// The key. Its agent ends with it.
pub struct SigningKey {
    home: PathBuf,
    fingerprint: String,
}

impl SigningKey {
    /// File name of the keyring package.
    pub const KEYRING_PACKAGE: &str = "caur-test-keyring-1-1-any.pkg.tar.zst";

    /// Makes a key in the new directory `home`.
    ///
    /// # Panics
    /// When gpg fails.
    #[must_use]
    pub fn make(home: &Path) -> Self {
        make_home(home);
        gpg(
            home,
            &[
                "--passphrase",
                "",
                "--quick-generate-key",
                "Caur tests <tests@example.org>",
                "ed25519",
                "sign",
                "never",
            ],
        );
        let listing = gpg(home, &["--with-colons", "--list-keys"]);
        let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
        let fingerprint = listing
            .lines()
            .find_map(|line| line.strip_prefix("fpr:"))
            .map(|rest| rest.trim_matches(':').to_owned())
            .expect("gpg lists the key that it made");
        Self {
            home: home.to_owned(),
            fingerprint,
        }
    }

    /// The GnuPG home with the secret key.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The public key, as gpg exports it.
    ///
    /// # Panics
    /// When gpg fails.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        gpg(&self.home, &["--export"]).stdout
    }

    /// Makes a GnuPG home that trusts this key and nothing else, as pacman wants it.
    ///
    /// # Panics
    /// When gpg fails.
    pub fn trust_in(&self, home: &Path) {
        make_home(home);
        let key = home.join("key");
        let trust = home.join("trust");
        fs::write(&key, self.public()).expect("a new directory is writable");
        fs::write(&trust, format!("{}:6:\n", self.fingerprint)).expect("a new directory is writable");
        gpg(home, &["--import", &key.to_string_lossy()]);
        gpg(home, &["--import-ownertrust", &trust.to_string_lossy()]);
        end_agent(home);
    }

    /// Whether `signature` is this key's good signature of `file`.
    #[must_use]
    pub fn has_signed(&self, file: &Path, signature: &Path) -> bool {
        gpg_command(&self.home)
            .arg("--verify")
            .args([signature, file])
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// Writes the package that brings this key into the folder `to`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_keyring_package(&self, to: &Path) {
        let info = "pkgname = caur-test-keyring\npkgbase = caur-test-keyring\npkgver = 1-1\npkgdesc = Key of a test\n\
                    url = https://example.org\nbuilddate = 1700000000\npackager = Caur tests\nsize = 1000\narch = any\n";
        let keyrings = "usr/share/pacman/keyrings/caur-test";
        let files = [
            (".PKGINFO".to_owned(), info.as_bytes().to_vec()),
            (format!("{keyrings}.gpg"), self.public()),
            (
                format!("{keyrings}-trusted"),
                format!("{}:4:\n", self.fingerprint).into_bytes(),
            ),
        ];
        write_package(&to.join(Self::KEYRING_PACKAGE), files);
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        end_agent(&self.home);
    }
}

fn make_home(home: &Path) {
    fs::create_dir(home).unwrap_or_else(|error| panic!("cannot create {}: {error}", home.display()));
    fs::set_permissions(home, Permissions::from_mode(0o700)).expect("one's own directory can be closed");
}

fn end_agent(home: &Path) {
    // There may be none.
    let _ended = Command::new("gpgconf")
        .arg("--homedir")
        .arg(home)
        .args(["--kill", "all"])
        .output();
}

fn gpg_command(home: &Path) -> Command {
    let mut command = Command::new("gpg");
    command
        .arg("--homedir")
        .arg(home)
        .args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
    command
}

fn gpg(home: &Path, arguments: &[&str]) -> Output {
    let output = gpg_command(home)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("cannot start gpg: {error}; install the package gnupg"));
    assert!(
        output.status.success(),
        "gpg {arguments:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
