//! A farm: everything that the daemons need, the daemons themselves, and questions to the queue.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use caur_core::model::{Job, JobState};
use caur_core::queue::{Event, JobFilter, Queue};
use caur_core::testing::{RedisOptions, RedisServer, Sshd, SshdOptions};
use tempfile::TempDir;

use crate::{
    Client, Daemon, FileServer, PackageSource, Published, Ran, SigningKey, caur_daemon, eventually, run,
};

/// The target repository of every farm.
pub const TARGET: &str = "test-repo";
/// The source repository of every farm.
pub const SOURCE: &str = "tests";

const ARCH: &str = "x86_64";
pub(crate) const PASSWORD: &str = "a password with ü and #";
/// How long a role may take until it is ready.
const START: Duration = Duration::from_secs(30);
/// How long a job may take to get where it is expected; builds of tests take seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What kind of farm.
#[derive(Debug, Clone, Copy, Default)]
pub struct FarmOptions {
    /// Builders reach Redis through a tunnel and upload by SFTP, with an account that may do nothing else. Otherwise
    /// they share the file system with the database.
    pub ssh: bool,
    /// The source repository holds the demo collection.
    pub demo: bool,
    /// Builds install what they need from the farm's own repository, over HTTP and with required signatures.
    pub builds_install: bool,
    /// Seconds after which a lease runs out; 0: a minute.
    pub lease: u32,
}

/// The farm. Ends with all that it started when dropped.
pub struct Farm {
    /// The queue's server, with a password.
    pub redis: RedisServer,
    /// The SSH server of a farm with SSH.
    pub sshd: Option<Sshd>,
    /// The web server and the gates for builds.
    pub files: FileServer,
    /// The key that signs packages.
    pub key: SigningKey,
    /// Where package folders come from.
    pub source: PackageSource,
    queue: Queue,
    pub(crate) options: FarmOptions,
    starts: AtomicUsize,
    folder: TempDir,
}

impl Farm {
    /// A farm without daemons.
    ///
    /// # Panics
    /// When something that it needs is missing.
    pub async fn make(options: FarmOptions) -> Self {
        // Unix sockets want a short path.
        let folder = tempfile::Builder::new()
            .prefix("caur-e2e-")
            .tempdir_in("/tmp")
            .expect("/tmp is writable");
        let path = folder.path();
        for name in ["home", "repo", "keyring", "landing-zone", "logs"] {
            fs::create_dir(path.join(name)).expect("a temporary directory is writable");
        }
        // The account that uploads sees the landing zone under another name.
        std::os::unix::fs::symlink(path.join("landing-zone"), path.join("inbox"))
            .expect("a temporary directory is writable");
        let redis = RedisServer::start_with(RedisOptions {
            password: Some(PASSWORD.to_owned()),
            tcp: true,
            durable: true,
        });
        let sshd = options.ssh.then(|| restricted_sshd(redis.port()));
        let key = SigningKey::make(&path.join("gpg"));
        key.write_keyring_package(&path.join("keyring"));
        let source = if options.demo {
            PackageSource::demo(&path.join("source"))
        } else {
            PackageSource::make(&path.join("source"))
        };
        let queue = Queue::open(redis.link())
            .await
            .expect("the queue of an empty Redis opens");
        Self {
            files: FileServer::start(&path.join("repo"), &path.join("keyring")).await,
            redis,
            sshd,
            key,
            source,
            queue,
            options,
            starts: AtomicUsize::new(0),
            folder,
        }
    }

    /// The directory of everything.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where uploads arrive.
    #[must_use]
    pub fn landing_zone(&self) -> PathBuf {
        self.path().join("landing-zone")
    }

    /// The root of the published repositories.
    #[must_use]
    pub fn repository(&self) -> PathBuf {
        self.path().join("repo")
    }

