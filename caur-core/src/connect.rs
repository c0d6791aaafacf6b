//! From the configuration to connections: Redis, directly or through SSH, and the SSH targets themselves.

use std::path::PathBuf;

use crate::config::{RedisSettings, RedisSshSettings};
use crate::link::{Direct, RedisAddress, RedisAuth, RedisLink};
use crate::ssh::{AliasError, HostKeyError, HostKeyPolicy, SshTarget, TunnelConnect, resolve_alias};

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

/// A link to the queue's Redis. Connects when it is first used.
///
/// # Errors
/// When the host key is unreadable or `ssh` refuses the host name.
pub async fn redis_link(settings: &RedisSettings) -> Result<RedisLink, ConnectError> {
    let address = match &settings.socket {
        Some(path) => RedisAddress::Unix(path.clone()),
        None => RedisAddress::Tcp {
            host: settings.host.clone(),
            port: settings.port,
        },
    };
    let auth = RedisAuth {
        username: settings.user.clone(),
        password: settings.password.clone(),
        database: 0,
    };
    let Some(host) = &settings.ssh.host else {
        return Ok(RedisLink::new(Direct { address, auth }));
    };
    let pins: Vec<String> = settings.ssh.host_key.iter().cloned().collect();
    let target = ssh_target(&settings.ssh, host, settings.ssh.port, &settings.ssh.user, &pins).await?;
    Ok(RedisLink::new(TunnelConnect::new(target, address, auth)))
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
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let resolved = resolve_alias(host, &home, None).await?;
    let known_hosts = match (&settings.known_hosts, &resolved) {
        (Some(file), _) => HostKeyPolicy::KnownHosts(vec![file.clone()]),
        (None, Some(resolved)) => HostKeyPolicy::KnownHosts(resolved.known_hosts.clone()),
        (None, None) => HostKeyPolicy::known_hosts_of(&home),
    };
    let host_keys = if pins.is_empty() {
        known_hosts
    } else {
        HostKeyPolicy::pinned(&pins.join("\n"))?
    };
    let mut keys = vec![settings.key.clone()];
    let (mut address, mut alias) = (host.to_owned(), None);
    if let Some(resolved) = resolved {
        address = resolved.host;
        alias = resolved.host_key_alias;
        if !settings.key.exists() {
            keys.extend(resolved.keys);
        }
    }
    keys.retain(|key| key.exists());
    if keys.is_empty() {
        // Named in the message when the login fails.
        keys.push(settings.key.clone());
    }
    Ok(SshTarget {
        host: address,
        port,
        user: user.to_owned(),
        keys,
        agent: std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from),
        host_keys,
        host_key_alias: alias,
    })
}
