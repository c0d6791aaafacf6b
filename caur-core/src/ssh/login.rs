//! Logging in: key files first, in the order given, then what an agent holds, and at last, where a person can be asked,
//! the encrypted files that the server would take.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{
    HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key, load_public_key,
};
use russh::{SendError, Signer};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::SshError;
use super::connecting::{Client, Halt};
use super::questions::{KeyAnswer, Question, Questions};
use super::session::SshTarget;

/// How long an agent may take to sign; it may ask its user.
const AGENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Offers the keys of `target` one after the other until the server takes one.
pub(super) async fn log_in(
    handle: &mut Handle<Client>,
    target: &SshTarget,
    questions: Option<&Questions>,
) -> Result<(), Halt> {
    let mut attempt = Attempt::default();
    let mut encrypted = Vec::new();
    for path in &target.keys {
        match load(path, questions).await {
            KeyFile::Key(key) => {
                let public = key.public_key().clone();
                let hash = signature_hash(handle, &public).await;
                let key = PrivateKeyWithHashAlg::new(key, hash);
                let answer = handle.authenticate_publickey(&target.user, key).await;
                let answer = answer.map_err(|error| error.to_string());
                if attempt.note(path.display().to_string(), Some(public), answer) {
                    return Ok(());
                }
            }
            KeyFile::Encrypted => encrypted.push(path),
            KeyFile::Unusable(problem) => attempt.problems.push(format!("{} ({problem})", path.display())),
        }
        if attempt.ended {
            break;
        }
    }
    if let Some(socket) = &target.agent
        && !attempt.ended
    {
        match timeout(AGENT_TIMEOUT, offer_agent(handle, target, socket, &mut attempt)).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => {}
            Ok(Err(problem)) => attempt
                .problems
                .push(format!("the agent at {} ({problem})", socket.display())),
            Err(_) => attempt
                .problems
                .push(format!("the agent at {} (it did not answer)", socket.display())),
        }
    }
    if let Some(questions) = questions {
        for path in encrypted {
            if !attempt.ended && wants(handle, target, path, &mut attempt).await {
                let question = Question::Passphrase {
                    target: target.to_string(),
                    key: path.clone(),
                };
                return Err(Halt::Ask(questions.clone(), Box::new(question)));
            }
        }
    }
    Err(attempt.into_error(target).into())
}

/// What was tried so far.
#[derive(Default)]
struct Attempt {
    refused: Vec<String>,
    offered: Vec<PublicKey>,
    problems: Vec<String>,
    /// The server hung up, as it does after too many keys.
    ended: bool,
}

impl Attempt {
    /// Notes the server's answer to a key. True when it let us in.
    fn note(&mut self, name: String, key: Option<PublicKey>, answer: Result<AuthResult, String>) -> bool {
        self.offered.extend(key);
        match answer {
            Ok(AuthResult::Success) => return true,
            Ok(AuthResult::Failure { .. }) => self.refused.push(format!("{name} (refused)")),
            Err(reason) => {
                self.refused
                    .push(format!("{name} (then the server hung up: {reason})"));
                self.ended = true;
            }
        }
        false
    }

    fn was_offered(&self, key: &PublicKey) -> bool {
        self.offered
            .iter()
            .any(|known| known.key_data() == key.key_data())
    }

    fn into_error(mut self, target: &SshTarget) -> SshError {
        let name = target.to_string();
        if self.refused.is_empty() {
            if self.problems.is_empty() {
                self.problems
                    .push("neither a key file nor an agent is configured".to_owned());
            }
            return SshError::NoKey {
                target: name,
                problems: self.problems,
            };
        }
        self.refused.append(&mut self.problems);
        SshError::AuthRefused {
            target: name,
            tried: self.refused,
        }
    }
}

/// What a file holds.
enum KeyFile {
    Key(Arc<PrivateKey>),
    /// A passphrase opens it, and somebody can be asked for it.
    Encrypted,
    Unusable(String),
}

async fn load(path: &Path, questions: Option<&Questions>) -> KeyFile {
    match questions.and_then(|questions| questions.key(path)) {
        Some(KeyAnswer::Unlocked(key)) => return KeyFile::Key(key),
        Some(KeyAnswer::Locked(reason)) => return KeyFile::Unusable(reason.to_owned()),
        None => {}
    }
    let text = match tokio::fs::read_to_string(path).await {
        Ok(text) => text,
        Err(error) => return KeyFile::Unusable(error.to_string()),
    };
    match decode_secret_key(&text, None) {
        Ok(key) => KeyFile::Key(Arc::new(key)),
        Err(russh::keys::Error::KeyIsEncrypted) if questions.is_some() => KeyFile::Encrypted,
        Err(russh::keys::Error::KeyIsEncrypted) => KeyFile::Unusable(format!(
            "it is encrypted and a daemon cannot ask for the passphrase; remove it with `ssh-keygen -p -f {}`, or load \
             the key into an ssh-agent",
            path.display()
        )),
        Err(error) => KeyFile::Unusable(format!("not a private key that can be read: {error}")),
    }
}

