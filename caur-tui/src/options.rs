//! The command line, and what it changes in the settings of the connection.

use std::path::PathBuf;

use caur_core::config::RedisSettings;
use clap::Parser;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use secrecy::SecretString;

use crate::theme::Theme;

/// The console of the Caur build farm: the queue and the live log of the selected job.
#[derive(Debug, Clone, Parser)]
#[command(name = "caur-tui", version)]
pub struct Options {
    /// The queue's Redis: redis://[USER:PASSWORD@]HOST[:PORT], redis+unix:///SOCKET or unix://SOCKET; with
    /// --ssh as seen from the SSH server.
    #[arg(long, value_name = "URL", value_parser = parse_redis_url)]
    pub redis_url: Option<RedisUrl>,
    /// Reach Redis through this SSH server.
    #[arg(long, value_name = "USER@HOST[:PORT]", value_parser = parse_ssh)]
    pub ssh: Option<SshEndpoint>,
    /// Configuration file, in the form that caur-daemon reads.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The colours; without it those of the configuration, and none where NO_COLOR is set.
    #[arg(long, value_enum, value_name = "NAME")]
    pub theme: Option<Theme>,
    /// Offer nothing that changes the farm.
    #[arg(long)]
    pub read_only: bool,
    /// Show a lively farm that is made up; needs no server.
    #[arg(long, conflicts_with_all = ["redis_url", "ssh", "config"])]
    pub demo: bool,
}

/// Where `--redis-url` points.
#[derive(Debug, Clone)]
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

/// What `--ssh` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshEndpoint {
    /// Account.
    pub user: String,
    /// Host name, address or alias.
    pub host: String,
    /// TCP port, where one is given.
    pub port: Option<u16>,
}

impl Options {
    /// `settings` with what the command line says put over them.
    pub fn apply(&self, mut settings: RedisSettings) -> RedisSettings {
        if let Some(url) = &self.redis_url {
            match &url.place {
                Place::Tcp(host, port) => {
                    settings.host.clone_from(host);
                    settings.port = *port;
                    settings.socket = None;
                }
                Place::Socket(path) => settings.socket = Some(path.clone()),
            }
            settings.user.clone_from(&url.user);
            settings.password.clone_from(&url.password);
            // A complete address stands for itself: a tunnel of the configuration leads somewhere else.
            settings.ssh.host = None;
        }
        if let Some(ssh) = &self.ssh {
            settings.ssh.host = Some(ssh.host.clone());
            settings.ssh.user.clone_from(&ssh.user);
            if let Some(port) = ssh.port {
                settings.ssh.port = port;
            }
        }
        settings
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

fn parse_redis_url(text: &str) -> Result<RedisUrl, String> {
    const EXPECTED: &str = "expected redis://[USER:PASSWORD@]HOST[:PORT] or redis+unix:///SOCKET";
    let info: ConnectionInfo = text
        .into_connection_info()
        .map_err(|error| format!("{error}; {EXPECTED}"))?;
    let place = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Place::Tcp(host.clone(), *port),
        ConnectionAddr::Unix(path) => Place::Socket(path.clone()),
        other => {
            return Err(format!(
                "{other} is not supported; {EXPECTED}, and --ssh where the way is not safe"
            ));
        }
    };
    let redis = info.redis_settings();
    if redis.db() != 0 {
        return Err(format!("the queue lives in database 0, not {}", redis.db()));
    }
    Ok(RedisUrl {
        place,
        user: redis.username().map(str::to_owned),
        password: redis.password().map(SecretString::from),
    })
}

fn parse_ssh(text: &str) -> Result<SshEndpoint, String> {
    const EXPECTED: &str = "expected USER@HOST[:PORT], an IPv6 address in brackets";
    let (user, place) = text.split_once('@').ok_or(EXPECTED)?;
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
    if user.is_empty() || host.is_empty() || host.starts_with('-') {
        return Err(EXPECTED.to_owned());
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(format!("{port:?} is no TCP port; {EXPECTED}")),
            Ok(port) => Some(port),
        },
    };
    Ok(SshEndpoint {
        user: user.to_owned(),
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use secrecy::ExposeSecret;

    use super::*;

    fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once(&"caur-tui").chain(arguments))
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
        assert!(options(&["--demo", "--ssh", "a@b"]).is_err());
    }

    #[test]
    fn redis_urls() {
        for (url, expected) in [
            ("redis://farm.example", "farm.example:6379"),
            ("redis://:pw@10.0.0.1:7000", "10.0.0.1:7000"),
            ("redis+unix:///run/caur/redis.sock", "/run/caur/redis.sock"),
            ("unix:///run/caur/redis.sock", "/run/caur/redis.sock"),
        ] {
            let options = options(&["--redis-url", url]).unwrap();
            assert_eq!(describe(&options.apply(RedisSettings::default())), expected);
        }
        for bad in ["", "farm", "http://farm", "redis://farm/3"] {
            assert!(options(&["--redis-url", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_taken_and_never_shown() {
        let options = options(&["--redis-url", "redis://me:s3cret@farm"]).unwrap();
        let settings = options.apply(RedisSettings::default());
        assert_eq!(settings.user.as_deref(), Some("me"));
        assert_eq!(settings.password.as_ref().unwrap().expose_secret(), "s3cret");
        assert!(!format!("{options:?} {}", describe(&settings)).contains("s3cret"));
    }

    #[test]
    fn ssh_endpoints() {
        let good = |text| parse_ssh(text).map(|ssh| (ssh.user, ssh.host, ssh.port)).unwrap();
        assert_eq!(good("me@farm"), ("me".into(), "farm".into(), None));
        assert_eq!(good("me@farm:2222"), ("me".into(), "farm".into(), Some(2222)));
        assert_eq!(good("me@[::1]:22"), ("me".into(), "::1".into(), Some(22)));
        for bad in [
            "farm",
            "@farm",
            "me@",
            "me@farm:0",
            "me@farm:x",
            "me@-oProxy",
            "me@[::1",
        ] {
            assert!(parse_ssh(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_tunnel_of_the_configuration_gives_way_to_an_address() {
        let mut configured = RedisSettings::default();
        configured.ssh.host = Some("gate".to_owned());
        let direct = options(&["--redis-url", "redis://farm"])
            .unwrap()
            .apply(configured.clone());
        assert_eq!(describe(&direct), "farm:6379");
        let kept = options(&[]).unwrap().apply(configured.clone());
        assert_eq!(describe(&kept), "127.0.0.1:6379 through gate");
        let both = options(&["--redis-url", "unix:///s", "--ssh", "me@other"]).unwrap();
        assert_eq!(describe(&both.apply(configured)), "/s through other");
    }
}
