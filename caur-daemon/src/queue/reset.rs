//! `queue reset`: removes every job, after somebody typed how many that are.

use std::io::{BufRead, IsTerminal, Write};

use caur_core::queue::{JobFilter, Queue};
use color_eyre::eyre::{Result, WrapErr, bail};

use crate::asker::Requester;
use crate::stdout;

/// Removes every job when `confirm`, or what is typed on the terminal, is their number.
///
/// # Errors
/// It is not, and then nothing was changed; or Redis is out of reach.
pub async fn run(queue: &Queue, confirm: Option<&str>, requester: &Requester) -> Result<()> {
    let live = queue.jobs(JobFilter::default()).await?.len();
    let finished = queue.size().await?.finished;
    let lost = u64::try_from(live).unwrap_or(u64::MAX).saturating_add(finished);
    let text = format!(
        "this removes {lost} jobs with their logs for good: {live} in the queue or being built, {finished} finished"
    );
    let typed = match confirm {
        Some(confirm) => confirm.to_owned(),
        None if std::io::stdin().is_terminal() => {
            eprint!("{text}.\nType their number to go on: ");
            std::io::stderr()
                .flush()
                .wrap_err("cannot ask for confirmation")?;
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .wrap_err("cannot read the confirmation")?;
            line
        }
        None => bail!("{text}; nothing was changed: to go on, pass --confirm {lost}"),
    };
    if typed.trim() != lost.to_string() {
        bail!(
            "{text}; nothing was changed, as {:?} is not their number",
            typed.trim()
        );
    }
    queue.reset(lost, requester.asker()).await?;
    stdout::line(&format!("{lost} jobs were removed"))
}
