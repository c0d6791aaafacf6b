//! What each role needs from the configuration, checked once when the role starts.
//!
//! Directories are looked at, since a path that only exists on another side of a mount is the commonest
//! mistake; nothing is created.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::{ConfigError, Problem};
use super::repository::{RepositoryRules, repository_rules};
use super::rules::unusable;
use super::settings::{BuilderSettings, Config, RedisSettings};
use super::table::Setting;
use crate::model::{
    Arch, BuilderName, FarmConfig, SourceRepo, SourceSettings, TargetRepo, TargetSettings, UploadEndpoint,
};

/// The private Redis' socket below the state directory of `standalone`.
pub const STANDALONE_SOCKET: &str = "redis/redis.sock";

/// One directory on the two sides of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDirectory {
    /// As this process sees it.
    pub here: PathBuf,
    /// As the container engine sees it.
    pub host: PathBuf,
}

/// What the `builder` role runs with.
#[derive(Debug, Clone)]
pub struct BuilderRole {
    /// The name under which it claims.
    pub name: BuilderName,
    /// How long makepkg may take.
    pub timeout: Duration,
    /// How long all the rest of a job may take.
    pub overhead_timeout: Duration,
    /// Caches and build output.
    pub shared: HostDirectory,
    /// The build directory, where one is set.
    pub build_dir: Option<HostDirectory>,
    /// The settings that need no check.
    pub settings: BuilderSettings,
}

/// What the `database` role runs with.
#[derive(Debug, Clone)]
pub struct DatabaseRole {
    /// The published repositories.
    pub repo_dir: PathBuf,
    /// Where uploads arrive.
    pub landing_zone: PathBuf,
    /// How they are kept.
    pub repository: RepositoryRules,
    /// Architectures whose databases are made at start.
    pub arches: Vec<Arch>,
    /// What is published to builders and CI.
    pub farm: FarmConfig,
}

/// What the `web` role runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebRole {
    /// TCP port.
    pub port: u16,
    /// Whether `X-Forwarded-For` is believed.
    pub trust_proxy: bool,
    /// Whether requests are logged.
    pub log_requests: bool,
}

/// What the `standalone` role needs beyond the roles that it contains.
#[derive(Debug, Clone)]
pub struct StandaloneRole {
    /// Holds everything that outlives a run.
    pub state_dir: PathBuf,
    /// Where package folders come from; at least one.
    pub sources: BTreeMap<SourceRepo, SourceSettings>,
    /// Where packages are published; at least one.
    pub targets: BTreeMap<TargetRepo, TargetSettings>,
}

/// The machine's host name, which names a builder that was given no name.
#[must_use]
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

impl Config {
    /// What the `builder` role needs; `host_name` names it where no name is set.
    ///
    /// # Errors
    /// Everything that is missing or unusable.
    pub fn require_builder(&self, host_name: &str) -> Result<BuilderRole, ConfigError> {
        let mut problems = Vec::new();
        let settings = &self.builder;
        let name = settings.name.clone().or_else(|| {
            BuilderName::new(host_name)
                .map_err(|error| {
                    problems.push(unusable(
                        "builder.name",
                        format!("not set, and the machine's host name cannot take its place: {error}"),
                    ));
                })
                .ok()
        });
        existing_directory("builder.shared_dir", &settings.shared_dir, &mut problems);
        let build_dir = settings
            .build_dir_manager
            .clone()
            .zip(settings.build_dir_host.clone())
            .map(|(here, host)| HostDirectory { here, host });
        if let Some(build_dir) = &build_dir {
            existing_directory("builder.build_dir_manager", &build_dir.here, &mut problems);
        }
        ConfigError::unless_empty(problems)?;
        Ok(BuilderRole {
            name: name.expect("its absence is a problem"),
            timeout: Duration::from_secs(settings.timeout),
            overhead_timeout: Duration::from_secs(settings.overhead_timeout),
            shared: HostDirectory {
                here: settings.shared_dir.clone(),
                host: settings
                    .shared_path
                    .clone()
                    .unwrap_or_else(|| settings.shared_dir.clone()),
            },
            build_dir,
            settings: settings.clone(),
        })
    }

