//! The repositories' housekeeping: at the start and every hour, whether anything is published or not.

use std::sync::Arc;
use std::time::Duration;

use caur_core::model::Target;
use color_eyre::eyre::Result;
use tokio_util::sync::CancellationToken;

use crate::causes::chain;
use crate::package_index::PackageIndex;
use crate::repo::site::Site;

/// How often.
const INTERVAL: Duration = Duration::from_hours(1);

/// Tidies `targets` until `shutdown`, and tells Redis anew what they list: another process may have changed them.
///
/// # Errors
/// The work panicked.
pub async fn keep_house(
    site: Arc<Site>,
    index: Arc<PackageIndex>,
    targets: Vec<Target>,
    shutdown: CancellationToken,
) -> Result<()> {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return Ok(()),
        }
        for target in &targets {
            if shutdown.is_cancelled() {
                return Ok(());
            }
            tidy(&site, target).await?;
            if let Err(error) = index.publish(target).await {
                tracing::warn!(%target, "cannot tell what {target} lists: {}", chain(&*error));
            }
        }
    }
}

async fn tidy(site: &Arc<Site>, target: &Target) -> Result<()> {
    let (site, owned) = (site.clone(), target.clone());
    match tokio::task::spawn_blocking(move || site.repository.tidy(&owned)).await? {
        Ok(report) => {
            if !report.is_empty() {
                tracing::info!(%target, ?report, "tidied {target}");
            }
            for file in &report.missing {
                tracing::error!(%target, file, "{target} lists {file}, which is lost: build it again, or remove it");
            }
        }
        Err(error) => tracing::error!(%target, "cannot tidy {target}: {}", chain(&error)),
    }
    Ok(())
}
