//! Runs one build container from creation to its end, with all of its output, or goes on with one that an earlier
//! process started.

use std::time::Duration;

use bollard::Docker;
use bollard::container::AttachContainerResults;
use bollard::errors::Error as EngineError;
use bollard::models::{ContainerCreateBody, ContainerState};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use futures::StreamExt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::BuildError;
use super::classify::{Ending, STATUS_KILLED};
use super::journal::Journal;
use super::labels::Identity;

/// How long a canceled build may tidy up after itself.
const CANCEL_GRACE: Duration = Duration::from_secs(1);
/// The same for one whose time is over.
const OVERDUE_GRACE: Duration = Duration::from_secs(10);
/// How long the engine may take to act on a signal or a removal.
const ENGINE_PATIENCE: Duration = Duration::from_secs(30);
/// How long after a kill the engine may take to hear that memory was the reason, and how often it is asked.
const REASON_PATIENCE: Duration = Duration::from_secs(1);
const REASON_POLL: Duration = Duration::from_millis(100);
/// How long the log may lag behind a container that has ended.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(120);

/// One container and what its build may take.
pub(super) struct Run<'a> {
    pub docker: &'a Docker,
    pub builder: &'a Identity,
    pub name: String,
    /// When makepkg's own time is over, counted from the start.
    pub makepkg_limit: Duration,
    /// When the whole job's time is over.
    pub deadline: Instant,
    pub journal: &'a Journal,
    pub cancel: &'a CancellationToken,
}

