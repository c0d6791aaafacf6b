//! `repo check` and `repo sonames`: what is wrong with a repository, and who needs which library.

use caur_core::model::Target;
use caur_core::repo::check::{CheckReport, CheckRequest, Finding, Severity};
use caur_core::repo::{MendReport, Origin, RepoError};
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
        "{} packages: {errors} errors, {warnings} warnings{}{}",
        report.packages,
        if report.signatures_checked == 0 && report.packages > 0 {
            ", signatures were not checked"
        } else {
            ""
        },
        mended.as_ref().map(acts).unwrap_or_default()
    );
    let value = json!({
        "errors": errors, "warnings": warnings, "packages": report.packages, "bytes_hashed": report.bytes_hashed,
        "signatures_checked": report.signatures_checked, "findings": findings(&report), "mended": mended,
    });
    Ok((message, value))
}

/// What was mended, in words.
fn acts(report: &MendReport) -> String {
    let (tidy, mut words) = (&report.tidy, String::new());
    for (names, what) in [
        (&report.links, "leads where it should"),
        (&report.entries, "has its entries anew"),
        (&report.signatures, "has its signature back from the database"),
        (&tidy.restored, "is back from the archive"),
        (
            &tidy.orphans,
            "is not listed and goes to the archive after the time of grace",
        ),
        (&tidy.lone_signatures, "had no package and was removed"),
        (&tidy.archived, "went to the archive"),
        (&tidy.deleted, "was deleted from the archive"),
    ] {
        words.extend(names.iter().map(|name| format!("\nmended: {name} {what}")));
    }
    if words.is_empty() {
        words.push_str("\nnothing could be mended, or had to be");
    }
    words
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
