//! Containers and directories that an earlier life of a builder left behind.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::BuildError;
use super::labels::{Identity, token};
use crate::model::LeaseToken;

/// A build container as its labels describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledContainer {
    /// The engine's identifier.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// The attempt that it belongs to; none where its labels make no sense.
    pub token: Option<LeaseToken>,
    /// Whether it still runs.
    pub running: bool,
}

/// Every container of `builder`, running or not.
pub(super) async fn list(docker: &Docker, builder: &Identity) -> Result<Vec<LabelledContainer>, BuildError> {
    let labels = builder.labels().map(|(label, value)| format!("{label}={value}"));
    let filters = HashMap::from([("label", labels.to_vec())]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let containers = docker
        .list_containers(Some(options))
        .await
        .map_err(BuildError::engine("listing the build containers of this builder"))?;
    Ok(containers.into_iter().filter_map(labelled).collect())
}

fn labelled(container: ContainerSummary) -> Option<LabelledContainer> {
    let labels = container.labels.unwrap_or_default();
    let name = container.names.into_iter().flatten().next().unwrap_or_default();
    Some(LabelledContainer {
        id: container.id?,
        name: name.trim_start_matches('/').to_owned(),
        token: token(&labels),
        running: container.state == Some(bollard::models::ContainerSummaryStateEnum::RUNNING),
    })
}
