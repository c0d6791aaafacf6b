//! Logging in: key files first, in the order given, then what an agent holds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::SshError;
use super::session::{Client, SshTarget};

/// How long an agent may take to sign; it may ask its user.
const AGENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Offers the keys of `target` one after the other until the server takes one.
pub(super) async fn log_in(handle: &mut Handle<Client>, target: &SshTarget) -> Result<(), SshError> {
    let mut attempt = Attempt::default();
    for path in &target.keys {
        let shown = path.display();
        match load(path).await {
            Ok(key) => {
                let public = key.public_key().clone();
                let hash = signature_hash(handle, &public).await;
                let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
                let answer = handle.authenticate_publickey(&target.user, key).await;
                if attempt.note(
                    shown.to_string(),
                    Some(public),
                    answer.map_err(|error| error.to_string()),
                ) {
                    return Ok(());
                }
            }
            Err(problem) => attempt.problems.push(format!("{shown} ({problem})")),
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
    Err(attempt.into_error(target))
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

async fn load(path: &Path) -> Result<PrivateKey, String> {
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| error.to_string())?;
    match decode_secret_key(&text, None) {
        Ok(key) => Ok(key),
        Err(russh::keys::Error::KeyIsEncrypted) => Err(format!(
            "it is encrypted and a daemon cannot ask for the passphrase; remove it with `ssh-keygen -p -f {}`, or load \
             the key into an ssh-agent",
            path.display()
        )),
        Err(error) => Err(format!("not a private key that can be read: {error}")),
    }
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
    let identities = agent
        .request_identities()
        .await
        .map_err(|error| error.to_string())?;
    if identities.is_empty() {
        return Err("it holds no keys".to_owned());
    }
    for identity in identities {
        let key = identity.public_key().into_owned();
        if attempt
            .offered
            .iter()
            .any(|known| known.key_data() == key.key_data())
        {
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
