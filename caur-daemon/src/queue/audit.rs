//! `queue audit`.

use caur_core::queue::Queue;
use color_eyre::eyre::{Result, eyre};

use crate::stdout;
use crate::table::plain;

/// Prints every invariant that does not hold.
///
/// # Errors
/// One does not, or Redis is out of reach.
pub async fn audit(queue: &Queue) -> Result<()> {
    let violations = queue.audit().await?;
    for violation in &violations {
        stdout::line(&plain(&violation.to_string()))?;
    }
    if !violations.is_empty() {
        return Err(eyre!("{} invariants of the queue do not hold", violations.len()));
    }
    stdout::line("the queue is sound")
}
