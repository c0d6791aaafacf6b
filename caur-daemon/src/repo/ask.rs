//! Asking the `database` role through Redis, and waiting for its answer.

use std::process::ExitCode;
use std::time::Duration;

use caur_core::config::Config;
use color_eyre::eyre::{Result, WrapErr};
use serde_json::json;

use super::{Order, tell};
use crate::asker::Requester;
use crate::{open, stdout};

/// The exit status when there is no answer yet.
const UNANSWERED: u8 = 3;

/// Asks, and tells the answer if it comes within `limit`.
///
/// # Errors
/// Redis is out of reach, or takes no more requests.
pub async fn run(order: &Order, config: &Config, requester: &Requester, limit: Duration) -> Result<ExitCode> {
    let queue = open(config).await?;
    let request = &order.request;
    queue.ask_repository(request, requester.asker()).await?;
    let answer = queue
        .wait_for_repo_answer(&request.id, limit)
        .await
        .wrap_err_with(|| format!("the request {} was made, but its answer is not known", request.id))?;
    if let Some(answer) = answer {
        return tell::answer(request, &answer, order.json);
    }
    if order.json {
        stdout::json(&json!({ "outcome": "waiting", "request": request.id }))?;
    }
    eprintln!(
        "error: no database has answered within {} s; the request is still there: \
         `caur-daemon repo requests {}` shows what comes of it",
        limit.as_secs(),
        request.id
    );
    Ok(ExitCode::from(UNANSWERED))
}
