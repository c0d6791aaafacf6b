//! The order in which ready jobs are taken.

/// Milliseconds that a job's place is put back per expected second.
pub const AGING_MS_PER_SECOND: u64 = 50_000;
/// The most that a job's place is put back, milliseconds.
pub const AGING_CAP_MS: u64 = 172_800_000;

/// The constants as the scripts take them.
pub(super) fn lua_constants() -> String {
    format!(
        "local PRIORITY_CHAIN, PRIORITY_SHORT, AGING, AGING_CAP = 1e10, 1e13, {AGING_MS_PER_SECOND}, {AGING_CAP_MS}"
    )
}
