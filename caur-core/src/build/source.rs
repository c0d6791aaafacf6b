//! The source cache: one bare git repository per source repository, from which each build gets a fresh
//! checkout.
//!
//! A branch head is always the one that the remote has now: when it cannot be fetched there is no build. A
//! cache is used by one process at a time and is made anew when it turns out to be broken.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::BuildError;
use super::git::{Git, GitFailure, shown};
use super::journal::Journal;
use crate::model::{CommitId, Pkgbase, SourceRepo, SourceSettings};

/// How often a cache that another build is fetching into is tried again.
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Where the remote's branch head is kept.
const HEAD: &str = "refs/caur/head";
/// git's word for "all of the history".
const WHOLE_HISTORY: &str = "--depth=2147483647";

/// The caches of all source repositories.
#[derive(Debug, Clone)]
pub(super) struct SourceCache {
    directory: PathBuf,
}

/// Which folder of which commit of which repository.
pub(super) struct Wanted<'a> {
    pub repository: &'a SourceRepo,
    pub settings: &'a SourceSettings,
    pub commit: Option<&'a CommitId>,
    pub pkgbase: &'a Pkgbase,
}

impl SourceCache {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Checks the wanted commit out into the empty directory `into` and returns which one it was.
    ///
    /// # Errors
    /// [`BuildError::Package`] when commit or folder do not exist, [`BuildError::Git`] when the remote cannot
    /// be reached or git fails otherwise.
    pub(super) async fn export(
        &self,
        wanted: &Wanted<'_>,
        into: &Path,
        journal: &Journal,
    ) -> Result<CommitId, BuildError> {
        std::fs::create_dir_all(&self.directory).map_err(BuildError::file("create", &self.directory))?;
        let cache = self.directory.join(format!("{}.git", wanted.repository));
        let _lock = self.lock(wanted.repository, journal).await?;
        let fetched = fetch(&cache, wanted, journal).await?;
        let commit = CommitId::new(fetched).map_err(|error| git_error(wanted, error.to_string()))?;
        check_folder(&cache, wanted, &commit).await?;
        check_out(&cache, &commit, into)
            .await
            .map_err(|failure| git_error(wanted, format!("checking out {commit} failed: {failure}")))?;
        Ok(commit)
    }

    async fn lock(&self, repository: &SourceRepo, journal: &Journal) -> Result<File, BuildError> {
        let path = self.directory.join(format!("{repository}.lock"));
        let file = File::create(&path).map_err(BuildError::file("create", &path))?;
        let mut told = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(error) => return Err(BuildError::file("lock", &path)(error.into())),
            }
            if !told {
                journal
                    .line(&format!("waiting for another build that fetches {repository}"))
                    .await;
                told = true;
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }
}

/// Makes the wanted commit available in the cache and returns its hash.
async fn fetch(cache: &Path, wanted: &Wanted<'_>, journal: &Journal) -> Result<String, BuildError> {
    if let Some(commit) = wanted.commit
        && has(cache, commit).await
    {
        return Ok(commit.to_string());
    }
    journal
        .line(&format!(
            "fetching {} from {}",
            wanted.repository,
            shown(&wanted.settings.url)
        ))
        .await;
    let fetched = match fetch_head(cache, wanted).await {
        Ok(head) => head,
        Err(failure) if cache.exists() => {
            journal
                .line(&format!(
                    "fetching into the cache failed ({failure}); trying once more with a new cache"
                ))
                .await;
            renew(cache, wanted).await?
        }
        Err(_) => renew(cache, wanted).await?,
    };
    match wanted.commit {
        None => Ok(fetched),
        Some(commit) => fetch_commit(cache, wanted, commit)
            .await
            .map(|()| commit.to_string()),
    }
}

async fn fetch_head(cache: &Path, wanted: &Wanted<'_>) -> Result<String, GitFailure> {
    fetch_into(cache, wanted, "--depth=1", &[format!("+HEAD:{HEAD}")]).await?;
    let head = format!("{HEAD}^{{commit}}");
    Git::on(cache)
        .args(["rev-parse", "--verify", "--quiet"])
        .arg(head)
        .run()
        .await
}

/// Fetches into a new cache and, only when that worked, puts it in the place of the old one: a process that
/// was killed while it fetched leaves locks and half-written files behind.
async fn renew(cache: &Path, wanted: &Wanted<'_>) -> Result<String, BuildError> {
    let fresh = cache.with_extension("git.new");
    remove(&fresh)?;
    let head = match fetch_new(&fresh, wanted).await {
        Ok(head) => head,
        Err(failure) => {
            remove(&fresh)?;
            return Err(git_error(
                wanted,
                format!(
                    "{failure}; nothing older is built in its place, so check the address and the network"
                ),
            ));
        }
    };
    remove(cache)?;
    std::fs::rename(&fresh, cache).map_err(BuildError::file("rename", &fresh))?;
    Ok(head)
}

