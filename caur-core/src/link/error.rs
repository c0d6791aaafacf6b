//! What can go wrong between this process and Redis, told apart by what a person has to do about it.

use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::CONNECT_TIMEOUT;

/// An error of the link. Cheap to clone, because callers that share an attempt share its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkError {
    /// Nothing answers at the address.
    #[error("cannot reach Redis at {address}: {source}; is the server running, and are host and port right?")]
    Unreachable {
        /// The server.
        address: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The server did not answer in time.
    #[error(
        "Redis at {address} did not answer within {seconds} s; is the machine overloaded or the network cut?"
    )]
    TimedOut {
        /// The server.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The server refused user name and password.
    #[error(
        "Redis at {address} refused the password{}: {detail}; check REDIS_PASSWORD against the server's configuration",
        user.as_ref().map(|user| format!(" of user {user}")).unwrap_or_default()
    )]
    WrongPassword {
        /// The server.
        address: String,
        /// The ACL user that was tried, where one is configured.
        user: Option<String>,
        /// The server's words.
        detail: String,
    },
    /// The server wants a password and none is configured.
    #[error("Redis at {address} asks for a password and none is configured; set REDIS_PASSWORD")]
    PasswordMissing {
        /// The server.
        address: String,
    },
    /// The server is up and cannot serve yet (it loads its data, or waits for its primary).
    #[error("Redis at {address} is not ready yet: {detail}")]
    NotReady {
        /// The server.
        address: String,
        /// The server's words.
        detail: String,
    },
    /// The server lacks what the queue's scripts need.
    #[error("{found} at {address} is too old: Caur needs Redis 7.0 or Valkey 7.2, or newer")]
    TooOld {
        /// The server.
        address: String,
        /// Name and version of what answers there.
        found: String,
    },
    /// The tunnel to the server failed.
    #[error("cannot reach Redis through {address}: {source}")]
    Tunnel {
        /// The server and the way to it.
        address: String,
        /// What failed.
        source: Arc<dyn std::error::Error + Send + Sync>,
        /// Whether trying again is pointless until a person changes something.
        permanent: bool,
    },
    /// The connection was lost during an operation, which may or may not have been carried out.
    #[error("the connection to Redis at {address} was lost: {source}")]
    Lost {
        /// The server.
        address: String,
        /// What the client library saw.
        source: RedisError,
    },
    /// The server refused a command.
    #[error("Redis refused a command: {0}")]
    Command(#[source] RedisError),
}

impl LinkError {
    /// Whether time alone may heal it. False means that a person has to change something first.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::NotReady { .. } | Self::Lost { .. } => {
                true
            }
            Self::Tunnel { permanent, .. } => !permanent,
            Self::WrongPassword { .. }
            | Self::PasswordMissing { .. }
            | Self::TooOld { .. }
            | Self::Command(_) => false,
        }
    }

    pub(super) fn timed_out(address: String) -> Self {
        Self::TimedOut {
            address,
            seconds: CONNECT_TIMEOUT.as_secs(),
        }
    }

    pub(super) fn unreachable(address: String, source: io::Error) -> Self {
        Self::Unreachable {
            address,
            source: Arc::new(source),
        }
    }

    /// Names what an operation met; `address` and `user` are those of the connection it ran on.
    pub(super) fn from_redis(source: RedisError, address: &str, user: Option<&str>) -> Self {
        let address = address.to_owned();
        let detail = || source.detail().map_or_else(|| source.to_string(), str::to_owned);
        match (source.kind(), source.code()) {
            (_, Some("NOAUTH")) => Self::PasswordMissing { address },
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => Self::WrongPassword {
                user: user.map(str::to_owned),
                detail: detail(),
                address,
            },
            (ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown), code) => {
                Self::NotReady {
                    detail: format!("{} {}", code.unwrap_or_default(), detail()),
                    address,
                }
            }
            _ if breaks_connection(&source) => Self::Lost { address, source },
            _ => Self::Command(source),
        }
    }
}

/// Whether the connection must be replaced after this error. A response timeout counts: nobody can say
/// whether its answer, coming later, or the peer's death is what ends the wait.
pub(super) fn breaks_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed => true,
        // A demoted primary stays read-only; another connection may reach its successor.
        ErrorKind::Server(ServerErrorKind::ReadOnly) => true,
        _ => error.is_unrecoverable_error() || matches!(error.code(), Some("NOAUTH" | "WRONGPASS")),
    }
}
