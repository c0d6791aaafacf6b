//! What became of a batch, for people and for programs.

use caur_core::queue::{Disposition, SubmitReport};
use color_eyre::eyre::Result;
use serde_json::json;

use super::Refused;
use crate::stdout;
use crate::table::{printable, table};

/// Prints it, as JSON or as a table with the warnings on standard error.
///
/// # Errors
/// Standard output cannot be written to.
pub fn print(as_json: bool, report: &SubmitReport, refused: &[Refused], warnings: &[String]) -> Result<()> {
    let word = |disposition: &Disposition| match disposition {
        Disposition::Queued => "queued".to_owned(),
        Disposition::Replaced => "replaced".to_owned(),
        Disposition::Again => "queued again".to_owned(),
        Disposition::Succeeds(old) => format!("queued after job {old}"),
    };
    if as_json {
        let jobs: Vec<_> = report
            .jobs
            .iter()
            .map(|job| {
                json!({
                    "package": job.request.pkgbase, "class": job.request.class, "job": job.id,
                    "result": word(&job.disposition),
                })
            })
            .collect();
        let refused: Vec<_> = refused
            .iter()
            .map(|refused| json!({ "package": refused.package, "reason": refused.reason }))
            .collect();
        return stdout::json(&json!({ "jobs": jobs, "refused": refused, "warnings": warnings }));
    }
    let mut rows: Vec<[String; 4]> = report
        .jobs
        .iter()
        .map(|job| {
            let request = &job.request;
            [
                request.pkgbase.to_string(),
                request.class.to_string(),
                word(&job.disposition),
                job.id.to_string(),
            ]
        })
        .collect();
    rows.extend(refused.iter().map(|refused| {
        [
            refused.package.clone(),
            String::new(),
            format!("refused: {}", refused.reason),
            String::new(),
        ]
    }));
    stdout::text(&table(["PACKAGE", "CLASS", "RESULT", "JOB"], &rows))?;
    for warning in warnings {
        eprintln!("warning: {}", printable(warning));
    }
    Ok(())
}
