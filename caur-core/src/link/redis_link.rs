//! The shared connection, its state, and connections of their own for blocking reads.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::error::breaks_connection;
use super::handshake::{Established, establish};
use super::{Backoff, Connect, LinkError};

/// How long a command on the shared connection may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest `BLOCK` that a command on a [`Dedicated`] connection may state.
pub const MAX_BLOCK: Duration = Duration::from_secs(30);

/// What the link is doing, for a person who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// No connection was made so far.
    Connecting,
    /// The shared connection works, as far as known.
    Online,
    /// The connection was lost, or could not be made, and will be tried again.
    Reconnecting {
        /// How many attempts failed in a row.
        attempt: u32,
        /// Time until the next attempt as of this state; zero when the next call makes it.
        next_in: Duration,
    },
    /// The server was reached and refuses to work with us; someone has to change something.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// A connection to Redis that comes back. Clones share it.
#[derive(Clone)]
pub struct RedisLink {
    shared: Arc<Shared>,
}

struct Shared {
    connect: Box<dyn Connect>,
    slot: Mutex<Slot>,
    /// Attempts that have ended, well or not: who sees it change while waiting takes over the outcome.
    attempts: AtomicU64,
    state: watch::Sender<LinkState>,
    /// Ends the pauses between attempts.
    hurry: Notify,
}

#[derive(Default)]
struct Slot {
    current: Option<Current>,
    failure: Option<(u64, LinkError)>,
    failed_in_a_row: u32,
}

struct Current {
    connection: MultiplexedConnection,
    /// The attempt that made it: tells it from its successors.
    attempt: u64,
}

impl RedisLink {
    /// A link that connects when it is first used.
    pub fn new(connect: impl Connect) -> Self {
        Self {
            shared: Arc::new(Shared {
                connect: Box::new(connect),
                slot: Mutex::default(),
                attempts: AtomicU64::new(0),
                state: watch::Sender::new(LinkState::Connecting),
                hurry: Notify::new(),
            }),
        }
    }

    /// The server in words for messages, without secrets.
    #[must_use]
    pub fn describe(&self) -> String {
        self.shared.connect.describe()
    }

    /// The shared connection; a fresh one where the last is gone. For commands that answer at once: a
    /// blocking one would stall every other user.
    ///
    /// A loss shows at the stream's end; where the peer vanished without one, [`run`](Self::run) notices
    /// by its timeout, which users of the bare connection have to [`report`](Self::report).
    ///
    /// # Errors
    /// Why no connection could be made. Callers that came during a failing attempt share its error.
    pub async fn connection(&self) -> Result<MultiplexedConnection, LinkError> {
        self.current().await.map(|(connection, _)| connection)
    }

    /// A connection of its own for blocking reads, closed when it is dropped, in the middle of a command
    /// too. A command on it may block for [`MAX_BLOCK`].
    ///
    /// # Errors
    /// Why no connection could be made.
    pub async fn dedicated(&self) -> Result<Dedicated, LinkError> {
        let Established {
            mut connection,
            driver,
        } = establish(&*self.shared.connect).await?;
        connection.set_response_timeout(MAX_BLOCK * 2);
        Ok(Dedicated {
            connection,
            driver: driver.abort_handle(),
        })
    }

    /// Runs one operation on the shared connection, once. An error of the connection drops it, so that the
    /// next call makes a new one; whether the operation was carried out is then unknown, and whether to
    /// repeat it is the caller's decision.
    ///
    /// # Errors
    /// [`LinkError::Lost`] for a broken connection, [`LinkError::Command`] for a refused command.
    pub async fn run<T, F>(&self, operation: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, LinkError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let (connection, attempt) = self.current().await?;
        match operation(connection).await {
            Ok(value) => Ok(value),
            Err(error) => {
                if breaks_connection(&error) {
                    self.shared.forget(attempt).await;
                }
                Err(self.name(error))
            }
        }
    }

    /// Tells the link what an operation on a bare connection met, and names the error. The shared
    /// connection is dropped where the error means that it is broken.
    pub async fn report(&self, error: redis::RedisError) -> LinkError {
        if breaks_connection(&error) {
            let attempt = self
                .shared
                .slot
                .lock()
                .await
                .current
                .as_ref()
                .map(|current| current.attempt);
            if let Some(attempt) = attempt {
                self.shared.forget(attempt).await;
            }
        }
        self.name(error)
    }

