//! Reaching Redis without a tunnel: TCP, or a Unix socket on this machine.

use std::fmt;
use std::path::PathBuf;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{ByteStream, CONNECT_TIMEOUT, Connect, LinkError, RedisAuth};

/// Where a Redis server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAddress {
    /// Host name or address, and port.
    Tcp {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Connects straight to the server.
#[derive(Debug, Clone)]
pub struct Direct {
    /// Where the server listens.
    pub address: RedisAddress,
    /// How to log in.
    pub auth: RedisAuth,
}

impl Connect for Direct {
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, LinkError>> {
        async move {
            let opened = async {
                Ok::<Box<dyn ByteStream>, _>(match &self.address {
                    RedisAddress::Tcp { host, port } => Box::new(open_tcp(host, *port).await?),
                    RedisAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
                })
            };
            timeout(CONNECT_TIMEOUT, opened)
                .await
                .map_err(|_| LinkError::timed_out(self.describe()))?
                .map_err(|source| LinkError::unreachable(self.describe(), source))
        }
        .boxed()
    }

    fn auth(&self) -> &RedisAuth {
        &self.auth
    }

    fn describe(&self) -> String {
        self.address.to_string()
    }
}

async fn open_tcp(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
