//! `job …`: looking at jobs, and what operators do to them.

mod change;
mod find;
mod list;
mod log;
mod show;
mod why;

use std::process::ExitCode;

use caur_core::queue::Queue;
use color_eyre::eyre::Result;

use crate::asker::Requester;
use crate::cli::{JobCommand, JobsArgs};
use change::Change;

/// Runs the command.
///
/// # Errors
/// When a job does not exist or Redis is out of reach.
pub async fn run(command: &JobCommand, queue: &Queue) -> Result<ExitCode> {
    let (change, args): (Change, &JobsArgs) = match command {
        JobCommand::List { finished, json } => {
            list::list(queue, *finished, *json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        JobCommand::Show { job, json } => {
            show::show(queue, job, *json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        JobCommand::Log {
            job,
            follow,
            attempt,
            json,
        } => {
            log::log(queue, job, *follow, *attempt, *json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        JobCommand::Priority {
            job,
            priority,
            reason,
            json,
        } => {
            let jobs = std::slice::from_ref(job);
            let asker = Requester::new(&reason.text);
            return change::run(queue, Change::Priority(*priority), jobs, &asker, *json).await;
        }
        JobCommand::Cancel(args) => (Change::Cancel, args),
        JobCommand::Retry { args, rebuild } => (Change::Retry { rebuild: *rebuild }, args),
        JobCommand::Release(args) => (Change::Release, args),
        JobCommand::Hold(args) => (Change::Hold, args),
        JobCommand::Unhold(args) => (Change::Unhold, args),
    };
    change::run(
        queue,
        change,
        &args.jobs,
        &Requester::new(&args.reason.text),
        args.json,
    )
    .await
}
