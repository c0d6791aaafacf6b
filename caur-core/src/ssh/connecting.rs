//! From a target to a session: over the hosts before it, with the server's key checked, logged in at each.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Preferred, cipher, client, compression};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::host_key::HostKeys;
use super::login::log_in;
use super::proxy_command::ProxyStream;
use super::questions::{HostQuestion, Question, Questions};
use super::session::{Session, SshTarget};
use super::{HostKeyError, SshError};
use crate::link::ByteStream;

/// How long reaching the server may take, and each of the steps after that.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long logging in may take: servers look names up, and agents ask their users.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// After this time of silence the server is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// After this many unanswered questions the session is dead.
const KEEPALIVE_MAX: usize = 3;

/// Ciphers with their own authentication first; they run at full speed on every machine.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// OpenSSH's kind of compression, which begins after the login, before none.
const COMPRESSED: &[compression::Name] = &[compression::ZLIB_LEGACY, compression::NONE];

/// Why a session did not come about.
#[derive(Debug)]
pub(super) enum Halt {
    /// It cannot.
    Failed(SshError),
    /// Somebody has to answer first.
    Ask(Questions, Box<Question>),
}

impl From<SshError> for Halt {
    fn from(error: SshError) -> Self {
        Self::Failed(error)
    }
}

impl From<HostKeyError> for Halt {
    fn from(error: HostKeyError) -> Self {
        Self::Failed(error.into())
    }
}

/// Connects to `target`, again after each question that a person answered.
pub(super) async fn connect(target: &SshTarget) -> Result<Session, SshError> {
    loop {
        match attempt(target).await {
            Ok(session) => return Ok(session),
            Err(Halt::Failed(error)) => return Err(error),
            Err(Halt::Ask(questions, question)) => questions.ask(*question).await,
        }
    }
}

async fn attempt(target: &SshTarget) -> Result<Session, Halt> {
    let mut before: Option<Session> = None;
    for hop in target.jumps.iter().chain([target]) {
        let name = hop.to_string();
        let stream = reach(hop, before.as_ref(), &name).await?;
        let asked = target.questions.as_ref();
        let mut handle = greet(hop, asked, stream, &name).await?;
        in_time(LOGIN_TIMEOUT, &name, "log us in", log_in(&mut handle, hop, asked)).await??;
        before = Some(Session::new(handle, name, before));
    }
    Ok(before.expect("the target itself is the last hop"))
}

/// A stream to the SSH server `hop`.
async fn reach(
    hop: &SshTarget,
    before: Option<&Session>,
    name: &str,
) -> Result<Box<dyn ByteStream>, SshError> {
    if let Some(before) = before {
        return Ok(Box::new(before.open_tcp(&hop.host, hop.port).await?));
    }
    let unreachable = |source| SshError::Unreachable {
        target: name.to_owned(),
        source,
    };
    if let Some(command) = &hop.proxy_command {
        return Ok(Box::new(ProxyStream::start(command).map_err(unreachable)?));
    }
    let connecting = TcpStream::connect((&*hop.host, hop.port));
    let stream = in_time(STEP_TIMEOUT, name, "answer", connecting)
        .await?
        .map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(Box::new(stream))
}

/// Exchanges keys over `stream` and checks the server's.
async fn greet(
    hop: &SshTarget,
    questions: Option<&Questions>,
    stream: Box<dyn ByteStream>,
    name: &str,
) -> Result<client::Handle<Client>, Halt> {
    // ssh knows an alias without a port.
    let host_keys = match &hop.host_key_alias {
        Some(alias) => hop.host_keys.load(alias, 22)?,
        None => hop.host_keys.load(&hop.host, hop.port)?,
    };
    let mut preferred = Preferred {
        cipher: Cow::Borrowed(CIPHERS),
        ..Preferred::default()
    };
    if hop.compress {
        preferred.compression = Cow::Borrowed(COMPRESSED);
    }
    preferred.key = Cow::Owned(host_keys.prefer_recorded(&preferred.key));
    let config = client::Config {
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVE_MAX,
        nodelay: true,
        preferred,
        ..client::Config::default()
    };
    let client = Client {
        host_keys,
        questions: questions.cloned(),
        target: name.to_owned(),
    };
    let greeting = client::connect_stream(Arc::new(config), stream, client);
    let greeted = in_time(STEP_TIMEOUT, name, "exchange keys", greeting).await?;
    greeted.map_err(|error| match error {
        ClientError::Halt(halt) => halt,
        ClientError::Protocol(source) => SshError::Session {
            target: name.to_owned(),
            source,
        }
        .into(),
    })
}

pub(super) async fn in_time<T>(
    limit: Duration,
    target: &str,
    action: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, SshError> {
    timeout(limit, work).await.map_err(|_| SshError::TimedOut {
        target: target.to_owned(),
        action,
        seconds: limit.as_secs(),
    })
}

/// Our side of the protocol: all it has to decide is whether the server's key is trusted.
pub(super) struct Client {
    host_keys: HostKeys,
    questions: Option<Questions>,
    target: String,
}

impl Client {
    fn judge(&self, key: &PublicKey) -> Result<(), Halt> {
        let refused = match self.host_keys.check(key) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        let (Some(questions), HostKeyError::Unknown { host, path, line, .. }) = (&self.questions, &refused)
        else {
            return Err(refused.into());
        };
        // Whoever stands between could show another kind of key than the one that is recorded.
        if self.host_keys.knows_the_host() {
            return Err(refused.into());
        }
        match questions.host(host, key) {
            Some(true) => Ok(()),
            Some(false) => Err(refused.into()),
            None => {
                let question = Question::Host {
                    question: HostQuestion {
                        target: self.target.clone(),
                        host: host.clone(),
                        key_type: key.algorithm().to_string(),
                        fingerprint_sha256: key.fingerprint(HashAlg::Sha256).to_string(),
                        file: path.clone(),
                    },
                    key: Box::new(key.clone()),
                    line: line.clone(),
                };
                Err(Halt::Ask(questions.clone(), Box::new(question)))
            }
        }
    }
}

/// An error inside the session's task.
#[derive(Debug)]
pub(super) enum ClientError {
    Halt(Halt),
    Protocol(russh::Error),
}

impl From<russh::Error> for ClientError {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

impl client::Handler for Client {
    type Error = ClientError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.judge(key),
            PublicKeyOrCertificate::Certificate(_) => Err(self.host_keys.refuse_certificate().into()),
        };
        verdict.map(|()| true).map_err(ClientError::Halt)
    }
}
