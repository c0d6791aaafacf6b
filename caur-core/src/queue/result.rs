//! What a job uploaded, in the short form that stays with it: there are many finished jobs, what their record tells
//! already is not told twice, and what is not longer than need be fits into the small form of a job's hash.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::model::{Manifest, ManifestFile};

/// Begins a hash that is written in fewer letters than hexadecimal digits need.
const SHORT: char = '#';
/// What precedes the hash in the name of an image.
const ALGORITHM: &str = "sha256:";

/// What of a manifest is kept, as fields of a job; lists have a line for each entry.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct JobResult {
    /// The container's image.
    pub image: String,
    /// Hash and size of each file.
    pub files: String,
    /// Their names.
    pub names: String,
    /// What namcap said.
    pub namcap: String,
}

impl JobResult {
    /// The fields in the order in which scripts take them.
    pub(super) const FIELDS: [&str; 4] = ["image", "files", "names", "namcap"];

    /// What is kept of a manifest.
    pub(super) fn pack(manifest: &Manifest) -> Self {
        let image = &manifest.image;
        let files = manifest.files.iter().map(|file| {
            let hash = short(&file.sha256).unwrap_or_else(|| file.sha256.clone());
            format!("{hash} {}", file.size)
        });
        let names = manifest.files.iter().map(|file| file.name.clone());
        Self {
            image: image
                .strip_prefix(ALGORITHM)
                .and_then(short)
                .unwrap_or_else(|| image.clone()),
            files: files.collect::<Vec<_>>().join("\n"),
            names: names.collect::<Vec<_>>().join("\n"),
            namcap: manifest.namcap.join("\n"),
        }
    }

    /// The image as it was.
    pub(super) fn image(&self) -> String {
        long(&self.image).map_or_else(|| self.image.clone(), |hash| format!("{ALGORITHM}{hash}"))
    }

    /// The files as they were; none when the texts do not fit together.
    pub(super) fn files(&self) -> Option<Vec<ManifestFile>> {
        let names = self.names.lines();
        if names.clone().count() != self.files.lines().count() {
            return None;
        }
        let files = self.files.lines().zip(names).map(|(line, name)| {
            let (hash, size) = line.split_once(' ')?;
            Some(ManifestFile {
                name: name.to_owned(),
                size: size.parse().ok()?,
                sha256: long(hash).unwrap_or_else(|| hash.to_owned()),
            })
        });
        files.collect()
    }

    /// What namcap said, line by line.
    pub(super) fn namcap(&self) -> Vec<String> {
        self.namcap.lines().map(str::to_owned).collect()
    }
}

fn short(hash: &str) -> Option<String> {
    let bytes = hex::decode(hash)
        .ok()
        .filter(|bytes| hex::encode(bytes) == hash)?;
    Some(format!("{SHORT}{}", STANDARD_NO_PAD.encode(bytes)))
}

fn long(text: &str) -> Option<String> {
    let bytes = STANDARD_NO_PAD.decode(text.strip_prefix(SHORT)?).ok()?;
    Some(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let hash = "0123456789abcdef".repeat(4);
        for (image, sha256) in [
            (format!("sha256:{hash}"), hash.clone()),
            ("image:1".to_owned(), hash.to_uppercase()),
            (String::new(), "none".to_owned()),
        ] {
            let manifest = Manifest {
                job: crate::model::JobId(7),
                attempt: 1,
                pkgbase: "foo".parse().unwrap(),
                target: crate::model::Target {
                    repo: "repo".parse().unwrap(),
                    arch: "x86_64".parse().unwrap(),
                },
                commit: hash[..40].parse().unwrap(),
                builder: "one".parse().unwrap(),
                image,
                files: ["foo-1-1-any.pkg.tar.zst", "with a space"]
                    .map(|name| ManifestFile {
                        name: name.to_owned(),
                        size: 1_000_000,
                        sha256: sha256.clone(),
                    })
                    .to_vec(),
                namcap: vec!["foo W: a warning".to_owned(), "foo E: an error".to_owned()],
            };
            let result = JobResult::pack(&manifest);
            assert_eq!(
                (result.image(), result.files(), result.namcap()),
                (manifest.image, Some(manifest.files), manifest.namcap)
            );
        }
    }

    #[test]
    fn other_texts_are_no_results() {
        for (files, names) in [
            ("#abc 7", ""),
            ("", "name"),
            ("hash", "name"),
            ("hash size", "name"),
        ] {
            let result = JobResult {
                files: files.to_owned(),
                names: names.to_owned(),
                ..JobResult::default()
            };
            assert_eq!(result.files(), None, "{result:?}");
        }
    }
}
