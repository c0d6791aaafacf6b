//! Puts roles together from the configuration: `builder`, `database`, and both with a private Redis, `standalone`.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use caur_core::build::Builder;
use caur_core::config::{Config, host_name};
use caur_core::connect::redis_link;
use caur_core::log::LogLimits;
use caur_core::model::Target;
use caur_core::queue::{Queue, QueueRules, new_instance};
use caur_core::repo::Repository;
use color_eyre::eyre::{Result, WrapErr};

use crate::builder::BuilderRole;
use crate::delivery::Delivery;
use crate::housekeeping::keep_house;
use crate::package_index::PackageIndex;
use crate::publisher::Publisher;
use crate::redis_child::RedisChild;
use crate::repo::site::Site;
use crate::repo_requests::RequestServer;
use crate::repository_options::repository_options;
use crate::supervisor::Supervisor;
use crate::sweeper::sweep;

/// Runs the `builder` role until a signal.
///
/// # Errors
/// Configuration, Redis or container engine are not as they should be.
pub async fn builder(config: &Config) -> Result<()> {
    let queue = Queue::open(redis_link(&config.redis).await?).await?;
    let delivery = match (&config.redis.ssh.host, &config.database.landing_zone) {
        // A builder beside its database: no SSH, and a landing zone that exists here.
        (None, Some(zone)) if zone.is_dir() => Delivery::Local {
            landing_zone: zone.clone(),
            repository: config.repository_directory(),
        },
        _ => Delivery::Sftp(config.redis.ssh.clone()),
    };
    let mut supervisor = Supervisor::new();
    spawn_builder(&mut supervisor, config, queue, delivery).await?;
    supervisor.run().await
}

/// Runs the `database` role until a signal.
///
/// # Errors
/// Configuration, Redis, repository or signing key are not as they should be.
pub async fn database(config: &Config) -> Result<()> {
    let queue = Queue::open(redis_link(&config.redis).await?).await?;
    let mut supervisor = Supervisor::new();
    spawn_database(&mut supervisor, config, queue).await?;
    supervisor.run().await
}

/// Runs `database`, one builder and a private Redis until a signal.
///
/// # Errors
/// As the other two; or no Redis server is installed.
pub async fn standalone(mut config: Config) -> Result<()> {
    let state = config.require_standalone()?.state_dir;
    let folder = |name: &str| -> Result<std::path::PathBuf> {
        let path = state.join(name);
        fs::create_dir_all(&path).wrap_err_with(|| format!("cannot create {}", path.display()))?;
        path.canonicalize()
            .wrap_err_with(|| format!("cannot find {}", path.display()))
    };
    let landing_zone = match &config.database.landing_zone {
        Some(path) => path.clone(),
        None => folder("landing-zone")?,
    };
    config.database.landing_zone = Some(landing_zone.clone());
    if !config.database.repo_dir.is_dir() && config.database.repo_path.is_none() {
        config.database.repo_dir = folder("repo")?;
    }
    if !config.builder.shared_dir.is_dir() {
        config.builder.shared_dir = folder("builder")?;
        config.builder.shared_path = None;
    }
    let delivery = Delivery::Local {
        landing_zone,
        repository: config.repository_directory(),
    };

    let redis = RedisChild::start(&state).await?;
    let queue = Queue::open(redis.link()).await?;
    tracing::info!("the queue is at redis+unix://{}", redis.socket().display());
    let mut supervisor = Supervisor::new();
    let stop_redis = tokio_util::sync::CancellationToken::new();
    let (shutdown, stop) = (supervisor.shutdown(), stop_redis.clone());
    let redis = tokio::spawn(async move {
        let ended = redis.keep(stop).await;
        shutdown.cancel();
        ended
    });
    let result = async {
        spawn_database(&mut supervisor, &config, queue.clone()).await?;
        spawn_builder(&mut supervisor, &config, queue, delivery).await?;
        supervisor.run().await
    }
    .await;
    // Last, since the others still write while they drain.
    stop_redis.cancel();
    let redis = redis.await.wrap_err("the task that keeps Redis panicked")?;
    result.and(redis)
}

