//! Keeps what is on the screen up to date, and only that: builders, details of a job, history, trail, statistics.

use std::collections::BTreeSet;
use std::time::Duration;

use caur_core::model::{Arch, Job, JobId, Target};
use caur_core::queue::{Queue, QueueError, Why};
use tokio::time::{Instant, sleep};

use super::hub::Hub;
use crate::msg::{BackendMsg, FarmNews, JobDetails};

/// How often builders are asked about while they are looked at, and while they are only counted.
const BUILDERS_SHOWN: Duration = Duration::from_secs(10);
const BUILDERS_COUNTED: Duration = Duration::from_secs(60);
/// The least time between two looks that changes ask for.
const PAUSE: Duration = Duration::from_secs(2);
/// The least time between two forecasts.
const FORECAST: Duration = Duration::from_secs(10);
/// How long somebody has to stay on a job until more about it is fetched.
const SETTLED: Duration = Duration::from_millis(150);
const STATISTICS: Duration = Duration::from_secs(60);
const TRAIL: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(3600);

/// Reports the user's rights and what the farm is made of, once per link.
pub async fn introduce(hub: &Hub) {
    hub.keep("the farm", async |queue: Queue| {
        let may_operate = queue.may_operate().await?;
        let who = hub.who.clone();
        hub.report(BackendMsg::Access { may_operate, who }).await;
        let farm = queue.farm().await?.unwrap_or_default();
        let candidates: Vec<Target> = {
            let jobs = hub.jobs.lock().expect("nobody panics with the lock");
            let used: BTreeSet<Target> = jobs.all.values().map(|job| job.request.target.clone()).collect();
            let mut archs: BTreeSet<Arch> = used.iter().map(|target| target.arch.clone()).collect();
            archs.extend(Arch::new("x86_64"));
            let configured = farm.targets.keys().flat_map(|repo| {
                archs.iter().map(|arch| Target {
                    repo: repo.clone(),
                    arch: arch.clone(),
                })
            });
            used.iter()
                .cloned()
                .chain(configured)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect()
        };
        let sizes = queue.index_sizes(&candidates).await?;
        let listing = candidates.iter().zip(&sizes).filter(|(_, size)| **size > 0);
        let mut targets: Vec<Target> = listing.map(|(target, _)| target.clone()).collect();
        if targets.is_empty() {
            targets = candidates;
        }
        let news = FarmNews {
            targets,
            logs_url: farm.logs_url,
        };
        hub.report(BackendMsg::Farm(news)).await;
        // Until there is another link.
        std::future::pending().await
    })
    .await;
}

/// Reports the builders, and a forecast whenever something changed.
pub async fn builders(hub: &Hub) {
    hub.keep("the builders", async |queue: Queue| {
        let mut changes = hub.changes.subscribe();
        let mut forecast_due = Instant::now();
        loop {
            let (builders, pause) = (queue.builders().await?, queue.paused().await?);
            let paused = pause.is_some();
            *hub.builders.lock().expect("nobody panics with the lock") = (builders.clone(), paused);
            hub.report(BackendMsg::Builders(builders.clone(), pause)).await;
            if Instant::now() >= forecast_due {
                let jobs: Vec<Job> = {
                    let jobs = hub.jobs.lock().expect("nobody panics with the lock");
                    jobs.all
                        .values()
                        .filter(|job| !job.state.is_final())
                        .cloned()
                        .collect()
                };
                let forecast = queue.forecast_of(&jobs, &builders, paused).await?;
                hub.report(BackendMsg::Forecast(forecast)).await;
                forecast_due = Instant::now() + FORECAST;
            }
            let shown = hub.interest.borrow().builders;
            let limit = if shown { BUILDERS_SHOWN } else { BUILDERS_COUNTED };
            tokio::select! {
                () = hub.next_change(&mut changes, PAUSE, limit) => {}
                _ = hub.interest_other_than(&shown, |interest| interest.builders) => {}
            }
        }
    })
    .await;
}

/// Reports more about the job that is looked at.
pub async fn details(hub: &Hub) {
    hub.keep("the job's details", async |queue: Queue| {
        let mut shown: (Option<JobId>, bool) = (None, false);
        let part = |interest: &crate::msg::Interest| (interest.details, interest.log.is_some());
        let mut changes = hub.changes.subscribe();
        loop {
            tokio::select! {
                now = hub.interest_other_than(&shown, part) => {
                    sleep(SETTLED).await;
                    if part(&hub.interest.borrow()) != now {
                        continue;
                    }
                    shown = now;
                }
                () = hub.next_change(&mut changes, PAUSE, LONG), if shown.0.is_some() => {}
            }
            if let Some(id) = shown.0 {
                report_details(hub, &queue, id, shown.1).await?;
            }
        }
    })
    .await;
}

