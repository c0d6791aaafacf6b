//! One builder with directories, a source repository and an image of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::Docker;
use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions,
    UploadToContainerOptionsBuilder,
};
use caur_core::build::{Adoptable, BuildOrder, BuildReport, Builder};
use caur_core::config::{BuilderSettings, ContainerSettings, Engine};
use caur_core::model::{
    BuildClass, BuilderName, CommitId, JobId, JobRequest, LeaseToken, Phase, SourceSettings, Target,
    TargetSettings,
};
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::quiet::{Place, place};

/// No build of these tests takes longer, unless something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Farm {
    pub settings: BuilderSettings,
    pub builder: Arc<Builder>,
    pub source: PathBuf,
    pub image: String,
    pub name: String,
    directory: tempfile::TempDir,
    _sweep: Sweep,
    _place: Place,
}

/// Removes the containers of a farm that is dropped, as a failed test leaves some, too.
struct Sweep(String);

impl Drop for Sweep {
    fn drop(&mut self) {
        let label = format!("label=org.caur.builder={}", self.0);
        let socket = format!("unix://{}", engine().socket.unwrap().display());
        let docker = |args: &[&str]| {
            let output = Command::new("docker")
                .args(["--host", &socket])
                .args(args)
                .output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        for id in docker(&["ps", "--all", "--quiet", "--filter", &label]).lines() {
            docker(&["rm", "--force", id]);
        }
    }
}

/// A build that runs on its own task.
pub struct Running {
    pub token: LeaseToken,
    pub cancel: CancellationToken,
    pub phase: watch::Receiver<Phase>,
    task: tokio::task::JoinHandle<BuildReport>,
    log: mpsc::Receiver<Vec<u8>>,
    text: Vec<u8>,
}

impl Farm {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A farm beside which no other works, for tests that measure time.
    pub async fn alone() -> Self {
        Self::make(|_| {}, place(true).await).await
    }

    /// A farm whose builder has other settings than the defaults.
    pub async fn with(change: impl FnOnce(&mut BuilderSettings)) -> Self {
        Self::make(change, place(false).await).await
    }

    async fn make(change: impl FnOnce(&mut BuilderSettings), place: Place) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        git(
            directory.path(),
            &["init", "--quiet", "--initial-branch=main", "source"],
        );
        let mut settings = BuilderSettings {
            shared_dir: directory.path().join("shared"),
            network: "none".to_owned(),
            ..BuilderSettings::default()
        };
        change(&mut settings);
        let name = format!("test-{}", unique());
        let builder = Builder::connect(settings.clone(), &engine(), name.parse().unwrap())
            .await
            .unwrap();
        Self {
            settings,
            builder: Arc::new(builder),
            source,
            image: image().await,
            _sweep: Sweep(name.clone()),
            name,
            directory,
            _place: place,
        }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Commits a folder with a PKGBUILD of this text.
    pub fn push(&self, pkgbase: &str, pkgbuild: &str) -> CommitId {
        self.push_file(&format!("{pkgbase}/PKGBUILD"), pkgbuild)
    }

    pub fn push_file(&self, path: &str, content: &str) -> CommitId {
        let file = self.source.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
        git(&self.source, &["add", "--all"]);
        git(&self.source, &["commit", "--quiet", "--message=change"]);
        self.head()
    }

    pub fn head(&self) -> CommitId {
        git(&self.source, &["rev-parse", "HEAD"]).parse().unwrap()
    }

    pub fn order(&self, pkgbase: &str) -> BuildOrder {
        BuildOrder {
            token: LeaseToken {
                job: JobId(unique()),
                attempt: 1,
                nonce: "nonce".to_owned(),
            },
            request: JobRequest {
                target: Target {
                    repo: "repo".parse().unwrap(),
                    arch: "x86_64".parse().unwrap(),
                },
                source: "packages".parse().unwrap(),
                pkgbase: pkgbase.parse().unwrap(),
                class: BuildClass::DEFAULT,
                names: Vec::new(),
                needs: Vec::new(),
                build_commit: None,
                status_commit: None,
                arch_mirror: None,
                rebuild: false,
            },
            source: SourceSettings {
                url: self.source.display().to_string(),
            },
            target: TargetSettings::default(),
            published: Vec::new(),
            image: self.image.clone(),
            local_repository: None,
        }
    }

