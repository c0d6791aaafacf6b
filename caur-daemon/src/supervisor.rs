//! Runs a role's parts as named tasks: the first to fail ends all, a signal drains all.

use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr, eyre};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(30);

/// The tasks of a role and the token that asks them to end.
pub struct Supervisor {
    tasks: JoinSet<(&'static str, Result<()>)>,
    shutdown: CancellationToken,
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// Canceled when the tasks are to drain and end.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Starts a task.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = Result<()>> + Send + 'static) {
        self.tasks.spawn(async move { (name, task.await) });
    }

    /// Waits until all tasks have ended. SIGTERM and SIGINT drain them, a second signal leaves at once.
    ///
    /// # Errors
    /// The first task's failure, or a drain that took too long.
    pub async fn run(mut self) -> Result<()> {
        let mut terminate = signal(SignalKind::terminate()).wrap_err("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).wrap_err("cannot listen for SIGINT")?;
        let mut outcome = Ok(());
        let mut deadline = None;
        loop {
            let late = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = self.tasks.join_next() => match ended {
                    None => return outcome,
                    Some(Ok((name, result))) => {
                        if let Err(error) = result {
                            tracing::error!(task = name, "{error:#}");
                            if outcome.is_ok() {
                                outcome = Err(error.wrap_err(format!("{name} failed")));
                            }
                        }
                        // A part that is gone leaves the role incomplete.
                        self.shutdown.cancel();
                    }
                    Some(Err(error)) => {
                        self.shutdown.cancel();
                        outcome = Err(eyre!("a task panicked: {error}"));
                    }
                },
                _ = terminate.recv() => self.drain("SIGTERM")?,
                _ = interrupt.recv() => self.drain("SIGINT")?,
                () = late => return Err(eyre!("not everything ended within {} s of the signal", DRAIN.as_secs())),
            }
            if self.shutdown.is_cancelled() && deadline.is_none() {
                deadline = Some(tokio::time::Instant::now() + DRAIN);
            }
        }
    }

    fn drain(&self, signal: &str) -> Result<()> {
        if self.shutdown.is_cancelled() {
            return Err(eyre!("{signal} for the second time: leaving at once"));
        }
        tracing::info!("{signal}: draining, at most {} s", DRAIN.as_secs());
        self.shutdown.cancel();
        Ok(())
    }
}
