//! The builder's face: connects to the engine once, then turns orders into reports.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bollard::Docker;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::analysis::findings;
use super::classify::{Ending, Limits, classify};
use super::collect::collect;
use super::container::{self, Run};
use super::filler::fillers;
use super::git::Git;
use super::image::Images;
use super::journal::Journal;
use super::labels::{Identity, container_name};
use super::ownership::Ownership;
use super::record::{Record, unix_millis};
use super::source::{SourceCache, Wanted};
use super::workspace::{Places, Results, Workspace};
use super::{BuildError, BuildOrder, BuildReport, LabelledContainer, engine, folder, orphan, rebuild, spec};
use crate::ci::PackageBump;
use crate::config::{BuilderSettings, ContainerSettings};
use crate::model::{BuildOutcome, BuilderName, CommitId, LeaseToken, Phase, Pkgbase};

/// Longer times mean "without a limit", and stay far from what a clock can hold.
const LONGEST_SECONDS: u64 = 10 * 365 * 86_400;

/// Builds orders, any number of them at a time.
#[derive(Debug)]
pub struct Builder {
    pub(super) identity: Identity,
    settings: BuilderSettings,
    pub(super) docker: Docker,
    pub(super) places: Places,
    ownership: Ownership,
    sources: SourceCache,
    images: Images,
    engine: String,
}

/// One attempt on its way.
struct Attempt<'a> {
    builder: &'a Builder,
    order: &'a BuildOrder,
    started: Instant,
    /// The same moment for a process that goes on with the build.
    begun: SystemTime,
    journal: &'a Journal,
    phase: &'a watch::Sender<Phase>,
    cancel: &'a CancellationToken,
}

impl Builder {
    /// Finds the container engine, takes the builder's name and makes sure that the shared directory and git can be used.
    ///
    /// # Errors
    /// [`BuildError::NoEngine`] with the sockets that were looked for; [`BuildError::Setting`],
    /// [`BuildError::File`] and [`BuildError::Git`] for the rest.
    pub async fn connect(
        settings: BuilderSettings,
        container: &ContainerSettings,
        name: BuilderName,
    ) -> Result<Self, BuildError> {
        let docker = engine::connect(container, |variable| std::env::var(variable).ok()).await?;
        let places = Places::new(&settings, name.clone())?;
        Git::new()
            .args(["version"])
            .run()
            .await
            .map_err(|failure| BuildError::Git {
                doing: "looking for git".to_owned(),
                detail: failure.to_string(),
            })?;
        let refresh = Duration::from_secs(settings.image_refresh);
        let engine = engine::describe(&docker, container.engine).await;
        Ok(Self {
            ownership: Ownership::claim(&places.shared().own, &name)?,
            identity: Identity {
                name,
                shared: places.shared().host.clone(),
            },
            sources: SourceCache::new(places.sources()),
            images: Images::new(docker.clone(), places.image_stamps(), refresh),
            settings,
            docker,
            places,
            engine,
        })
    }

    /// Builds one order. Never fails: every way to end is in the report. Its output and the builder's own
    /// lines go to `log`, where it is to `phase`; `cancel` ends it within two seconds.
    ///
    /// The returned future has to be driven to its end; the directories stay until [`Self::cleanup`].
    pub async fn run(
        &self,
        order: &BuildOrder,
        log: mpsc::Sender<Vec<u8>>,
        phase: &watch::Sender<Phase>,
        cancel: CancellationToken,
    ) -> BuildReport {
        let started = Instant::now();
        let journal = Journal::new(log);
        let mut report = BuildReport {
            outcome: BuildOutcome::Infrastructure,
            reason: None,
            commit: None,
            image: None,
            packages: Vec::new(),
            package_dir: self.places.package_dir(&order.token),
            namcap: Vec::new(),
            seconds: 0,
        };
        let attempt = Attempt {
            builder: self,
            order,
            started,
            begun: SystemTime::now(),
            journal: &journal,
            phase,
            cancel: &cancel,
        };
        (report.outcome, report.reason) = match attempt.run(&mut report).await {
            Ok(ended) => ended,
            Err(error) => (error.outcome(), Some(error.to_string())),
        };
        report.seconds = started.elapsed().as_secs();
        journal.line(&last_line(&report)).await;
        report
    }

    /// The container engine and its version.
    #[must_use]
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// The lock of another living process that has this builder's name and shared directory; none when the name
    /// is this one's, as it is once that process has ended. While there is a twin nothing is adopted and no
    /// orphan removed, because both would be the twin's.
    #[must_use]
    pub fn twin(&self) -> Option<&Path> {
        self.ownership.twin()
    }

    /// Removes the directories of one attempt and its container, where that is still there, after its packages
    /// were uploaded or given up. Until then a later process can go on with it.
    ///
    /// # Errors
    /// [`BuildError::Engine`] or [`BuildError::File`] when something cannot be removed; the rest is.
    pub async fn cleanup(&self, token: &LeaseToken) -> Result<(), BuildError> {
        let container = self.remove_container(token).await;
        let (places, token) = (self.places.clone(), token.clone());
        let directories = on_disk(move || places.remove(&token)).await;
        container.and(directories)
    }

