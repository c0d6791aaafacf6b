//! Names of Redis keys.
//!
//! All carry one hash tag, so that they share a cluster slot. The second part says who writes: `submit` (CI and
//! operators), `q` (every role, through the scripts), `build` (builders), `publish` and `config` (`database`),
//! `operate` (operators). The same names stand at the top of `scripts/lib.lua`.

use crate::model::{JobId, OperationMark, RequestId, Target};

pub(super) const ACTIVE: &str = "{caur}:q:active";
pub(super) const ASKS: &str = "{caur}:q:asks";
pub(super) const ASK_LEASES: &str = "{caur}:q:ask-leases";
pub(super) const BACKOFF: &str = "{caur}:q:backoff";
pub(super) const BLOCKED: &str = "{caur}:q:blocked";
pub(super) const COLLECTIONS: &str = "{caur}:submit:collections";
pub(super) const COLLECTION_HASHES: &str = "{caur}:submit:collection-hashes";
pub(super) const DURATIONS: &str = "{caur}:q:durations";
pub(super) const EVENTS: &str = "{caur}:q:events";
pub(super) const FARM: &str = "{caur}:config:farm";
pub(super) const FINISHED: &str = "{caur}:q:finished";
pub(super) const GRAPH: &str = "{caur}:q:graph";
pub(super) const HELD: &str = "{caur}:q:held";
pub(super) const KEEP_LISTS: &str = "{caur}:q:keep-lists";
pub(super) const LEASES: &str = "{caur}:q:leases";
pub(super) const LIVE: &str = "{caur}:q:live";
pub(super) const LOG_ENDED: &str = "{caur}:build:log-ended";
pub(super) const LOG_KEPT: &str = "{caur}:build:log-kept";
pub(super) const LOG_LIVE: &str = "{caur}:build:log-live";
pub(super) const LOG_SIZES: &str = "{caur}:build:log-sizes";
pub(super) const MODES: &str = "{caur}:operate:builders";
pub(super) const ONLINE: &str = "{caur}:build:online";
pub(super) const PAUSE: &str = "{caur}:operate:pause";
pub(super) const POLICY: &str = "{caur}:config:queue";
pub(super) const SAMPLES: &str = "{caur}:q:samples";
pub(super) const SCHEMA: &str = "{caur}:config:schema";
pub(super) const SPEEDS: &str = "{caur}:build:speeds";
pub(super) const TRAIL: &str = "{caur}:operate:trail";
pub(super) const UPLOAD_TARGETS: &str = "{caur}:q:upload-targets";
pub(super) const WAKE: &str = "{caur}:q:wake";
pub(super) const WAKE_PUBLISHER: &str = "{caur}:q:wake-publisher";
pub(super) const WAKE_REPOSITORY: &str = "{caur}:q:wake-repository";
pub(super) const WORK: &str = "{caur}:q:work";

pub(super) fn request(id: JobId) -> String {
    format!("{{caur}}:submit:{id}")
}

pub(super) fn job(id: JobId) -> String {
    format!("{{caur}}:q:j:{id}")
}

/// Fields of a job whose texts are long.
pub(super) fn long(id: JobId) -> String {
    format!("{{caur}}:q:l:{id}")
}

pub(super) fn deps(id: JobId) -> String {
    format!("{{caur}}:q:d:{id}")
}

pub(super) fn dependants(id: JobId) -> String {
    format!("{{caur}}:q:r:{id}")
}

pub(super) fn builder(instance: &str) -> String {
    format!("{{caur}}:build:b:{instance}")
}

pub(super) fn ready(group: &str, order: &str) -> String {
    format!("{{caur}}:q:ready:{group}:{order}")
}

pub(super) fn uploads(target: &str) -> String {
    format!("{{caur}}:q:uploads:{target}")
}

pub(super) fn index(target: &Target) -> String {
    format!("{{caur}}:publish:index:{target}")
}

/// The last builds of a `TARGET/ARCH/PKGBASE`.
pub(super) fn past(key: &str) -> String {
    format!("{{caur}}:q:past:{key}")
}

/// The counters of an hour, which is counted since 1970.
pub(super) fn hour(hour: u64) -> String {
    format!("{{caur}}:q:hour:{hour}")
}

/// What each builder did in that hour.
pub(super) fn hour_builders(hour: u64) -> String {
    format!("{{caur}}:q:hour-builders:{hour}")
}

/// What came of a marked operation.
pub(super) fn mark(mark: &OperationMark) -> String {
    format!("{{caur}}:operate:once:{mark}")
}

/// What somebody asks of the repository.
pub(super) fn ask(id: &RequestId) -> String {
    format!("{{caur}}:operate:ask:{id}")
}

/// Where that request stands.
pub(super) fn asked(id: &RequestId) -> String {
    format!("{{caur}}:q:ask:{id}")
}

/// What came of it.
pub(super) fn answer(id: &RequestId) -> String {
    format!("{{caur}}:publish:answer:{id}")
}
