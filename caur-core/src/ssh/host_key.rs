//! Whether a server is the one it claims to be: its key is pinned in the configuration, or recorded in a
//! known_hosts file. Trust on first use is a person's decision, and only where nothing is recorded.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::HostKeyError;
use super::known_hosts::{Recorded, Standing, lookup_name, names_host, recorded_keys};

/// What decides about a server's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// One of these keys, and nothing else.
    Pinned(Vec<PublicKey>),
    /// These known_hosts files; one that does not exist counts as empty.
    KnownHosts(Vec<PathBuf>),
}

impl HostKeyPolicy {
    /// Reads pinned keys from text: one in OpenSSH's form on each line, or several separated by commas.
    ///
    /// # Errors
    /// [`HostKeyError::BadPin`] for a key that cannot be read, or when there is none.
    pub fn pinned(text: &str) -> Result<Self, HostKeyError> {
        let bad = |text: &str, reason: String| HostKeyError::BadPin {
            text: text.to_owned(),
            reason,
        };
        let keys: Vec<PublicKey> = text
            .split(['\n', ','])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| PublicKey::from_openssh(part).map_err(|error| bad(part, error.to_string())))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(bad(text, "it holds no key".to_owned()));
        }
        Ok(Self::Pinned(keys))
    }

    /// The files that ssh reads for the user whose home directory is `home`, and those of the system.
    #[must_use]
    pub fn known_hosts_of(home: &Path) -> Self {
        let user = home.join(".ssh");
        let system = Path::new("/etc/ssh");
        Self::KnownHosts(vec![
            user.join("known_hosts"),
            user.join("known_hosts2"),
            system.join("ssh_known_hosts"),
            system.join("ssh_known_hosts2"),
        ])
    }

    /// Loads what is recorded about the server `host`, `port`.
    pub(super) fn load(&self, host: &str, port: u16) -> Result<HostKeys, HostKeyError> {
        let name = lookup_name(host, port);
        let records = match self {
            Self::Pinned(keys) => Records::Pinned(keys.clone()),
            Self::KnownHosts(paths) => {
                let mut recorded = Vec::new();
                let mut named = false;
                for path in paths {
                    let text = read_if_present(path)?;
                    named |= names_host(&text, &name);
                    recorded.extend(records(path, &text, &name, true));
                    if port != 22 {
                        // ssh, too, takes a key that is recorded for the host without a port.
                        recorded.extend(records(path, &text, host, false));
                    }
                }
                Records::Files {
                    first: paths.first().cloned().unwrap_or_default(),
                    recorded,
                    named,
                }
            }
        };
        Ok(HostKeys { name, records })
    }
}

fn records(path: &Path, text: &str, name: &str, exact: bool) -> impl Iterator<Item = Record> {
    let path = path.to_owned();
    recorded_keys(text, name).into_iter().map(move |recorded| Record {
        path: path.clone(),
        recorded,
        exact,
    })
}

