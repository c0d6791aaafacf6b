//! Goes on with builds of an earlier process of the same builder: one that crashed, was killed or replaced
//! must not cost the hours that its containers have worked.
//!
//! Everything that a report needs comes from the container's labels, its mounts and the engine; nothing of it
//! can be written by the build. What is not complete is refused, and is an orphan.

use std::time::SystemTime;

use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::InspectContainerOptions;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::builder::{Builder, conclude, last_line, seconds};
use super::container::Run;
use super::journal::Journal;
use super::record::{LABEL_RECORD, Record};
use super::workspace::Results;
use super::{BuildError, BuildOrder, BuildReport, LabelledContainer};
use crate::model::{BuildOutcome, LeaseToken, Phase};

/// What earlier processes of a builder left behind.
#[derive(Debug, Default)]
pub struct Survivors {
    /// Builds that can be gone on with.
    pub adoptable: Vec<Adoptable>,
    /// Containers with which that is impossible: orphans.
    pub refused: Vec<Refused>,
}

/// A build of an earlier process, running or ended, with all that its report needs.
#[derive(Debug)]
pub struct Adoptable {
    token: LeaseToken,
    container: LabelledContainer,
    record: Record,
    results: Results,
}

impl Adoptable {
    /// The attempt; whether its lease still counts is the queue's to say.
    #[must_use]
    pub fn token(&self) -> &LeaseToken {
        &self.token
    }

    /// What it builds, as `TARGET/ARCH/PKGBASE`.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.record.package
    }
}

/// A container that cannot be adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The container's name.
    pub container: String,
    /// The attempt that it belongs to, where its labels say so.
    pub token: Option<LeaseToken>,
    /// Why, in words.
    pub reason: String,
}

impl Builder {
    /// The builds of earlier processes of this builder; none of them while another living process has its
    /// name ([`Self::twin`]). To be asked before this process builds anything itself.
    ///
    /// # Errors
    /// [`BuildError::Engine`] when the engine does not answer.
    pub async fn adoptable(&self) -> Result<Survivors, BuildError> {
        let mut survivors = Survivors::default();
        if self.twin().is_some() {
            return Ok(survivors);
        }
        for container in self.containers().await? {
            let (name, token) = (container.name.clone(), container.token.clone());
            match self.examine(container).await {
                Ok(adoptable) => survivors.adoptable.push(adoptable),
                Err(reason) => survivors.refused.push(Refused {
                    container: name,
                    token,
                    reason,
                }),
            }
        }
        Ok(survivors)
    }

    /// Goes on with a build of an earlier process, under the limits that it began with, and reports it as
    /// [`Self::run`] would have. `order` has to be that of the same attempt.
    ///
    /// The returned future has to be driven to its end; the directories stay until [`Self::cleanup`].
    pub async fn adopt(
        &self,
        order: &BuildOrder,
        adopted: Adoptable,
        log: mpsc::Sender<Vec<u8>>,
        phase: &watch::Sender<Phase>,
        cancel: CancellationToken,
    ) -> BuildReport {
        let journal = Journal::new(log);
        let record = &adopted.record;
        let mut report = BuildReport {
            outcome: BuildOutcome::Infrastructure,
            reason: None,
            commit: Some(record.commit.clone()),
            image: Some(record.image.clone()),
            packages: Vec::new(),
            package_dir: adopted.results.pkgout.clone(),
            namcap: Vec::new(),
            seconds: 0,
        };
        phase.send_replace(Phase::Build);
        journal
            .line("builder restarted; output written meanwhile is missing here")
            .await;
        (report.outcome, report.reason) =
            match self.go_on(order, &adopted, &journal, &cancel, &mut report).await {
                Ok(ended) => ended,
                Err(error) => (error.outcome(), Some(error.to_string())),
            };
        report.seconds = record.age(SystemTime::now()).as_secs();
        journal.line(&last_line(&report)).await;
        report
    }

