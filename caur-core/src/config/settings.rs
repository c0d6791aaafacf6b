//! The typed configuration: one structure for all roles, in the units that its documentation states.
//!
//! Serialising it shows secrets masked, so what is printed or sent can never hold one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::serial::{builder_class, masked, masked_option, text_or_number};
use crate::model::{
    Arch, BuilderName, FailedDependency, SourceRepo, SourceSettings, TargetRepo, TargetSettings,
};

/// Everything that can be configured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The queue's Redis.
    pub redis: RedisSettings,
    /// The `builder` role.
    pub builder: BuilderSettings,
    /// The `database` role.
    pub database: DatabaseSettings,
    /// The queue.
    pub queue: QueueSettings,
    /// The container engine of a builder.
    pub container: ContainerSettings,
    /// Source repositories and target repositories.
    pub packages: PackageSettings,
    /// The `web` role.
    pub web: WebSettings,
    /// Telegram notices.
    pub telegram: TelegramSettings,
    /// The `standalone` role.
    pub standalone: StandaloneSettings,
    /// Live and finished build logs.
    pub log: LogSettings,
}

/// How to reach Redis.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSettings {
    /// Host, as seen from the SSH server where a tunnel is used.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Unix socket; takes the place of host and port.
    pub socket: Option<PathBuf>,
    /// Redis ACL user.
    pub user: Option<String>,
    /// Password.
    #[serde(serialize_with = "masked_option")]
    pub password: Option<SecretString>,
    /// The SSH tunnel; none without [`RedisSshSettings::host`].
    pub ssh: RedisSshSettings,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 6379,
            socket: None,
            user: None,
            password: None,
            ssh: RedisSshSettings::default(),
        }
    }
}

/// The SSH server in front of Redis.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSshSettings {
    /// Host, address or `ssh_config` alias.
    pub host: Option<String>,
    /// TCP port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// Private key; the agent is asked as well.
    pub key: PathBuf,
    /// The server's public host key (`ssh-ed25519 AAAA…`); without it `known_hosts` decides.
    pub host_key: Option<String>,
    /// Known-hosts file; without it the user's and the system's.
    pub known_hosts: Option<PathBuf>,
}

impl Default for RedisSshSettings {
    fn default() -> Self {
        Self {
            host: None,
            port: 22,
            user: "package-deployer".to_owned(),
            key: PathBuf::from("/app/sshkey"),
            host_key: None,
            known_hosts: None,
        }
    }
}

/// Settings of a builder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuilderSettings {
    /// Its name; the machine's host name where none is given.
    pub name: Option<BuilderName>,
    /// The highest class that it takes; none (written as any text that is no number): only jobs for its name.
    #[serde(deserialize_with = "builder_class")]
    pub class: Option<u32>,
    /// Jobs that it builds at a time.
    pub slots: u32,
    /// MiB that have to be free where builds are made before it takes a job.
    pub min_free_disk: u64,
    /// MiB of memory that have to be free before it takes a job.
    pub min_free_memory: u64,
    /// Seconds that makepkg may take.
    pub timeout: u64,
    /// Seconds that the whole job may take on top of makepkg's timeout: image, sources, set-up, upload.
    pub overhead_timeout: u64,
    /// Where the container engine's host sees `shared_dir`; `SHARED_PATH` of the contract.
    pub shared_path: Option<PathBuf>,
    /// Where this process sees the shared directory: caches and build output.
    pub shared_dir: PathBuf,
    /// Host path that takes the place of `SHARED/srcdest_cache`.
    pub srcdest_cache_override: Option<PathBuf>,
    /// Build directory as the host sees it.
    pub build_dir_host: Option<PathBuf>,
    /// The same directory as this process sees it.
    pub build_dir_manager: Option<PathBuf>,
    /// CPUs that a build may use; 0: all.
    pub limits_cpus: f64,
    /// Memory that a build may use, MiB; 0: all.
    pub limits_ram: u64,
    /// Open files that a build may have.
    pub limits_nofile: u64,
    /// Exit status of a build that skips on purpose.
    pub ci_code_skip: u8,
    /// Linux capabilities that every build container gets on top of the engine's defaults.
    pub capabilities: Vec<String>,
    /// Linux capabilities that build containers of single packages get, by pkgbase.
    pub package_capabilities: BTreeMap<String, Vec<String>>,
    /// Network of the build containers in the engine's words; empty: the engine's default.
    pub network: String,
    /// Value of `MAKEFLAGS` inside builds.
    pub makeflags: Option<String>,
    /// A mirror that is put first, `PACMAN_REPO` inside builds.
    pub pacman_repo: Option<String>,
    /// The build image; takes the place of what `database` publishes.
    pub image: Option<String>,
    /// Seconds after which an image that came from a registry is pulled again.
    pub image_refresh: u64,
    /// Upload host; takes the place of what `database` publishes.
    pub upload_host: Option<String>,
    /// Upload port; as above.
    pub upload_port: Option<u16>,
    /// Upload account; as above.
    pub upload_user: Option<String>,
}

