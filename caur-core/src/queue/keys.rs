//! Names of Redis keys.
//!
//! All carry one hash tag, so that they share a cluster slot. The second part says who writes: `submit` (CI and
//! operators), `queue` (every role, through the scripts), `build` (builders), `publish` and `config` (`database`).
//! The same names stand at the top of `scripts/lib.lua`.

use crate::model::{JobId, Target};

pub(super) const ACTIVE: &str = "{caur}:queue:active";
pub(super) const BACKOFF: &str = "{caur}:queue:backoff";
pub(super) const BUILDERS: &str = "{caur}:build:builders";
pub(super) const DURATIONS: &str = "{caur}:queue:durations";
pub(super) const EVENTS: &str = "{caur}:queue:events";
pub(super) const FARM: &str = "{caur}:config:farm";
pub(super) const FINISHED: &str = "{caur}:queue:finished";
pub(super) const GRAPH: &str = "{caur}:queue:graph";
pub(super) const LEASES: &str = "{caur}:queue:leases";
pub(super) const LIVE: &str = "{caur}:queue:live";
pub(super) const SCHEMA: &str = "{caur}:config:schema";
pub(super) const SEEN: &str = "{caur}:build:seen";
pub(super) const UPLOAD_TARGETS: &str = "{caur}:queue:upload-targets";
pub(super) const WAKE: &str = "{caur}:queue:wake";
pub(super) const WAKE_PUBLISHER: &str = "{caur}:queue:wake-publisher";
pub(super) const WORK: &str = "{caur}:queue:work";

pub(super) fn request(id: JobId) -> String {
    format!("{{caur}}:submit:job:{id}")
}

pub(super) fn job(id: JobId) -> String {
    format!("{{caur}}:queue:job:{id}")
}

pub(super) fn deps(id: JobId) -> String {
    format!("{{caur}}:queue:deps:{id}")
}

pub(super) fn dependants(id: JobId) -> String {
    format!("{{caur}}:queue:dependants:{id}")
}

pub(super) fn ready(group: &str, order: &str) -> String {
    format!("{{caur}}:queue:ready:{group}:{order}")
}

pub(super) fn uploads(target: &str) -> String {
    format!("{{caur}}:queue:uploads:{target}")
}

pub(super) fn index(target: &Target) -> String {
    format!("{{caur}}:publish:index:{target}")
}