    async fn remove_container(&self, token: &LeaseToken) -> Result<(), BuildError> {
        for found in self.containers().await? {
            if found.token.as_ref() == Some(token) {
                container::remove(&self.docker, &found.id).await?;
            }
        }
        Ok(())
    }

    /// The build containers of this builder and its shared directory, running or not, with the attempts that
    /// they belong to.
    ///
    /// # Errors
    /// [`BuildError::Engine`] when the engine does not answer.
    pub async fn containers(&self) -> Result<Vec<LabelledContainer>, BuildError> {
        orphan::list(&self.docker, &self.identity).await
    }

    /// Removes the containers and directories of this builder's attempts that are not `alive`, such as those
    /// of a process that was killed; nothing while there is a [`Self::twin`]. Attempts that were adopted or that
    /// this process builds are alive. Returns the names of the removed containers.
    ///
    /// # Errors
    /// [`BuildError::Engine`] or [`BuildError::File`] when something cannot be listed or removed.
    pub async fn orphans(&self, alive: impl Fn(&LeaseToken) -> bool) -> Result<Vec<String>, BuildError> {
        let mut removed = Vec::new();
        if self.twin().is_some() {
            return Ok(removed);
        }
        for found in self.containers().await? {
            if !found.token.as_ref().is_some_and(&alive) {
                container::remove(&self.docker, &found.id).await?;
                removed.push(found.name);
            }
        }
        for token in self.places.workspaces()? {
            if !alive(&token) {
                self.cleanup(&token).await?;
            }
        }
        Ok(removed)
    }
}

impl Attempt<'_> {
    async fn run(&self, report: &mut BuildReport) -> Result<(BuildOutcome, Option<String>), BuildError> {
        let Self {
            builder,
            order,
            journal,
            ..
        } = self;
        let request = &order.request;
        journal
            .line(&format!(
                "job {} attempt {}: {} on builder {}",
                order.token.job,
                order.token.attempt,
                request.key(),
                builder.identity.name
            ))
            .await;

        self.enter(Phase::Fetch).await;
        let workspace = self.make_workspace().await?;
        let commit = self.fetch(&workspace).await?;
        report.commit = Some(commit.clone());
        journal
            .line(&format!("building commit {commit} of {}", request.source))
            .await;

        self.enter(Phase::Prepare).await;
        let image = self.prepare(&workspace).await?;
        report.image = Some(image.clone());
        let image_name = self.image_name();
        journal.line(&format!("image {image_name} is {image}")).await;

        if request.rebuild {
            self.ask_for_rebuild(&workspace).await?;
        }
        let folder = workspace.pkgbuilds.own.join(request.pkgbase.as_str());
        let makepkg_limit = seconds(builder.settings.timeout).mul_f64(folder::extra_timeout(&folder));
        let job_limit = makepkg_limit.saturating_add(self.overhead());
        let limits = Limits {
            skip_status: builder.settings.ci_code_skip,
            makepkg_seconds: makepkg_limit.as_secs(),
            job_seconds: job_limit.as_secs(),
            memory: builder.settings.limits_ram,
        };
        journal.line(&describe_limits(&limits, &builder.settings)).await;

        self.enter(Phase::Build).await;
        let record = Record {
            package: request.key(),
            commit,
            image,
            begun: unix_millis(self.begun),
            limits,
        };
        let ending = self.build(&workspace, &record, makepkg_limit, job_limit).await?;
        conclude(
            &ending,
            &record.limits,
            &workspace.results(),
            &request.pkgbase,
            report,
        )
        .await
    }

    async fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
        self.journal.line(&format!("phase: {}", phase.as_str())).await;
    }

    async fn make_workspace(&self) -> Result<Workspace, BuildError> {
        let (places, order) = (self.builder.places.clone(), self.order.clone());
        let (workspace, dropped) = on_disk(move || {
            let dropped = places.downloads().drop_old(SystemTime::now());
            places
                .create(&order.token, &order.request)
                .map(|workspace| (workspace, dropped))
        })
        .await?;
        for cache in dropped {
            self.journal
                .line(&format!(
                    "dropped downloads not used for a month: {}",
                    cache.display()
                ))
                .await;
        }
        Ok(workspace)
    }

    async fn fetch(&self, workspace: &Workspace) -> Result<CommitId, BuildError> {
        let wanted = Wanted {
            repository: &self.order.request.source,
            settings: &self.order.source,
            commit: self.order.request.build_commit.as_ref(),
            pkgbase: &self.order.request.pkgbase,
        };
        let export = self
            .builder
            .sources
            .export(&wanted, &workspace.pkgbuilds.own, self.journal);
        self.within("fetching the source repository", export).await
    }

    /// Puts the filler files into place and returns the image's identifier.
    async fn prepare(&self, workspace: &Workspace) -> Result<String, BuildError> {
        let pkgbase = &self.order.request.pkgbase;
        let pkgnames = folder::pkgnames(&workspace.pkgbuilds.own.join(pkgbase.as_str()), pkgbase);
        let names = fillers(&self.order.published, pkgbase, &pkgnames);
        let count = names.len();
        let pkgout = workspace.pkgout.own.clone();
        on_disk(move || place_fillers(&pkgout, &names)).await?;
        self.journal
            .line(&format!("{count} published packages are known to makepkg"))
            .await;
        let image = self.builder.images.ensure(self.image_name(), self.journal);
        self.within("getting the build image", image).await
    }

    async fn ask_for_rebuild(&self, workspace: &Workspace) -> Result<(), BuildError> {
        let pkgbuilds = workspace.pkgbuilds.own.clone();
        let (pkgbase, published) = (self.order.request.pkgbase.clone(), self.order.published.clone());
        let asked = on_disk(move || rebuild::ask(&pkgbuilds, &pkgbase, &published)).await?;
        let line = match asked {
            Some(PackageBump { version, bump }) => {
                format!("rebuild: version {version} is built as {version}.{bump}, any other as it is")
            }
            None => "rebuild: nothing of this package is published yet, so its version stays".to_owned(),
        };
        self.journal.line(&line).await;
        Ok(())
    }

    async fn build(
        &self,
        workspace: &Workspace,
        record: &Record,
        makepkg_limit: Duration,
        job_limit: Duration,
    ) -> Result<Ending, BuildError> {
        let Self { builder, order, .. } = self;
        if self.cancel.is_cancelled() {
            return Err(BuildError::Canceled);
        }
        let body = spec::container(order, &builder.settings, &builder.identity, workspace, record)?;
        let run = Run {
            docker: &builder.docker,
            builder: &builder.identity,
            name: container_name(&order.token),
            makepkg_limit,
            deadline: self.started + job_limit,
            journal: self.journal,
            cancel: self.cancel,
        };
        run.run(&body).await
    }

    /// Gives a step before the build the time that is left for such steps; a cancel ends it at once.
    async fn within<T>(
        &self,
        doing: &'static str,
        step: impl Future<Output = Result<T, BuildError>>,
    ) -> Result<T, BuildError> {
        let limit = self.overhead();
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(BuildError::Canceled),
            done = tokio::time::timeout_at(self.started + limit, step) => {
                done.unwrap_or(Err(BuildError::TooSlow { doing, limit }))
            }
        }
    }

    fn overhead(&self) -> Duration {
        seconds(self.builder.settings.overhead_timeout)
    }

    fn image_name(&self) -> &str {
        self.builder.settings.image.as_ref().unwrap_or(&self.order.image)
    }
}

