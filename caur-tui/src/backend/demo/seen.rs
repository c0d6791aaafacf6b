//! What the console gets to see of the demo farm besides jobs and logs: what it wants, when that changes.

use super::farm::Farm;
use crate::msg::{BackendMsg, Interest};

/// How old what is shown of builders and forecasts may be, in milliseconds.
const FRESH: u64 = 1_000;
/// The same for statistics.
const STATISTICS_FRESH: u64 = 10_000;

/// What the console has seen, and when.
#[derive(Debug, Default)]
pub struct Seen {
    interest: Interest,
    told: u64,
    told_statistics: u64,
    last_end: u64,
    last_entry: Option<String>,
}

impl Seen {
    /// What the console lacks.
    pub fn news(&mut self, farm: &Farm, interest: &Interest) -> Vec<BackendMsg> {
        let mut news = Vec::new();
        let is_due = farm.now >= self.told + FRESH;
        let old = std::mem::replace(&mut self.interest, interest.clone());
        if is_due {
            self.told = farm.now;
            news.push(BackendMsg::Builders(farm.builders(), farm.pause()));
            news.push(BackendMsg::Forecast(farm.forecast()));
        }
        if let Some(job) = interest.details
            && (is_due || old.details != interest.details)
            && let Some(details) = farm.details(job)
        {
            news.push(BackendMsg::Details(job, Box::new(details)));
        }
        let ended = is_due && farm.last_end() != self.last_end;
        if interest.history > 0 && (ended || old.history != interest.history) {
            self.last_end = farm.last_end();
            let (jobs, complete) = farm.history(interest.history);
            news.push(BackendMsg::History(jobs, complete));
        }
        let noted = is_due && farm.last_entry() != self.last_entry.as_deref();
        if interest.activity > 0 && (noted || old.activity != interest.activity) {
            self.last_entry = farm.last_entry().map(str::to_owned);
            news.push(BackendMsg::Activity(farm.activity(interest.activity)));
        }
        let is_due = farm.now >= self.told_statistics + STATISTICS_FRESH;
        if interest.statistics > 0 && (is_due || old.statistics != interest.statistics) {
            self.told_statistics = farm.now;
            let statistics = farm.statistics(interest.statistics);
            news.push(BackendMsg::Statistics(Box::new(statistics)));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(news: &[BackendMsg]) -> Vec<&'static str> {
        news.iter()
            .map(|msg| match msg {
                BackendMsg::Builders(..) => "builders",
                BackendMsg::Forecast(_) => "forecast",
                BackendMsg::Details(..) => "details",
                BackendMsg::History(..) => "history",
                BackendMsg::Activity(_) => "activity",
                BackendMsg::Statistics(_) => "statistics",
                _ => "other",
            })
            .collect()
    }

    #[test]
    fn what_is_wanted_comes_at_once_and_again_when_it_changed() {
        let mut farm = Farm::new(1_764_000_000_000).unwrap();
        let mut seen = Seen::default();
        let mut interest = Interest::default();
        assert_eq!(kinds(&seen.news(&farm, &interest)), ["builders", "forecast"]);
        assert_eq!(kinds(&seen.news(&farm, &interest)), Vec::<&str>::new());
        interest.details = Some(farm.snapshot().jobs[0].id);
        (interest.history, interest.activity, interest.statistics) = (50, 10, 24);
        assert_eq!(
            kinds(&seen.news(&farm, &interest)),
            ["details", "history", "activity", "statistics"]
        );
        assert_eq!(kinds(&seen.news(&farm, &interest)), Vec::<&str>::new());
        let mut told = std::collections::BTreeSet::new();
        for _ in 0..600 {
            farm.step().unwrap();
            told.extend(kinds(&seen.news(&farm, &interest)));
        }
        assert_eq!(told.len(), 6, "{told:?}");
    }
}
