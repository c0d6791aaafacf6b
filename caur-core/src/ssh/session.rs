//! One SSH session: connected, checked, logged in; opens streams to what lies behind the server.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelMsg, ChannelStream, Disconnect, Preferred, cipher, client};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::host_key::HostKeys;
use super::login::log_in;
use super::{HostKeyError, HostKeyPolicy, SshError};

/// How long reaching the server may take, and each of the steps after that.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

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

/// A byte stream through a session.
pub type SshStream = ChannelStream<client::Msg>;

/// Whom to log in to, and how.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// Private key files in OpenSSH's format, tried in this order.
    pub keys: Vec<PathBuf>,
    /// The socket of an SSH agent, as in `SSH_AUTH_SOCK`, tried after the files.
    pub agent: Option<PathBuf>,
    /// What decides about the server's key.
    pub host_keys: HostKeyPolicy,
    /// The name under which the key is recorded, where it is not `host` (ssh's `HostKeyAlias`).
    pub host_key_alias: Option<String>,
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{user}@[{host}]:{port}")
        } else {
            write!(f, "{user}@{host}:{port}")
        }
    }
}

/// A session that is logged in. It ends when it and all its streams are dropped.
pub struct Session {
    handle: client::Handle<Client>,
    target: String,
}

impl Session {
    /// Connects to `target`, checks its key and logs in.
    ///
    /// # Errors
    /// [`SshError`] that says which of these steps failed and what to do.
    pub async fn connect(target: &SshTarget) -> Result<Self, SshError> {
        let name = target.to_string();
        // ssh knows an alias without a port.
        let host_keys = match &target.host_key_alias {
            Some(alias) => target.host_keys.load(alias, 22)?,
            None => target.host_keys.load(&target.host, target.port)?,
        };
        let mut preferred = Preferred {
            cipher: Cow::Borrowed(CIPHERS),
            ..Preferred::default()
        };
        preferred.key = Cow::Owned(host_keys.prefer_recorded(&preferred.key));
        let config = client::Config {
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: KEEPALIVE_MAX,
            nodelay: true,
            preferred,
            ..client::Config::default()
        };

        let reached = in_time(
            STEP_TIMEOUT,
            &name,
            "answer",
            TcpStream::connect((&*target.host, target.port)),
        )
        .await?;
        let unreachable = |source| SshError::Unreachable {
            target: name.clone(),
            source,
        };
        let stream = reached.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let greeting = client::connect_stream(Arc::new(config), stream, Client { host_keys });
        let greeted = in_time(STEP_TIMEOUT, &name, "exchange keys", greeting).await?;
        let mut handle = greeted.map_err(|error| match error {
            ClientError::HostKey(refused) => refused.into(),
            ClientError::Protocol(source) => SshError::Session {
                target: name.clone(),
                source,
            },
        })?;
        in_time(LOGIN_TIMEOUT, &name, "log us in", log_in(&mut handle, target)).await??;
        Ok(Self { handle, target: name })
    }

    /// Whether the session has ended. One whose peer vanished is noticed by its keepalive, within a minute.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// `user@host:port`, for messages.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// A stream to a TCP port as the server sees it. Only this process can use it.
    ///
    /// # Errors
    /// [`SshError::ChannelRefused`] where the server does not let us or nothing listens.
    pub async fn open_tcp(&self, host: &str, port: u16) -> Result<SshStream, SshError> {
        let opening = self
            .handle
            .channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0);
        let channel = self.opened(&format!("{host}:{port}"), opening).await?;
        Ok(channel.into_stream())
    }

    /// A stream to a Unix socket on the server. Only this process can use it.
    ///
    /// # Errors
    /// [`SshError::ChannelRefused`] where the server does not let us or nothing listens.
    pub async fn open_unix(&self, path: &Path) -> Result<SshStream, SshError> {
        let name = path.display().to_string();
        let opening = self.handle.channel_open_direct_streamlocal(name.clone());
        Ok(self.opened(&name, opening).await?.into_stream())
    }

    /// A stream that speaks SFTP.
    pub(super) async fn open_sftp(&self) -> Result<SshStream, SshError> {
        let mut channel = self.opened("SFTP", self.handle.channel_open_session()).await?;
        let request = async {
            channel
                .request_subsystem(true, "sftp")
                .await
                .map_err(|source| self.broken(source))?;
            loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => return Ok(()),
                    Some(ChannelMsg::Failure | ChannelMsg::Close) | None => {
                        return Err(SshError::NoSftp {
                            target: self.target.clone(),
                        });
                    }
                    Some(_) => {}
                }
            }
        };
        in_time(STEP_TIMEOUT, &self.target, "start SFTP", request).await??;
        Ok(channel.into_stream())
    }

    /// Ends the session in good order.
    pub async fn close(&self) {
        // Whoever hangs up need not hear whether the other side is still there.
        let _gone = self.handle.disconnect(Disconnect::ByApplication, "", "en").await;
    }

    async fn opened(
        &self,
        destination: &str,
        opening: impl Future<Output = Result<russh::Channel<client::Msg>, russh::Error>>,
    ) -> Result<russh::Channel<client::Msg>, SshError> {
        in_time(STEP_TIMEOUT, &self.target, "open a channel", opening)
            .await?
            .map_err(|error| match error {
                russh::Error::ChannelOpenFailure(reason) => SshError::ChannelRefused {
                    target: self.target.clone(),
                    destination: destination.to_owned(),
                    reason,
                },
                source => self.broken(source),
            })
    }

    fn broken(&self, source: russh::Error) -> SshError {
        SshError::Session {
            target: self.target.clone(),
            source,
        }
    }
}

async fn in_time<T>(
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
}

/// An error inside the session's task, which does not know its target.
#[derive(Debug)]
pub(super) enum ClientError {
    HostKey(HostKeyError),
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
            PublicKeyOrCertificate::PublicKey { key, .. } => self.host_keys.check(key),
            PublicKeyOrCertificate::Certificate(_) => Err(self.host_keys.refuse_certificate()),
        };
        verdict.map(|()| true).map_err(ClientError::HostKey)
    }
}
