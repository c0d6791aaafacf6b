//! What can go wrong with an SSH session.

use russh::ChannelOpenFailure;

use super::HostKeyError;

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
