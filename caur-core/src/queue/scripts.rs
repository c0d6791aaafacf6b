//! The Lua scripts. Every state change of the queue is one of them.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(include_str!("scripts/lib.lua"), include_str!(concat!("scripts/", $file)))));
    };
}

script!(
    /// Commits a plan.
    SUBMIT, "submit.lua"
);
script!(
    /// Gives a builder one job.
    CLAIM, "claim.lua"
);
script!(
    /// Extends a lease.
    HEARTBEAT, "heartbeat.lua"
);
script!(
    /// Ends a build attempt.
    FINISH, "finish.lua"
);
script!(
    /// Gives a publisher everything that waits for one target.
    CLAIM_UPLOADS, "claim_uploads.lua"
);
script!(
    /// Ends the publishing of one job.
    FINISH_PUBLISH, "finish_publish.lua"
);
script!(
    /// Replaces a target's package index.
    SET_INDEX, "set_index.lua"
);
script!(
    /// Expires leases and ends pauses.
    SWEEP, "sweep.lua"
);
script!(
    /// Ends a sweeper's election.
    RESIGN,
    "resign.lua"
);
