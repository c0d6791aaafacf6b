//! What OpenSSH's configuration says about a host: `ssh -G` is asked, because nothing else reads those
//! files as ssh does.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// How long `ssh -G` may take; `Match exec` runs programs.
const LIMIT: Duration = Duration::from_secs(10);

/// A host as ssh would reach it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedHost {
    /// `HostName`.
    pub host: String,
    /// `Port`.
    pub port: u16,
    /// `User`.
    pub user: String,
    /// `IdentityFile`, those that exist.
    pub keys: Vec<PathBuf>,
    /// `UserKnownHostsFile` and `GlobalKnownHostsFile`.
    pub known_hosts: Vec<PathBuf>,
    /// `HostKeyAlias`.
    pub host_key_alias: Option<String>,
}

/// Why a host could not be looked up in ssh's configuration.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// A name that ssh would take for an option, or that cannot be a name.
    #[error("{0:?} is not a host name")]
    BadName(String),
    /// `ssh -G` failed.
    #[error("`ssh -G {host}` failed: {reason}; correct the ssh configuration, or give the address itself")]
    Failed {
        /// The host.
        host: String,
        /// What it printed.
        reason: String,
    },
    /// The configuration wants a way that the tunnel does not go.
    #[error(
        "the ssh configuration reaches {host} by {option}, which is not supported; give an address that can be \
             reached directly"
    )]
    Unsupported {
        /// The host.
        host: String,
        /// The option.
        option: String,
    },
}

/// Asks ssh how it would reach `host`; none where OpenSSH is not installed. `home` stands for `~`;
/// `config` is read in place of the user's and the system's files.
///
/// # Errors
/// [`AliasError`] when ssh refuses, or would use a proxy.
pub async fn resolve_alias(
    host: &str,
    home: &Path,
    config: Option<&Path>,
) -> Result<Option<ResolvedHost>, AliasError> {
    if host.is_empty()
        || host.starts_with('-')
        || host.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(AliasError::BadName(host.to_owned()));
    }
    let failed = |reason: String| AliasError::Failed {
        host: host.to_owned(),
        reason,
    };
    let mut command = Command::new("ssh");
    if let Some(config) = config {
        command.arg("-F").arg(config);
    }
    command
        .args(["-G", "--", host])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = match timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("it took more than {} s", LIMIT.as_secs()))),
    };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let mut resolved = parse(&String::from_utf8_lossy(&output.stdout), host, home)?;
    resolved.keys.retain(|path| path.exists());
    Ok(Some(resolved))
}

fn parse(text: &str, host: &str, home: &Path) -> Result<ResolvedHost, AliasError> {
    let mut resolved = ResolvedHost {
        host: host.to_owned(),
        port: 22,
        ..ResolvedHost::default()
    };
    let mut user_files = Vec::new();
    let mut global_files = Vec::new();
    for (option, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        match option {
            "hostname" => value.clone_into(&mut resolved.host),
            "port" => resolved.port = value.parse().unwrap_or(22),
            "user" => value.clone_into(&mut resolved.user),
            "identityfile" => resolved.keys.push(expand(value, home)),
            "userknownhostsfile" => user_files.extend(value.split(' ').map(|path| expand(path, home))),
            "globalknownhostsfile" => global_files.extend(value.split(' ').map(|path| expand(path, home))),
            "hostkeyalias" => resolved.host_key_alias = Some(value.to_owned()),
            "proxyjump" | "proxycommand" if value != "none" => {
                return Err(AliasError::Unsupported {
                    host: host.to_owned(),
                    option: format!("{option} {value}"),
                });
            }
            _ => {}
        }
    }
    resolved.known_hosts = user_files;
    resolved.known_hosts.append(&mut global_files);
    Ok(resolved)
}

/// `ssh -G` leaves `~` and `%d`, both the home directory, as they are written.
fn expand(path: &str, home: &Path) -> PathBuf {
    if let Some(rest) = path.strip_prefix("~/").or_else(|| path.strip_prefix("%d/")) {
        home.join(rest)
    } else {
        PathBuf::from(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(config: &str, host: &str) -> Result<Option<ResolvedHost>, AliasError> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config");
        std::fs::write(&path, config).unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::write(home.path().join(".ssh/farm"), "").unwrap();
        let resolved = resolve_alias(host, home.path(), Some(&path)).await?;
        Ok(resolved.map(|resolved| ResolvedHost {
            keys: resolved
                .keys
                .iter()
                .map(|key| key.strip_prefix(home.path()).unwrap().to_owned())
                .collect(),
            ..resolved
        }))
    }

    #[tokio::test]
    async fn an_alias_is_what_ssh_says_it_is() {
        let config = "Port 2200\nHost farm\n  HostName 192.0.2.7\n  User caur\n  IdentityFile ~/.ssh/farm\n  \
                      IdentityFile ~/.ssh/absent\n  UserKnownHostsFile /a /b\n  GlobalKnownHostsFile /c\n  \
                      HostKeyAlias queue\n";
        let farm = resolve(config, "farm").await.unwrap().expect("ssh is installed");
        assert_eq!(
            farm,
            ResolvedHost {
                host: "192.0.2.7".into(),
                port: 2200,
                user: "caur".into(),
                keys: vec![".ssh/farm".into()],
                known_hosts: vec!["/a".into(), "/b".into(), "/c".into()],
                host_key_alias: Some("queue".into()),
            }
        );
        let other = resolve(config, "other.example").await.unwrap().unwrap();
        assert_eq!((other.host.as_str(), other.port), ("other.example", 2200));
    }

    #[tokio::test]
    async fn what_cannot_be_followed_is_an_error() {
        let proxy = resolve("Host a\n ProxyJump b\n", "a").await.unwrap_err();
        assert!(matches!(proxy, AliasError::Unsupported { .. }), "{proxy}");
        let broken = resolve("Host a\n Nonsense b\n", "a").await.unwrap_err();
        assert!(broken.to_string().contains("onsense"), "{broken}");
        for name in ["", "-oProxyCommand=x", "a b", "a\nb"] {
            assert!(
                matches!(resolve("", name).await, Err(AliasError::BadName(_))),
                "{name:?}"
            );
        }
    }
}
