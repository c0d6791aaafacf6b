//! The small files beside a target's packages that mirrors, scripts and people read: `lastupdate`, `pkgs.txt` and
//! `pkgs.files.txt` are about the target, whatever the architecture; `index.html` and `packages.json` are about one.
//!
//! All of them can be made anew from the databases, so nothing waits until they are on the disk.

use std::collections::BTreeSet;

use super::database::{Index, read_index};
use super::layout::{DatabaseKind, Layout, architectures};
use super::lock::Lock;
use super::store::{Store, now};
use super::{RepoError, pages};

/// Writes the lists of a target, by way of its staging folder. `index` is what its database lists, where that is known.
pub fn write(store: &Store<'_>, index: Option<&Index>) -> Result<(), RepoError> {
    let read = |layout: &Layout| {
        let path = layout.database(DatabaseKind::Packages);
        read_index(&path).map_err(|source| RepoError::Database { path, source })
    };
    let own = match index {
        Some(_) => None,
        None => Some(read(&store.layout)?),
    };
    let own = index.or(own.as_ref()).expect("one of the two is there");

    let staging = store.layout.staging();
    if store.options.pages {
        let pages = pages::render(store.target, own, now());
        for (name, text) in [(pages::HTML_NAME, pages.html), (pages::JSON_NAME, pages.json)] {
            let path = store.layout.public().join(name);
            store.disk.replace_derived(&path, &staging, text.as_bytes())?;
        }
    }

    let (root, repo, folder) = (
        &store.options.root,
        &store.target.repo,
        store.layout.target_folder(),
    );
    let _others_wait = Lock::take(&store.layout.lists_lock(), store.options.patience)?;
    let targets = architectures(root, repo, |layout| layout.database(DatabaseKind::Packages))
        .map_err(|error| RepoError::io("list", &folder, error))?;
    let (mut entries, mut files) = (BTreeSet::new(), BTreeSet::new());
    let mut collect = |index: &Index| {
        for (name, listed) in index {
            entries.insert(format!("{name}-{}", listed.version));
            files.insert(listed.file_name.clone());
        }
    };
    collect(own);
    for target in targets.iter().filter(|target| *target != store.target) {
        match read(&Layout::new(root, target)) {
            Ok(index) => collect(&index),
            Err(error) => tracing::warn!(%target, %error, "left out of the lists"),
        }
    }
    for (name, text) in [
        ("pkgs.txt", lines(&entries)),
        ("pkgs.files.txt", lines(&files)),
        ("lastupdate", format!("{}\n", now())),
    ] {
        store
            .disk
            .replace_derived(&folder.join(name), &staging, text.as_bytes())?;
    }
    Ok(())
}

fn lines(names: &BTreeSet<String>) -> String {
    names.iter().flat_map(|name| [name.as_str(), "\n"]).collect()
}
