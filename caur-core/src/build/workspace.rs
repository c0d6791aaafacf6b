//! The directories of a build, as this process sees them and as the container engine's host does.
//!
//! ```text
//! SHARED/sources/ID.git                    source caches
//! SHARED/srcdest_cache/TARGET/PKGBASE      downloads that makepkg keeps between builds
//! SHARED/builders/NAME.lock                held by the process that has that name
//! SHARED/jobs/JOB.ATTEMPT/pkgbuilds        the checkout
//!                        /pkgout           package files
//!                        /temp             what else the build leaves
//!                        /srcdest          downloads while another build has the package's own
//!                        /lease.json       whose it is
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::BuildError;
use super::downloads::{Downloads, Taken};
use crate::config::BuilderSettings;
use crate::model::{BuilderName, JobRequest, LeaseToken};

const LEASE_FILE: &str = "lease.json";

/// One directory under its two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// As this process sees it.
    pub own: PathBuf,
    /// As the engine's host sees it.
    pub host: PathBuf,
}

impl Place {
    pub(super) fn join(&self, path: impl AsRef<Path>) -> Self {
        Self {
            own: self.own.join(&path),
            host: self.host.join(&path),
        }
    }
}

/// Where a builder keeps everything.
#[derive(Debug, Clone)]
pub(super) struct Places {
    builder: BuilderName,
    shared: Place,
    downloads: Downloads,
    build_dirs: Option<Place>,
}

/// Who a workspace belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    builder: BuilderName,
    token: LeaseToken,
}

/// The directories of one attempt.
#[derive(Debug)]
pub(super) struct Workspace {
    pub pkgbuilds: Place,
    pub pkgout: Place,
    pub temp: Place,
    pub srcdest: Taken,
    pub build_dir: Option<Place>,
}

/// Where a build leaves what it made, as this process sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Results {
    pub pkgout: PathBuf,
    pub temp: PathBuf,
}

impl Workspace {
    pub(super) fn results(&self) -> Results {
        Results {
            pkgout: self.pkgout.own.clone(),
            temp: self.temp.own.clone(),
        }
    }
}

