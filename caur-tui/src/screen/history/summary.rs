//! How the jobs that are shown ended, taken together.

use std::collections::BTreeMap;

use caur_core::model::{Job, JobState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::App;
use crate::screen::queue::{rank, took};
use crate::view::bar::{bar, percent};
use crate::view::put;
use crate::{span, theme};

/// Columns of the bar of an outcome's share.
const BAR: usize = 6;

/// How jobs ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// How many ended in each state.
    pub counts: BTreeMap<JobState, u64>,
    /// Seconds that half of the successful builds took at most.
    pub median: Option<u64>,
}

impl Outcomes {
    /// Of these jobs.
    pub fn of<'a>(jobs: impl Iterator<Item = &'a Job>) -> Self {
        let mut counts: BTreeMap<JobState, u64> = BTreeMap::new();
        let mut times = Vec::new();
        for job in jobs {
            *counts.entry(job.state).or_default() += 1;
            if job.state == JobState::Succeeded {
                times.extend(took(job, 0));
            }
        }
        let middle = times.len() / 2;
        let median = (!times.is_empty()).then(|| *times.select_nth_unstable(middle).1);
        Self { counts, median }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The outcomes with their counts and shares in percent: successes first, then failures, then the rest.
    pub fn shares(&self) -> Vec<(JobState, u64, u64)> {
        let total = self.total();
        let mut shares: Vec<(JobState, u64, u64)> = self
            .counts
            .iter()
            .map(|(state, count)| (*state, *count, percent(*count, total).unwrap_or(0)))
            .collect();
        shares.sort_by_key(|(state, ..)| (*state != JobState::Succeeded, rank(*state)));
        shares
    }
}

/// Draws the line.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let history = app.history();
    if area.height == 0 || !history.is_loaded() {
        return;
    }
    let theme = app.theme();
    let outcomes = Outcomes::of(history.table.shown().map(|row| &row.job));
    let total = outcomes.total();
    let of = if history.is_complete() {
        format!("{total} jobs ")
    } else {
        format!("newest {total} ")
    };
    let median = outcomes.median.map_or(String::new(), |median| {
        format!("· median {} ", span::seconds(median))
    });
    let about = format!("{of}{median}· ");
    let room = usize::from(area.width).saturating_sub(Line::raw(about.as_str()).width());
    let shares = outcomes.shares();
    // As much about each outcome as there is room for with all of them: bars, words, or symbols only.
    let forms: [fn(JobState, u64, u64) -> String; 3] = [
        |state, count, share| {
            let bar = bar(share, 100, BAR);
            format!(
                "{} {} {count} {share}% {bar}  ",
                theme::symbol(state),
                theme::word(state)
            )
        },
        |state, count, share| {
            format!(
                "{} {} {count} {share}%  ",
                theme::symbol(state),
                theme::word(state)
            )
        },
        |state, count, share| format!("{}{count} {share}%  ", theme::symbol(state)),
    ];
    let texts = |form: &fn(JobState, u64, u64) -> String| -> Vec<String> {
        shares
            .iter()
            .map(|(state, count, share)| form(*state, *count, *share))
            .collect()
    };
    let width =
        |texts: &[String]| -> usize { texts.iter().map(|text| Line::raw(text.as_str()).width()).sum() };
    let texts = forms
        .iter()
        .map(texts)
        .find(|texts| width(texts) <= room)
        .unwrap_or_else(|| texts(&forms[2]));
    let mut line = Line::raw(about);
    for (text, (state, ..)) in texts.into_iter().zip(&shares) {
        line.push_span(Span::styled(text, theme.state(*state)));
    }
    put(&line, area, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, job};

    #[test]
    fn outcomes_are_counted_and_the_median_is_of_what_succeeded() {
        let jobs: Vec<Job> = [10, 1000, 30, 20]
            .into_iter()
            .zip(1..)
            .map(|(seconds, id)| {
                let mut job = job(id, "foo", JobState::Succeeded);
                job.started = Some(NOW);
                job.finished = Some(NOW + seconds * 1000);
                job
            })
            .chain([
                job(9, "bar", JobState::Failed),
                job(10, "baz", JobState::Canceled),
            ])
            .collect();
        let outcomes = Outcomes::of(jobs.iter());
        assert_eq!(outcomes.median, Some(30));
        assert_eq!(
            outcomes.shares(),
            [
                (JobState::Succeeded, 4, 67),
                (JobState::Failed, 1, 17),
                (JobState::Canceled, 1, 17)
            ]
        );
        let none = Outcomes::of(std::iter::empty());
        assert_eq!((none.total(), none.median, none.shares()), (0, None, Vec::new()));
    }
}
