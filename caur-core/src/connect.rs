//! From the configuration to connections: Redis, directly or through SSH, and the SSH targets themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::config::{RedisSettings, RedisSshSettings};
use crate::link::{ByteStream, Connect, Direct, LinkError, RedisAddress, RedisAuth, RedisLink};
use crate::ssh::{
    AliasError, HostKeyError, HostKeyPolicy, Questions, ResolvedAgent, ResolvedHost, SshQuestions, SshTarget,
    TunnelConnect, resolve_alias,
};

/// Why no connection can be set up, before any is tried.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// `ssh` cannot say how it would reach the host.
    #[error(transparent)]
    Alias(#[from] AliasError),
    /// A pinned host key cannot be read.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
}

/// How a person's program connects, unlike a daemon.
#[derive(Default)]
pub struct ConnectOptions {
    /// Whom to ask about unknown hosts and locked keys; without anybody they are refused.
    pub questions: Option<Arc<dyn SshQuestions>>,
    /// Whether to compress what goes through the tunnel.
    pub compress: bool,
    /// Where account and port of the SSH server come from.
    pub login: SshLogin,
}

/// Where account and port of the SSH server come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SshLogin {
    /// From the settings.
    #[default]
    Settings,
    /// From ssh's configuration, where a person did not state them.
    SshConfig {
        /// Account that was stated.
        user: Option<String>,
        /// Port that was stated.
        port: Option<u16>,
    },
}

/// A link to the queue's Redis. Connects when it is first used.
///
/// # Errors
/// When the host key is unreadable or `ssh` refuses the host name.
pub async fn redis_link(settings: &RedisSettings) -> Result<RedisLink, ConnectError> {
    let (address, auth) = (address(settings), auth(settings));
    let Some(host) = &settings.ssh.host else {
        return Ok(RedisLink::new(Direct { address, auth }));
    };
    let target = ssh_target(
        &settings.ssh,
        host,
        settings.ssh.port,
        &settings.ssh.user,
        &pins(&settings.ssh),
    )
    .await?;
    Ok(RedisLink::new(TunnelConnect::new(target, address, auth)))
}

/// A link to the queue's Redis for a program that a person sits at. Nothing is looked up before it is first used; what
/// is wrong with host name or host key is then a permanent [`LinkError`].
#[must_use]
pub fn redis_link_with(settings: &RedisSettings, options: ConnectOptions) -> RedisLink {
    let (address, auth) = (address(settings), auth(settings));
    let Some(host) = settings.ssh.host.clone() else {
        return RedisLink::new(Direct { address, auth });
    };
    RedisLink::new(LazyTunnel {
        host,
        ssh: settings.ssh.clone(),
        address,
        auth,
        questions: options.questions.map(Questions::new),
        compress: options.compress,
        login: options.login,
        tunnel: OnceCell::new(),
    })
}

/// An SSH server with the key and, unless `pins` holds host keys, the known-hosts file of `settings`.
///
/// # Errors
/// When a host key is unreadable or `ssh` refuses the host name.
pub async fn ssh_target(
    settings: &RedisSshSettings,
    host: &str,
    port: u16,
    user: &str,
    pins: &[String],
) -> Result<SshTarget, ConnectError> {
    let home = home();
    let resolved = resolve_alias(host, &home, None).await?;
    let mut target = target(settings, host, resolved.as_ref(), &home, pins)?;
    target.port = port;
    user.clone_into(&mut target.user);
    Ok(target)
}

/// The tunnel of [`redis_link_with`], whose way is looked up when it is first needed.
struct LazyTunnel {
    host: String,
    ssh: RedisSshSettings,
    address: RedisAddress,
    auth: RedisAuth,
    questions: Option<Questions>,
    compress: bool,
    login: SshLogin,
    tunnel: OnceCell<TunnelConnect>,
}

impl LazyTunnel {
    async fn set_up(&self) -> Result<TunnelConnect, ConnectError> {
        let home = home();
        let resolved = resolve_alias(&self.host, &home, None).await?;
        let mut target = target(&self.ssh, &self.host, resolved.as_ref(), &home, &pins(&self.ssh))?;
        match &self.login {
            SshLogin::Settings => {
                target.port = self.ssh.port;
                target.user.clone_from(&self.ssh.user);
            }
            SshLogin::SshConfig { user, port } => {
                target.port = port.unwrap_or(target.port);
                if let Some(user) = user {
                    target.user.clone_from(user);
                }
            }
        }
        target.compress = self.compress;
        target.questions.clone_from(&self.questions);
        Ok(TunnelConnect::new(
            target,
            self.address.clone(),
            self.auth.clone(),
        ))
    }
}

impl Connect for LazyTunnel {
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, LinkError>> {
        async move {
            let tunnel = self.tunnel.get_or_try_init(|| self.set_up()).await;
            let tunnel = tunnel.map_err(|error| LinkError::Tunnel {
                address: self.describe(),
                source: Arc::new(error),
                permanent: true,
            })?;
            tunnel.open().await
        }
        .boxed()
    }

    fn auth(&self) -> &RedisAuth {
        &self.auth
    }

    fn describe(&self) -> String {
        match self.tunnel.get() {
            Some(tunnel) => tunnel.describe(),
            None => format!("{} through SSH {}", self.address, self.host),
        }
    }

    fn try_again(&self) {
        if let Some(questions) = &self.questions {
            questions.forget_refusals();
        }
    }
}

fn address(settings: &RedisSettings) -> RedisAddress {
    match &settings.socket {
        Some(path) => RedisAddress::Unix(path.clone()),
        None => RedisAddress::Tcp {
            host: settings.host.clone(),
            port: settings.port,
        },
    }
}