impl Places {
    /// # Errors
    /// [`BuildError::Setting`] or [`BuildError::File`] when the shared directory cannot be used.
    pub(super) fn new(settings: &BuilderSettings, builder: BuilderName) -> Result<Self, BuildError> {
        let own = absolute(&settings.shared_dir)?;
        fs::create_dir_all(own.join("jobs")).map_err(BuildError::file("create", own.join("jobs")))?;
        let host = settings.shared_path.clone().unwrap_or_else(|| own.clone());
        let build_dirs = match (&settings.build_dir_host, &settings.build_dir_manager) {
            (None, None) => None,
            (Some(host), own) => Some(Place {
                own: absolute(own.as_ref().unwrap_or(host))?,
                host: host.clone(),
            }),
            (None, Some(own)) => {
                let own = absolute(own)?;
                Some(Place {
                    host: own.clone(),
                    own,
                })
            }
        };
        let srcdest_override = settings.srcdest_cache_override.clone();
        let hosts = [
            Some(&host),
            build_dirs.as_ref().map(|place| &place.host),
            srcdest_override.as_ref(),
        ];
        let usable = |path: &Path| path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&b':');
        if let Some(path) = hosts.into_iter().flatten().find(|path| !usable(path)) {
            return Err(BuildError::Setting(format!(
                "builder: {} is a path on the container engine's host and has to be absolute and without a colon",
                path.display()
            )));
        }
        let shared = Place { own, host };
        Ok(Self {
            builder,
            downloads: srcdest_override.map_or_else(
                || Downloads::Shared(shared.join("srcdest_cache")),
                Downloads::Host,
            ),
            shared,
            build_dirs,
        })
    }

    /// The shared directory, where everything is.
    pub(super) fn shared(&self) -> &Place {
        &self.shared
    }

    /// What makepkg keeps between builds.
    pub(super) fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    /// Where the source caches are.
    pub(super) fn sources(&self) -> PathBuf {
        self.shared.own.join("sources")
    }

    /// Where it is noted when which image was pulled.
    pub(super) fn image_stamps(&self) -> PathBuf {
        self.shared.own.join("images")
    }

    /// Where the packages of an attempt end up.
    pub(super) fn package_dir(&self, token: &LeaseToken) -> PathBuf {
        self.job(token).own.join("pkgout")
    }

    /// Makes the directories of one attempt; what an earlier one of the same number left is removed.
    pub(super) fn create(&self, token: &LeaseToken, request: &JobRequest) -> Result<Workspace, BuildError> {
        self.remove(token)?;
        let job = self.job(token);
        // First of all, so that a killed process leaves nothing that has no owner.
        fs::create_dir_all(&job.own).map_err(BuildError::file("create", &job.own))?;
        let owner = self.owner(token);
        let path = job.own.join(LEASE_FILE);
        let text =
            serde_json::to_vec(&owner).map_err(|error| BuildError::file("write", &path)(error.into()))?;
        fs::write(&path, text).map_err(BuildError::file("write", &path))?;
        let workspace = Workspace {
            pkgbuilds: job.join("pkgbuilds"),
            pkgout: job.join("pkgout"),
            temp: job.join("temp"),
            srcdest: self.downloads.take(request, &job.join("srcdest"))?,
            build_dir: self
                .build_dirs
                .as_ref()
                .map(|place| place.join(directory_name(token))),
        };
        let owned = [&workspace.pkgbuilds, &workspace.pkgout, &workspace.temp];
        for place in owned.into_iter().chain(&workspace.build_dir) {
            fs::create_dir_all(&place.own).map_err(BuildError::file("create", &place.own))?;
        }
        Ok(workspace)
    }

    /// Where the results of an attempt are that an earlier process of this builder began; why there can be
    /// none, in words.
    pub(super) fn reopen(&self, token: &LeaseToken) -> Result<Results, String> {
        let job = self.job(token).own;
        let path = job.join(LEASE_FILE);
        let text =
            fs::read(&path).map_err(|error| format!("its directory is gone: {}: {error}", path.display()))?;
        let owner: Owner = serde_json::from_slice(&text).map_err(|error| {
            format!(
                "nobody can say whose its directory is: {}: {error}",
                path.display()
            )
        })?;
        if owner != self.owner(token) {
            return Err(format!("its directory {} is another attempt's", job.display()));
        }
        let results = Results {
            pkgout: job.join("pkgout"),
            temp: job.join("temp"),
        };
        for directory in [&results.pkgout, &results.temp] {
            if !directory.is_dir() {
                return Err(format!("{} is no directory any more", directory.display()));
            }
        }
        Ok(results)
    }

    /// Removes the directories of one attempt; that they are gone already is fine.
    pub(super) fn remove(&self, token: &LeaseToken) -> Result<(), BuildError> {
        remove_tree(&self.job(token).own)?;
        match &self.build_dirs {
            Some(place) => remove_tree(&place.join(directory_name(token)).own),
            None => Ok(()),
        }
    }

    /// The attempts of this builder that have a workspace.
    pub(super) fn workspaces(&self) -> Result<Vec<LeaseToken>, BuildError> {
        let jobs = self.shared.own.join("jobs");
        let entries = fs::read_dir(&jobs).map_err(BuildError::file("list", &jobs))?;
        Ok(entries
            .flatten()
            .filter_map(|entry| fs::read(entry.path().join(LEASE_FILE)).ok())
            .filter_map(|text| serde_json::from_slice::<Owner>(&text).ok())
            .filter(|owner| owner.builder == self.builder)
            .map(|owner| owner.token)
            .collect())
    }

    fn owner(&self, token: &LeaseToken) -> Owner {
        Owner {
            builder: self.builder.clone(),
            token: token.clone(),
        }
    }

    fn job(&self, token: &LeaseToken) -> Place {
        self.shared.join("jobs").join(directory_name(token))
    }
}

fn directory_name(token: &LeaseToken) -> String {
    format!("{}.{}", token.job, token.attempt)
}

fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(BuildError::file("resolve", path))
}

