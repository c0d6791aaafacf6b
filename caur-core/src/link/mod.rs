//! The link to Redis: one shared connection that comes back after a loss, and connections of their own for
//! blocking reads.
//!
//! Promises: an operation is never repeated behind its caller's back; after a loss the next call connects
//! anew; callers that come at the same time share one attempt, its failure included; every error says
//! which server and what to do. Who carries the bytes ([`Direct`] or an SSH tunnel) is behind [`Connect`].

mod backoff;
mod direct;
mod error;
mod handshake;
mod redis_link;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};

pub use backoff::Backoff;
pub use direct::{Direct, RedisAddress};
pub use error::LinkError;
pub use redis_link::{Dedicated, LinkState, MAX_BLOCK, RedisLink};

/// How long reaching a server may take, and how long its greeting.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A byte stream to a Redis server.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Opens byte streams to one Redis server; what is spoken over them is the link's business.
pub trait Connect: Send + Sync + 'static {
    /// Opens one fresh stream, in bounded time.
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, LinkError>>;

    /// Who to log in as, and the database to use.
    fn auth(&self) -> &RedisAuth;

    /// The server in words for messages, without secrets.
    fn describe(&self) -> String;

    /// A person wants another try: what they refused before may be asked again.
    fn try_again(&self) {}
}

/// How to log in to Redis.
#[derive(Debug, Clone, Default)]
pub struct RedisAuth {
    /// ACL user; none means Redis' user `default`.
    pub username: Option<String>,
    /// Password; none where the server asks for none.
    pub password: Option<SecretString>,
    /// Number of the database.
    pub database: i64,
}