/// What a container's end means, and what it left behind, which goes into the report.
pub(super) async fn conclude(
    ending: &Ending,
    limits: &Limits,
    results: &Results,
    pkgbase: &Pkgbase,
    report: &mut BuildReport,
) -> Result<(BuildOutcome, Option<String>), BuildError> {
    let (outcome, reason) = classify(ending, limits);
    if outcome == BuildOutcome::Built {
        let pkgout = results.pkgout.clone();
        report.packages = on_disk(move || collect(&pkgout)).await?;
    }
    let (temp, pkgbase) = (results.temp.clone(), pkgbase.clone());
    report.namcap = on_disk(move || Ok(findings(&temp, pkgbase.as_str()))).await?;
    Ok((outcome, reason))
}

pub(super) fn seconds(setting: u64) -> Duration {
    Duration::from_secs(setting.min(LONGEST_SECONDS))
}

/// Work on the file system, which would hold up everything else on this thread.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(BuildError::file("work in", "the shared directory")(error.into())),
    }
}

fn place_fillers(pkgout: &Path, names: &[String]) -> Result<(), BuildError> {
    for name in names {
        let path = pkgout.join(name);
        fs::File::create(&path).map_err(BuildError::file("create", &path))?;
    }
    Ok(())
}

fn describe_limits(limits: &Limits, settings: &BuilderSettings) -> String {
    let all = |is_all: bool, text: String| if is_all { "all".to_owned() } else { text };
    format!(
        "limits: makepkg {} s, whole job {} s, CPUs {}, memory {}, open files {}",
        limits.makepkg_seconds,
        limits.job_seconds,
        all(settings.limits_cpus <= 0.0, settings.limits_cpus.to_string()),
        all(limits.memory == 0, format!("{} MiB", limits.memory)),
        settings.limits_nofile
    )
}

pub(super) fn last_line(report: &BuildReport) -> String {
    let what = match (&report.reason, report.packages.len()) {
        (Some(reason), _) => reason.clone(),
        (None, count) => format!("{count} package(s)"),
    };
    format!("{} after {} s: {what}", report.outcome.as_str(), report.seconds)
}
