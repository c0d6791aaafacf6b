//! Every setting in one table: its key, its environment variable, what values it takes and what it is for.
//!
//! The environment, the command line, `config check` and `docs/caur.toml` all follow this table; a test holds
//! it equal to the fields of [`Config`](super::Config). Names without a predecessor in chaotic-manager are the
//! key in capitals where it starts with a role's prefix, else the key in capitals after `CAUR_`.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Path in the TOML file, such as `builder.timeout`.
    pub key: &'static str,
    /// Environment variable. A few variables feed two settings, one of `database` and one of a builder.
    pub env: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// Whether its value may never be shown.
    pub secret: bool,
    /// What it is for, with its unit.
    pub doc: &'static str,
    /// A value in TOML's notation, where the default shows no form to follow.
    pub example: Option<&'static str>,
}

/// Which values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number between these two, both included.
    Integer(i64, i64),
    /// A number from 0 that may have a fraction.
    Decimal,
    /// A builder's class: a number, or any other text.
    Class,
    /// Texts; as one text separated by commas or line ends.
    List,
    /// A table; as one text in JSON.
    Table(Shape),
}

/// What a table of settings holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `PACKAGE_REPOS`.
    Sources,
    /// `PACKAGE_TARGET_REPOS`.
    Targets,
    /// `PACKAGE_REPOS_NOTIFIERS`.
    Notifiers,
    /// Lists of texts by pkgbase.
    ListsByPkgbase,
}

impl Setting {
    /// The setting of this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The known key that looks most like `key`, where one does.
    #[must_use]
    pub fn closest_key(key: &str) -> Option<&'static str> {
        closest(key, SETTINGS.iter().map(|setting| setting.key))
    }

    /// The known environment variable that looks most like `name`, where one does.
    #[must_use]
    pub fn closest_variable(name: &str) -> Option<&'static str> {
        closest(name, SETTINGS.iter().map(|setting| setting.env))
    }
}

/// Similarity below which a suggestion would only puzzle.
const SIMILAR: f64 = 0.7;