impl Run<'_> {
    /// Creates the container, runs it to its end and removes it, whatever happens in between. One that built
    /// something stays: the engine remembers how it ended, so a process that dies before the packages are safe
    /// loses nothing.
    ///
    /// # Errors
    /// [`BuildError::Engine`] when it could not be created or started.
    pub(super) async fn run(&self, body: &ContainerCreateBody) -> Result<Ending, BuildError> {
        let id = self.create(body).await?;
        let ending = self.start_and_wait(&id).await;
        if !ending.as_ref().is_ok_and(is_success) {
            self.remove(&id).await;
        }
        ending
    }

    /// Goes on with a container that was started already and may have ended meanwhile; the rest is as above.
    pub(super) async fn resume(&self, id: &str, running: bool) -> Ending {
        let ending = if running {
            self.rejoin_and_wait(id).await
        } else {
            // A connection to it would stay open until it is started again.
            self.watch(id).await
        };
        if !is_success(&ending) {
            self.remove(id).await;
        }
        ending
    }

    async fn create(&self, body: &ContainerCreateBody) -> Result<String, BuildError> {
        let options = CreateContainerOptionsBuilder::default().name(&self.name).build();
        let create = || self.docker.create_container(Some(options.clone()), body.clone());
        let created = match create().await {
            // Left by an earlier life of this builder.
            Err(EngineError::DockerResponseServerError { status_code: 409, .. }) if self.is_ours().await => {
                self.remove(&self.name).await;
                create().await
            }
            created => created,
        };
        created.map(|created| created.id).map_err(BuildError::engine(format!(
            "creating the container {} (where it does not find a mount's source, builder.shared_path does not name the shared directory as the engine's host sees it)",
            self.name
        )))
    }

    async fn is_ours(&self) -> bool {
        let inspected = self
            .docker
            .inspect_container(&self.name, None::<InspectContainerOptions>)
            .await;
        inspected
            .ok()
            .and_then(|container| container.config?.labels)
            .is_some_and(|labels| self.builder.owns(&labels))
    }

    async fn start_and_wait(&self, id: &str) -> Result<Ending, BuildError> {
        // Attached before the start: nothing keeps output that was written while nobody listened.
        let mut pump = self.attach(id).await?;
        let ending = match self
            .docker
            .start_container(id, None::<StartContainerOptions>)
            .await
        {
            Ok(()) => Ok(self.watch(id).await),
            Err(error) => Err(BuildError::engine(
                "starting the build container; is the image a build image?",
            )(error)),
        };
        let patience = ending.as_ref().map_or(CANCEL_GRACE, output_patience);
        self.finish_output(&mut pump, patience).await;
        ending
    }

    async fn rejoin_and_wait(&self, id: &str) -> Ending {
        match self.attach(id).await {
            Ok(mut pump) => {
                // If it ended just before, that connection is closed by nobody.
                let runs = self.is_running(id).await;
                let ending = self.watch(id).await;
                let patience = if runs {
                    output_patience(&ending)
                } else {
                    CANCEL_GRACE
                };
                self.finish_output(&mut pump, patience).await;
                ending
            }
            // The build is worth more than its log.
            Err(error) => {
                self.journal
                    .line(&format!(
                        "the container's output is missing from here on: {error}"
                    ))
                    .await;
                self.watch(id).await
            }
        }
    }

    /// Passes on what the container writes from now on.
    async fn attach(&self, id: &str) -> Result<AbortOnDropHandle<()>, BuildError> {
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = self
            .docker
            .attach_container(id, Some(options))
            .await
            .map_err(BuildError::engine("attaching to the build container"))?;
        let pump = tokio::spawn(pump(attached, self.journal.sender()));
        Ok(AbortOnDropHandle::new(pump))
    }

    async fn is_running(&self, id: &str) -> bool {
        let inspected = self
            .docker
            .inspect_container(id, None::<InspectContainerOptions>)
            .await;
        inspected
            .ok()
            .and_then(|container| container.state?.running)
            .unwrap_or(false)
    }

    async fn watch(&self, id: &str) -> Ending {
        let watched = Instant::now();
        let wait = wait(self.docker, id);
        let mut wait = std::pin::pin!(wait);
        tokio::select! {
            biased;
            exit = &mut wait => match exit {
                Ok(status) => self.exited(id, status, watched.elapsed()).await,
                Err(error) => Ending::Vanished(error.to_string()),
            },
            () = self.cancel.cancelled() => {
                self.stop(id, wait, CANCEL_GRACE).await;
                Ending::Canceled
            }
            () = tokio::time::sleep_until(self.deadline) => {
                self.stop(id, wait, OVERDUE_GRACE).await;
                Ending::Overdue
            }
        }
    }

    /// The engine has to still know the container: one that was taken away also reports a status. It also
    /// knows how long the container ran; `watched` is what stands in for that.
    async fn exited(&self, id: &str, status: i64, watched: Duration) -> Ending {
        let started = Instant::now();
        loop {
            let state = match self
                .docker
                .inspect_container(id, None::<InspectContainerOptions>)
                .await
            {
                Ok(container) => container.state.unwrap_or_default(),
                // Podman names states that the client does not know; the status came from the wait already.
                Err(EngineError::JsonDataError { .. } | EngineError::JsonSerdeError { .. }) => {
                    ContainerState::default()
                }
                Err(error) => return Ending::Vanished(error.to_string()),
            };
            let out_of_memory = state.oom_killed.unwrap_or(false);
            let past_limit = run_time(&state).unwrap_or(watched) >= self.makepkg_limit;
            let explained = status != STATUS_KILLED || out_of_memory || past_limit;
            if explained || started.elapsed() >= REASON_PATIENCE {
                return Ending::Exited {
                    status,
                    out_of_memory,
                    past_limit,
                };
            }
            tokio::time::sleep(REASON_POLL).await;
        }
    }

    /// Asks it to end, then makes it. The grace begins at once, however long the engine takes to ask.
    async fn stop(
        &self,
        id: &str,
        wait: impl Future<Output = Result<i64, EngineError>> + Unpin,
        grace: Duration,
    ) {
        let ends_when_asked = async {
            self.signal(id, "SIGTERM").await;
            wait.await
        };
        if timeout(grace, ends_when_asked).await.is_err() {
            self.signal(id, "SIGKILL").await;
        }
    }

    async fn signal(&self, id: &str, signal: &str) {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        let killed = timeout(ENGINE_PATIENCE, self.docker.kill_container(id, Some(options))).await;
        // It may have ended by itself; the removal takes care of everything else.
        tracing::debug!(
            container = self.name,
            signal,
            ?killed,
            "signalled the build container"
        );
    }

    async fn finish_output(&self, pump: &mut AbortOnDropHandle<()>, patience: Duration) {
        let drained = tokio::select! {
            drained = timeout(patience, &mut *pump) => drained.is_ok(),
            () = self.cancel.cancelled() => timeout(CANCEL_GRACE, &mut *pump).await.is_ok(),
        };
        if !drained {
            pump.abort();
            self.journal
                .line("the rest of the container's output is missing here")
                .await;
        }
    }

    async fn remove(&self, id: &str) {
        if let Err(error) = remove(self.docker, id).await {
            // The sweep for orphans tries again.
            tracing::warn!(container = self.name, %error, "the build container could not be removed");
        }
    }
}

