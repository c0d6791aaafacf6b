//! What a later process of the same builder has to know of a build to go on with it.
//!
//! It is a label of the container: written by the engine together with the container itself, so that no kill
//! leaves half of it, and out of reach of what runs inside.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::BuildError;
use super::classify::Limits;
use crate::model::CommitId;

/// The label that holds it, as JSON.
pub(super) const LABEL_RECORD: &str = "org.caur.record";

/// The facts of one build that do not change any more once its container exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What is built, as `TARGET/ARCH/PKGBASE`.
    pub package: String,
    /// The commit that is built.
    pub commit: CommitId,
    /// The image that it is built in, as the engine identifies it.
    pub image: String,
    /// When the attempt began, Unix milliseconds.
    pub begun: u64,
    /// What it may take; settings that changed since count for the next build only.
    pub limits: Limits,
}

impl Record {
    /// The label's text.
    ///
    /// # Errors
    /// [`BuildError::File`] when it cannot be written as JSON.
    pub(super) fn to_label(&self) -> Result<String, BuildError> {
        serde_json::to_string(self)
            .map_err(|error| BuildError::file("write", "the build container's record")(error.into()))
    }

    /// The record that a container's labels hold; why there is none, in words.
    pub(super) fn from_label(label: Option<&String>) -> Result<Self, String> {
        let text = label.ok_or_else(|| format!("it has no label {LABEL_RECORD}"))?;
        serde_json::from_str(text)
            .map_err(|error| format!("its label {LABEL_RECORD} cannot be read: {error}"))
    }

    /// How long ago the attempt began.
    pub(super) fn age(&self, now: SystemTime) -> Duration {
        let begun = UNIX_EPOCH
            .checked_add(Duration::from_millis(self.begun))
            .unwrap_or(now);
        // A clock that was set back makes it younger, never older than its limit.
        now.duration_since(begun).unwrap_or_default()
    }

    /// What is left of the time for the whole job.
    pub(super) fn time_left(&self, now: SystemTime) -> Duration {
        Duration::from_secs(self.limits.job_seconds).saturating_sub(self.age(now))
    }
}

/// A moment in Unix milliseconds.
pub(super) fn unix_millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            package: "repo/x86_64/foo".to_owned(),
            commit: CommitId::new("1".repeat(40)).unwrap(),
            image: "sha256:1".to_owned(),
            begun: 1_700_000_000_000,
            limits: Limits {
                skip_status: 123,
                makepkg_seconds: 60,
                job_seconds: 90,
                memory: 0,
            },
        }
    }

    #[test]
    fn a_label_brings_back_what_was_recorded() {
        let label = record().to_label().unwrap();
        assert_eq!(Record::from_label(Some(&label)), Ok(record()));
    }

    #[test]
    fn what_is_no_record_is_refused_in_words() {
        assert!(Record::from_label(None).unwrap_err().contains(LABEL_RECORD));
        let whole = record().to_label().unwrap();
        for broken in [
            "",
            "{}",
            &whole[..whole.len() - 1],
            &whole.replace("1111", "master"),
        ] {
            let reason = Record::from_label(Some(&broken.to_owned())).unwrap_err();
            assert!(reason.contains("cannot be read"), "{broken}: {reason}");
        }
    }

    #[test]
    fn the_time_left_is_counted_from_the_beginning() {
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
        for (now, left) in [
            (1_700_000_000, 90),
            (1_700_000_030, 60),
            (1_700_000_090, 0),
            (1_800_000_000, 0),
            // The clock was set back.
            (1_600_000_000, 90),
        ] {
            assert_eq!(record().time_left(at(now)), Duration::from_secs(left), "{now}");
        }
        let forever = Record {
            begun: u64::MAX,
            ..record()
        };
        assert_eq!(forever.time_left(at(1)), Duration::from_secs(90));
    }
}