fn closest(text: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    // Of a path the last part is what people mistype or put into the wrong table.
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned).unwrap_or_default();
    known
        .map(|candidate| {
            let whole = strsim::normalized_damerau_levenshtein(text, candidate);
            let part = strsim::normalized_damerau_levenshtein(&last(text), &last(candidate));
            (whole + part, candidate)
        })
        .filter(|(score, _)| *score / 2.0 >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

const fn setting(key: &'static str, env: &'static str, kind: Kind, doc: &'static str) -> Setting {
    Setting {
        key,
        env,
        kind,
        secret: false,
        doc,
        example: None,
    }
}

impl Setting {
    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn example(mut self, toml: &'static str) -> Self {
        self.example = Some(toml);
        self
    }
}

// Short names keep a setting on one or two lines.
use Kind::{Choice, Class, Decimal, Flag, Integer, List, Path, Table, Text};

const PORT: Kind = Kind::Integer(1, 65535);
const SECONDS: Kind = Kind::Integer(1, 31_536_000);
const SECONDS_OR_NONE: Kind = Kind::Integer(0, 31_536_000);
const COUNT: Kind = Kind::Integer(0, i64::MAX);

/// All settings, in the order of the sample file.
#[rustfmt::skip]
pub static SETTINGS: &[Setting] = &[
    setting("redis.host", "REDIS_HOST", Text, "Host of Redis, as seen from the SSH server where a tunnel is used."),
    setting("redis.port", "REDIS_PORT", PORT, "TCP port of Redis."),
    setting("redis.socket", "REDIS_SOCKET", Path, "Unix socket of Redis; takes the place of host and port.")
        .example(r#""/run/redis/redis.sock""#),
    setting("redis.user", "REDIS_USER", Text, "Redis ACL user.").example(r#""caur-builder""#),
    setting("redis.password", "REDIS_PASSWORD", Text, "Password of Redis.").secret().example(r#""secret""#),
    setting("redis.ssh.host", "REDIS_SSH_HOST", Text, "SSH server in front of Redis; no tunnel without it.")
        .example(r#""repo.example.org""#),
    setting("redis.ssh.port", "REDIS_SSH_PORT", PORT, "Port of the SSH server."),
    setting("redis.ssh.user", "REDIS_SSH_USER", Text, "Account on the SSH server."),
    setting("redis.ssh.key", "REDIS_SSH_KEY", Path, "Private key; the agent is asked as well."),
    setting("redis.ssh.host_key", "REDIS_SSH_HOSTKEY", Text,
        "Public host key of the SSH server; without it known_hosts decides.").example(r#""ssh-ed25519 AAAA…""#),
    setting("redis.ssh.known_hosts", "REDIS_SSH_KNOWN_HOSTS", Path,
        "Known-hosts file; without it the user's and the system's.").example(r#""/etc/caur/known_hosts""#),

    setting("builder.name", "BUILDER_HOSTNAME", Text, "Name of this builder; the machine's host name without it.")
        .example(r#""builder-1""#),
    setting("builder.class", "BUILDER_CLASS", Class,
        "Highest class of jobs that it takes; a text that is no number: only jobs for its name."),
    setting("builder.slots", "BUILDER_SLOTS", Integer(1, 1024), "Jobs that it builds at a time."),
    setting("builder.min_free_disk", "BUILDER_MIN_FREE_DISK", COUNT,
        "MiB that have to be free in the shared directory before it takes a job."),
    setting("builder.min_free_memory", "BUILDER_MIN_FREE_MEMORY", COUNT,
        "MiB of memory that have to be free before it takes a job."),
    setting("builder.timeout", "BUILDER_TIMEOUT", SECONDS, "Seconds that makepkg may take."),
    setting("builder.overhead_timeout", "BUILDER_OVERHEAD_TIMEOUT", SECONDS,
        "Seconds that image, sources, set-up and upload may take on top of makepkg's timeout."),
    setting("builder.shared_path", "SHARED_PATH", Path,
        "Where the container engine's host sees shared_dir; the same path without it.").example(r#""/srv/caur/shared""#),
    setting("builder.shared_dir", "BUILDER_SHARED_DIR", Path,
        "Where this process sees the shared directory of caches and build output."),
    setting("builder.srcdest_cache_override", "BUILDER_SRCDEST_CACHE_OVERRIDE", Path,
        "Host path of the source cache, in place of srcdest_cache below the shared directory.")
        .example(r#""/srv/cache/sources""#),
    setting("builder.build_dir_host", "BUILDER_BUILD_DIR_HOST", Path,
        "Build directory as the container engine's host sees it; needs build_dir_manager.").example(r#""/srv/caur/build""#),
    setting("builder.build_dir_manager", "BUILDER_BUILD_DIR_MANAGER", Path,
        "The same build directory as this process sees it; needs build_dir_host.").example(r#""/build""#),
    setting("builder.limits_cpus", "BUILDER_LIMITS_CPUS", Decimal, "CPUs that a build may use; 0: all."),
    setting("builder.limits_ram", "BUILDER_LIMITS_RAM", COUNT, "Memory that a build may use, MiB; 0: all."),
    setting("builder.limits_nofile", "BUILDER_LIMITS_NOFILE", Integer(1, 1 << 30), "Open files that a build may have."),
    setting("builder.ci_code_skip", "CI_CODE_SKIP", Integer(1, 255),
        "Exit status of a build that skips on purpose; not 13, 124 or 137, which have a meaning."),
    setting("builder.capabilities", "BUILDER_CAPABILITIES", List,
        "Linux capabilities that every build container gets on top of the engine's defaults.").example(r#"["SYS_ADMIN"]"#),
    setting("builder.package_capabilities", "BUILDER_PACKAGE_CAPABILITIES", Table(Shape::ListsByPkgbase),
        "Linux capabilities that build containers of single packages get, by pkgbase.")
        .example(r#"{ fuse-app = ["SYS_ADMIN"] }"#),
    setting("builder.network", "BUILDER_NETWORK", Text,
        "Network of the build containers in the engine's words; empty: the engine's default.").example(r#""host""#),
    setting("builder.makeflags", "BUILDER_MAKEFLAGS", Text, "Value of MAKEFLAGS inside builds.").example(r#""-j8""#),
    setting("builder.pacman_repo", "BUILDER_PACMAN_REPO", Text,
        "Mirror that is put first in the mirror list inside builds.").example(r#""https://mirror.example.org/$repo/os/$arch""#),
    setting("builder.image", "BUILDER_IMAGE", Text,
        "Build image; takes the place of the one that the database role publishes.").example(r#""caur-builder:latest""#),
    setting("builder.image_refresh", "BUILDER_IMAGE_REFRESH", SECONDS,
        "Seconds after which an image that came from a registry is pulled again."),
    setting("builder.upload_host", "DATABASE_HOST", Text,
        "Upload host; takes the place of the one that the database role publishes.").example(r#""repo.example.org""#),
    setting("builder.upload_port", "DATABASE_PORT", PORT, "Upload port; as above.").example("22"),
    setting("builder.upload_user", "DATABASE_USER", Text, "Upload account; as above.").example(r#""package-deployer""#),

    setting("database.repo_dir", "DATABASE_REPO_DIR", Path, "The published repositories, as this process sees them."),
    setting("database.repo_path", "REPO_PATH", Path,
        "The same directory as the host sees it; used where repo_dir does not exist.").example(r#""/srv/http/repos""#),
    setting("database.landing_zone", "LANDING_ZONE_PATH", Path, "Where uploads arrive.")
        .example(r#""/srv/caur/landing-zone""#),
    setting("database.landing_zone_advertised", "LANDING_ZONE_ADVERTISED_PATH", Path,
        "The landing zone as the upload account sees it; the same path without it.").example(r#""/landing-zone""#),
    setting("database.gpg_path", "GPG_PATH", Path,
        "GnuPG home directory that holds the signing key; gpg's own choice without it.").example(r#""/srv/caur/gnupg""#),
    setting("database.gpg_key", "DATABASE_GPG_KEY", Text, "Key that signs; gpg's default without it.")
        .example(r#""0123456789ABCDEF0123456789ABCDEF01234567""#),
    setting("database.sign", "DATABASE_SIGN", Flag, "Whether packages are signed."),
    setting("database.host", "DATABASE_HOST", Text,
        "Upload host, published to builders; without it builders must share the landing zone's file system.")
        .example(r#""repo.example.org""#),
    setting("database.port", "DATABASE_PORT", PORT, "Upload port, published to builders."),
    setting("database.user", "DATABASE_USER", Text, "Upload account, published to builders."),
    setting("database.host_keys", "DATABASE_HOST_KEYS", List, "Public host keys of the upload host, published to builders.")
        .example(r#"["ssh-ed25519 AAAA…"]"#),
    setting("database.logs_url", "LOGS_URL", Text, "Address of the live log page.")
        .example(r#""https://repo.example.org/logs.html""#),
    setting("database.builder_image", "BUILDER_IMAGE", Text, "Build image, published to builders.")
        .example(r#""caur-builder:latest""#),
    setting("database.arches", "DATABASE_ARCHES", List, "Architectures whose databases are made at start."),
    setting("database.protected_pkgnames", "DATABASE_PROTECTED_PKGNAMES", List,
        "pkgnames that may never be published, because upstream repositories own them.").example(r#"["pacman", "glibc"]"#),
    setting("database.protected_databases", "DATABASE_PROTECTED_DATABASES", List,
        "Databases whose pkgnames may never be published either, read at start.")
        .example(r#"["/var/lib/pacman/sync/core.db", "/var/lib/pacman/sync/extra.db"]"#),
    setting("database.allowed_pkgnames", "DATABASE_ALLOWED_PKGNAMES", List,
        "Who may use protected pkgnames all the same: PKGBASE:PKGNAME, or PKGBASE:* for every name.")
        .example(r#"["linux-custom:linux-headers", "toolchain:*"]"#),
    setting("database.refuse", "DATABASE_REFUSE", List,
        "What a package is refused for: any of debug, replaces, groups, conflicts and downgrades.")
        .example(r#"["replaces", "groups"]"#),
    setting("database.largest_package", "DATABASE_LARGEST_PACKAGE", COUNT, "Bytes that a package file may have."),
    setting("database.largest_upload", "DATABASE_LARGEST_UPLOAD", COUNT,
        "Bytes that the packages of one upload may have together."),
    setting("database.sign_databases", "DATABASE_SIGN_DATABASES", Flag, "Whether databases are signed, too."),
    setting("database.grace_time", "DATABASE_GRACE_TIME", SECONDS_OR_NONE,
        "Seconds that superseded and removed files stay beside the others, for clients with an older database."),
    setting("database.archive_retention", "DATABASE_ARCHIVE_RETENTION", SECONDS_OR_NONE,
        "Seconds that they stay in the archive after that; what a snapshot needs stays longer."),
    setting("database.snapshots", "DATABASE_SNAPSHOTS", Integer(0, 10_000), "States that a target can be rolled back to."),
    setting("database.pages", "DATABASE_PAGES", Flag,
        "Whether each target has a page and packages.json for people and scripts."),
    setting("database.upstream_databases", "DATABASE_UPSTREAM_DATABASES", List,
        "Databases of other repositories that users have, for `repo check`; a .files one tells libraries, too.")
        .example(r#"["/var/lib/pacman/sync/core.files", "/var/lib/pacman/sync/extra.files"]"#),

    setting("queue.lease", "CAUR_QUEUE_LEASE", Integer(2, 86_400),
        "Seconds without a sign of life after which a job is taken back from its holder."),
    setting("queue.attempts", "CAUR_QUEUE_ATTEMPTS", Integer(1, 100),
        "Attempts that infrastructure failures may cost a job."),
    setting("queue.backoff", "CAUR_QUEUE_BACKOFF", SECONDS,
        "Seconds of the pause after the first infrastructure failure; four times as long after the second."),
    setting("queue.failed_dependency", "CAUR_QUEUE_FAILED_DEPENDENCY", Choice(&["published", "block", "ignore"]),
        "What becomes of a job whose dependency failed: it goes on where its target lists the packages already and is blocked elsewhere, is always blocked, or goes on."),
    setting("queue.blocked", "CAUR_QUEUE_BLOCKED", SECONDS, "Seconds that a job may be blocked before it fails for that."),
    setting("queue.self_pause_after", "CAUR_QUEUE_SELF_PAUSE_AFTER", Integer(0, 1000),
        "Infrastructure failures in a row after which a builder pauses itself; 0: never."),
    setting("queue.self_pause", "CAUR_QUEUE_SELF_PAUSE", SECONDS, "Seconds that such a pause lasts."),
    setting("queue.keep_finished", "CAUR_QUEUE_KEEP_FINISHED", COUNT, "Finished jobs that are kept at most."),
    setting("queue.retention", "CAUR_QUEUE_RETENTION", SECONDS, "Seconds that finished jobs and events are kept."),

    setting("container.engine", "CONTAINER_ENGINE", Choice(&["docker", "podman"]), "Container engine."),
    setting("container.socket", "DOCKER_SOCKET", Path, "Its socket; the engine's usual ones without it.")
        .example(r#""/run/docker.sock""#),

    setting("packages.repos", "PACKAGE_REPOS", Table(Shape::Sources), "Git repositories of package folders, by identifier.")
        .example(r#"{ chaotic-aur = { url = "https://git.example.org/packages" } }"#),
    setting("packages.target_repos", "PACKAGE_TARGET_REPOS", Table(Shape::Targets),
        "Repositories that packages are published to, by identifier.")
        .example(r#"{ chaotic-aur = { extra_repos = [{ name = "chaotic-aur", servers = ["https://repo.example.org/$repo/$arch"] }], extra_keyrings = [] } }"#),
    setting("packages.notifiers", "PACKAGE_REPOS_NOTIFIERS", Table(Shape::Notifiers),
        "Where the status of commits is reported, by source repository.").secret()
        .example(r#"{ chaotic-aur = { id = "123456", token = "secret", check_name = "chaotic-aur: %pkgbase%" } }"#),

    setting("web.port", "CAUR_WEB_PORT", PORT, "TCP port of the web server; none without it.").example("8080"),
    setting("web.trust_proxy", "TRUST_PROXY", Flag, "Whether X-Forwarded-For is believed."),
    setting("web.no_http_log", "NO_HTTP_LOG", Flag, "Whether requests are left out of the log."),

    setting("telegram.bot_token", "TELEGRAM_BOT_TOKEN", Text, "The bot's token.").secret().example(r#""secret""#),
    setting("telegram.chat_id", "TELEGRAM_CHAT_ID", Text, "The chat that is told.").example(r#""-1001234567890""#),

    setting("standalone.state_dir", "CAUR_STATE_DIR", Path,
        "Holds the queue's data, caches, landing zone and, unless told otherwise, the repository.").example(r#""/var/lib/caur""#),

    setting("log.head_limit", "CAUR_LOG_HEAD_LIMIT", COUNT, "Bytes kept from the start of a live log."),
    setting("log.tail_limit", "CAUR_LOG_TAIL_LIMIT", COUNT, "Bytes kept from the end of a live log."),
    setting("log.retention", "CAUR_LOG_RETENTION", SECONDS, "Seconds that a finished log is kept in Redis."),
    setting("log.live_budget", "CAUR_LOG_LIVE_BUDGET", COUNT,
        "Bytes that all live logs together may take in Redis; then the longest lose from their middle."),
    setting("log.finished_budget", "CAUR_LOG_FINISHED_BUDGET", COUNT,
        "Bytes that all finished logs together may take in Redis; then the oldest go."),
];