/// Removes a container with its anonymous volumes; that it is gone already is fine.
pub(super) async fn remove(docker: &Docker, id: &str) -> Result<(), BuildError> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    let removed = timeout(ENGINE_PATIENCE, docker.remove_container(id, Some(options))).await;
    match removed.unwrap_or(Err(EngineError::RequestTimeoutError)) {
        // 409: somebody else is removing it at this moment.
        Ok(())
        | Err(EngineError::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }) => Ok(()),
        Err(error) => Err(BuildError::engine(format!("removing the container {id}"))(error)),
    }
}

fn is_success(ending: &Ending) -> bool {
    matches!(ending, Ending::Exited { status: 0, .. })
}

/// How long the log of a container that ended so may take to be complete.
fn output_patience(ending: &Ending) -> Duration {
    match ending {
        Ending::Exited { .. } => OUTPUT_PATIENCE,
        Ending::Overdue | Ending::Canceled | Ending::Vanished(_) => CANCEL_GRACE,
    }
}

/// How long a container that has ended ran; none where the engine does not say.
fn run_time(state: &ContainerState) -> Option<Duration> {
    let moment = |text: &Option<String>| OffsetDateTime::parse(text.as_deref()?, &Rfc3339).ok();
    let (started, finished) = (moment(&state.started_at)?, moment(&state.finished_at)?);
    (finished - started).try_into().ok()
}

/// Takes everything that the container writes, until it ends, at the pace of the log. When nobody takes the
/// log any more it goes on reading, because a full pipe would stop the build.
async fn pump(mut attached: AttachContainerResults, log: mpsc::Sender<Vec<u8>>) {
    while let Some(output) = attached.output.next().await {
        match output {
            Ok(output) => {
                let _ = log.send(output.into_bytes().to_vec()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the build container's output broke off");
                return;
            }
        }
    }
}

/// Waits for the container's end and returns its exit status.
async fn wait(docker: &Docker, id: &str) -> Result<i64, EngineError> {
    loop {
        let options = WaitContainerOptionsBuilder::default()
            .condition("not-running")
            .build();
        match docker.wait_container(id, Some(options)).next().await {
            Some(Ok(response)) if response.error.is_none() => return Ok(response.status_code),
            Some(Err(EngineError::DockerContainerWaitError { error, code })) if error.is_empty() => {
                return Ok(code);
            }
            Some(Ok(response)) => {
                let error = response.error.and_then(|error| error.message).unwrap_or_default();
                return Err(EngineError::DockerContainerWaitError {
                    error,
                    code: response.status_code,
                });
            }
            // Some engines answer only when the container ends.
            Some(Err(EngineError::RequestTimeoutError)) => {}
            Some(Err(error)) => return Err(error),
            None => {
                return Err(EngineError::DockerStreamError {
                    error: "the engine closed the connection while the container ran".to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_tells_how_long_a_container_ran() {
        let state = |started: &str, finished: &str| ContainerState {
            started_at: Some(started.to_owned()),
            finished_at: Some(finished.to_owned()),
            ..ContainerState::default()
        };
        for (started, finished, millis) in [
            (
                "2026-01-31T23:59:59.5Z",
                "2026-02-01T00:00:01.123456789Z",
                Some(1623),
            ),
            ("2026-02-01T01:00:00+01:00", "2026-02-01T00:00:02Z", Some(2000)),
            // Still running, or started again since.
            ("2026-02-01T00:00:00Z", "0001-01-01T00:00:00Z", None),
            ("2026-02-01T00:00:00Z", "soon", None),
        ] {
            let ran = run_time(&state(started, finished));
            assert_eq!(ran.map(|ran| ran.as_millis()), millis, "{started} {finished}");
        }
        assert_eq!(run_time(&ContainerState::default()), None);
    }
}
