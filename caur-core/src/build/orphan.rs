//! Containers and directories that an earlier life of a builder left behind.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::BuildError;
use super::spec::{LABEL_ATTEMPT, LABEL_BUILDER, LABEL_JOB, LABEL_NONCE};
use crate::model::{BuilderName, LeaseToken};

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
pub(super) async fn list(
    docker: &Docker,
    builder: &BuilderName,
) -> Result<Vec<LabelledContainer>, BuildError> {
    let filters = HashMap::from([("label", vec![format!("{LABEL_BUILDER}={builder}")])]);
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

fn token(labels: &HashMap<String, String>) -> Option<LeaseToken> {
    Some(LeaseToken {
        job: labels.get(LABEL_JOB)?.parse().ok()?,
        attempt: labels.get(LABEL_ATTEMPT)?.parse().ok()?,
        nonce: labels.get(LABEL_NONCE)?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobId;

    #[test]
    fn labels_make_a_token_or_nothing() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let good = labels(&[(LABEL_JOB, "7"), (LABEL_ATTEMPT, "2"), (LABEL_NONCE, "n")]);
        let expected = LeaseToken {
            job: JobId(7),
            attempt: 2,
            nonce: "n".to_owned(),
        };
        assert_eq!(token(&good), Some(expected));
        assert_eq!(
            token(&labels(&[
                (LABEL_JOB, "x"),
                (LABEL_ATTEMPT, "2"),
                (LABEL_NONCE, "n")
            ])),
            None
        );
        assert_eq!(token(&labels(&[(LABEL_JOB, "7")])), None);
    }
}
