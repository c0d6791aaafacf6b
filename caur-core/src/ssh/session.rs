//! One SSH session: connected, checked, logged in; opens streams to what lies behind the server.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};

use russh::{ChannelMsg, ChannelStream, Disconnect, client};

use super::connecting::{self, Client, STEP_TIMEOUT, in_time};
use super::{HostKeyPolicy, Questions, SshError};

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
    /// Whether the agent may offer only keys that are among `keys` too (ssh's `IdentitiesOnly`).
    pub identities_only: bool,
    /// What decides about the server's key.
    pub host_keys: HostKeyPolicy,
    /// The name under which the key is recorded, where it is not `host` (ssh's `HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// The hosts to go through, in this order (ssh's `ProxyJump`). Their own jumps are not looked at.
    pub jumps: Vec<SshTarget>,
    /// A command whose input and output are the way to the first of all hosts (ssh's `ProxyCommand`).
    pub proxy_command: Option<String>,
    /// Whether to compress what goes through the session; worth it over slow links.
    pub compress: bool,
    /// Whom to ask about this host and those before it; without anybody what is unknown or locked is refused.
    pub questions: Option<Questions>,
}

impl SshTarget {
    /// A target without keys, agent, and anything in between.
    #[must_use]
    pub fn new(
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        host_keys: HostKeyPolicy,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            user: user.into(),
            keys: Vec::new(),
            agent: None,
            identities_only: false,
            host_keys,
            host_key_alias: None,
            jumps: Vec::new(),
            proxy_command: None,
            compress: false,
            questions: None,
        }
    }
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
    /// The session that carries this one.
    _before: Option<Box<Session>>,
}

impl Session {
    /// Connects to `target`, over the hosts before it, checks its key and logs in. Asks a person where the target has
    /// somebody to ask; without any it ends in bounded time.
    ///
    /// # Errors
    /// [`SshError`] that says which of these steps failed and what to do.
    pub async fn connect(target: &SshTarget) -> Result<Self, SshError> {
        connecting::connect(target).await
    }

    pub(super) fn new(handle: client::Handle<Client>, target: String, before: Option<Self>) -> Self {
        Self {
            handle,
            target,
            _before: before.map(Box::new),
        }
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
