//! `repo list` and `repo show`: what a repository lists.

use std::process::ExitCode;

use caur_core::config::Config;
use caur_core::model::{PublishedPackage, Target};
use color_eyre::eyre::{Result, bail};

use super::files::Files;
use crate::cli::RepoPlace;
use crate::table::{listing, size, table};
use crate::{open, stdout};

/// Lists the packages of `target`.
///
/// # Errors
/// They cannot be read.
pub async fn list(place: &RepoPlace, config: &Config, target: &Target, as_json: bool) -> Result<ExitCode> {
    let packages = packages(place, config, target).await?;
    if as_json {
        stdout::json(&packages)?;
    } else {
        stdout::text(&rows(&packages))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the package called `name`, or those of the pkgbase.
///
/// # Errors
/// There is none, or they cannot be read.
pub async fn show(
    place: &RepoPlace,
    config: &Config,
    target: &Target,
    name: &str,
    as_json: bool,
) -> Result<ExitCode> {
    let mut packages = packages(place, config, target).await?;
    let exact = packages.iter().any(|package| package.pkgname.as_str() == name);
    packages.retain(|package| {
        let called = if exact {
            package.pkgname.as_str()
        } else {
            package.pkgbase.as_str()
        };
        called == name
    });
    if packages.is_empty() {
        bail!("{target} lists no package and no pkgbase {name:?}");
    }
    if as_json {
        stdout::json(&packages)?;
    } else {
        let texts: Vec<String> = packages.iter().map(details).collect();
        stdout::text(&texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn packages(place: &RepoPlace, config: &Config, target: &Target) -> Result<Vec<PublishedPackage>> {
    if place.root.is_none() {
        return Ok(open(config).await?.index(target).await?);
    }
    let (files, target) = (Files::of(place, config)?, target.clone());
    let packages = tokio::task::spawn_blocking(move || -> Result<_> {
        let repository = files.unsigned().open()?.repository;
        if !repository.has(&target) {
            return Err(repository.missing(&target).into());
        }
        Ok(repository.packages(&target)?)
    });
    packages.await?
}

fn rows(packages: &[PublishedPackage]) -> String {
    let rows: Vec<_> = packages
        .iter()
        .map(|package| {
            [
                package.pkgname.to_string(),
                package.version.clone(),
                package.pkgbase.to_string(),
                size(package.size),
            ]
        })
        .collect();
    table(["PACKAGE", "VERSION", "PKGBASE", "SIZE"], &rows)
}

fn details(package: &PublishedPackage) -> String {
    listing(&[
        ("Package", package.pkgname.to_string()),
        ("Version", package.version.clone()),
        ("Pkgbase", package.pkgbase.to_string()),
        ("File", package.file_name.clone()),
        ("Size", size(package.size)),
        ("Provides", package.provides.join(" ")),
    ])
}
