//! `job show`: everything about one job, and why it waits.

use caur_core::model::{Job, Manifest, PastAttempt, PhaseStart};
use caur_core::queue::{Queue, Why};
use color_eyre::eyre::Result;
use serde::Serialize;

use super::find::Finder;
use super::why;
use crate::stdout;
use crate::table::{duration, elapsed, listing};

/// A job as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    job: &'a Job,
    why: &'a Why,
    forecast: Option<Forecast>,
    manifest: Option<Manifest>,
}

/// When it is likely to be built, in milliseconds since 1970.
#[derive(Serialize)]
struct Forecast {
    start: u64,
    end: u64,
}

/// Prints the job that `name` means.
///
/// # Errors
/// It does not exist, or Redis is out of reach.
pub async fn show(queue: &Queue, name: &str, as_json: bool) -> Result<()> {
    let job = Finder::new(queue).find(name).await?;
    let why = queue.why(&job).await?;
    let forecast = queue.forecast().await?.get(&job.id).map(|span| Forecast {
        start: span.start,
        end: span.end,
    });
    let manifest = queue.manifest(job.id).await?;
    if as_json {
        let shown = Shown {
            job: &job,
            why: &why,
            forecast,
            manifest,
        };
        return stdout::json(&shown);
    }
    let now = queue.now().await?;
    let mut rows = rows(&job, &why, forecast.as_ref(), now);
    rows.extend(manifest.iter().flat_map(results));
    stdout::text(&listing(&rows))
}

fn rows(job: &Job, why: &Why, forecast: Option<&Forecast>, now: u64) -> Vec<(&'static str, String)> {
    let request = &job.request;
    let optional = |value: Option<String>| value.unwrap_or_default();
    let sentence = why::sentence(why, now);
    let reason = optional(job.reason.clone());
    let explained = match (sentence.is_empty(), reason.is_empty()) {
        (true, true) => optional(job.phase.clone()),
        (true, false) => reason,
        (false, _) => sentence,
    };
    let builder = match (&job.builder, &job.instance) {
        (Some(builder), Some(instance)) => format!("{builder} (instance {instance})"),
        (builder, _) => optional(builder.clone()),
    };
    let mut rows = vec![
        ("Job", job.id.to_string()),
        ("Package", request.key()),
        (
            "State",
            format!("{} since {}", job.state, elapsed(job.since, now)),
        ),
        ("Why", explained),
        ("Stopping", optional(job.canceling.clone())),
    ];
    if let Some(forecast) = forecast {
        rows.push(("Forecast", expectation(forecast, now)));
    }
    rows.extend(why::dependencies(why).into_iter().map(|on| ("Waits for", on)));
    if !job.broken.is_empty() {
        let broken = job.broken.join(", ");
        rows.push((
            "Circle",
            format!("does not wait for {broken}, although it needs what that builds: they need each other"),
        ));
    }
    if job.released {
        rows.push(("Released", "starts whatever it depends on".to_owned()));
    }
    if job.priority != 0 {
        rows.push(("Priority", job.priority.to_string()));
    }
    rows.extend([
        ("Source", request.source.to_string()),
        ("Class", request.class.to_string()),
        ("Asked by", job.requested_by.clone()),
        ("Attempt", job.attempt.to_string()),
        ("Builder", builder),
        (
            "Commit",
            optional(job.built_commit.as_ref().map(ToString::to_string)),
        ),
        ("Expected", duration(job.expected)),
    ]);
    if request.rebuild {
        rows.push((
            "Rebuild",
            "also of a version that is published already".to_owned(),
        ));
    }
    if !job.phases.is_empty() {
        rows.push(("Phases", phases(&job.phases, job.finished.unwrap_or(now))));
    }
    rows.extend(job.packages.iter().map(|file| ("Published", file.clone())));
    rows.extend(job.history.iter().map(|past| ("Before", attempt(past, now))));
    rows
}

/// What was uploaded.
fn results(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let files = manifest.files.iter().map(|file| {
        (
            "File",
            format!("{}, {} bytes, SHA-256 {}", file.name, file.size, file.sha256),
        )
    });
    let findings = manifest.namcap.iter().map(|line| ("namcap", line.clone()));
    files.chain(findings).collect()
}

/// How long each phase took; the last one until `end`.
fn phases(phases: &[PhaseStart], end: u64) -> String {
    let ends = phases.iter().skip(1).map(|next| next.since).chain([end]);
    let texts: Vec<String> = phases
        .iter()
        .zip(ends)
        .map(|(phase, end)| format!("{} {}", phase.name, elapsed(phase.since, end)))
        .collect();
    texts.join(", ")
}

fn expectation(forecast: &Forecast, now: u64) -> String {
    let until = |time: u64| duration(time.saturating_sub(now).div_ceil(1000));
    if forecast.start <= now {
        format!("done in {}", until(forecast.end))
    } else {
        format!(
            "starts in {}, done in {}",
            until(forecast.start),
            until(forecast.end)
        )
    }
}

fn attempt(past: &PastAttempt, now: u64) -> String {
    let mut text = format!("attempt {}: {}", past.attempt, past.outcome);
    if !past.builder.is_empty() {
        text += &format!(" on {}", past.builder);
    }
    if let Some(started) = past.started {
        text += &format!(" after {}", elapsed(started, past.ended));
    }
    text += &format!(", {} ago", elapsed(past.ended, now));
    if !past.reason.is_empty() {
        text += &format!(": {}", past.reason);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_counts_from_now() {
        let forecast = Forecast {
            start: 10_000,
            end: 190_000,
        };
        assert_eq!(expectation(&forecast, 5000), "starts in 5s, done in 3m05s");
        assert_eq!(expectation(&forecast, 10_000), "done in 3m00s");
        assert_eq!(expectation(&forecast, 200_000), "done in 0s");
    }

    #[test]
    fn each_phase_lasts_until_the_next_one() {
        let start = |name: &str, since| PhaseStart {
            name: name.to_owned(),
            since,
        };
        let all = [
            start("fetch", 10_000),
            start("build", 15_000),
            start("upload", 200_000),
        ];
        assert_eq!(phases(&all, 203_000), "fetch 5s, build 3m05s, upload 3s");
    }

    #[test]
    fn an_attempt_says_where_when_and_why_it_ended() {
        let past = PastAttempt {
            attempt: 2,
            outcome: "lost".to_owned(),
            builder: "small".to_owned(),
            started: Some(10_000),
            ended: 195_000,
            reason: "its lease ran out".to_owned(),
        };
        assert_eq!(
            attempt(&past, 200_000),
            "attempt 2: lost on small after 3m05s, 5s ago: its lease ran out"
        );
        let bare = PastAttempt {
            builder: String::new(),
            started: None,
            reason: String::new(),
            ..past
        };
        assert_eq!(attempt(&bare, 200_000), "attempt 2: lost, 5s ago");
    }
}