/// The public half of what is in a file, which may be a public key itself, from the file or the one beside it.
fn public_half(path: &Path) -> Option<PublicKey> {
    let beside = PathBuf::from(format!("{}.pub", path.display()));
    PrivateKey::read_openssh_file(path)
        .map(|key| key.public_key().clone())
        .ok()
        .or_else(|| load_public_key(path).ok())
        .or_else(|| load_public_key(beside).ok())
}

/// The hash to sign with; only RSA keys leave a choice.
async fn signature_hash(handle: &Handle<Client>, key: &PublicKey) -> Option<HashAlg> {
    if !key.algorithm().is_rsa() {
        return None;
    }
    match handle.best_supported_rsa_hash().await {
        Ok(Some(hash)) => hash,
        // A server that states nothing is either very old or hides it; SHA-1 is no choice in any case.
        Ok(None) | Err(_) => Some(HashAlg::Sha512),
    }
}

/// Whether the server would take the encrypted key at `path`, so that nobody is asked for a passphrase in vain.
async fn wants(handle: &mut Handle<Client>, target: &SshTarget, path: &Path, attempt: &mut Attempt) -> bool {
    let Some(public) = public_half(path) else {
        // Old formats tell nothing before they are opened.
        return true;
    };
    if attempt.was_offered(&public) {
        return false;
    }
    let hash = signature_hash(handle, &public).await;
    let answer = handle
        .authenticate_publickey_with(&target.user, public.clone(), hash, &mut Probe)
        .await;
    match answer {
        Err(NotSigned::Wanted) => true,
        Err(NotSigned::Gone(reason)) => {
            attempt.note(path.display().to_string(), Some(public), Err(reason));
            false
        }
        Ok(answer) => {
            attempt.note(path.display().to_string(), Some(public), Ok(answer));
            false
        }
    }
}

/// Signs nothing: a server asks for a signature only when it would take the key.
struct Probe;

enum NotSigned {
    Wanted,
    Gone(String),
}

impl From<SendError> for NotSigned {
    fn from(error: SendError) -> Self {
        Self::Gone(error.to_string())
    }
}

impl Signer for Probe {
    type Error = NotSigned;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash: Option<HashAlg>,
        _data: Vec<u8>,
    ) -> Result<Vec<u8>, NotSigned> {
        Err(NotSigned::Wanted)
    }
}

async fn offer_agent(
    handle: &mut Handle<Client>,
    target: &SshTarget,
    socket: &Path,
    attempt: &mut Attempt,
) -> Result<bool, String> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| error.to_string())?;
    let mut agent = AgentClient::connect(stream);
    let mut identities = agent
        .request_identities()
        .await
        .map_err(|error| error.to_string())?;
    if identities.is_empty() {
        return Err("it holds no keys".to_owned());
    }
    // Keys that are meant for this host come first: servers hang up after some wrong ones.
    let meant: Vec<PublicKey> = target.keys.iter().filter_map(|path| public_half(path)).collect();
    let is_meant = |identity: &AgentIdentity| {
        let key = identity.public_key();
        meant.iter().any(|known| known.key_data() == key.key_data())
    };
    if target.identities_only {
        identities.retain(is_meant);
        if identities.is_empty() {
            return Err("it holds none of the keys, and IdentitiesOnly is set".to_owned());
        }
    }
    identities.sort_by_key(|identity| !is_meant(identity));
    for identity in identities {
        let key = identity.public_key().into_owned();
        if attempt.was_offered(&key) {
            continue;
        }
        let name = format!(
            "{} of the agent",
            match identity.comment() {
                "" => key.fingerprint(HashAlg::Sha256).to_string(),
                comment => comment.to_owned(),
            }
        );
        let hash = signature_hash(handle, &key).await;
        let answer = handle
            .authenticate_publickey_with(&target.user, key.clone(), hash, &mut agent)
            .await;
        if attempt.note(name, Some(key), answer.map_err(|error| error.to_string())) {
            return Ok(true);
        }
        if attempt.ended {
            break;
        }
    }
    Ok(false)
}
