//! The small files beside a target's packages that mirrors and scripts read: `lastupdate`, `pkgs.txt` and
//! `pkgs.files.txt`. They are about the target, whatever the architecture.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::RepoError;
use super::database::read_index;
use super::disk::Disk;
use super::layout::{DatabaseKind, Layout, architectures};
use crate::model::TargetRepo;

/// Writes the lists of `repo` from its databases, by way of the staging folder of `layout`.
pub fn write(disk: &Disk, root: &Path, repo: &TargetRepo, layout: &Layout) -> Result<(), RepoError> {
    let folder = layout.target_folder();
    let targets = architectures(root, repo, |layout| layout.database(DatabaseKind::Packages))
        .map_err(|error| RepoError::io("list", &folder, error))?;
    let (mut entries, mut files) = (BTreeSet::new(), BTreeSet::new());
    for target in targets {
        let path = Layout::new(root, &target).database(DatabaseKind::Packages);
        for (name, listed) in read_index(&path).map_err(|source| RepoError::Database { path, source })? {
            entries.insert(format!("{name}-{}", listed.version));
            files.insert(listed.file_name);
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    for (name, text) in [
        ("pkgs.txt", lines(&entries)),
        ("pkgs.files.txt", lines(&files)),
        ("lastupdate", format!("{now}\n")),
    ] {
        disk.replace(&folder.join(name), &layout.staging(), text.as_bytes())?;
    }
    Ok(())
}

fn lines(names: &BTreeSet<String>) -> String {
    names.iter().flat_map(|name| [name.as_str(), "\n"]).collect()
}