fn remove_tree(path: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BuildError::file("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BuildClass, JobId, Target};

    fn request() -> JobRequest {
        JobRequest {
            target: Target {
                repo: "repo".parse().unwrap(),
                arch: "x86_64".parse().unwrap(),
            },
            source: "src".parse().unwrap(),
            pkgbase: "foo".parse().unwrap(),
            class: BuildClass::DEFAULT,
            names: Vec::new(),
            needs: Vec::new(),
            build_commit: None,
            status_commit: None,
            arch_mirror: None,
            rebuild: false,
        }
    }

    fn token(attempt: u32) -> LeaseToken {
        LeaseToken {
            job: JobId(7),
            attempt,
            nonce: "n".to_owned(),
        }
    }

    fn list(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn places(settings: &BuilderSettings) -> Places {
        Places::new(settings, "b1".parse().unwrap()).unwrap()
    }

    #[test]
    fn paths_have_an_own_and_a_host_form() {
        let shared = tempfile::tempdir().unwrap();
        let build = tempfile::tempdir().unwrap();
        let settings = BuilderSettings {
            shared_dir: shared.path().to_owned(),
            shared_path: Some("/srv/caur".into()),
            build_dir_host: Some("/srv/build".into()),
            build_dir_manager: Some(build.path().to_owned()),
            ..BuilderSettings::default()
        };
        let workspace = places(&settings).create(&token(2), &request()).unwrap();
        assert_eq!(workspace.pkgout.host, Path::new("/srv/caur/jobs/7.2/pkgout"));
        assert_eq!(workspace.pkgout.own, shared.path().join("jobs/7.2/pkgout"));
        assert_eq!(
            workspace.srcdest.host,
            Path::new("/srv/caur/srcdest_cache/repo/foo")
        );
        assert!(shared.path().join("srcdest_cache/repo/foo").is_dir());
        let build_dir = workspace.build_dir.unwrap();
        assert_eq!(build_dir.host, Path::new("/srv/build/7.2"));
        assert!(build.path().join("7.2").is_dir());
    }

    #[test]
    fn the_download_cache_may_be_on_the_host_alone() {
        let shared = tempfile::tempdir().unwrap();
        let settings = BuilderSettings {
            shared_dir: shared.path().to_owned(),
            srcdest_cache_override: Some("/host/only".into()),
            ..BuilderSettings::default()
        };
        let workspace = places(&settings).create(&token(1), &request()).unwrap();
        assert_eq!(workspace.srcdest.host, Path::new("/host/only/repo/foo"));
        assert!(!Path::new("/host/only").exists() && !shared.path().join("srcdest_cache").exists());
    }

    #[test]
    fn host_paths_that_the_engine_would_misread_are_refused() {
        let shared = tempfile::tempdir().unwrap();
        for path in ["caur", "/srv/a:b"] {
            let settings = BuilderSettings {
                shared_dir: shared.path().to_owned(),
                shared_path: Some(path.into()),
                ..BuilderSettings::default()
            };
            let error = Places::new(&settings, "b1".parse().unwrap())
                .unwrap_err()
                .to_string();
            assert!(error.contains(path) && error.contains("absolute"), "{error}");
        }
    }

    #[test]
    fn a_workspace_is_fresh_knows_its_owner_and_goes_away() {
        let shared = tempfile::tempdir().unwrap();
        let settings = BuilderSettings {
            shared_dir: shared.path().to_owned(),
            ..BuilderSettings::default()
        };
        let mine = places(&settings);
        let other = Places::new(&settings, "b2".parse().unwrap()).unwrap();
        let workspace = mine.create(&token(1), &request()).unwrap();
        fs::write(workspace.pkgout.own.join("old"), "x").unwrap();
        let workspace = mine.create(&token(1), &request()).unwrap();
        assert_eq!(list(&workspace.pkgout.own), Vec::<PathBuf>::new());
        assert_eq!(mine.workspaces().unwrap(), [token(1)]);
        assert_eq!(other.workspaces().unwrap(), []);
        mine.remove(&token(1)).unwrap();
        mine.remove(&token(1)).unwrap();
        assert_eq!(list(&shared.path().join("jobs")), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_workspace_is_opened_again_by_its_owner_alone() {
        let shared = tempfile::tempdir().unwrap();
        let settings = BuilderSettings {
            shared_dir: shared.path().to_owned(),
            ..BuilderSettings::default()
        };
        let mine = places(&settings);
        let made = mine.create(&token(1), &request()).unwrap();
        assert_eq!(mine.reopen(&token(1)), Ok(made.results()));
        let other = Places::new(&settings, "b2".parse().unwrap()).unwrap();
        let newer = LeaseToken {
            nonce: "newer".to_owned(),
            ..token(1)
        };
        for refused in [other.reopen(&token(1)), mine.reopen(&newer)] {
            assert!(refused.unwrap_err().contains("another attempt's"));
        }
        assert!(mine.reopen(&token(2)).unwrap_err().contains("is gone"));

        fs::remove_dir(&made.pkgout.own).unwrap();
        assert!(
            mine.reopen(&token(1))
                .unwrap_err()
                .contains("pkgout is no directory")
        );
        fs::write(shared.path().join("jobs/7.1/lease.json"), "{").unwrap();
        assert!(mine.reopen(&token(1)).unwrap_err().contains("nobody can say"));
    }
}
