//! What only a person can answer: whether to trust a server that is met for the first time, and a key's passphrase.
//!
//! Nothing is connected while a person thinks: the session that met the question is given up, and the next one is made
//! with the answer. So no time limit, ours or the server's, runs out meanwhile. Answers are kept in memory for as long
//! as the [`Questions`] live, a refusal until a person wants another try, so that a reconnect never asks.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use russh::keys::{PrivateKey, PublicKey, decode_secret_key};
use secrecy::{ExposeSecret, SecretString};

use super::recording::record;

/// How often a passphrase is asked for.
const TRIES: usize = 3;

/// Asks a person. A question whose future is dropped is void.
pub trait SshQuestions: Send + Sync {
    /// Whether the server that shows this key is the one that is meant. A yes is recorded.
    fn trust_host(&self, question: HostQuestion) -> BoxFuture<'_, bool>;

    /// The passphrase of an encrypted key; none when the person does not want to give it.
    fn passphrase(&self, question: PassphraseQuestion) -> BoxFuture<'_, Option<SecretString>>;
}

/// A server about which nothing is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostQuestion {
    /// `user@host:port`.
    pub target: String,
    /// The server as known_hosts writes it.
    pub host: String,
    /// Kind of the key that it shows, such as `ssh-ed25519`.
    pub key_type: String,
    /// `SHA256:…`, as `ssh-keygen -lf` prints it.
    pub fingerprint_sha256: String,
    /// Where a yes is recorded.
    pub file: PathBuf,
}

/// A key that the server would take and that is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassphraseQuestion {
    /// `user@host:port`.
    pub target: String,
    /// The key's file.
    pub key: PathBuf,
    /// Whether the last answer was wrong.
    pub wrong_before: bool,
}

/// Who is asked, and what was answered. Clones share the answers.
#[derive(Clone)]
pub struct Questions {
    asker: Arc<dyn SshQuestions>,
    answers: Arc<Mutex<Answers>>,
}

#[derive(Default)]
struct Answers {
    keys: HashMap<PathBuf, KeyAnswer>,
    hosts: Vec<(String, PublicKey, bool)>,
}

/// What became of the question for a passphrase.
#[derive(Clone)]
pub(super) enum KeyAnswer {
    /// It opened the key.
    Unlocked(Arc<PrivateKey>),
    /// The key stays closed, for this reason.
    Locked(&'static str),
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Questions")
    }
}

/// A question that a session met.
#[derive(Debug)]
pub(super) enum Question {
    /// About a server's key.
    Host {
        /// What to ask.
        question: HostQuestion,
        /// The key that it shows.
        key: Box<PublicKey>,
        /// The line for known_hosts.
        line: String,
    },
    /// About a key of our own.
    Passphrase {
        /// `user@host:port`.
        target: String,
        /// The key's file.
        key: PathBuf,
    },
}

impl Questions {
    /// Questions that `asker` puts to a person.
    #[must_use]
    pub fn new(asker: Arc<dyn SshQuestions>) -> Self {
        Self {
            asker,
            answers: Arc::default(),
        }
    }

    /// Forgets what the person refused, so that it is asked again.
    pub fn forget_refusals(&self) {
        let mut answers = self.answers();
        answers
            .keys
            .retain(|_, answer| matches!(answer, KeyAnswer::Unlocked(_)));
        answers.hosts.retain(|(_, _, trusted)| *trusted);
    }

    /// Asks, and keeps the answer.
    pub(super) async fn ask(&self, question: Question) {
        match question {
            Question::Host { question, key, line } => {
                let (host, file) = (question.host.clone(), question.file.clone());
                let trusted = self.asker.trust_host(question).await;
                // As with ssh, a person's word holds without the record: then it is asked for again next time.
                if trusted && let Err(error) = record(&file, &line) {
                    tracing::warn!(
                        "cannot record the SSH host key of {host} in {}: {error}",
                        file.display()
                    );
                }
                self.answers().hosts.push((host, *key, trusted));
            }
            Question::Passphrase { target, key } => {
                let answer = self.unlock(target, &key).await;
                self.answers().keys.insert(key, answer);
            }
        }
    }

    async fn unlock(&self, target: String, key: &Path) -> KeyAnswer {
        let mut question = PassphraseQuestion {
            target,
            key: key.to_owned(),
            wrong_before: false,
        };
        for _ in 0..TRIES {
            let Some(passphrase) = self.asker.passphrase(question.clone()).await else {
                return KeyAnswer::Locked("it is encrypted, and no passphrase was given");
            };
            // Deriving a key from a passphrase takes its time on purpose.
            let key = key.to_owned();
            let opening = tokio::task::spawn_blocking(move || {
                let text = std::fs::read_to_string(key).ok()?;
                decode_secret_key(&text, Some(passphrase.expose_secret())).ok()
            });
            if let Ok(Some(opened)) = opening.await {
                return KeyAnswer::Unlocked(Arc::new(opened));
            }
            question.wrong_before = true;
        }
        KeyAnswer::Locked("it is encrypted, and no passphrase that was given opens it")
    }

    pub(super) fn key(&self, path: &Path) -> Option<KeyAnswer> {
        self.answers().keys.get(path).cloned()
    }

    /// Whether a person trusts this server with this key; none where they were not asked.
    pub(super) fn host(&self, host: &str, key: &PublicKey) -> Option<bool> {
        let answers = self.answers();
        let answer = answers
            .hosts
            .iter()
            .rev()
            .find(|(name, known, _)| name == host && known.key_data() == key.key_data());
        answer.map(|(_, _, trusted)| *trusted)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        // Nothing panics between two changes that belong together.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
