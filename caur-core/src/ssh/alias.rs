//! What OpenSSH's configuration says about a host: `ssh -G` is asked, because nothing else reads those
//! files as ssh does.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::jump::{Hop, checked};

/// How long `ssh -G` may take; `Match exec` runs programs.
const LIMIT: Duration = Duration::from_secs(10);

/// Hosts between us and a host at most.
const MOST_JUMPS: usize = 8;

/// A host as ssh would reach it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedHost {
    /// `HostName`.
    pub host: String,
    /// `Port`.
    pub port: u16,
    /// `User`.
    pub user: String,
    /// `IdentityFile`, those that exist, be it their public half only.
    pub keys: Vec<PathBuf>,
    /// `IdentitiesOnly`.
    pub identities_only: bool,
    /// `IdentityAgent`.
    pub agent: ResolvedAgent,
    /// `UserKnownHostsFile` and `GlobalKnownHostsFile`.
    pub known_hosts: Vec<PathBuf>,
    /// `HostKeyAlias`.
    pub host_key_alias: Option<String>,
    /// `ProxyJump`: the hosts to go through, the first one first. They have no jumps of their own any more.
    pub jumps: Vec<ResolvedHost>,
    /// `ProxyCommand`, with its tokens replaced.
    pub proxy_command: Option<String>,
}

/// Which SSH agent to ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ResolvedAgent {
    /// The one that the environment variable names.
    #[default]
    Environment,
    /// None.
    None,
    /// The one at this socket.
    Socket(PathBuf),
}

/// Why a host could not be looked up in ssh's configuration.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// A name that ssh would take for an option, or that cannot be a name.
    #[error("{0:?} is not a name of a host or an account")]
    BadName(String),
    /// `ssh -G` failed.
    #[error("`ssh -G {host}` failed: {reason}; correct the ssh configuration, or give the address itself")]
    Failed {
        /// The host.
        host: String,
        /// What it printed.
        reason: String,
    },
    /// A `ProxyJump` that cannot be read.
    #[error(
        "the ssh configuration reaches {host} by ProxyJump {text:?}, which is not a list of [user@]host[:port]"
    )]
    BadJump {
        /// The host.
        host: String,
        /// The jumps.
        text: String,
    },
    /// A host would be reached through itself.
    #[error(
        "the ssh configuration reaches {host} through {jump}, and {jump} through {jump} again; set `ProxyJump none` for \
         {jump}"
    )]
    JumpLoop {
        /// The host.
        host: String,
        /// The host that comes twice.
        jump: String,
    },
    /// Too many hosts in between.
    #[error(
        "the ssh configuration reaches {host} through more than {MOST_JUMPS} other hosts; shorten its ProxyJump"
    )]
    TooManyJumps {
        /// The host.
        host: String,
    },
    /// A `ProxyCommand` that asks for what we do not know.
    #[error(
        "the ssh configuration reaches {host} by ProxyCommand {command:?}, and of the tokens only %h, %p, %r, %n and \
         %% are supported; use those, or a ProxyJump"
    )]
    UnknownToken {
        /// The host.
        host: String,
        /// The command.
        command: String,
    },
}

/// Asks ssh how it would reach `host`; none where OpenSSH is not installed. `home` stands for `~`;
/// `config` is read in place of the user's and the system's files.
///
/// # Errors
/// [`AliasError`] when ssh refuses, or goes a way that cannot be followed.
pub async fn resolve_alias(
    host: &str,
    home: &Path,
    config: Option<&Path>,
) -> Result<Option<ResolvedHost>, AliasError> {
    let ssh = Ssh { home, config };
    let Some((mut resolved, mut way)) = ssh.ask(&Hop::plain(host)?).await? else {
        return Ok(None);
    };
    // As ssh does it: of a list, the first host is reached as its own configuration says, the others through the one
    // before them.
    let mut jumps: Vec<ResolvedHost> = Vec::new();
    let mut seen = vec![Hop::plain(host)?];
    while let Some(list) = way.take() {
        let hops = Hop::list(&list, host)?;
        let mut front = Vec::with_capacity(hops.len());
        for (index, hop) in hops.into_iter().enumerate() {
            if seen.contains(&hop) {
                return Err(AliasError::JumpLoop {
                    host: host.to_owned(),
                    jump: hop.host,
                });
            }
            if jumps.len() + front.len() == MOST_JUMPS {
                return Err(AliasError::TooManyJumps {
                    host: host.to_owned(),
                });
            }
            let Some((jump, before)) = ssh.ask(&hop).await? else {
                return Ok(None);
            };
            if index == 0 {
                way = before;
            }
            seen.push(hop);
            front.push(jump);
        }
        front.append(&mut jumps);
        jumps = front;
    }
    resolved.jumps = jumps;
    Ok(Some(resolved))
}

