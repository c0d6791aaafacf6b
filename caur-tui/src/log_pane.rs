//! The log of the selected job and which part of it is seen.
//!
//! A log is followed to its end until somebody scrolls up. From then on the view is paused: it stays on the
//! same lines, whatever arrives, until it is told to follow again.

use caur_core::model::JobId;

use crate::log_model::{Limits, LogLine, LogModel};
use crate::msg::LogEvent;

const SIDE_STEP: u16 = 16;
const MAX_LEFT: u16 = 4096;

/// How far the log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogStage {
    /// It was asked for.
    #[default]
    Opening,
    /// More may come.
    Live,
    /// It is complete.
    Ended,
    /// There is none.
    Missing,
}

/// A view of one log.
#[derive(Debug, Default)]
pub struct LogPane {
    job: Option<JobId>,
    attempt: Option<u32>,
    stage: LogStage,
    model: LogModel,
    /// The first visible line of a paused view; none: the end is followed.
    top: Option<u64>,
    left: u16,
}

impl LogPane {
    /// A view of the log of `job` that waits for its first bytes.
    pub fn open(job: Option<JobId>) -> Self {
        Self {
            job,
            ..Self::default()
        }
    }

    /// Takes news of the log of `job`; says whether it is the log that is shown.
    pub fn take(&mut self, job: JobId, event: LogEvent) -> bool {
        if self.job != Some(job) {
            return false;
        }
        match event {
            LogEvent::Begin { attempt } => {
                // A view that was paused in an attempt that is void has nothing left to stay on.
                if self.attempt.is_some_and(|shown| shown != attempt) {
                    self.top = None;
                }
                self.model = LogModel::new(Limits::default());
                self.attempt = Some(attempt);
                self.stage = LogStage::Live;
            }
            LogEvent::Chunk(bytes) => {
                self.stage = LogStage::Live;
                self.model.push(&bytes);
            }
            LogEvent::Cut(bytes) => self
                .model
                .push_mark(format!("··· {bytes} bytes left out by the size limit ···")),
            LogEvent::End => {
                self.model.finish();
                self.stage = LogStage::Ended;
            }
            LogEvent::Missing => self.stage = LogStage::Missing,
        }
        true
    }

    /// Whose log it is.
    pub fn job(&self) -> Option<JobId> {
        self.job
    }

    /// Which attempt's log it is, once it began.
    pub fn attempt(&self) -> Option<u32> {
        self.attempt
    }

    /// How far it has come.
    pub fn stage(&self) -> LogStage {
        self.stage
    }

    /// How many columns are hidden on the left.
    pub fn left(&self) -> u16 {
        self.left
    }

    /// How many lines arrived, dropped ones included.
    pub fn lines(&self) -> u64 {
        self.model.end()
    }

    /// How many of the oldest lines were dropped to bound the memory.
    pub fn dropped(&self) -> u64 {
        self.model.first()
    }

    /// Whether the view is paused.
    pub fn is_paused(&self) -> bool {
        self.top.is_some()
    }

    /// The number of the first visible line.
    pub fn top(&self, height: u64) -> u64 {
        let lowest = self.model.end().saturating_sub(height).max(self.model.first());
        self.top
            .map_or(lowest, |top| top.clamp(self.model.first(), lowest))
    }

    /// The visible lines.
    pub fn visible(&self, height: u64) -> impl Iterator<Item = &LogLine> {
        let top = self.top(height);
        (top..top + height).map_while(|number| self.model.line(number))
    }

    /// Scrolls by so many lines; up pauses the view.
    pub fn scroll(&mut self, lines: i64, height: u64) {
        let top = self.top(height);
        let moved = top.saturating_add_signed(lines);
        if self.is_paused() || moved < top && top > self.model.first() {
            self.top = Some(moved);
            self.top = Some(self.top(height));
        }
    }

    /// Scrolls to the oldest line and pauses there.
    pub fn scroll_to_start(&mut self, height: u64) {
        if self.top(height) > self.model.first() || self.is_paused() {
            self.top = Some(self.model.first());
        }
    }

    /// Follows the end again.
    pub fn follow(&mut self) {
        self.top = None;
        self.left = 0;
    }

    /// Moves the window to the left or the right.
    pub fn side_step(&mut self, right: bool) {
        self.left = if right {
            (self.left + SIDE_STEP).min(MAX_LEFT)
        } else {
            self.left.saturating_sub(SIDE_STEP)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId(7);

    fn pane(lines: usize) -> LogPane {
        let mut pane = LogPane::open(Some(JOB));
        pane.take(JOB, LogEvent::Begin { attempt: 1 });
        add(&mut pane, 0, lines);
        pane
    }

    fn add(pane: &mut LogPane, from: usize, to: usize) {
        for line in from..to {
            pane.take(JOB, LogEvent::Chunk(format!("{line}\n").into_bytes()));
        }
    }

    fn seen(pane: &LogPane) -> Vec<&str> {
        pane.visible(3).map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn it_follows_pauses_and_follows_again() {
        let mut pane = pane(10);
        assert_eq!(seen(&pane), ["7", "8", "9"]);
        pane.scroll(-2, 3);
        add(&mut pane, 10, 500);
        assert_eq!(seen(&pane), ["5", "6", "7"], "a paused view does not move");
        pane.scroll(1000, 3);
        assert!(
            pane.is_paused(),
            "the end is reached, but following is a decision"
        );
        pane.follow();
        add(&mut pane, 500, 501);
        assert_eq!(seen(&pane), ["498", "499", "500"]);
    }

    #[test]
    fn a_log_that_fits_cannot_be_paused_by_accident() {
        let mut pane = pane(2);
        pane.scroll(-1, 3);
        pane.scroll_to_start(3);
        assert!(!pane.is_paused());
    }

    #[test]
    fn news_of_another_job_is_not_taken() {
        let mut pane = pane(1);
        assert!(!pane.take(JobId(8), LogEvent::Chunk(b"x\n".to_vec())));
        assert_eq!(seen(&pane), ["0"]);
    }

    #[test]
    fn the_same_attempt_from_the_beginning_keeps_the_place() {
        let mut pane = pane(10);
        pane.scroll(-5, 3);
        pane.take(JOB, LogEvent::Begin { attempt: 1 });
        add(&mut pane, 0, 10);
        assert_eq!(seen(&pane), ["2", "3", "4"]);
        pane.take(JOB, LogEvent::Begin { attempt: 2 });
        assert!(!pane.is_paused());
    }
}
