//! `queue actions`: who asked for what, when and why.

use caur_core::queue::{Queue, TrailEntry};
use color_eyre::eyre::Result;

use crate::stdout;
use crate::table::{elapsed, table};

/// Prints the newest `limit` actions, newest first.
///
/// # Errors
/// Redis is out of reach.
pub async fn run(queue: &Queue, limit: usize, as_json: bool) -> Result<()> {
    let trail = queue.trail(limit).await?;
    if as_json {
        return stdout::json(&trail);
    }
    stdout::text(&listed(&trail, queue.now().await?))
}

fn listed(trail: &[TrailEntry], now: u64) -> String {
    let rows: Vec<_> = trail
        .iter()
        .map(|entry| {
            let at = entry.id.split('-').next().and_then(|text| text.parse().ok());
            [
                at.map_or_else(String::new, |at| elapsed(at, now)),
                entry.by.clone(),
                entry.action.clone(),
                entry.about.clone(),
                entry.job.map_or_else(String::new, |job| job.to_string()),
                entry.why.clone(),
            ]
        })
        .collect();
    table(["AGO", "BY", "ACTION", "ABOUT", "JOB", "WHY"], &rows)
}

#[cfg(test)]
mod tests {
    use caur_core::model::JobId;

    use super::*;

    #[test]
    fn an_action_says_who_when_what_and_why() {
        let entry = TrailEntry {
            id: "1700000000000-0".to_owned(),
            action: "hold".to_owned(),
            about: "repo/x86_64/a".to_owned(),
            job: Some(JobId(7)),
            by: "ada".to_owned(),
            why: "broken\x1b[2J upstream".to_owned(),
        };
        assert_eq!(
            listed(&[entry], 1_700_000_185_000),
            "AGO    BY   ACTION  ABOUT          JOB  WHY\n3m05s  ada  hold    repo/x86_64/a  7    broken upstream\n"
        );
    }
}
