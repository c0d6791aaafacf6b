//! What the `database` role tells everyone else about the farm, through Redis and free of secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Pkgbase, Pkgname, SourceRepo, TargetRepo};

/// The configuration that `database` publishes for CI and builders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct FarmConfig {
    /// Where package folders come from, by identifier.
    pub sources: BTreeMap<SourceRepo, SourceSettings>,
    /// Where packages are published, by identifier.
    pub targets: BTreeMap<TargetRepo, TargetSettings>,
    /// The image that builds run in, unless a builder is told otherwise.
    pub builder_image: String,
    /// Where builders upload to; none where builder and database share one file system.
    pub upload: Option<UploadEndpoint>,
    /// The address of the live log page, as in `LOGS_URL`.
    pub logs_url: Option<String>,
}

/// A git repository of package folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// Address that `git clone` takes.
    pub url: String,
}

/// A repository that packages are published to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct TargetSettings {
    /// Repositories that the build container may install from, besides those of its image.
    #[serde(default)]
    pub extra_repos: Vec<ExtraRepo>,
    /// Addresses of keyring packages that the build container installs first.
    #[serde(default)]
    pub extra_keyrings: Vec<String>,
}

/// A pacman repository for the build container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraRepo {
    /// Its name, the section's heading in `pacman.conf`.
    pub name: String,
    /// Its `Server` lines.
    pub servers: Vec<String>,
}

/// The SSH endpoint that takes uploads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadEndpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// The landing zone as that account sees it.
    pub path: String,
    /// The server's public host keys in OpenSSH's form (`ssh-ed25519 AAAA…`); empty: known_hosts decides.
    pub host_keys: Vec<String>,
}

/// One package that a repository lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPackage {
    /// Its name.
    pub pkgname: Pkgname,
    /// The pkgbase it was built from; the pkgname where the database states none.
    pub pkgbase: Pkgbase,
    /// Full version, `[epoch:]pkgver-pkgrel`.
    pub version: String,
    /// Name of the package file.
    pub file_name: String,
    /// Size of the package file, in bytes.
    #[serde(default)]
    pub size: u64,
    /// When it was built, in seconds since 1970.
    #[serde(default)]
    pub build_date: u64,
    /// Names it provides, without versions.
    pub provides: Vec<String>,
}
