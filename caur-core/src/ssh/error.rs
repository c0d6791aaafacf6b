//! What can go wrong with an SSH session, and with the trust in its server.

use std::path::PathBuf;

use russh::ChannelOpenFailure;

/// An error of a session or of a channel in it.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// Nothing answers.
    #[error("cannot reach the SSH server {target}: {source}; is it running, and are host and port right?")]
    Unreachable {
        /// `user@host:port`.
        target: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The server took too long.
    #[error("the SSH server {target} took more than {seconds} s to {action}")]
    TimedOut {
        /// `user@host:port`.
        target: String,
        /// What was waited for.
        action: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The server's key is not trusted.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// None of the configured keys could be offered.
    #[error("no usable SSH key to log in as {target}: {}", problems.join("; "))]
    NoKey {
        /// `user@host:port`.
        target: String,
        /// What is wrong with each key.
        problems: Vec<String>,
    },
    /// The server took none of the keys.
    #[error(
        "the SSH server {target} refused the login; tried {}. Is the public key in that account's authorized_keys, \
         and is it the right account?",
        tried.join("; ")
    )]
    AuthRefused {
        /// `user@host:port`.
        target: String,
        /// Each key and what became of it.
        tried: Vec<String>,
    },
    /// The server does not let us through to an address behind it.
    #[error(
        "the SSH server {target} refused to connect to {destination}: {}",
        refusal(reason)
    )]
    ChannelRefused {
        /// `user@host:port`.
        target: String,
        /// The address behind it.
        destination: String,
        /// The server's reason.
        reason: ChannelOpenFailure,
    },
    /// The server does not offer SFTP to this account.
    #[error(
        "the SSH server {target} offers no SFTP to this account; its sshd_config needs `Subsystem sftp internal-sftp`, \
         and authorized_keys must not bar it"
    )]
    NoSftp {
        /// `user@host:port`.
        target: String,
    },
    /// The session broke.
    #[error("the SSH session with {target} failed: {source}")]
    Session {
        /// `user@host:port`.
        target: String,
        /// What the SSH library saw.
        source: russh::Error,
    },
}

impl SshError {
    /// Whether trying again is pointless until a person changes something.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::HostKey(_) | Self::NoKey { .. } | Self::AuthRefused { .. } | Self::NoSftp { .. } => true,
            Self::ChannelRefused { reason, .. } => *reason == ChannelOpenFailure::AdministrativelyProhibited,
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Session { .. } => false,
        }
    }
}

/// Why a server's key is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// A pinned key that cannot be read.
    #[error(
        "the pinned SSH host key {text:?} cannot be read: {reason}; expected the form `ssh-ed25519 AAAA…` as in the \
         server's /etc/ssh/ssh_host_ed25519_key.pub (REDIS_SSH_HOSTKEY for the tunnel to Redis)"
    )]
    BadPin {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A known_hosts file exists and cannot be read.
    #[error("cannot read {}: {source}; without it no SSH host key can be checked", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing is recorded for this server.
    #[error(
        "the SSH host key of {host} is unknown: {fingerprint}. Compare the fingerprint with the server's \
         (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` there), then add this line to {}:\n{line}\n\
         or pin the key in the configuration (REDIS_SSH_HOSTKEY for the tunnel to Redis)",
        path.display()
    )]
    Unknown {
        /// The server as known_hosts writes it.
        host: String,
        /// `SHA256:…` of the key it showed.
        fingerprint: String,
        /// The file to add the line to.
        path: PathBuf,
        /// The line to add.
        line: String,
    },
    /// Another key is recorded or pinned for this server.
    #[error(
        "THE SSH HOST KEY OF {host} HAS CHANGED. It showed {fingerprint}, while {recorded}. Either the server was \
         set up anew or someone is in the middle: nothing was sent. Ask the server's administrator; only then \
         replace the recorded key (the server's present one is `{key}`)"
    )]
    Changed {
        /// The server as known_hosts writes it.
        host: String,
        /// `SHA256:…` of the key it showed.
        fingerprint: String,
        /// What is recorded and where, in words.
        recorded: String,
        /// The key it showed, in OpenSSH's form.
        key: String,
    },
    /// The key is marked as revoked.
    #[error(
        "THE SSH HOST KEY OF {host} IS REVOKED: {fingerprint} is marked @revoked in {}, line {line}. Whoever answers \
         there has a key that is known to be stolen; nothing was sent",
        path.display()
    )]
    Revoked {
        /// The server as known_hosts writes it.
        host: String,
        /// `SHA256:…` of the key it showed.
        fingerprint: String,
        /// The file with the mark.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// The server showed a certificate, which was not asked for.
    #[error(
        "{host} showed an SSH host certificate, which is not supported; let it offer a plain host key too"
    )]
    Certificate {
        /// The server as known_hosts writes it.
        host: String,
    },
}

fn refusal(reason: &ChannelOpenFailure) -> String {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "forbidden there; look at AllowTcpForwarding, AllowStreamLocalForwarding and PermitOpen in its sshd_config, \
             and at permitopen in authorized_keys"
                .to_owned()
        }
        ChannelOpenFailure::ConnectFailed => "nothing answers there, as seen from that server".to_owned(),
        ChannelOpenFailure::UnknownChannelType => "it knows no such forwarding".to_owned(),
        ChannelOpenFailure::ResourceShortage => "it is short of resources".to_owned(),
        ChannelOpenFailure::Other { code, reason } => format!("{reason} (code {code})"),
    }
}
