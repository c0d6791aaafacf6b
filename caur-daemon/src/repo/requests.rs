//! `repo requests`: what waits for a database, and what came of a request.

use std::process::ExitCode;

use caur_core::config::Config;
use caur_core::model::RequestId;
use caur_core::queue::{Queue, WaitingRequest};
use color_eyre::eyre::{Result, bail};
use serde_json::json;

use super::tell;
use crate::table::{elapsed, table};
use crate::{open, stdout};

/// Runs the command.
///
/// # Errors
/// The request is not known, or Redis is out of reach.
pub async fn run(config: &Config, id: Option<&str>, as_json: bool) -> Result<ExitCode> {
    let queue = open(config).await?;
    if let Some(id) = id {
        return one(&queue, &RequestId::new(id)?, as_json).await;
    }
    let requests = queue.repo_requests().await?;
    if as_json {
        stdout::json(&requests)?;
    } else {
        stdout::text(&listed(&requests, queue.now().await?))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(queue: &Queue, id: &RequestId, as_json: bool) -> Result<ExitCode> {
    if let Some(answer) = queue.repo_answer(id).await? {
        return tell::plainly(&answer, as_json);
    }
    let requests = queue.repo_requests().await?;
    let Some(request) = requests.into_iter().find(|request| request.id == *id) else {
        bail!("there is no request {id}; answers are kept for a day");
    };
    if as_json {
        stdout::json(&json!({ "outcome": "waiting", "request": request }))?;
    } else {
        stdout::text(&listed(&[request], queue.now().await?))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(requests: &[WaitingRequest], now: u64) -> String {
    let rows: Vec<_> = requests
        .iter()
        .map(|request| {
            let state = match (request.running, request.round) {
                (true, _) => "running".to_owned(),
                (false, 0) => "waiting".to_owned(),
                (false, _) => "answered, the rest waits".to_owned(),
            };
            [
                request.id.to_string(),
                elapsed(request.asked, now),
                request.by.clone(),
                request.target.to_string(),
                request.what.clone(),
                state,
            ]
        })
        .collect();
    table(["REQUEST", "AGE", "BY", "TARGET", "WHAT", "STATE"], &rows)
}