impl Default for BuilderSettings {
    fn default() -> Self {
        Self {
            name: None,
            class: Some(2),
            slots: 1,
            min_free_disk: 2048,
            min_free_memory: 256,
            timeout: 3600,
            overhead_timeout: 1800,
            shared_path: None,
            shared_dir: PathBuf::from("/shared"),
            srcdest_cache_override: None,
            build_dir_host: None,
            build_dir_manager: None,
            limits_cpus: 0.0,
            limits_ram: 0,
            limits_nofile: 8192,
            ci_code_skip: 123,
            capabilities: Vec::new(),
            package_capabilities: BTreeMap::new(),
            network: String::new(),
            makeflags: None,
            pacman_repo: None,
            image: None,
            image_refresh: 86_400,
            upload_host: None,
            upload_port: None,
            upload_user: None,
        }
    }
}

/// Settings of the `database` role.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// The published repositories, as this process sees them.
    pub repo_dir: PathBuf,
    /// The same directory as the host sees it; `REPO_PATH` of the contract. Used where `repo_dir` does not exist.
    pub repo_path: Option<PathBuf>,
    /// Where uploads arrive.
    pub landing_zone: Option<PathBuf>,
    /// The landing zone as the upload account sees it.
    pub landing_zone_advertised: Option<PathBuf>,
    /// GnuPG home directory that holds the signing key.
    pub gpg_path: Option<PathBuf>,
    /// Which key of it signs; none: gpg's default.
    pub gpg_key: Option<String>,
    /// Whether packages are signed.
    pub sign: bool,
    /// Upload host, published to builders.
    pub host: Option<String>,
    /// Upload port, published to builders.
    pub port: u16,
    /// Upload account, published to builders.
    pub user: String,
    /// Public host keys of the upload host, published to builders.
    pub host_keys: Vec<String>,
    /// Address of the live log page.
    pub logs_url: Option<String>,
    /// The build image, published to builders.
    pub builder_image: String,
    /// Architectures whose (empty) databases are made at start.
    pub arches: Vec<Arch>,
    /// pkgnames that may never be published, because upstream repositories own them.
    pub protected_pkgnames: Vec<String>,
    /// Databases such as a copy of `core.db`, whose names are protected as well.
    pub protected_databases: Vec<PathBuf>,
    /// Who may use protected names all the same, `PKGBASE:PKGNAME` or `PKGBASE:*`.
    pub allowed_pkgnames: Vec<String>,
    /// What a package may not bring along.
    pub refuse: Vec<Unwanted>,
    /// Bytes that a package file may have.
    pub largest_package: u64,
    /// Bytes that the packages of one upload may have together.
    pub largest_upload: u64,
    /// Whether databases are signed, too.
    pub sign_databases: bool,
    /// Seconds that files stay beside the others after the database forgot them.
    pub grace_time: u64,
    /// Seconds that they stay in the archive after that.
    pub archive_retention: u64,
    /// States that a target can be rolled back to.
    pub snapshots: usize,
    /// Whether each target has a page and a list for people and scripts.
    pub pages: bool,
    /// Databases of other repositories that users have, for `repo check`.
    pub upstream_databases: Vec<PathBuf>,
}