async fn spawn_builder(
    supervisor: &mut Supervisor,
    config: &Config,
    queue: Queue,
    delivery: Delivery,
) -> Result<()> {
    let role = config.require_builder(&host_name())?;
    let builder = Builder::connect(role.settings.clone(), &config.container, role.name.clone()).await?;
    let role = BuilderRole {
        queue,
        name: role.name,
        instance: new_instance(),
        settings: role.settings,
        lease: Duration::from_secs(config.queue.lease),
        log: LogLimits {
            head: config.log.head_limit,
            tail: config.log.tail_limit,
            retention: Duration::from_secs(config.log.retention),
        },
        builder,
        delivery,
    };
    supervisor.spawn("builder", role.run(supervisor.shutdown()));
    Ok(())
}

async fn spawn_database(supervisor: &mut Supervisor, config: &Config, queue: Queue) -> Result<()> {
    let role = config.require_database()?;
    let name = format!("{}:{}", host_name(), std::process::id());
    let lease = Duration::from_secs(config.queue.lease);
    let (kept, root) = (role.repository, role.repo_dir);
    let upstream = kept.upstream_databases.clone();
    let open = move || -> Result<_> { Ok(Repository::open(repository_options(root, &kept)?)?) };
    let repository = tokio::task::spawn_blocking(open).await??;
    for recovered in repository.recovered() {
        tracing::warn!("finished what an earlier process left: {recovered:?}");
    }
    let repository = Arc::new(repository);
    let index = Arc::new(PackageIndex::new(queue.clone(), repository.clone()));
    let site = Arc::new(Site {
        repository: repository.clone(),
        upstream,
    });
    let publisher = Arc::new(Publisher {
        queue: queue.clone(),
        repository,
        index: index.clone(),
        sources: role.farm.sources.keys().cloned().collect(),
        landing_zone: role.landing_zone,
        name: name.clone(),
        lease,
        log_retention: Duration::from_secs(config.log.retention),
    });
    let targets: Vec<Target> = role
        .farm
        .targets
        .keys()
        .flat_map(|repo| {
            role.arches.iter().map(|arch| Target {
                repo: repo.clone(),
                arch: arch.clone(),
            })
        })
        .collect();
    publisher.announce(&targets).await?;
    queue.publish_rules(&rules(config)).await?;
    queue.publish_farm(&role.farm).await?;
    if !queue.is_durable().await? {
        tracing::warn!(
            "Redis writes no append-only file: a restart of Redis loses the queue; set `appendonly yes` there"
        );
    }
    tracing::info!("database is ready, {} targets", targets.len());
    let requests = RequestServer {
        queue: queue.clone(),
        site: site.clone(),
        index: index.clone(),
        name: name.clone(),
        lease,
    };
    supervisor.spawn("publisher", publisher.run(supervisor.shutdown()));
    supervisor.spawn("requests", requests.run(supervisor.shutdown()));
    supervisor.spawn(
        "housekeeping",
        keep_house(site, index, targets, supervisor.shutdown()),
    );
    supervisor.spawn("sweeper", sweep(queue, name, lease, supervisor.shutdown()));
    Ok(())
}

/// What the database tells every script about how the queue works.
fn rules(config: &Config) -> QueueRules {
    let (queue, log) = (&config.queue, &config.log);
    QueueRules {
        attempts: queue.attempts,
        backoff: Duration::from_secs(queue.backoff),
        blocked: Duration::from_secs(queue.blocked),
        failed_dependency: queue.failed_dependency,
        self_pause_after: queue.self_pause_after,
        self_pause: Duration::from_secs(queue.self_pause),
        keep_finished: queue.keep_finished,
        keep_finished_for: Duration::from_secs(queue.retention),
        keep_events_for: Duration::from_secs(queue.retention),
        log_live_bytes: log.live_budget,
        log_kept_bytes: log.finished_budget,
        log_kept_for: Duration::from_secs(log.retention),
    }
}