fn auth(settings: &RedisSettings) -> RedisAuth {
    RedisAuth {
        username: settings.user.clone(),
        password: settings.password.clone(),
        database: 0,
    }
}

fn pins(settings: &RedisSshSettings) -> Vec<String> {
    settings.host_key.iter().cloned().collect()
}

fn home() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// `host` as ssh would reach it, with what `settings` say instead.
fn target(
    settings: &RedisSshSettings,
    host: &str,
    resolved: Option<&ResolvedHost>,
    home: &Path,
    pins: &[String],
) -> Result<SshTarget, ConnectError> {
    let mut target = match resolved {
        Some(resolved) => SshTarget {
            jumps: resolved
                .jumps
                .iter()
                .map(|jump| as_ssh_would(settings, jump))
                .collect(),
            ..as_ssh_would(settings, resolved)
        },
        None => SshTarget {
            agent: environment_agent(),
            keys: usual_keys(home),
            ..SshTarget::new(
                host,
                22,
                std::env::var("USER").unwrap_or_default(),
                known_hosts(settings).unwrap_or_else(|| HostKeyPolicy::known_hosts_of(home)),
            )
        },
    };
    if !pins.is_empty() {
        target.host_keys = HostKeyPolicy::pinned(&pins.join("\n"))?;
    }
    if settings.key.exists() {
        target.keys = vec![settings.key.clone()];
    } else if target.keys.is_empty() {
        // Named in the message when the login fails.
        target.keys.push(settings.key.clone());
    }
    Ok(target)
}

fn as_ssh_would(settings: &RedisSshSettings, resolved: &ResolvedHost) -> SshTarget {
    let known_hosts =
        known_hosts(settings).unwrap_or_else(|| HostKeyPolicy::KnownHosts(resolved.known_hosts.clone()));
    SshTarget {
        keys: resolved.keys.clone(),
        agent: match &resolved.agent {
            ResolvedAgent::Environment => environment_agent(),
            ResolvedAgent::None => None,
            ResolvedAgent::Socket(path) => Some(path.clone()),
        },
        identities_only: resolved.identities_only,
        host_key_alias: resolved.host_key_alias.clone(),
        proxy_command: resolved.proxy_command.clone(),
        ..SshTarget::new(&resolved.host, resolved.port, &resolved.user, known_hosts)
    }
}

fn known_hosts(settings: &RedisSshSettings) -> Option<HostKeyPolicy> {
    let file = settings.known_hosts.as_ref()?;
    Some(HostKeyPolicy::KnownHosts(vec![file.clone()]))
}

fn environment_agent() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from)
}

/// What ssh tries where nothing is configured.
fn usual_keys(home: &Path) -> Vec<PathBuf> {
    ["id_rsa", "id_ecdsa", "id_ed25519"]
        .iter()
        .map(|name| home.join(".ssh").join(name))
        .filter(|path| path.exists())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use secrecy::SecretString;

    use super::*;
    use crate::link::LinkState;
    use crate::ssh::{HostQuestion, PassphraseQuestion};
    use crate::testing::{RedisServer, Sshd};

    struct Trusting;

    impl SshQuestions for Trusting {
        fn trust_host(&self, _question: HostQuestion) -> BoxFuture<'_, bool> {
            async { true }.boxed()
        }

        fn passphrase(&self, _question: PassphraseQuestion) -> BoxFuture<'_, Option<SecretString>> {
            async { None }.boxed()
        }
    }

    #[tokio::test]
    async fn a_person_reaches_redis_through_a_host_that_is_new() {
        let redis = RedisServer::start();
        let sshd = Sshd::start();
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("known_hosts");
        let settings = RedisSettings {
            socket: Some(redis.socket()),
            ssh: RedisSshSettings {
                host: Some(Ipv4Addr::LOCALHOST.to_string()),
                key: sshd.client_key(),
                known_hosts: Some(file.clone()),
                ..RedisSshSettings::default()
            },
            ..RedisSettings::default()
        };
        let login = SshLogin::SshConfig {
            user: Some(sshd.target().user),
            port: Some(sshd.port()),
        };
        let link = redis_link_with(
            &settings,
            ConnectOptions {
                questions: Some(Arc::new(Trusting)),
                compress: true,
                login,
            },
        );
        assert_eq!(*link.state().borrow(), LinkState::Connecting);
        assert!(
            link.describe().ends_with("through SSH 127.0.0.1"),
            "{}",
            link.describe()
        );
        link.connection().await.unwrap();
        assert!(
            link.describe().ends_with(&sshd.target().to_string()),
            "{}",
            link.describe()
        );
        assert!(std::fs::read_to_string(&file).unwrap().contains(&sshd.host_key()));
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_way_is_said_at_the_first_use() {
        let ssh = |host: &str, host_key: Option<&str>| RedisSettings {
            ssh: RedisSshSettings {
                host: Some(host.to_owned()),
                host_key: host_key.map(str::to_owned),
                ..RedisSshSettings::default()
            },
            ..RedisSettings::default()
        };
        for (settings, expected) in [
            (ssh("a;b", None), "is not a name of a host"),
            (ssh("farm.invalid", Some("SHA256:abc")), "REDIS_SSH_HOSTKEY"),
        ] {
            let link = redis_link_with(&settings, ConnectOptions::default());
            let error = link.connection().await.unwrap_err();
            assert!(
                !error.is_transient() && error.to_string().contains(expected),
                "{error}"
            );
            assert!(
                matches!(&*link.state().borrow(), LinkState::Failed { reason } if reason.contains(expected))
            );
        }
    }
}