/// Something that a package brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unwanted {
    /// It is a debug package.
    Debug,
    /// It replaces other packages.
    Replaces,
    /// It belongs to groups.
    Groups,
    /// It conflicts with other packages.
    Conflicts,
    /// It is older than the published one.
    Downgrades,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            repo_dir: PathBuf::from("/repo_root"),
            repo_path: None,
            landing_zone: None,
            landing_zone_advertised: None,
            gpg_path: None,
            gpg_key: None,
            sign: true,
            host: None,
            port: 22,
            user: "package-deployer".to_owned(),
            host_keys: Vec::new(),
            logs_url: None,
            builder_image: String::new(),
            arches: vec![Arch::new("x86_64").expect("a valid literal")],
            protected_pkgnames: Vec::new(),
            protected_databases: Vec::new(),
            allowed_pkgnames: Vec::new(),
            refuse: Vec::new(),
            largest_package: 8 << 30,
            largest_upload: 32 << 30,
            sign_databases: false,
            grace_time: 86_400,
            archive_retention: 7 * 86_400,
            snapshots: 20,
            pages: true,
            upstream_databases: Vec::new(),
        }
    }
}

/// The queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// Seconds without a sign of life after which a job is taken back from its holder.
    pub lease: u64,
    /// Attempts that infrastructure failures may cost a job.
    pub attempts: u32,
    /// Seconds of the pause after the first infrastructure failure; four times as long after the second.
    pub backoff: u64,
    /// What becomes of a job whose dependency failed.
    pub failed_dependency: FailedDependency,
    /// Seconds that a job may be blocked before it ends.
    pub blocked: u64,
    /// Infrastructure failures in a row after which a builder pauses itself; 0: never.
    pub self_pause_after: u32,
    /// Seconds that such a pause lasts.
    pub self_pause: u64,
    /// Finished jobs that are kept.
    pub keep_finished: u64,
    /// Seconds that finished jobs and events are kept.
    pub retention: u64,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            lease: 60,
            attempts: 3,
            backoff: 5,
            failed_dependency: FailedDependency::default(),
            blocked: 7 * 86_400,
            self_pause_after: 3,
            self_pause: 1800,
            keep_finished: 200_000,
            retention: 30 * 86_400,
        }
    }
}

/// The container engine.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerSettings {
    /// Which engine; decides where its socket is looked for.
    pub engine: Engine,
    /// Its socket; takes the place of the engine's usual ones.
    pub socket: Option<PathBuf>,
}

/// A container engine that speaks Docker's HTTP interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Docker.
    #[default]
    Docker,
    /// Podman's compatible service.
    Podman,
}

/// Source and target repositories.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct PackageSettings {
    /// Git repositories of package folders, by identifier.
    pub repos: BTreeMap<SourceRepo, SourceSettings>,
    /// Repositories that packages are published to, by identifier.
    pub target_repos: BTreeMap<TargetRepo, TargetSettings>,
    /// Commit status reporting, by source repository.
    pub notifiers: BTreeMap<SourceRepo, NotifierSettings>,
}

/// Where the status of commits is reported.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifierSettings {
    /// GitLab project.
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    /// Access token.
    #[serde(serialize_with = "masked")]
    pub token: SecretString,
    /// Name of the check; `%pkgbase%` is replaced.
    pub check_name: String,
}

/// The web server.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct WebSettings {
    /// TCP port; none: no web server.
    pub port: Option<u16>,
    /// Whether `X-Forwarded-For` is believed.
    pub trust_proxy: bool,
    /// Whether requests are left out of the log.
    pub no_http_log: bool,
}

/// Telegram notices; off without token and chat.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramSettings {
    /// The bot's token.
    #[serde(serialize_with = "masked_option")]
    pub bot_token: Option<SecretString>,
    /// The chat that is told.
    pub chat_id: Option<String>,
}

/// The `standalone` role.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct StandaloneSettings {
    /// Holds the queue's data, caches, landing zone and, unless told otherwise, the repository.
    pub state_dir: Option<PathBuf>,
}

/// Build logs in Redis.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Bytes kept from the start of a live log.
    pub head_limit: u64,
    /// Bytes kept from the end of a live log.
    pub tail_limit: u64,
    /// Seconds that a finished log is kept in Redis.
    pub retention: u64,
    /// Bytes that all live logs together may take in Redis; then the longest lose from their middle.
    pub live_budget: u64,
    /// Bytes that all finished logs together may take in Redis; then the oldest go.
    pub finished_budget: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            head_limit: 16 << 20,
            tail_limit: 16 << 20,
            retention: 14 * 86_400,
            live_budget: 1 << 30,
            finished_budget: 4 << 30,
        }
    }
}