    /// Waits until the server answers, or until `cancel`: attempts with growing, spread pauses between
    /// 0.2 s and 30 s. Another caller's success ends the wait at once.
    pub async fn wait_until_up(&self, cancel: &CancellationToken) {
        let mut state = self.state();
        let mut backoff = Backoff::default();
        loop {
            // From here on, so that a success between the attempt and the pause is seen too.
            state.mark_unchanged();
            let answered = tokio::select! {
                answered = self.run(|mut connection| async move {
                    redis::cmd("PING").exec_async(&mut connection).await
                }) => answered,
                () = cancel.cancelled() => return,
            };
            let Err(error) = answered else { return };
            // From here on, so that who sees the pause in the state can end it.
            let hurried = self.shared.hurry.notified();
            let next_in = backoff.next_delay();
            tracing::debug!(server = %self.describe(), %error, ?next_in, "waiting for Redis");
            if error.is_transient() {
                self.shared.state.send_if_modified(|state| {
                    // Someone else may have succeeded since.
                    let offline = *state != LinkState::Online;
                    if offline {
                        *state = LinkState::Reconnecting {
                            attempt: backoff.failures(),
                            next_in,
                        };
                    }
                    offline
                });
            }
            tokio::select! {
                () = tokio::time::sleep(next_in) => {}
                () = becomes_online(&mut state) => {}
                () = hurried => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    /// Ends the present pause of every [`wait_until_up`](Self::wait_until_up), because a person wants to know now.
    /// What that person refused before, such as a passphrase, may be asked again.
    pub fn reconnect_now(&self) {
        self.shared.connect.try_again();
        self.shared.hurry.notify_waiters();
    }

    /// The link's state and its changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.shared.state.subscribe()
    }

    async fn current(&self) -> Result<(MultiplexedConnection, u64), LinkError> {
        let seen = self.shared.attempts.load(Ordering::Acquire);
        let mut slot = self.shared.slot.lock().await;
        if let Some(current) = &slot.current {
            return Ok((current.connection.clone(), current.attempt));
        }
        if let Some((attempt, error)) = &slot.failure
            && *attempt > seen
        {
            return Err(error.clone());
        }
        let outcome = establish(&*self.shared.connect).await;
        let attempt = self.shared.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        match outcome {
            Ok(Established {
                mut connection,
                driver,
            }) => {
                connection.set_response_timeout(RESPONSE_TIMEOUT);
                slot.failure = None;
                slot.failed_in_a_row = 0;
                slot.current = Some(Current {
                    connection: connection.clone(),
                    attempt,
                });
                self.shared.state.send_replace(LinkState::Online);
                let shared = Arc::downgrade(&self.shared);
                tokio::spawn(async move {
                    // However the driver ends, the connection is of no more use.
                    let _ended = driver.await;
                    if let Some(shared) = shared.upgrade() {
                        shared.forget(attempt).await;
                    }
                });
                Ok((connection, attempt))
            }
            Err(error) => {
                slot.failed_in_a_row = slot.failed_in_a_row.saturating_add(1);
                self.shared.state.send_replace(if error.is_transient() {
                    LinkState::Reconnecting {
                        attempt: slot.failed_in_a_row,
                        next_in: Duration::ZERO,
                    }
                } else {
                    LinkState::Failed {
                        reason: error.to_string(),
                    }
                });
                slot.failure = Some((attempt, error.clone()));
                Err(error)
            }
        }
    }

    fn name(&self, error: redis::RedisError) -> LinkError {
        let connect = &self.shared.connect;
        LinkError::from_redis(error, &connect.describe(), connect.auth().username.as_deref())
    }
}

/// Returns when the link went online after `state` was last marked as seen.
async fn becomes_online(state: &mut watch::Receiver<LinkState>) {
    while state.changed().await.is_ok() {
        if *state.borrow_and_update() == LinkState::Online {
            return;
        }
    }
    // Without a sender there is no link left that could go online.
    std::future::pending::<()>().await;
}

impl Shared {
    /// Drops the shared connection if it is still the one that `attempt` made.
    async fn forget(&self, attempt: u64) {
        let mut slot = self.slot.lock().await;
        if slot
            .current
            .take_if(|current| current.attempt == attempt)
            .is_some()
        {
            tracing::info!(server = %self.connect.describe(), "the connection to Redis was lost");
            self.state.send_replace(LinkState::Reconnecting {
                attempt: 0,
                next_in: Duration::ZERO,
            });
        }
    }
}

/// A connection that nobody else uses. Dropping it closes it at once, so that a blocking read which was
/// given up cannot take a message that nobody will see.
pub struct Dedicated {
    connection: MultiplexedConnection,
    driver: AbortHandle,
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl ConnectionLike for Dedicated {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.connection.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.connection.req_packed_commands(cmd, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}
