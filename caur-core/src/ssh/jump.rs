//! Reading the hosts that a `ProxyJump` names.

use super::AliasError;

/// A host as it is named on ssh's command line or in `ProxyJump`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub host: String,
    pub user: Option<String>,
    pub port: Option<u16>,
}

impl Hop {
    /// A host without account and port.
    pub fn plain(host: &str) -> Result<Self, AliasError> {
        Ok(Self {
            host: checked(host)?,
            user: None,
            port: None,
        })
    }

    /// Reads `[user@]host[:port],…`, of which `host` is reached through.
    pub fn list(text: &str, host: &str) -> Result<Vec<Self>, AliasError> {
        text.split(',')
            .map(|hop| {
                let hop = hop.trim();
                let (user, address) = match hop.rsplit_once('@') {
                    Some((user, address)) => (Some(checked(user)?), address),
                    None => (None, hop),
                };
                let bad = || AliasError::BadJump {
                    host: host.to_owned(),
                    text: text.to_owned(),
                };
                let (name, port) = match address.strip_prefix('[') {
                    Some(rest) => {
                        let (name, port) = rest.split_once(']').ok_or_else(bad)?;
                        (name, port.strip_prefix(':'))
                    }
                    None => match address.split_once(':') {
                        // Several colons without brackets: an IPv6 address.
                        Some((_, port)) if port.contains(':') => (address, None),
                        Some((name, port)) => (name, Some(port)),
                        None => (address, None),
                    },
                };
                let port = port.map(str::parse).transpose().map_err(|_| bad())?;
                let host = checked(name)?;
                Ok(Self { host, user, port })
            })
            .collect()
    }
}

/// A name that is neither an option nor, in a ProxyCommand, something for the shell.
pub(super) fn checked(name: &str) -> Result<String, AliasError> {
    let strange = |c: char| c.is_whitespace() || c.is_control() || "'`\"$\\;&<>|(){}".contains(c);
    if name.is_empty() || name.starts_with('-') || name.contains(strange) {
        return Err(AliasError::BadName(name.to_owned()));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_read_as_ssh_prints_them() {
        let hops = Hop::list("a@b@c:22,[::1]:33,::2,[::3],d", "x").unwrap();
        let read: Vec<(Option<&str>, &str, Option<u16>)> = hops
            .iter()
            .map(|hop| (hop.user.as_deref(), hop.host.as_str(), hop.port))
            .collect();
        assert_eq!(
            read,
            [
                (Some("a@b"), "c", Some(22)),
                (None, "::1", Some(33)),
                (None, "::2", None),
                (None, "::3", None),
                (None, "d", None)
            ]
        );
        for bad in ["", "a:b", "[::1", "-oX", "a,", "@a", "a;b", "$(x)"] {
            assert!(Hop::list(bad, "x").is_err(), "{bad:?}");
        }
    }
}