    /// What lies in the landing zone.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn uploads(&self) -> Vec<String> {
        let entries = fs::read_dir(self.landing_zone()).expect("the landing zone is there");
        entries
            .map(|entry| entry.expect("the landing zone can be read").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    /// The repository as it lies on the disk.
    #[must_use]
    pub fn published(&self) -> Published {
        Published::read(&self.repository(), TARGET, ARCH)
    }

    /// A machine that uses the repository over HTTP.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::make(&self.path().join("client"), TARGET, &self.server(), &self.key)
    }

    /// The repository's `Server` line.
    pub(crate) fn server(&self) -> String {
        format!("{}/repo/$repo/$arch", self.files.url())
    }

    /// A name for a builder that no other farm on the same engine uses.
    #[must_use]
    pub fn builder_name(&self, name: &str) -> String {
        let unique = self.path().to_string_lossy().into_owned();
        format!("{name}-{}", unique.rsplit('-').next().unwrap_or_default())
    }

    /// `caur-daemon` with this environment and nothing of the test's own but the search path.
    #[must_use]
    pub fn program(&self, environment: &[(&str, String)]) -> Command {
        let mut command = Command::new(caur_daemon());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path().join("home"))
            .current_dir(self.path().join("home"))
            .envs(environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a role with this environment.
    #[must_use]
    pub fn start(&self, role: &str, name: &str, environment: &[(&str, String)]) -> Daemon {
        let mut command = self.program(environment);
        command.arg(role);
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.path().join("logs").join(format!("{number}-{name}"));
        Daemon::start(name, &mut command, &log)
    }

    /// A running `database`.
    pub async fn database(&self) -> Daemon {
        self.database_with(&self.database_environment()).await
    }

    /// A running `database` with this environment.
    pub async fn database_with(&self, environment: &[(&str, String)]) -> Daemon {
        let mut daemon = self.start("database", "database", environment);
        daemon.says("database is ready", START).await;
        daemon
    }

    /// A running `builder`; its full name is [`Farm::builder_name`].
    pub async fn builder(&self, name: &str, class: &str) -> Daemon {
        let mut daemon = self.start("builder", name, &self.builder_environment(name, class));
        daemon.says("builder is ready", START).await;
        daemon
    }

    /// Runs a command of `caur-daemon` that ends by itself, with direct access to Redis.
    pub async fn caur(&self, arguments: &[&str]) -> Ran {
        self.caur_with(&self.redis_environment(), arguments, "").await
    }

    /// As [`Farm::caur`], with another environment and standard input.
    pub async fn caur_with(&self, environment: &[(&str, String)], arguments: &[&str], input: &str) -> Ran {
        let mut command = self.program(environment);
        command.args(arguments);
        run(command, input).await
    }

    /// As [`Farm::caur`], by the operator ada.
    pub async fn ada(&self, arguments: &[&str]) -> Ran {
        let mut environment = self.redis_environment();
        environment.push(("USER", "ada".to_owned()));
        self.caur_with(&environment, arguments, "").await
    }

    /// Runs `schedule` with `arguments` after the flags for target and source.
    pub async fn schedule(&self, arguments: &[&str]) -> Ran {
        let flags = ["schedule", "--target-repo", TARGET, "--source-repo", SOURCE];
        self.caur(&[&flags, arguments].concat()).await
    }

    /// The newest job of `pkgbase`; none when there is none, or Redis is away.
    pub async fn job(&self, pkgbase: &str) -> Option<Job> {
        let jobs = self.queue.jobs(JobFilter { finished: 10_000 }).await.ok()?;
        jobs.into_iter()
            .filter(|job| job.request.pkgbase.as_str() == pkgbase)
            .max_by_key(|job| job.id)
    }

    /// Checks that `job show` says `line` of the newest job of `pkgbase`.
    ///
    /// # Panics
    /// When it does not.
    pub async fn shows(&self, pkgbase: &str, line: &str) -> Job {
        let shown = self.caur(&["job", "show", pkgbase]).await.expect(0).stdout;
        assert!(shown.contains(line), "{line:?} is not in:\n{shown}");
        self.job(pkgbase).await.expect("a job that was shown is there")
    }

    /// Waits until the newest job of `pkgbase` is as `wanted`.
    ///
    /// # Panics
    /// When it ends otherwise, or it takes too long.
    pub async fn wait_until(&self, pkgbase: &str, wanted: impl Fn(&Job) -> bool) -> Job {
        let wanted = &wanted;
        let found = eventually(PATIENCE, || async move {
            let job = self.job(pkgbase).await?;
            (wanted(&job) || job.state.is_final()).then_some(job)
        })
        .await;
        match found {
            Ok(job) if wanted(&job) => job,
            Ok(job) => {
                let log = self.caur(&["job", "log", &job.id.to_string()]).await.stdout;
                panic!(
                    "the job of {pkgbase} ended as {}\n{}\nits log:\n{log}",
                    job.state,
                    self.report().await
                )
            }
            Err(after) => panic!(
                "the job of {pkgbase} is not as expected after {after:?}\n{}",
                self.report().await
            ),
        }
    }

    /// Waits until the newest job of `pkgbase` is in this state.
    pub async fn wait_for(&self, pkgbase: &str, state: JobState) -> Job {
        self.wait_until(pkgbase, |job| job.state == state).await
    }

    /// Every transition of every job, in order.
    ///
    /// # Panics
    /// When Redis is away.
    pub async fn events(&self) -> Vec<Event> {
        self.queue
            .events_after("0", 100_000, Duration::ZERO)
            .await
            .expect("the events can be read")
    }

    /// How often jobs of `pkgbase` entered `state`.
    pub async fn times(&self, pkgbase: &str, state: JobState) -> usize {
        let key = format!("{TARGET}/{ARCH}/{pkgbase}");
        let events = self.events().await;
        events
            .iter()
            .filter(|event| event.to == state && event.key == key)
            .count()
    }

    /// Checks that the queue keeps its invariants, by the command that operators have.
    pub async fn check_queue(&self) {
        let audit = self.caur(&["audit"]).await.expect(0);
        assert_eq!(audit.stdout.trim(), "the queue is sound");
    }

    /// The queue itself.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Jobs and events, for messages.
    pub async fn report(&self) -> String {
        let list = self.caur(&["job", "list", "--finished", "100"]).await;
        let events = self.queue.events_after("0", 100_000, Duration::ZERO).await;
        let mut told = String::new();
        for event in events.unwrap_or_default() {
            let from = event.from.map_or("-", JobState::as_str);
            told.push_str(&format!(
                "{} {} {from} > {} ({}, {}) {}\n",
                event.id, event.key, event.to, event.builder, event.attempt, event.reason
            ));
        }
        format!("{}{}\nevents:\n{told}", list.stdout, list.stderr)
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        // A killed builder's containers outlive it.
        let Some(socket) = std::env::var_os("CAUR_DOCKER_SOCKET") else {
            return;
        };
        let docker = |arguments: &[&str]| {
            let host = format!("unix://{}", Path::new(&socket).display());
            let output = Command::new("docker")
                .args(["-H", &host])
                .args(arguments)
                .output();
            output
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                .unwrap_or_default()
        };
        let ours = self.builder_name("");
        let list = docker(&["ps", "-a", "--format", "{{.ID}} {{.Label \"org.caur.builder\"}}"]);
        for line in list.lines() {
            if let Some((id, builder)) = line.split_once(' ')
                && builder.ends_with(&ours)
            {
                docker(&["rm", "-f", id]);
            }
        }
    }
}

/// An account that may reach Redis and the landing zone and nothing else.
fn restricted_sshd(redis: u16) -> Sshd {
    Sshd::start_with(&SshdOptions {
        restrictions: format!("restrict,port-forwarding,permitopen=\"127.0.0.1:{redis}\""),
        config: [
            "ForceCommand internal-sftp",
            "AllowTcpForwarding local",
            "AllowAgentForwarding no",
            "AllowStreamLocalForwarding no",
            "PermitTTY no",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..SshdOptions::default()
    })
}