    /// Commits a folder of that name and builds it.
    pub async fn build(&self, pkgbase: &str) -> (BuildReport, Vec<u8>) {
        self.push(pkgbase, pkgbase);
        self.run(&self.order(pkgbase)).await
    }

    /// A second process of the same builder.
    pub async fn another(&self) -> Builder {
        Builder::connect(self.settings.clone(), &engine(), self.name.parse().unwrap())
            .await
            .unwrap()
    }

    /// The builder's process dies and is started again.
    pub async fn restart(&mut self) {
        let name: BuilderName = format!("gone-{}", unique()).parse().unwrap();
        let other = Builder::connect(self.settings.clone(), &engine(), name)
            .await
            .unwrap();
        let dead = std::mem::replace(&mut self.builder, Arc::new(other));
        drop(Arc::into_inner(dead).expect("builds of a process die with it"));
        self.builder = Arc::new(self.another().await);
    }

    /// Lets a `waits` build go on, to end with this exit status.
    pub fn let_go(&self, token: &LeaseToken, status: u8) {
        let jobs = self.settings.shared_dir.join("jobs");
        let go = jobs.join(format!("{}.{}/pkgbuilds/go", token.job, token.attempt));
        // Complete from the first moment on.
        std::fs::write(go.with_extension("new"), status.to_string()).unwrap();
        std::fs::rename(go.with_extension("new"), go).unwrap();
    }

