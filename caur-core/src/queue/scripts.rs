//! The Lua scripts. Every state change of the queue is one of them.
//!
//! A script is put together from `scripts/lib.lua`, further parts and its own file, below a line of constants that
//! Rust and Lua share. Scripts that bring work to its end are allowed to write when Redis is at its `maxmemory`;
//! those that bring new work are not.

use std::sync::LazyLock;

use redis::Script;

use super::{PROTOCOL, SCHEMA_VERSION, policy};

/// Whether a script may run when Redis' memory is full.
#[derive(Clone, Copy)]
enum Full {
    Allowed,
    Refused,
}

fn assemble(schema: u32, action: &str, full: Full, parts: &[&str]) -> Script {
    let flags = match full {
        Full::Allowed => " flags=allow-oom",
        Full::Refused => "",
    };
    let constants = format!(
        "#!lua{flags}\nlocal SCHEMA, PROTOCOL, ACTION = '{schema}', '{PROTOCOL}', '{action}'\n{}\n",
        policy::lua_constants(),
    );
    Script::new(&format!("{constants}{}", parts.concat()))
}

macro_rules! script {
    ($(#[$doc:meta])* $name:ident, $action:literal, $full:ident, $($file:literal),+) => {
        $(#[$doc])*
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            assemble(SCHEMA_VERSION, $action, Full::$full, &[
                include_str!("scripts/lib.lua"), $(include_str!(concat!("scripts/", $file))),+
            ])
        });
    };
}

script!(
    /// Commits a plan.
    SUBMIT, "submit", Refused, "submit.lua"
);
script!(
    /// Gives a builder one job.
    CLAIM, "claim", Allowed, "fleet.lua", "take.lua", "claim.lua"
);
script!(
    /// Extends a lease.
    HEARTBEAT, "heartbeat", Allowed, "heartbeat.lua"
);
script!(
    /// Ends a build attempt, and claims the next job where asked.
    FINISH, "finish", Allowed, "fleet.lua", "take.lua", "finish.lua"
);
script!(
    /// Gives a running build to the builder's next process.
    ADOPT, "adopt", Allowed, "adopt.lua"
);
script!(
    /// Registers a builder and keeps it registered.
    STATUS, "status", Allowed, "fleet.lua", "status.lua"
);
script!(
    /// Gives a publisher everything that waits for one target.
    CLAIM_UPLOADS, "publish", Allowed, "claim_uploads.lua"
);
script!(
    /// Ends the publishing of one job.
    FINISH_PUBLISH, "publish", Allowed, "finish_publish.lua"
);
script!(
    /// Replaces a target's package index.
    SET_INDEX, "index", Allowed, "set_index.lua"
);
script!(
    /// Cancels a job.
    CANCEL, "cancel", Allowed, "operate.lua"
);
script!(
    /// Lets a job start whatever it waits for.
    RELEASE, "release", Allowed, "operate.lua"
);
script!(
    /// Holds a job back.
    HOLD, "hold", Allowed, "operate.lua"
);
script!(
    /// Lets a held job go on.
    UNHOLD, "unhold", Allowed, "operate.lua"
);
script!(
    /// Changes a job's priority.
    PRIORITY, "priority", Allowed, "operate.lua"
);
script!(
    /// Stops the queue or a builder.
    PAUSE, "pause", Allowed, "fleet.lua", "pause.lua"
);
script!(
    /// Starts the queue or a builder again.
    RESUME, "resume", Allowed, "fleet.lua", "pause.lua"
);
script!(
    /// Lets a builder end when its jobs have.
    DRAIN, "drain", Allowed, "fleet.lua", "pause.lua"
);
script!(
    /// Expires leases and ends pauses.
    SWEEP, "sweep", Allowed, "fleet.lua", "sweep.lua"
);
script!(
    /// Ends a sweeper's election.
    RESIGN, "resign", Allowed, "resign.lua"
);
script!(
    /// Empties the queue.
    RESET, "reset", Allowed, "reset.lua"
);

/// Brings a queue of schema 1 to schema 2.
pub(super) static MIGRATE_1: LazyLock<Script> = LazyLock::new(|| {
    let parts = [
        include_str!("scripts/lib.lua"),
        include_str!("scripts/migrate_1.lua"),
    ];
    assemble(1, "migrate", Full::Refused, &parts)
});