    /// What the `database` role needs.
    ///
    /// # Errors
    /// Everything that is missing or unusable.
    pub fn require_database(&self) -> Result<DatabaseRole, ConfigError> {
        const ROLE: &str = "database";
        let mut problems = Vec::new();
        let settings = &self.database;
        let repo_dir = self.repository_directory();
        existing_directory("database.repo_dir", &repo_dir, &mut problems);
        match &settings.landing_zone {
            Some(path) => existing_directory("database.landing_zone", path, &mut problems),
            None => problems.push(missing(
                "database.landing_zone",
                ROLE,
                "the directory where uploads arrive, as this process sees it",
            )),
        }
        let repository = repository_rules(settings, &mut problems);
        if settings.arches.is_empty() {
            problems.push(missing(
                "database.arches",
                ROLE,
                "at least one architecture, such as x86_64",
            ));
        }
        self.require_packages(ROLE, &mut problems);
        ConfigError::unless_empty(problems)?;
        Ok(DatabaseRole {
            repo_dir,
            landing_zone: settings.landing_zone.clone().expect("its absence is a problem"),
            repository,
            arches: settings.arches.clone(),
            farm: self.farm(),
        })
    }

    /// What the `web` role needs.
    ///
    /// # Errors
    /// The port is not set.
    pub fn require_web(&self) -> Result<WebRole, ConfigError> {
        let mut problems = Vec::new();
        if self.web.port.is_none() {
            problems.push(missing(
                "web.port",
                "web",
                "the TCP port to listen on (or use --web-port)",
            ));
        }
        ConfigError::unless_empty(problems)?;
        Ok(WebRole {
            port: self.web.port.expect("its absence is a problem"),
            trust_proxy: self.web.trust_proxy,
            log_requests: !self.web.no_http_log,
        })
    }

    /// What the `standalone` role needs.
    ///
    /// # Errors
    /// Everything that is missing.
    pub fn require_standalone(&self) -> Result<StandaloneRole, ConfigError> {
        const ROLE: &str = "standalone";
        let mut problems = Vec::new();
        if self.standalone.state_dir.is_none() {
            problems.push(missing(
                "standalone.state_dir",
                ROLE,
                "a directory for the queue, caches and the repository, such as /var/lib/caur",
            ));
        }
        self.require_packages(ROLE, &mut problems);
        ConfigError::unless_empty(problems)?;
        Ok(StandaloneRole {
            state_dir: self
                .standalone
                .state_dir
                .clone()
                .expect("its absence is a problem"),
            sources: self.packages.repos.clone(),
            targets: self.packages.target_repos.clone(),
        })
    }

    /// What `database` publishes about the farm.
    ///
    /// It holds no secret but what an address of a source repository contains: builders clone with it.
    #[must_use]
    pub fn farm(&self) -> FarmConfig {
        let settings = &self.database;
        let path = settings
            .landing_zone_advertised
            .as_ref()
            .or(settings.landing_zone.as_ref());
        FarmConfig {
            sources: self.packages.repos.clone(),
            targets: self.packages.target_repos.clone(),
            builder_image: settings.builder_image.clone(),
            upload: settings
                .host
                .clone()
                .zip(path)
                .map(|(host, path)| UploadEndpoint {
                    host,
                    port: settings.port,
                    user: settings.user.clone(),
                    path: path.to_string_lossy().into_owned(),
                    host_keys: settings.host_keys.clone(),
                }),
            logs_url: settings.logs_url.clone(),
        }
    }

    /// Where the queue's Redis is: as configured, else the private one of a `standalone` that runs in the
    /// configured state directory.
    #[must_use]
    pub fn queue_redis(&self) -> RedisSettings {
        let mut settings = self.redis.clone();
        if settings.socket.is_none()
            && settings.ssh.host.is_none()
            && let Some(state) = &self.standalone.state_dir
        {
            settings.socket = Some(state.join(STANDALONE_SOCKET)).filter(|socket| socket.exists());
        }
        settings
    }

    /// The published repositories as this process sees them: `repo_dir`, or `repo_path` where that does not exist.
    #[must_use]
    pub fn repository_directory(&self) -> PathBuf {
        let settings = &self.database;
        match &settings.repo_path {
            Some(path) if !settings.repo_dir.is_dir() => path.clone(),
            _ => settings.repo_dir.clone(),
        }
    }

    fn require_packages(&self, role: &'static str, problems: &mut Vec<Problem>) {
        if self.packages.repos.is_empty() {
            problems.push(missing(
                "packages.repos",
                role,
                r#"at least one source repository, {"identifier": {"url": "https://…"}}"#,
            ));
        }
        if self.packages.target_repos.is_empty() {
            problems.push(missing(
                "packages.target_repos",
                role,
                r#"at least one target repository, {"identifier": {}}"#,
            ));
        }
    }
}

pub(super) fn existing_directory(key: &'static str, path: &Path, problems: &mut Vec<Problem>) {
    if !path.is_dir() {
        problems.push(unusable(
            key,
            format!(
                "{} is no directory that this process can see; create or mount it",
                path.display()
            ),
        ));
    }
}

fn missing(key: &'static str, role: &'static str, expected: &'static str) -> Problem {
    Problem::Missing {
        key,
        env: Setting::find(key).map_or("", |setting| setting.env),
        role,
        expected,
    }
}