/// The program that is asked.
struct Ssh<'a> {
    home: &'a Path,
    config: Option<&'a Path>,
}

impl Ssh<'_> {
    /// How it would reach `hop`, and its `ProxyJump`; none where it is not installed.
    async fn ask(&self, hop: &Hop) -> Result<Option<(ResolvedHost, Option<String>)>, AliasError> {
        let host = &hop.host;
        let failed = |reason: String| AliasError::Failed {
            host: host.clone(),
            reason,
        };
        let mut command = Command::new("ssh");
        if let Some(config) = self.config {
            command.arg("-F").arg(config);
        }
        if let Some(user) = &hop.user {
            command.args(["-l", user]);
        }
        if let Some(port) = hop.port {
            command.args(["-p", &port.to_string()]);
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
        let (mut resolved, way) = parse(&String::from_utf8_lossy(&output.stdout), host, self.home)?;
        resolved.keys.retain(|path| {
            let public = PathBuf::from(format!("{}.pub", path.display()));
            path.exists() || public.exists()
        });
        Ok(Some((resolved, way)))
    }
}

/// What `ssh -G` printed, and the `ProxyJump` in it.
fn parse(text: &str, host: &str, home: &Path) -> Result<(ResolvedHost, Option<String>), AliasError> {
    let mut resolved = ResolvedHost {
        host: host.to_owned(),
        port: 22,
        ..ResolvedHost::default()
    };
    let mut user_files = Vec::new();
    let mut global_files = Vec::new();
    let (mut jump, mut command) = (None, None);
    for (option, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        match option {
            "hostname" => value.clone_into(&mut resolved.host),
            "port" => resolved.port = value.parse().unwrap_or(22),
            "user" => value.clone_into(&mut resolved.user),
            "identityfile" => resolved.keys.push(expand(value, home)),
            "identitiesonly" => resolved.identities_only = value == "yes",
            "identityagent" => resolved.agent = agent(value, home),
            "userknownhostsfile" => user_files.extend(files(value, home)),
            "globalknownhostsfile" => global_files.extend(files(value, home)),
            "hostkeyalias" => resolved.host_key_alias = Some(value.to_owned()),
            "proxyjump" if value != "none" => jump = Some(value.to_owned()),
            "proxycommand" if value != "none" => command = Some(value),
            _ => {}
        }
    }
    resolved.known_hosts = user_files;
    resolved.known_hosts.append(&mut global_files);
    if let Some(command) = command {
        resolved.proxy_command = Some(fill_in(command, host, &resolved)?);
    }
    Ok((resolved, jump))
}

/// Replaces the tokens of a ProxyCommand. `name` is the host as it was asked for.
fn fill_in(command: &str, name: &str, resolved: &ResolvedHost) -> Result<String, AliasError> {
    let mut filled = String::with_capacity(command.len());
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            filled.push(c);
            continue;
        }
        match rest.next() {
            Some('%') => filled.push('%'),
            Some('h') => filled.push_str(&checked(&resolved.host)?),
            Some('p') => filled.push_str(&resolved.port.to_string()),
            Some('r') => filled.push_str(&checked(&resolved.user)?),
            Some('n') => filled.push_str(name),
            _ => {
                return Err(AliasError::UnknownToken {
                    host: name.to_owned(),
                    command: command.to_owned(),
                });
            }
        }
    }
    Ok(filled)
}

