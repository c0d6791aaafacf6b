//! The way to Redis through an SSH server: one session, one channel for each connection.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::{Session, SshError, SshStream, SshTarget};
use crate::link::{ByteStream, Connect, LinkError, RedisAddress, RedisAuth};

/// Reaches Redis through an SSH server. The session is made when first needed, shared, and made anew when
/// it is dead; no local port is opened.
pub struct TunnelConnect {
    target: SshTarget,
    redis: RedisAddress,
    auth: RedisAuth,
    session: Mutex<Option<Arc<Session>>>,
}

impl TunnelConnect {
    /// A tunnel through `target` to `redis` as that server sees it.
    #[must_use]
    pub fn new(target: SshTarget, redis: RedisAddress, auth: RedisAuth) -> Self {
        Self {
            target,
            redis,
            auth,
            session: Mutex::new(None),
        }
    }

    async fn open_channel(&self) -> Result<SshStream, SshError> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.take_if(|session| !session.is_closed()) {
            match self.open_in(&session).await {
                // The session may have died unnoticed; a fresh one tells.
                Err(SshError::Session { .. } | SshError::TimedOut { .. }) => {}
                outcome => {
                    *kept = Some(session);
                    return outcome;
                }
            }
        }
        let session = Arc::new(Session::connect(&self.target).await?);
        let outcome = self.open_in(&session).await;
        *kept = Some(session);
        outcome
    }

    async fn open_in(&self, session: &Session) -> Result<SshStream, SshError> {
        match &self.redis {
            RedisAddress::Tcp { host, port } => session.open_tcp(host, *port).await,
            RedisAddress::Unix(path) => session.open_unix(path).await,
        }
    }
}

impl Connect for TunnelConnect {
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, LinkError>> {
        async move {
            let stream = self.open_channel().await.map_err(|error| LinkError::Tunnel {
                address: self.describe(),
                permanent: error.is_permanent(),
                source: Arc::new(error),
            })?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        }
        .boxed()
    }

    fn auth(&self) -> &RedisAuth {
        &self.auth
    }

    fn describe(&self) -> String {
        format!("{} through SSH {}", self.redis, self.target)
    }

    fn try_again(&self) {
        if let Some(questions) = &self.target.questions {
            questions.forget_refusals();
        }
    }
}