fn read_if_present(path: &Path) -> Result<String, HostKeyError> {
    match std::fs::read(path) {
        // A stray byte in a comment must not hide the other lines.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(HostKeyError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// What is recorded about one server.
#[derive(Debug)]
pub(super) struct HostKeys {
    name: String,
    records: Records,
}

#[derive(Debug)]
enum Records {
    Pinned(Vec<PublicKey>),
    Files {
        first: PathBuf,
        recorded: Vec<Record>,
        /// Whether any line trusts a key of the host, be it of a kind that we cannot read.
        named: bool,
    },
}

#[derive(Debug)]
struct Record {
    path: PathBuf,
    recorded: Recorded,
    /// Whether it speaks of this very port.
    exact: bool,
}

impl Record {
    fn is_trusted(&self) -> bool {
        self.recorded.standing == Standing::Trusted
    }
}

impl HostKeys {
    /// `algorithms`, those of the recorded keys first: asked for another kind first, the server would show
    /// a key that nobody recorded.
    pub fn prefer_recorded(&self, algorithms: &[Algorithm]) -> Vec<Algorithm> {
        let recorded: Vec<Algorithm> = self.trusted().map(PublicKey::algorithm).collect();
        let is_recorded = |algorithm: &Algorithm| {
            recorded.iter().any(|known| match (known, algorithm) {
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                _ => known == algorithm,
            })
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = algorithms.iter().cloned().partition(is_recorded);
        first.extend(rest);
        first
    }

    /// Decides about the key that the server showed and proved to own.
    pub fn check(&self, key: &PublicKey) -> Result<(), HostKeyError> {
        let host = self.name.clone();
        let fingerprint = format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let same = |other: &PublicKey| other.key_data() == key.key_data();
        if let Records::Files { recorded, .. } = &self.records
            && let Some(record) = recorded
                .iter()
                .find(|record| record.recorded.standing == Standing::Revoked && same(&record.recorded.key))
        {
            return Err(HostKeyError::Revoked {
                host,
                fingerprint,
                path: record.path.clone(),
                line: record.recorded.line,
            });
        }
        if self.trusted().any(same) {
            return Ok(());
        }
        match &self.records {
            Records::Files { first, recorded, .. } if !recorded.iter().any(|r| r.exact && r.is_trusted()) => {
                Err(HostKeyError::Unknown {
                    line: format!("{host} {}", openssh_form(key)),
                    host,
                    fingerprint,
                    path: first.clone(),
                })
            }
            Records::Files { .. } | Records::Pinned(_) => Err(HostKeyError::Changed {
                host,
                fingerprint,
                recorded: self.recorded_in_words(),
                key: openssh_form(key),
            }),
        }
    }

    /// Whether any key is pinned or recorded for the server, also one of a kind that we cannot read.
    pub fn knows_the_host(&self) -> bool {
        match &self.records {
            Records::Pinned(_) => true,
            Records::Files { named, .. } => *named,
        }
    }

    /// The refusal of a certificate.
    pub fn refuse_certificate(&self) -> HostKeyError {
        HostKeyError::Certificate {
            host: self.name.clone(),
        }
    }

    fn trusted(&self) -> Box<dyn Iterator<Item = &PublicKey> + '_> {
        match &self.records {
            Records::Pinned(keys) => Box::new(keys.iter()),
            Records::Files { recorded, .. } => Box::new(
                recorded
                    .iter()
                    .filter(|record| record.is_trusted())
                    .map(|record| &record.recorded.key),
            ),
        }
    }

    fn recorded_in_words(&self) -> String {
        let fingerprint = |key: &PublicKey| key.fingerprint(HashAlg::Sha256).to_string();
        let words: Vec<String> = match &self.records {
            Records::Pinned(keys) => keys
                .iter()
                .map(|key| {
                    format!(
                        "{} {} is pinned in the configuration",
                        key.algorithm(),
                        fingerprint(key)
                    )
                })
                .collect(),
            Records::Files { recorded, .. } => recorded
                .iter()
                .filter(|record| record.exact && record.is_trusted())
                .map(|record| {
                    let Recorded { key, line, .. } = &record.recorded;
                    let (kind, print) = (key.algorithm(), fingerprint(key));
                    format!("{} has {kind} {print} in line {line}", record.path.display())
                })
                .collect(),
        };
        words.join(" and ")
    }
}

/// `ssh-ed25519 AAAA…`, without a comment.
fn openssh_form(key: &PublicKey) -> String {
    PublicKey::new(key.key_data().clone(), "")
        .to_openssh()
        .map_or_else(
            |error| format!("a key that cannot be written: {error}"),
            |text| text.trim().to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn key(text: &str) -> PublicKey {
        PublicKey::from_openssh(text).unwrap()
    }

    fn check(known_hosts: &str, host: &str, port: u16) -> Result<(), HostKeyError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_hosts");
        std::fs::write(&path, known_hosts).unwrap();
        let absent = directory.path().join("absent");
        HostKeyPolicy::KnownHosts(vec![path, absent])
            .load(host, port)?
            .check(&key(ONE))
    }

    #[test]
    fn pins_take_several_keys_and_name_what_they_cannot_read() {
        let policy = HostKeyPolicy::pinned(&format!("\n {ONE} server\n{TWO}\n")).unwrap();
        assert_eq!(
            policy,
            HostKeyPolicy::pinned(&format!("{ONE} server,{TWO}")).unwrap()
        );
        let keys = policy.load("any", 22).unwrap();
        assert!(keys.check(&key(ONE)).is_ok() && keys.check(&key(TWO)).is_ok());
        for bad in ["", " \n", "ssh-ed25519", "AAAA", "SHA256:abc"] {
            assert!(
                matches!(HostKeyPolicy::pinned(bad), Err(HostKeyError::BadPin { .. })),
                "{bad:?}"
            );
        }
        let pinned = HostKeyPolicy::pinned(TWO).unwrap().load("any", 22).unwrap();
        let error = pinned.check(&key(ONE)).unwrap_err();
        assert!(matches!(error, HostKeyError::Changed { .. }), "{error}");
    }

    #[test]
    fn unknown_hosts_get_the_line_to_add_and_that_line_is_enough() {
        for (host, port) in [("example.org", 22), ("example.org", 2222)] {
            let HostKeyError::Unknown {
                line, fingerprint, ..
            } = check("other ssh-rsa x\n", host, port).unwrap_err()
            else {
                panic!("expected an unknown host");
            };
            assert!(fingerprint.contains("SHA256:"), "{fingerprint}");
            check(&line, host, port).unwrap();
        }
    }

    #[test]
    fn changed_and_revoked_keys_are_refused() {
        let changed = check(&format!("h {TWO}\n"), "h", 22).unwrap_err();
        assert!(changed.to_string().contains("line 1"), "{changed}");
        check(&format!("h {TWO}\nh {ONE}\n"), "h", 22).unwrap();
        for text in [
            format!("h {ONE}\n@revoked * {ONE}\n"),
            format!("@revoked\th {ONE}\nh\t{ONE}\n"),
        ] {
            let revoked = check(&text, "h", 22).unwrap_err();
            assert!(matches!(revoked, HostKeyError::Revoked { .. }), "{revoked}");
        }
        let negated = check(&format!("*,!h {ONE}\n"), "h", 22).unwrap_err();
        assert!(matches!(negated, HostKeyError::Unknown { .. }), "{negated}");
    }

    #[test]
    fn a_key_recorded_without_a_port_counts_for_other_ports() {
        check(&format!("h {ONE}\n"), "h", 2222).unwrap();
        // Another machine may answer at another port: that is new, not changed.
        let error = check(&format!("h {TWO}\n"), "h", 2222).unwrap_err();
        assert!(matches!(error, HostKeyError::Unknown { .. }), "{error}");
    }

    #[test]
    fn recorded_kinds_are_asked_for_first() {
        let keys = HostKeyPolicy::pinned(ONE).unwrap().load("h", 22).unwrap();
        let ours = [
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha512),
            },
            Algorithm::Ed25519,
        ];
        assert_eq!(keys.prefer_recorded(&ours)[0], Algorithm::Ed25519);
    }
}
