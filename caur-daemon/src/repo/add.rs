//! `repo add`: package files that lie here.

use std::path::PathBuf;
use std::process::ExitCode;

use caur_core::model::Target;
use caur_core::repo::{AddOptions, AddReport};
use color_eyre::eyre::Result;

use super::files::{Files, origin};
use crate::asker::Requester;
use crate::stdout;
use crate::table::table;

/// Runs the command.
///
/// # Errors
/// A file was refused, or could not be added; nothing was changed then.
pub async fn run(
    files: Files,
    target: &Target,
    packages: &[PathBuf],
    options: AddOptions,
    requester: &Requester,
    as_json: bool,
) -> Result<ExitCode> {
    let (owned, packages, origin) = (target.clone(), packages.to_vec(), origin(requester));
    let report = tokio::task::spawn_blocking(move || -> Result<AddReport> {
        Ok(files
            .open()?
            .repository
            .add(&owned, &packages, options, &origin)?)
    })
    .await??;
    if as_json {
        stdout::json(&report)?;
    } else {
        stdout::text(&listed(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(report: &AddReport) -> String {
    let row = |entry: &caur_core::repo::Entry, what: &str| {
        [
            entry.pkgname.clone(),
            entry.version.clone(),
            entry.pkgbase.clone(),
            what.to_owned(),
        ]
    };
    let added = report.added.iter().map(|entry| row(entry, "added"));
    let unchanged = report
        .unchanged
        .iter()
        .map(|entry| row(entry, "published already"));
    let rows: Vec<_> = added.chain(unchanged).collect();
    table(["PACKAGE", "VERSION", "PKGBASE", "RESULT"], &rows)
}
