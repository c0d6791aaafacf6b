//! Detached OpenPGP signatures by `gpg`, so that agents, subkeys and hardware keys work as they do by hand.
//!
//! A signature is checked before it is used: what leaves this module has been verified with the same keyring.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::signing_key::{KeyTrouble, find_signing_key};

/// How packages are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// Not at all.
    Off,
    /// By gpg.
    Gpg {
        /// The `GNUPGHOME` with the secret key.
        home: PathBuf,
        /// Which key, in any form that gpg takes; gpg's default where none is given.
        key: Option<String>,
    },
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// gpg could not be started.
    #[error("could not start gpg to sign packages: {0}; install the package gnupg, or turn signing off")]
    Start(io::Error),
    /// The keyring's folder is not there.
    #[error("the gpg home {} does not exist or is not a folder; set GPG_PATH to the folder with the signing key", .0.display())]
    NoHome(PathBuf),
    /// There is no secret key to sign with.
    #[error("the gpg home {} has no secret key{}; import it with `gpg --homedir {} --import`", home.display(), for_key(key), home.display())]
    NoSecretKey {
        /// The gpg home.
        home: PathBuf,
        /// The wanted key.
        key: Option<String>,
    },
    /// The key has expired.
    #[error("the signing key{} in the gpg home {} has expired; extend it with `gpg --homedir {} --quick-set-expire FINGERPRINT 1y '*'`, and its copy in the keyring package", for_key(key), home.display(), home.display())]
    Expired {
        /// The gpg home.
        home: PathBuf,
        /// The wanted key.
        key: Option<String>,
    },
    /// The key is revoked.
    #[error("the signing key{} in the gpg home {} is revoked; import or create another one, and name it where several are there", for_key(key), home.display())]
    Revoked {
        /// The gpg home.
        home: PathBuf,
        /// The wanted key.
        key: Option<String>,
    },
    /// The key is disabled or cannot sign.
    #[error("no secret key{} in the gpg home {} may sign: it is disabled or made for other uses; add a subkey with `gpg --homedir {} --quick-add-key FINGERPRINT ed25519 sign`", for_key(key), home.display(), home.display())]
    Unfit {
        /// The gpg home.
        home: PathBuf,
        /// The wanted key.
        key: Option<String>,
    },
    /// The agent would have to ask for a passphrase or PIN.
    #[error("the signing key in {} is locked: gpg would have to ask for its passphrase or PIN; unlock it in the agent (sign something by hand, or gpg-preset-passphrase)", .0.display())]
    Locked(PathBuf),
    /// gpg took too long.
    #[error("gpg did not answer within {} s while working on {}; is its agent or a hardware key stuck?", GPG_PATIENCE.as_secs(), .0.display())]
    Stuck(PathBuf),
    /// Anything else, with gpg's own words.
    #[error("gpg failed to {action} {}: {words}", path.display())]
    Failed {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What gpg said.
        words: String,
    },
    /// The signature is larger than pacman takes.
    #[error("the signature {} has {size} bytes, pacman takes at most {SIGNATURE_LIMIT}", path.display())]
    TooLarge {
        /// The signature.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
}

/// The largest signature that pacman takes, in bytes.
pub const SIGNATURE_LIMIT: u64 = 16384;
/// How long gpg may take for one call; a hardware key needs a second or two a file.
const GPG_PATIENCE: Duration = Duration::from_secs(300);

fn for_key(key: &Option<String>) -> String {
    key.as_ref().map(|key| format!(" {key:?}")).unwrap_or_default()
}

/// The name of the signature of a file.
#[must_use]
pub fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

impl Signing {
    /// Checks that files can be signed, as far as that shows without signing one.
    ///
    /// # Errors
    /// When gpg, its home or a usable secret key is missing.
    pub fn check(&self) -> Result<(), SignError> {
        let Self::Gpg { home, key } = self else {
            return Ok(());
        };
        if !home.is_dir() {
            return Err(SignError::NoHome(home.clone()));
        }
        let mut command = gpg(home);
        command.args(["--with-colons", "--list-secret-keys"]).args(key);
        let listing = run(command, home)?.stdout;
        let (home, key) = (home.clone(), key.clone());
        find_signing_key(&String::from_utf8_lossy(&listing), key.as_deref()).map_err(
            |trouble| match trouble {
                KeyTrouble::Missing => SignError::NoSecretKey { home, key },
                KeyTrouble::Expired => SignError::Expired { home, key },
                KeyTrouble::Revoked => SignError::Revoked { home, key },
                KeyTrouble::Unfit => SignError::Unfit { home, key },
            },
        )
    }

    /// Signs each of `files` into `FILE.sig` and checks the signatures, several at a time.
    ///
    /// # Errors
    /// The first one, when a file cannot be signed or its signature does not verify. None of the files has a
    /// signature then.
    pub fn sign(&self, files: &[PathBuf]) -> Result<(), SignError> {
        let Self::Gpg { home, key } = self else {
            return Ok(());
        };
        let outcome = each(files, |file| {
            sign_file(home, key, file).and_then(|()| verify(home, file))
        });
        if outcome.is_err() {
            for file in files {
                // Missing ones are expected; one that stays does no harm beyond the staging folder.
                let _ = std::fs::remove_file(signature_path(file));
            }
        }
        match outcome {
            // gpg says the same of a default key that has expired; the key list tells them apart.
            Err(error @ (SignError::NoSecretKey { .. } | SignError::Unfit { .. })) => {
                self.check().and(Err(error))
            }
            outcome => outcome,
        }
    }
}

