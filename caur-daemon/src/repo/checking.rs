//! `repo check` and `repo sonames`: what is wrong with a repository, and who needs which library.

use caur_core::model::Target;
use caur_core::repo::check::{CheckReport, CheckRequest, Finding, Severity};
use caur_core::repo::{Origin, RepoError};
use serde_json::{Value, json};

use super::site::Site;

/// Checks a target. In words, and for programs.
pub fn check(
    site: &Site,
    target: &Target,
    hashes: bool,
    sonames: bool,
    mend: Option<&Origin>,
) -> Result<(String, Value), RepoError> {
    let request = CheckRequest {
        hashes,
        sonames,
        ..request(site)
    };
    let mut report = site.repository.check(target, &request)?;
    let mut mended = None;
    if let Some(origin) = mend {
        mended = Some(site.repository.mend(target, &report.findings, origin)?);
        report = site.repository.check(target, &request)?;
    }
    let count = |severity| {
        let findings = report.findings.iter().map(Finding::severity);
        findings.filter(|found| *found == severity).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let message = format!(
        "{} packages: {errors} errors, {warnings} warnings{}",
        report.packages,
        match &mended {
            Some(mended) => format!(" left; {} entries mended", mended.entries.len()),
            None => String::new(),
        }
    );
    let value = json!({
        "errors": errors, "warnings": warnings, "packages": report.packages, "bytes_hashed": report.bytes_hashed,
        "signatures_checked": report.signatures_checked, "findings": findings(&report), "mended": mended,
    });
    Ok((message, value))
}

/// Each finding with its words.
fn findings(report: &CheckReport) -> Vec<Value> {
    let told = |finding: &Finding| json!({ "severity": finding.severity(), "text": finding.to_string(), "finding": finding });
    report.findings.iter().map(told).collect()
}

/// Who needs `library`, or all that are known.
pub fn sonames(site: &Site, target: &Target, library: Option<&str>) -> Result<(String, Value), RepoError> {
    let request = CheckRequest {
        hashes: false,
        dependencies: false,
        ..request(site)
    };
    let known = site
        .repository
        .check(target, &request)?
        .sonames
        .unwrap_or_default();
    let libraries: Vec<_> = match library {
        Some(library) => known.dependants_of(library).cloned().collect(),
        None => known.libraries,
    };
    Ok((format!("{} libraries", libraries.len()), json!(libraries)))
}

fn request(site: &Site) -> CheckRequest {
    CheckRequest {
        upstream: site.upstream.clone(),
        ..CheckRequest::default()
    }
}
