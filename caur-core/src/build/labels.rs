//! How a build container says whose it is.

use std::collections::HashMap;
use std::path::PathBuf;

use super::BuildError;
use super::record::{LABEL_RECORD, Record};
use crate::model::{BuilderName, LeaseToken};

/// Label that holds the job's number.
const LABEL_JOB: &str = "org.caur.job";
/// Label that holds the attempt's number.
const LABEL_ATTEMPT: &str = "org.caur.attempt";
/// Label that holds the lease's random part.
const LABEL_NONCE: &str = "org.caur.nonce";
/// Label that holds the builder's name.
const LABEL_BUILDER: &str = "org.caur.builder";
/// Label that holds the builder's shared directory as the engine's host sees it.
const LABEL_SHARED: &str = "org.caur.shared";

/// Which builder: those of several farms on one machine may be called alike, but each has its own directory.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub name: BuilderName,
    pub shared: PathBuf,
}

impl Identity {
    /// The labels that every container of this builder has.
    pub(super) fn labels(&self) -> [(&'static str, String); 2] {
        [
            (LABEL_BUILDER, self.name.to_string()),
            (LABEL_SHARED, self.shared.to_string_lossy().into_owned()),
        ]
    }

    /// Whether `labels` are those of a container of this builder.
    pub(super) fn owns(&self, labels: &HashMap<String, String>) -> bool {
        self.labels()
            .iter()
            .all(|(label, value)| labels.get(*label) == Some(value))
    }
}

/// The container's name: one for each lease, since several farms may number their jobs alike on one engine.
pub(super) fn container_name(token: &LeaseToken) -> String {
    format!("caur-{}-{}-{:.8}", token.job, token.attempt, token.nonce)
}

/// All labels of a build container.
///
/// # Errors
/// [`BuildError::File`] when the record cannot be written.
pub(super) fn labels(
    token: &LeaseToken,
    builder: &Identity,
    record: &Record,
) -> Result<HashMap<String, String>, BuildError> {
    let of_attempt = [
        (LABEL_JOB, token.job.to_string()),
        (LABEL_ATTEMPT, token.attempt.to_string()),
        (LABEL_NONCE, token.nonce.clone()),
        (LABEL_RECORD, record.to_label()?),
    ];
    let labels = of_attempt.into_iter().chain(builder.labels());
    Ok(labels.map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The attempt that a container's labels name; none where they make no sense.
pub(super) fn token(labels: &HashMap<String, String>) -> Option<LeaseToken> {
    Some(LeaseToken {
        job: labels.get(LABEL_JOB)?.parse().ok()?,
        attempt: labels.get(LABEL_ATTEMPT)?.parse().ok()?,
        nonce: labels.get(LABEL_NONCE)?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::classify::Limits;
    use crate::model::JobId;

    fn lease() -> LeaseToken {
        LeaseToken {
            job: JobId(7),
            attempt: 2,
            nonce: "abc".to_owned(),
        }
    }

    fn identity(name: &str, shared: &str) -> Identity {
        Identity {
            name: name.parse().unwrap(),
            shared: shared.into(),
        }
    }

    fn made() -> HashMap<String, String> {
        let record = Record {
            package: "repo/x86_64/foo".to_owned(),
            commit: "1".repeat(40).parse().unwrap(),
            image: "sha256:1".to_owned(),
            begun: 1,
            limits: Limits {
                skip_status: 123,
                makepkg_seconds: 2,
                job_seconds: 3,
                memory: 4,
            },
        };
        labels(&lease(), &identity("b1", "/srv/caur"), &record).unwrap()
    }

    #[test]
    fn labels_and_name_tell_whose_container_it_is() {
        for (label, value) in [
            ("org.caur.job", "7"),
            ("org.caur.attempt", "2"),
            ("org.caur.nonce", "abc"),
            ("org.caur.builder", "b1"),
            ("org.caur.shared", "/srv/caur"),
        ] {
            assert_eq!(made()[label], value);
        }
        assert_eq!(container_name(&lease()), "caur-7-2-abc");
        assert!(identity("b1", "/srv/caur").owns(&made()));
        assert!(!identity("b2", "/srv/caur").owns(&made()));
        assert!(!identity("b1", "/srv/other").owns(&made()));
    }

    #[test]
    fn labels_make_a_token_or_nothing() {
        assert_eq!(token(&made()), Some(lease()));
        let mut wrong = made();
        wrong.insert("org.caur.job".to_owned(), "x".to_owned());
        assert_eq!(token(&wrong), None);
        let mut missing = made();
        missing.remove("org.caur.nonce");
        assert_eq!(token(&missing), None);
    }
}
