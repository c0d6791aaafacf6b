//! The manifest that a builder leaves beside the packages it uploads.

use serde::{Deserialize, Serialize};

use super::{BuilderName, CommitId, JobId, Pkgbase, Target};

/// What one attempt of a job uploaded, and what it was made from.
///
/// The file `manifest.json` in the upload's directory; the same value is kept with the job in Redis, which
/// is the one that counts: what lies in the landing zone can be changed by whoever may upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The job that was built.
    pub job: JobId,
    /// Which attempt of that job, from 1.
    pub attempt: u32,
    /// The pkgbase that the job asked for.
    pub pkgbase: Pkgbase,
    /// Where the packages are to be published.
    pub target: Target,
    /// The commit of the source repository that was built.
    pub commit: CommitId,
    /// Who built it.
    pub builder: BuilderName,
    /// The build container's image, as the engine identifies it (`sha256:…`).
    pub image: String,
    /// The package files, by name.
    pub files: Vec<ManifestFile>,
    /// What namcap says about them, line by line, as far as it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namcap: Vec<String>,
}

impl Manifest {
    /// The name of the manifest in an upload's directory.
    pub const FILE_NAME: &str = "manifest.json";

    /// The directory of this upload below the landing zone once it is complete: `JOB.ATTEMPT`.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{}.{}", self.job, self.attempt)
    }
}

/// One uploaded package file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// File name without any directory, such as `foo-1.0-1-x86_64.pkg.tar.zst`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}
