//! `queue …`: the queue as a whole.

mod actions;
mod audit;
mod reset;
mod stats;

use std::process::ExitCode;

use caur_core::queue::Queue;
use color_eyre::eyre::Result;

use crate::asker::Requester;
use crate::cli::QueueCommand;
use crate::stdout;

pub use audit::audit;

/// Runs the command.
///
/// # Errors
/// It was refused, or Redis is out of reach.
pub async fn run(command: &QueueCommand, queue: &Queue) -> Result<ExitCode> {
    match command {
        QueueCommand::Pause { reason } => {
            queue.pause(None, Requester::new(&reason.text).asker()).await?;
            stdout::line("the queue is paused: no job is taken, what is being built goes on")?;
        }
        QueueCommand::Resume { reason } => {
            let paused = queue.paused().await?;
            queue.resume(None, Requester::new(&reason.text).asker()).await?;
            stdout::line(match paused {
                Some(_) => "the queue goes on",
                None => "the queue was not paused",
            })?;
        }
        QueueCommand::Stats { json } => stats::run(queue, *json).await?,
        QueueCommand::Actions { limit, json } => actions::run(queue, *limit, *json).await?,
        QueueCommand::Reset { confirm, reason } => {
            reset::run(queue, confirm.as_deref(), &Requester::new(&reason.text)).await?;
        }
        QueueCommand::Audit => audit(queue).await?,
    }
    Ok(ExitCode::SUCCESS)
}
