//! The Lua functions. Every state change of the queue is one of them.
//!
//! They are one library of Redis functions, made of a line of constants that Rust and Lua share, `scripts/lib.lua`,
//! five more parts, and a file for each function. Its name holds a hash of its text, so that programs of different versions
//! use their own; it is loaded when a call finds it missing, as after a change of servers. Functions that bring work to
//! its end are allowed to write when Redis is at its `maxmemory`; those that bring new work are not.

use std::sync::LazyLock;

use redis::{Cmd, RedisError};
use sha2::{Digest, Sha256};

use super::result::JobResult;
use super::{PROTOCOL, SCHEMA_VERSION, keys, policy, statistics};
use crate::model::OperationMark;

/// One function of the library.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    name: &'static str,
    /// What events and the trail call it.
    action: &'static str,
    /// The version that the queue has to have.
    schema: u32,
    /// Whether it may run when Redis' memory is full.
    when_full: bool,
    body: &'static str,
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $action:literal, $file:literal $(, $setting:ident = $value:expr)*;)+) => {
        $(
            $(#[$doc])*
            pub(super) static $name: Function = Function {
                $($setting: $value,)*
                ..Function::new(stringify!($name), $action, include_str!(concat!("scripts/", $file)))
            };
        )+
        static ALL: &[&Function] = &[$(&$name),+];
    };
}

functions! {
    /// Commits a plan.
    SUBMIT = "submit", "submit.lua", when_full = false;
    /// Gives a builder one job.
    CLAIM = "claim", "claim.lua";
    /// Extends a lease.
    HEARTBEAT = "heartbeat", "heartbeat.lua";
    /// Ends a build attempt, and claims the next job where asked.
    FINISH = "finish", "finish.lua";
    /// Gives a running build to the builder's next process.
    ADOPT = "adopt", "adopt.lua";
    /// Registers a builder and keeps it registered.
    STATUS = "status", "status.lua";
    /// Gives a publisher everything that waits for one target.
    CLAIM_UPLOADS = "publish", "claim_uploads.lua";
    /// Ends the publishing of one job.
    FINISH_PUBLISH = "publish", "finish_publish.lua";
    /// Replaces a target's package index.
    SET_INDEX = "index", "set_index.lua";
    /// Cancels a job.
    CANCEL = "cancel", "operate.lua";
    /// Lets a job start whatever it waits for.
    RELEASE = "release", "operate.lua";
    /// Holds a job back.
    HOLD = "hold", "operate.lua";
    /// Lets a held job go on.
    UNHOLD = "unhold", "operate.lua";
    /// Changes a job's priority.
    PRIORITY = "priority", "operate.lua";
    /// Stops the queue or a builder.
    PAUSE = "pause", "pause.lua";
    /// Starts the queue or a builder again.
    RESUME = "resume", "pause.lua";
    /// Lets a builder end when its jobs have.
    DRAIN = "drain", "pause.lua";
    /// Says what came of a marked operation.
    OUTCOME = "outcome", "outcome.lua";
    /// Asks for something of the repository.
    ASK = "ask", "ask.lua", when_full = false;
    /// Gives a database one such request.
    TAKE_ASK = "ask", "take_ask.lua";
    /// Extends the lease of a request.
    KEEP_ASK = "ask", "keep_ask.lua";
    /// Answers a request.
    ANSWER = "ask", "answer.lua";
    /// Expires leases and ends pauses.
    SWEEP = "sweep", "sweep.lua";
    /// Ends a sweeper's election.
    RESIGN = "resign", "resign.lua";
    /// Empties the queue.
    RESET = "reset", "reset.lua";
    /// Brings a queue of schema 1 to schema 2.
    MIGRATE_1 = "migrate", "migrate_1.lua", schema = 1, when_full = false;
}

impl Function {
    const fn new(name: &'static str, action: &'static str, body: &'static str) -> Self {
        Self {
            name,
            action,
            schema: SCHEMA_VERSION,
            when_full: true,
            body,
        }
    }

    /// A call of it, to which arguments are added.
    pub(super) fn prepare_invoke(&self) -> Cmd {
        let mut command = redis::cmd("FCALL");
        command.arg(format!("{}_{}", LIBRARY.name, self.name)).arg(0);
        command
    }

    /// A call of it that is carried out once, whatever is sent; for functions whose answers are lists of texts.
    pub(super) fn prepare_once(&self, mark: &OperationMark) -> Cmd {
        let mut command = redis::cmd("FCALL");
        command
            .arg(format!("{}_{}", LIBRARY.name, self.name))
            .arg(1)
            .arg(keys::mark(mark));
        command
    }
}

struct Library {
    name: String,
    text: String,
}

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let mut body = format!(
        "local PROTOCOL, RESULT = '{PROTOCOL}', {{ '{}' }}\n{}\n{}\n",
        JobResult::FIELDS.join("', '"),
        policy::lua_constants(),
        statistics::lua_constants()
    );
    for part in [
        include_str!("scripts/lib.lua"),
        include_str!("scripts/past.lua"),
        include_str!("scripts/fleet.lua"),
        include_str!("scripts/take.lua"),
        include_str!("scripts/asks.lua"),
        include_str!("scripts/once.lua"),
    ] {
        body.push_str(part);
    }
    let hash = |text: &str| hex::encode(&Sha256::digest(text)[..8]);
    let functions: String = ALL.iter().map(|function| function.body).collect();
    let name = format!("caur_{}", hash(&format!("{body}{functions}")));
    for function in ALL {
        let flags = if function.when_full { "'allow-oom'" } else { "" };
        body.push_str(&format!(
            "redis.register_function{{ function_name = '{name}_{}', flags = {{ {flags} }}, callback = function(KEYS, ARGV)\n\
             return carry_out(KEYS[1], '{}', '{}', function()\n{}\nend)\nend }}\n",
            function.name, function.action, function.schema, function.body
        ));
    }
    Library {
        text: format!("#!lua name={name}\n{body}"),
        name,
    }
});

/// Whether a call failed because the server does not know the library.
pub(super) fn is_missing(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("Function not found"))
}

/// The command that makes the library known.
pub(super) fn load() -> Cmd {
    let mut command = redis::cmd("FUNCTION");
    command.arg("LOAD").arg("REPLACE").arg(&LIBRARY.text);
    command
}