fn agent(value: &str, home: &Path) -> ResolvedAgent {
    match value {
        "none" => ResolvedAgent::None,
        "SSH_AUTH_SOCK" => ResolvedAgent::Environment,
        _ => match value.strip_prefix('$') {
            // The name of another variable.
            Some(name) => std::env::var_os(name.trim_matches(['{', '}']))
                .map_or(ResolvedAgent::None, |path| ResolvedAgent::Socket(path.into())),
            None => ResolvedAgent::Socket(expand(value, home)),
        },
    }
}

fn files(value: &str, home: &Path) -> impl Iterator<Item = PathBuf> {
    let paths = value.split(' ').filter(|path| *path != "none");
    paths.map(move |path| expand(path, home))
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
                ..ResolvedHost::default()
            }
        );
        let other = resolve(config, "other.example").await.unwrap().unwrap();
        assert_eq!((other.host.as_str(), other.port), ("other.example", 2200));
    }

    #[tokio::test]
    async fn jumps_are_followed_to_the_first_host() {
        let config = "Host farm\n ProxyJump bob@one:2201,two\nHost one\n HostName 192.0.2.1\n ProxyJump zero\n User x\n\
                      Host two\n User two\n ProxyJump ignored\n IdentitiesOnly yes\n IdentityAgent /run/a\n\
                      Host zero\n HostName 192.0.2.0\n IdentityAgent none\n";
        let farm = resolve(config, "farm").await.unwrap().unwrap();
        let way: Vec<(&str, &str, u16)> = farm
            .jumps
            .iter()
            .map(|jump| (jump.user.as_str(), jump.host.as_str(), jump.port))
            .collect();
        assert_eq!(way[1..], [("bob", "192.0.2.1", 2201), ("two", "two", 22)]);
        assert_eq!(way[0].1, "192.0.2.0");
        assert_eq!(farm.jumps[0].agent, ResolvedAgent::None);
        assert_eq!(farm.jumps[1].agent, ResolvedAgent::Environment);
        assert_eq!(farm.jumps[2].agent, ResolvedAgent::Socket("/run/a".into()));
        assert!(farm.jumps[2].identities_only && !farm.identities_only);
        assert!(farm.jumps.iter().all(|jump| jump.jumps.is_empty()));
    }

    #[tokio::test]
    async fn endless_jumps_are_refused() {
        let circle = "Host a\n ProxyJump b\nHost b\n ProxyJump c\nHost c\n ProxyJump b\n";
        let error = resolve(circle, "a").await.unwrap_err();
        assert!(
            matches!(&error, AliasError::JumpLoop { jump, .. } if jump == "b"),
            "{error}"
        );
        let many: String = (0..20)
            .map(|n| format!("Host h{n}\n ProxyJump h{}\n", n + 1))
            .collect();
        let error = resolve(&many, "h0").await.unwrap_err();
        assert!(error.to_string().contains("more than 8 other hosts"), "{error}");
        let eight: String = (0..8)
            .map(|n| format!("Host h{n}\n ProxyJump h{}\n", n + 1))
            .collect();
        assert_eq!(resolve(&eight, "h0").await.unwrap().unwrap().jumps.len(), 8);
    }

    #[tokio::test]
    async fn a_proxy_command_is_filled_in() {
        let config = "Host a\n HostName b\n Port 7\n User u\n ProxyCommand nc -X 5 %h %p %r %n %%\n";
        let resolved = resolve(config, "a").await.unwrap().unwrap();
        assert_eq!(resolved.proxy_command.as_deref(), Some("nc -X 5 b 7 u a %"));
        let error = resolve("Host a\n ProxyCommand x %C\n", "a").await.unwrap_err();
        assert!(error.to_string().contains("%C"), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_followed_is_an_error() {
        let broken = resolve("Host a\n Nonsense b\n", "a").await.unwrap_err();
        assert!(broken.to_string().contains("onsense"), "{broken}");
        for name in ["", "-oProxyCommand=x", "a b", "a\nb", "a;b", "$(a)"] {
            assert!(
                matches!(resolve("", name).await, Err(AliasError::BadName(_))),
                "{name:?}"
            );
        }
    }
}
