//! The command line, and the addresses that it shares with the profiles.

use std::path::PathBuf;
use std::str::FromStr;

use caur_core::config::RedisSettings;
use clap::Parser;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use secrecy::SecretString;
use serde::Deserialize;

use crate::theme::Theme;

/// The console of the Caur build farm: the queue and the live log of the selected job.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "caur-tui", version)]
pub struct Options {
    /// The profile of tui.toml to use; without it the default one there.
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub profile: Option<String>,
    /// The queue's Redis: redis://[USER:PASSWORD@]HOST[:PORT], redis+unix:///SOCKET or unix://SOCKET; with
    /// --ssh as seen from the SSH server. A password is better kept in a profile or in REDIS_PASSWORD.
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<RedisUrl>,
    /// Reach Redis through this SSH server, or through this host of ssh's configuration.
    #[arg(long, value_name = "USER@HOST[:PORT]")]
    pub ssh: Option<SshEndpoint>,
    /// Configuration file, in the form that caur-daemon reads, in place of a profile.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The colours; without it those of the configuration, and none where NO_COLOR is set.
    #[arg(long, value_enum, value_name = "NAME")]
    pub theme: Option<Theme>,
    /// Offer nothing that changes the farm.
    #[arg(long)]
    pub read_only: bool,
    /// Show a lively farm that is made up; needs no server.
    #[arg(long, conflicts_with_all = ["profile", "redis_url", "ssh", "config"])]
    pub demo: bool,
}

/// Where a queue's Redis is, and who asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct RedisUrl {
    place: Place,
    user: Option<String>,
    password: Option<SecretString>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Tcp(String, u16),
    Socket(PathBuf),
}

/// An SSH server, or a name that ssh's configuration knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SshEndpoint {
    /// Account; none: the one of ssh's configuration, else one's own.
    pub user: Option<String>,
    /// Host name, address or alias.
    pub host: String,
    /// TCP port, where one is given.
    pub port: Option<u16>,
}

impl RedisUrl {
    /// Puts the address over `settings`. `password` is used where the address has none.
    pub fn apply(&self, settings: &mut RedisSettings, password: Option<&SecretString>) {
        match &self.place {
            Place::Tcp(host, port) => {
                settings.host.clone_from(host);
                settings.port = *port;
                settings.socket = None;
            }
            Place::Socket(path) => settings.socket = Some(path.clone()),
        }
        settings.user.clone_from(&self.user);
        settings.password = self.password.as_ref().or(password).cloned();
        // A complete address stands for itself: a tunnel of the configuration leads somewhere else.
        settings.ssh.host = None;
    }
}

impl SshEndpoint {
    /// Puts the way through this server over `settings`.
    pub fn apply(&self, settings: &mut RedisSettings) {
        settings.ssh.host = Some(self.host.clone());
        if let Some(user) = &self.user {
            settings.ssh.user.clone_from(user);
        }
        if let Some(port) = self.port {
            settings.ssh.port = port;
        }
    }
}

/// What `settings` lead to, without any secret.
pub fn describe(settings: &RedisSettings) -> String {
    let place = match &settings.socket {
        Some(path) => path.display().to_string(),
        None => format!("{}:{}", settings.host, settings.port),
    };
    match &settings.ssh.host {
        Some(host) => format!("{place} through {host}"),
        None => place,
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected redis://[USER:PASSWORD@]HOST[:PORT] or redis+unix:///SOCKET";
        let info: ConnectionInfo = text
            .into_connection_info()
            .map_err(|error| format!("{error}; {EXPECTED}"))?;
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Place::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Place::Socket(path.clone()),
            other => {
                return Err(format!(
                    "{other} is not supported; {EXPECTED}, and an SSH server where the way is not safe"
                ));
            }
        };
        let redis = info.redis_settings();
        if redis.db() != 0 {
            return Err(format!("the queue lives in database 0, not {}", redis.db()));
        }
        Ok(Self {
            place,
            user: redis.username().map(str::to_owned),
            password: redis.password().map(SecretString::from),
        })
    }
}

impl FromStr for SshEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected USER@HOST[:PORT] or a host of ssh's configuration, an IPv6 address in brackets";
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(EXPECTED)?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => return Err(EXPECTED.to_owned()),
                }
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let is_odd = |name: &str| {
            name.is_empty()
                || name.starts_with('-')
                || name.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if user.is_some_and(is_odd) || is_odd(host) {
            return Err(EXPECTED.to_owned());
        }
        let port = match port {
            None => None,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(format!("{port:?} is no TCP port; {EXPECTED}")),
                Ok(port) => Some(port),
            },
        };
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    }
}

impl TryFrom<String> for RedisUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for SshEndpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use secrecy::ExposeSecret;

    use super::*;

    fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once(&"caur-tui").chain(arguments))
    }

    fn reached(url: &str) -> RedisSettings {
        let mut settings = RedisSettings::default();
        url.parse::<RedisUrl>().unwrap().apply(&mut settings, None);
        settings
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
        assert!(options(&["--demo", "--ssh", "a@b"]).is_err());
        assert!(options(&["--profile", "garden", "--config", "caur.toml"]).is_err());
        assert!(options(&["--profile", "garden", "--ssh", "a", "--theme", "light"]).is_ok());
    }

    #[test]
    fn redis_urls() {
        for (url, expected) in [
            ("redis://farm.example", "farm.example:6379"),
            ("redis://:pw@10.0.0.1:7000", "10.0.0.1:7000"),
            ("redis+unix:///run/caur/redis.sock", "/run/caur/redis.sock"),
            ("unix:///run/caur/redis.sock", "/run/caur/redis.sock"),
        ] {
            assert_eq!(describe(&reached(url)), expected);
        }
        for bad in ["", "farm", "http://farm", "redis://farm/3", "rediss://farm"] {
            assert!(bad.parse::<RedisUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_taken_and_never_shown() {
        let options = options(&["--redis-url", "redis://me:s3cret@farm"]).unwrap();
        let settings = reached("redis://me:s3cret@farm");
        assert_eq!(settings.user.as_deref(), Some("me"));
        assert_eq!(settings.password.as_ref().unwrap().expose_secret(), "s3cret");
        assert!(!format!("{options:?} {}", describe(&settings)).contains("s3cret"));
        let wrong = "redis://me:s3cret@farm/3".parse::<RedisUrl>().unwrap_err();
        assert!(!wrong.contains("s3cret"), "{wrong}");
    }

    #[test]
    fn ssh_endpoints() {
        let good = |text: &str| {
            let SshEndpoint { user, host, port } = text.parse().unwrap();
            (user, host, port)
        };
        let me = || Some("me".to_owned());
        assert_eq!(good("farm"), (None, "farm".into(), None));
        assert_eq!(good("me@farm"), (me(), "farm".into(), None));
        assert_eq!(good("me@farm:2222"), (me(), "farm".into(), Some(2222)));
        assert_eq!(good("me@[::1]:22"), (me(), "::1".into(), Some(22)));
        for bad in [
            "",
            "@farm",
            "me@",
            "me@farm:0",
            "me@farm:x",
            "me@-oProxy",
            "-oProxy@farm",
            "me@[::1",
            "a farm",
        ] {
            assert!(bad.parse::<SshEndpoint>().is_err(), "{bad}");
        }
    }
}