/// Does the work for each file on as many threads as there are processors. After an error no more is begun.
fn each(files: &[PathBuf], work: impl Fn(&Path) -> Result<(), SignError> + Sync) -> Result<(), SignError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(files.iter());
    let error = Mutex::new(None);
    let next = || {
        let stopped = error.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.next().filter(|_| !stopped)
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(files.len()) {
            scope.spawn(|| {
                while let Some(file) = next() {
                    if let Err(failure) = work(file) {
                        let mut first = error.lock().unwrap_or_else(PoisonError::into_inner);
                        first.get_or_insert(failure);
                    }
                }
            });
        }
    });
    let error = error.into_inner().unwrap_or_else(PoisonError::into_inner);
    error.map_or(Ok(()), Err)
}

fn sign_file(home: &Path, key: &Option<String>, file: &Path) -> Result<(), SignError> {
    let signature = signature_path(file);
    let mut command = gpg(home);
    command.args(["--pinentry-mode", "error", "--no-armor", "--status-fd", "1"]);
    if let Some(key) = key {
        command.args(["--local-user", key]);
    }
    command
        .arg("--output")
        .arg(&signature)
        .arg("--detach-sign")
        .arg("--")
        .arg(file);
    let output = run(command, file)?;
    if !output.status.success() {
        return Err(classify(home, key, file, &output));
    }
    match std::fs::metadata(&signature) {
        Ok(metadata) if metadata.len() <= SIGNATURE_LIMIT => Ok(()),
        Ok(metadata) => Err(SignError::TooLarge {
            path: signature,
            size: metadata.len(),
        }),
        Err(error) => Err(SignError::Failed {
            action: "sign",
            path: file.to_owned(),
            words: error.to_string(),
        }),
    }
}

fn classify(home: &Path, key: &Option<String>, file: &Path, output: &Output) -> SignError {
    let (home, key) = (home.to_owned(), key.clone());
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let says = |words: &str| says(output, words);
    // Codes of INV_SGNR: 1 is not found, 4 revoked, 5 expired, 9 no secret key.
    if says("INV_SGNR 9") || says("INV_SGNR 1") || says("NO_SECKEY") {
        SignError::NoSecretKey { home, key }
    } else if says("KEYEXPIRED") || says("INV_SGNR 5") {
        SignError::Expired { home, key }
    } else if says("KEYREVOKED") || says("INV_SGNR 4") {
        SignError::Revoked { home, key }
    } else if says("INV_SGNR") {
        SignError::Unfit { home, key }
    } else if words.contains("pinentry") || words.contains("passphrase") {
        SignError::Locked(home)
    } else {
        SignError::Failed {
            action: "sign",
            path: file.to_owned(),
            words,
        }
    }
}

/// One call a file: gpg takes no second detached signature in the same call.
fn verify(home: &Path, file: &Path) -> Result<(), SignError> {
    let output = verification(home, file)?;
    // Of an expired or revoked key the first line would be another one.
    if output.status.success() && says(&output, "GOODSIG") && says(&output, "VALIDSIG") {
        return Ok(());
    }
    let words = format!(
        "it does not verify: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Err(SignError::Failed {
        action: "check the new signature of",
        path: file.to_owned(),
        words,
    })
}

/// What gpg says about the signature beside `file`; its status lines are in `stdout`.
pub(super) fn verification(home: &Path, file: &Path) -> Result<Output, SignError> {
    let mut command = gpg(home);
    // How far a key is trusted does not matter here, and without it gpg needs no lock on its database.
    command
        .args([
            "--status-fd",
            "1",
            "--trust-model",
            "always",
            "--no-auto-check-trustdb",
        ])
        .args(["--verify", "--"])
        .arg(signature_path(file))
        .arg(file);
    run(command, file)
}

/// Whether a status line begins with these words; doc/DETAILS in GnuPG lists them.
fn says(output: &Output, words: &str) -> bool {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("[GNUPG:] "))
        .filter_map(|line| line.strip_prefix(words))
        .any(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn gpg(home: &Path) -> Command {
    let mut command = Command::new("gpg");
    command
        .arg("--homedir")
        .arg(home)
        .args(["--batch", "--no-tty", "--yes"])
        .env("LC_ALL", "C");
    command
}

fn run(mut command: Command, about: &Path) -> Result<Output, SignError> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(SignError::Start)?;
    wait(child, about, GPG_PATIENCE)
}

fn wait(child: Child, about: &Path, patience: Duration) -> Result<Output, SignError> {
    let process = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(patience) {
        Ok(output) => output.map_err(SignError::Start),
        Err(_) => {
            // The waiting thread has not collected the process yet, so the number is still its own.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
            Err(SignError::Stuck(about.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_and_reported() {
        let mut command = Command::new("sleep");
        let child = command
            .arg("600")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let error = wait(child, Path::new("file"), Duration::from_millis(20)).unwrap_err();
        assert!(
            matches!(&error, SignError::Stuck(path) if path == Path::new("file")),
            "{error}"
        );
        while process.exists() {
            std::thread::yield_now();
        }
    }
}