async fn report_details(hub: &Hub, queue: &Queue, id: JobId, whole: bool) -> Result<(), QueueError> {
    let known = {
        let jobs = hub.jobs.lock().expect("nobody panics with the lock");
        jobs.all.get(&id).cloned()
    };
    let job = match known {
        Some(job) => Some(job),
        None => queue.job(id).await?,
    };
    let Some(job) = job else { return Ok(()) };
    let why = if job.state.is_queued() {
        queue.why(&job).await?
    } else {
        Why::Nothing
    };
    let (manifest, past) = if whole {
        (
            queue.manifest(id).await?,
            queue.package_history(&job.request.key()).await?,
        )
    } else {
        (None, Vec::new())
    };
    let details = JobDetails {
        job,
        why,
        manifest,
        past,
    };
    hub.report(BackendMsg::Details(id, Box::new(details))).await;
    Ok(())
}

/// Reports finished jobs while they are looked at.
pub async fn history(hub: &Hub) {
    hub.keep("the history", async |queue: Queue| {
        let mut changes = hub.changes.subscribe();
        let mut wanted = 0;
        let mut known: Vec<Job> = Vec::new();
        loop {
            tokio::select! {
                now = hub.interest_other_than(&wanted, |interest| interest.history) => wanted = now,
                () = hub.next_change(&mut changes, PAUSE, LONG), if wanted > 0 => {}
            }
            if wanted == 0 {
                continue;
            }
            let complete = add_newer(&queue, &mut known, wanted).await?;
            hub.report(BackendMsg::History(known.clone(), complete)).await;
        }
    })
    .await;
}

/// Brings `known`, newest first, up to date, and to `wanted` jobs where there are so many; whether it holds all.
async fn add_newer(queue: &Queue, known: &mut Vec<Job>, wanted: usize) -> Result<bool, QueueError> {
    const STEP: usize = 20;
    let mut newer: Vec<Job> = Vec::new();
    // Pages of the newest until one that is known: what was built again stands in front once more.
    while !known.is_empty() {
        let place = newer
            .last()
            .map(|job| (job.finished.unwrap_or(job.since), job.id));
        let page = queue.finished_jobs(place, STEP).await?;
        let ended = page.len() < STEP;
        for job in page {
            if known
                .iter()
                .any(|old| old.id == job.id && old.finished == job.finished)
            {
                known.retain(|old| newer.iter().all(|new| new.id != old.id));
                newer.append(known);
                *known = std::mem::take(&mut newer);
                break;
            }
            newer.push(job);
        }
        if newer.is_empty() {
            break;
        }
        if ended || newer.len() >= wanted {
            *known = std::mem::take(&mut newer);
            break;
        }
    }
    if known.len() >= wanted {
        return Ok(false);
    }
    let place = known
        .last()
        .map(|job| (job.finished.unwrap_or(job.since), job.id));
    let missing = wanted - known.len();
    let older = queue.finished_jobs(place, missing).await?;
    let complete = older.len() < missing;
    known.extend(older);
    Ok(complete)
}

/// Reports the trail while it is looked at.
pub async fn activity(hub: &Hub) {
    hub.keep("the trail", async |queue: Queue| {
        let mut wanted = 0;
        let mut newest = String::new();
        loop {
            if wanted > 0 {
                let last = queue
                    .trail(1)
                    .await?
                    .pop()
                    .map(|entry| entry.id)
                    .unwrap_or_default();
                if last != newest {
                    newest = last;
                    hub.report(BackendMsg::Activity(queue.trail(wanted).await?)).await;
                }
            }
            let pause = if wanted > 0 { TRAIL } else { LONG };
            tokio::select! {
                now = hub.interest_other_than(&wanted, |interest| interest.activity) => {
                    wanted = now;
                    newest = String::from("none yet");
                }
                () = sleep(pause) => {}
            }
        }
    })
    .await;
}

/// Reports statistics while they are looked at.
pub async fn statistics(hub: &Hub) {
    hub.keep("the statistics", async |queue: Queue| {
        let mut wanted = 0;
        loop {
            if wanted > 0 {
                let statistics = queue.statistics(wanted).await?;
                hub.report(BackendMsg::Statistics(Box::new(statistics))).await;
            }
            let pause = if wanted > 0 { STATISTICS } else { LONG };
            tokio::select! {
                now = hub.interest_other_than(&wanted, |interest| interest.statistics) => wanted = now,
                () = sleep(pause) => {}
            }
        }
    })
    .await;
}