async fn fetch_new(fresh: &Path, wanted: &Wanted<'_>) -> Result<String, GitFailure> {
    let url = wanted.settings.url.as_str();
    let advertised = Git::new()
        .args(["ls-remote", "--quiet", "--", url, "HEAD"])
        .run()
        .await?;
    let format = match advertised.split_whitespace().next().map(str::len) {
        Some(64) => "--object-format=sha256",
        Some(_) => "--object-format=sha1",
        None => {
            return Err(GitFailure(
                "the repository has no commits on its default branch".to_owned(),
            ));
        }
    };
    Git::new()
        .args(["init", "--quiet", "--bare", "--template=", format, "--"])
        .arg(fresh)
        .run()
        .await?;
    fetch_head(fresh, wanted).await
}

/// Fetches one commit, by its hash where the server allows it, else with everything that is there.
async fn fetch_commit(cache: &Path, wanted: &Wanted<'_>, commit: &CommitId) -> Result<(), BuildError> {
    if has(cache, commit).await {
        return Ok(());
    }
    let known = match fetch_into(
        cache,
        wanted,
        "--depth=1",
        &[format!("+{commit}:refs/caur/wanted")],
    )
    .await
    {
        Ok(()) => true,
        Err(failure) if failure.is_unknown_commit() => false,
        Err(_) => {
            let everything = ["+refs/heads/*:refs/caur/heads/*", "+refs/tags/*:refs/caur/tags/*"];
            fetch_into(cache, wanted, WHOLE_HISTORY, &everything.map(str::to_owned))
                .await
                .map_err(|failure| git_error(wanted, failure.to_string()))?;
            true
        }
    };
    if known && has(cache, commit).await {
        return Ok(());
    }
    Err(BuildError::Package(format!(
        "commit {commit} does not exist in source repository {} ({}); push it, or schedule another one",
        wanted.repository,
        shown(&wanted.settings.url)
    )))
}

async fn fetch_into(
    cache: &Path,
    wanted: &Wanted<'_>,
    depth: &str,
    refspecs: &[String],
) -> Result<(), GitFailure> {
    let mut git = Git::on(cache)
        .args([
            "fetch",
            "--quiet",
            "--no-tags",
            "--force",
            "--no-write-fetch-head",
        ])
        .args([
            "--no-recurse-submodules",
            depth,
            "--",
            wanted.settings.url.as_str(),
        ]);
    for refspec in refspecs {
        git = git.arg(refspec);
    }
    git.run().await.map(drop)
}

async fn has(cache: &Path, commit: &CommitId) -> bool {
    let object = format!("{commit}^{{commit}}");
    Git::on(cache)
        .args(["cat-file", "-e"])
        .arg(object)
        .run()
        .await
        .is_ok()
}

/// Names what is missing before anything is built, in words for whoever pushed the package.
async fn check_folder(cache: &Path, wanted: &Wanted<'_>, commit: &CommitId) -> Result<(), BuildError> {
    let Wanted {
        repository, pkgbase, ..
    } = wanted;
    if kind(cache, format!("{commit}:{pkgbase}")).await.as_deref() != Some("tree") {
        return Err(BuildError::Package(format!(
            "source repository {repository} has no folder {pkgbase} in commit {commit}; push the folder, or correct the name"
        )));
    }
    if kind(cache, format!("{commit}:{pkgbase}/PKGBUILD"))
        .await
        .as_deref()
        != Some("blob")
    {
        return Err(BuildError::Package(format!(
            "folder {pkgbase} of source repository {repository} holds no PKGBUILD in commit {commit}; add it"
        )));
    }
    Ok(())
}

async fn kind(cache: &Path, object: String) -> Option<String> {
    Git::on(cache)
        .args(["cat-file", "-t"])
        .arg(object)
        .run()
        .await
        .ok()
}

async fn check_out(cache: &Path, commit: &CommitId, into: &Path) -> Result<(), GitFailure> {
    let index = into.with_extension("index");
    let checked_out = Git::on(cache)
        .arg("--work-tree")
        .arg(into)
        .env("GIT_INDEX_FILE", &index)
        .args(["checkout", "--quiet", "--force", commit.as_str(), "--", "."])
        .run()
        .await;
    // Of no use after the checkout; cleaned up with the workspace where this fails.
    let _ = std::fs::remove_file(&index);
    checked_out.map(drop)
}

fn remove(directory: &Path) -> Result<(), BuildError> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BuildError::file("remove", directory)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn git_error(wanted: &Wanted<'_>, detail: String) -> BuildError {
    BuildError::Git {
        doing: format!(
            "fetching source repository {} from {}",
            wanted.repository,
            shown(&wanted.settings.url)
        ),
        detail,
    }
}