    pub async fn run(&self, order: &BuildOrder) -> (BuildReport, Vec<u8>) {
        let (log, receiver) = mpsc::channel(4);
        let (phase, _) = watch::channel(Phase::Fetch);
        let run = self.builder.run(order, log, &phase, CancellationToken::new());
        let both = async { tokio::join!(run, drain(receiver)) };
        tokio::time::timeout(PATIENCE, both)
            .await
            .expect("a build of the tests is short")
    }
}

/// Goes on with a build of an earlier process.
pub fn adopt(farm: &Farm, order: BuildOrder, adopted: Adoptable) -> Running {
    let builder = farm.builder.clone();
    spawn(order, |order, log, phase, cancel| async move {
        builder.adopt(&order, adopted, log, &phase, cancel).await
    })
}

/// Starts a build of `order` that the test can talk to.
pub fn start(farm: &Farm, order: BuildOrder) -> Running {
    let builder = farm.builder.clone();
    spawn(order, |order, log, phase, cancel| async move {
        builder.run(&order, log, &phase, cancel).await
    })
}

fn spawn<F>(
    order: BuildOrder,
    work: impl FnOnce(BuildOrder, mpsc::Sender<Vec<u8>>, watch::Sender<Phase>, CancellationToken) -> F,
) -> Running
where
    F: Future<Output = BuildReport> + Send + 'static,
{
    let (sender, log) = mpsc::channel(4);
    let (phase, receiver) = watch::channel(Phase::Fetch);
    let cancel = CancellationToken::new();
    let token = order.token.clone();
    let task = tokio::spawn(work(order, sender, phase, cancel.clone()));
    Running {
        token,
        cancel,
        phase: receiver,
        task,
        log,
        text: Vec::new(),
    }
}

impl Running {
    /// Waits until the log holds `text`.
    pub async fn until(&mut self, text: &str) {
        let found = async {
            while !String::from_utf8_lossy(&self.text).contains(text) {
                let more = self.log.recv().await;
                self.text
                    .extend(more.unwrap_or_else(|| panic!("the log ended without {text:?}")));
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .expect("the line comes soon");
    }

    /// Waits until the container prints that it is ready, and until the engine knows that it runs: the output
    /// is a little ahead of that.
    pub async fn until_ready(&mut self) {
        self.until("ready").await;
        let name = container_name(&self.token);
        let runs = async {
            loop {
                let inspected = docker()
                    .inspect_container(&name, None::<InspectContainerOptions>)
                    .await
                    .unwrap();
                if inspected.state.is_some_and(|state| state.running == Some(true)) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, runs)
            .await
            .expect("the container runs soon");
    }

    /// The process dies in the middle of the build.
    pub async fn die(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub async fn end(self) -> (BuildReport, String) {
        let Self {
            task, log, mut text, ..
        } = self;
        let both = async { tokio::join!(task, drain(log)) };
        let (report, rest) = tokio::time::timeout(PATIENCE, both)
            .await
            .expect("a build of the tests is short");
        text.extend(rest);
        (report.unwrap(), String::from_utf8_lossy(&text).into_owned())
    }
}

async fn drain(mut log: mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
    let mut text = Vec::new();
    while let Some(bytes) = log.recv().await {
        text.extend(bytes);
    }
    text
}

pub fn git(directory: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(directory)
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@localhost",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn engine() -> ContainerSettings {
    let socket = std::env::var_os("CAUR_DOCKER_SOCKET")
        .expect("CAUR_DOCKER_SOCKET names no container engine: run scripts/test, which starts one");
    ContainerSettings {
        engine: Engine::Docker,
        socket: Some(socket.into()),
    }
}

pub fn docker() -> Docker {
    let socket = engine().socket.unwrap();
    Docker::connect_with_unix(&socket.to_string_lossy(), 60, bollard::API_DEFAULT_VERSION).unwrap()
}

pub fn container_name(token: &LeaseToken) -> String {
    format!("caur-{}-{}-{:.8}", token.job, token.attempt, token.nonce)
}

/// A number that no other test of any process uses.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap() + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The build image that `scripts/test` made.
pub fn base_image() -> String {
    std::env::var("CAUR_TEST_IMAGE").unwrap_or_else(|_| "caur-builder-test:latest".to_owned())
}

/// The base image with the entry point of the tests; made once for each version of that.
async fn image() -> String {
    static IMAGE: OnceCell<String> = OnceCell::const_new();
    IMAGE.get_or_init(make_image).await.clone()
}

async fn make_image() -> String {
    let docker = docker().negotiate_version().await.unwrap();
    let base = base_image();
    let found = docker
        .inspect_image(&base)
        .await
        .unwrap_or_else(|error| panic!("no base image {base} ({error}): run scripts/test, which makes one"));
    let script = include_bytes!("entry_point.sh");
    let mut hasher = Sha256::new();
    hasher.update(script);
    hasher.update(found.id.unwrap());
    let tag = hex::encode(&hasher.finalize()[..8]);
    let name = format!("caur-build-test:{tag}");
    if docker.inspect_image(&name).await.is_ok() {
        return name;
    }
    let body = ContainerCreateBody {
        image: Some(base),
        entrypoint: Some(vec!["/entry_point.sh".to_owned()]),
        ..ContainerCreateBody::default()
    };
    let container = docker
        .create_container(None::<CreateContainerOptions>, body)
        .await
        .unwrap()
        .id;
    let upload = UploadToContainerOptionsBuilder::default().path("/").build();
    docker
        .upload_to_container(
            &container,
            Some(upload),
            bollard::body_full(archive(script).into()),
        )
        .await
        .unwrap();
    let commit = CommitContainerOptionsBuilder::default()
        .container(&container)
        .repo("caur-build-test")
        .tag(&tag)
        .changes("ENTRYPOINT [\"/entry_point.sh\"]")
        .build();
    docker
        .commit_container(commit, ContainerConfig::default())
        .await
        .unwrap();
    docker
        .remove_container(&container, None::<RemoveContainerOptions>)
        .await
        .unwrap();
    name
}

fn archive(script: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(script.len() as u64);
    header.set_mode(0o755);
    archive
        .append_data(&mut header, "entry_point.sh", script)
        .unwrap();
    archive.into_inner().unwrap()
}
