//! What only a person can answer while a connection is made.

use secrecy::SecretString;

/// A question of the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Nothing is recorded about this server's key yet: is it the right one?
    TrustHost {
        /// The server.
        host: String,
        /// The kind of its key.
        key_type: String,
        /// The key's SHA-256 fingerprint, as `ssh-keygen -l` prints it.
        fingerprint: String,
        /// Where a yes is recorded.
        recorded_in: String,
    },
    /// A key is encrypted.
    Passphrase {
        /// The key file.
        key: String,
        /// Whether the last answer was wrong.
        wrong_before: bool,
    },
}

/// What a person answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The server is trusted, or not.
    Trust(bool),
    /// The passphrase; none: no answer.
    Passphrase(Option<SecretString>),
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Trust(a), Self::Trust(b)) => a == b,
            (Self::Passphrase(a), Self::Passphrase(b)) => a.is_some() == b.is_some(),
            (Self::Trust(_) | Self::Passphrase(_), _) => false,
        }
    }
}
