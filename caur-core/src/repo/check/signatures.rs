//! Whether detached signatures hold, in gpg's judgement.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::super::sign::{SignError, verification};
use super::finding::Severity;

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum SignatureFault {
    /// It was made of something else.
    Wrong,
    /// It has passed the date until which it is to be used.
    Expired,
    /// It is good, but its key has expired since.
    KeyExpired {
        /// The key's id.
        key: String,
    },
    /// Its key was revoked.
    KeyRevoked {
        /// The key's id.
        key: String,
    },
    /// Its key is not in the keyring.
    KeyUnknown {
        /// The key's id.
        key: String,
    },
    /// It is no signature, or of a kind that gpg does not know.
    Unreadable {
        /// What gpg says.
        words: String,
    },
}

impl SignatureFault {
    pub(super) fn severity(&self) -> Severity {
        match self {
            // pacman takes it all the same; new signatures cannot be made.
            Self::KeyExpired { .. } => Severity::Warning,
            Self::Wrong
            | Self::Expired
            | Self::KeyRevoked { .. }
            | Self::KeyUnknown { .. }
            | Self::Unreadable { .. } => Severity::Error,
        }
    }
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong => write!(f, "does not fit its content"),
            Self::Expired => write!(f, "has expired"),
            Self::KeyExpired { key } => write!(f, "is by the key {key}, which has expired"),
            Self::KeyRevoked { key } => write!(f, "is by the key {key}, which was revoked"),
            Self::KeyUnknown { key } => write!(f, "is by the key {key}, which is not in the keyring"),
            Self::Unreadable { words } => write!(f, "cannot be read: {words}"),
        }
    }
}

/// Checks the signature beside `file` with the keys in `home`.
///
/// # Errors
/// When gpg cannot be run.
pub fn verify(home: &Path, file: &Path) -> Result<Option<SignatureFault>, SignError> {
    let output = verification(home, file)?;
    let words = String::from_utf8_lossy(&output.stderr);
    Ok(judge(&String::from_utf8_lossy(&output.stdout), words.trim()))
}

/// What gpg's status lines mean; `doc/DETAILS` in its sources lists them.
fn judge(status: &str, words: &str) -> Option<SignatureFault> {
    let mut good = false;
    let mut fault = None;
    for line in status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")) {
        let mut fields = line.split(' ');
        let kind = fields.next().unwrap_or_default();
        let key = fields.next().unwrap_or_default().to_owned();
        let found = match kind {
            "GOODSIG" => {
                good = true;
                continue;
            }
            "BADSIG" => SignatureFault::Wrong,
            "EXPSIG" => SignatureFault::Expired,
            "EXPKEYSIG" => SignatureFault::KeyExpired { key },
            "REVKEYSIG" => SignatureFault::KeyRevoked { key },
            "NO_PUBKEY" => SignatureFault::KeyUnknown { key },
            _ => continue,
        };
        // A file may hold several signatures: pacman wants all of them to hold.
        if fault
            .as_ref()
            .is_none_or(|fault: &SignatureFault| fault.severity() < found.severity())
        {
            fault = Some(found);
        }
    }
    match (good, fault) {
        (_, Some(fault)) => Some(fault),
        (true, None) if status.contains("[GNUPG:] VALIDSIG ") => None,
        (_, None) => Some(SignatureFault::Unreadable {
            words: words.to_owned(),
        }),
    }
}