    async fn go_on(
        &self,
        order: &BuildOrder,
        adopted: &Adoptable,
        journal: &Journal,
        cancel: &CancellationToken,
        report: &mut BuildReport,
    ) -> Result<(BuildOutcome, Option<String>), BuildError> {
        let Adoptable {
            token,
            container,
            record,
            results,
        } = adopted;
        if order.token != *token || order.request.key() != record.package {
            return Err(BuildError::Adoption(format!(
                "job {} attempt {} ({}) is not the build of {} in container {}",
                order.token.job,
                order.token.attempt,
                order.request.key(),
                record.package,
                container.name
            )));
        }
        // Its container may still download.
        let _downloads = self.places.downloads().retake(&order.request);
        let run = Run {
            docker: &self.docker,
            builder: &self.identity,
            name: container.name.clone(),
            makepkg_limit: seconds(record.limits.makepkg_seconds),
            deadline: Instant::now() + record.time_left(SystemTime::now()),
            journal,
            cancel,
        };
        let ending = run.resume(&container.id, container.running).await;
        conclude(&ending, &record.limits, results, &order.request.pkgbase, report).await
    }

    /// Why a container cannot be adopted, in words, or all that adopting it takes.
    async fn examine(&self, container: LabelledContainer) -> Result<Adoptable, String> {
        let token = container.token.clone().ok_or("its labels name no attempt")?;
        let inspected = self
            .docker
            .inspect_container(&container.id, None::<InspectContainerOptions>)
            .await
            .map_err(|error| format!("the engine cannot describe it: {error}"))?;
        let running = is_running(inspected.state.as_ref())?;
        let record = record(&inspected)?;
        let results = self.places.reopen(&token)?;
        Ok(Adoptable {
            token,
            container: LabelledContainer { running, ..container },
            record,
            results,
        })
    }
}

fn record(inspected: &ContainerInspectResponse) -> Result<Record, String> {
    let labels = inspected
        .config
        .as_ref()
        .and_then(|config| config.labels.as_ref());
    Record::from_label(labels.and_then(|labels| labels.get(LABEL_RECORD)))
}

/// Whether it runs; one that never did has nothing to report, and waiting for it would look like success.
fn is_running(state: Option<&ContainerState>) -> Result<bool, String> {
    let status = state.and_then(|state| state.status);
    match status {
        // Somebody may pause a build and let it go on; its time runs.
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED) => Ok(true),
        Some(ContainerStateStatusEnum::EXITED) => Ok(false),
        Some(ContainerStateStatusEnum::CREATED) => Err("it was never started".to_owned()),
        Some(
            other @ (ContainerStateStatusEnum::EMPTY
            | ContainerStateStatusEnum::RESTARTING
            | ContainerStateStatusEnum::REMOVING
            | ContainerStateStatusEnum::DEAD
            | ContainerStateStatusEnum::STOPPING),
        ) => Err(format!("its state is {other:?}", other = other.to_string())),
        None => Err("the engine does not say whether it runs".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_container_that_has_run_can_be_adopted() {
        use ContainerStateStatusEnum as Status;
        for (status, expected) in [
            (Some(Status::RUNNING), Ok(true)),
            (Some(Status::PAUSED), Ok(true)),
            (Some(Status::EXITED), Ok(false)),
            (Some(Status::CREATED), Err("never started")),
            (Some(Status::REMOVING), Err("removing")),
            (None, Err("does not say")),
        ] {
            let state = ContainerState {
                status,
                ..ContainerState::default()
            };
            match (is_running(Some(&state)), expected) {
                (Ok(found), Ok(wanted)) => assert_eq!(found, wanted),
                (Err(found), Err(wanted)) => assert!(found.contains(wanted), "{found}"),
                (found, wanted) => panic!("{status:?}: {found:?}, not {wanted:?}"),
            }
        }
        assert!(is_running(None).is_err());
    }
}
