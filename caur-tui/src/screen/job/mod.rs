//! One job: its log and what is known about it.

pub mod details;
pub mod draw;
#[cfg(test)]
mod tests;

use caur_core::model::JobId;
use ratatui::layout::Rect;

use crate::log::{LogPane, LogPiece, Settings};
use crate::msg::{LogEvent, WantedPage};

/// From which width details have room beside the log.
const BESIDE_FROM: u16 = 110;
/// How wide they are there.
const DETAILS_WIDTH: u16 = 46;

/// How far the log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
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

/// Where details are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Details {
    /// Beside the log, where there is room.
    #[default]
    Beside,
    /// In place of the log.
    Alone,
    /// Nowhere.
    Hidden,
}

/// The parts of the job view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// The job in a line, and where in the log the view is.
    pub title: Rect,
    /// The log.
    pub log: Rect,
    /// What is known about the job.
    pub details: Rect,
}

/// The state of the job view.
#[derive(Debug)]
pub struct JobScreen {
    job: Option<JobId>,
    /// The attempt that was asked for; none: the newest.
    wanted: Option<u32>,
    attempt: Option<u32>,
    stage: Stage,
    /// Why the log cannot be read.
    problem: Option<String>,
    /// How often a log was opened.
    opened: u64,
    pane: LogPane,
    settings: Settings,
    /// Where details are shown.
    pub details: Details,
    /// The first line of the details that is shown.
    pub scroll: usize,
}

impl JobScreen {
    /// A view of nothing, in a place that is so many minutes ahead of UTC.
    pub fn new(utc_offset_minutes: i32) -> Self {
        let settings = Settings {
            utc_offset_minutes,
            is_error: caur_core::log::errors::is_error,
            ..Settings::default()
        };
        Self {
            job: None,
            wanted: None,
            attempt: None,
            stage: Stage::default(),
            problem: None,
            opened: 0,
            pane: LogPane::new(settings),
            settings,
            details: Details::default(),
            scroll: 0,
        }
    }

    /// Shows a job; the same one again changes nothing.
    pub fn open(&mut self, job: JobId) {
        if self.job != Some(job) {
            self.job = Some(job);
            self.wanted = None;
            self.opened += 1;
            self.begin(None);
        }
    }

    /// Shows another attempt of the job.
    pub fn open_attempt(&mut self, attempt: u32) {
        if self.attempt != Some(attempt) {
            self.wanted = Some(attempt);
            self.opened += 1;
            self.begin(None);
        }
    }

    fn begin(&mut self, attempt: Option<u32>) {
        let (wrap, times) = (self.pane.wraps(), self.pane.shows_times());
        self.attempt = attempt;
        self.stage = Stage::Opening;
        self.problem = None;
        self.pane = LogPane::new(self.settings);
        if wrap {
            self.pane.toggle_wrap();
        }
        if times {
            self.pane.toggle_times();
        }
        self.scroll = 0;
    }

    /// The job.
    pub fn job(&self) -> Option<JobId> {
        self.job
    }

    /// Which attempt's log is shown, once it began.
    pub fn attempt(&self) -> Option<u32> {
        self.attempt.or(self.wanted)
    }

    /// How far the log has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Why the log cannot be read at the moment.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// How often a log was opened.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// The view of the log.
    pub fn pane(&self) -> &LogPane {
        &self.pane
    }

    /// The view of the log.
    pub fn pane_mut(&mut self) -> &mut LogPane {
        &mut self.pane
    }

    /// Which log has to be followed.
    pub fn wanted_log(&self) -> Option<(JobId, Option<u32>)> {
        self.job.map(|job| (job, self.wanted))
    }

    /// Parts of the log that should be fetched.
    pub fn wanted_page(&mut self) -> Option<WantedPage> {
        let (job, attempt) = (self.job?, self.attempt?);
        let wish = self.pane.wants()?;
        Some(WantedPage { job, attempt, wish })
    }

    /// The parts of the view.
    pub fn parts(&self, area: Rect) -> Parts {
        let title = Rect {
            height: 1.min(area.height),
            ..area
        };
        let rest = Rect {
            y: area.y + title.height,
            height: area.height - title.height,
            ..area
        };
        let beside = area.width >= BESIDE_FROM;
        match self.details {
            Details::Alone => Parts {
                title,
                log: Rect { width: 0, ..rest },
                details: rest,
            },
            Details::Beside if beside => {
                let log = Rect {
                    width: rest.width - DETAILS_WIDTH - 1,
                    ..rest
                };
                Parts {
                    title,
                    log,
                    details: Rect {
                        x: log.right() + 1,
                        width: DETAILS_WIDTH,
                        ..rest
                    },
                }
            }
            Details::Beside | Details::Hidden => Parts {
                title,
                log: rest,
                details: Rect { width: 0, ..rest },
            },
        }
    }

    /// The next place of the details on a screen of this width.
    pub fn toggle_details(&mut self, width: u16) {
        self.scroll = 0;
        self.details = match (self.details, width >= BESIDE_FROM) {
            (Details::Beside, _) => Details::Alone,
            (Details::Alone, true) => Details::Hidden,
            (Details::Alone, false) | (Details::Hidden, _) => Details::Beside,
        };
    }

    /// Takes news of the log of `job`; says whether it is the one that is shown.
    pub fn take(&mut self, job: JobId, event: LogEvent) -> bool {
        if self.job != Some(job) {
            return false;
        }
        self.problem = None;
        match event {
            LogEvent::Begin { attempt, total } => {
                // The same attempt from the beginning, as after a loss of the link, keeps its place.
                if self.attempt != Some(attempt) {
                    self.begin(Some(attempt));
                }
                self.pane.forget_wishes();
                self.pane.set_total(total);
                self.stage = Stage::Live;
            }
            LogEvent::Pieces(pieces, cuts) => {
                for cut in cuts {
                    self.pane.mark_cut(cut);
                }
                for piece in pieces {
                    self.pane.push(LogPiece {
                        offset: piece.offset,
                        at: piece.at,
                        bytes: &piece.bytes,
                    });
                }
            }
            LogEvent::End => {
                self.pane.finish();
                self.stage = Stage::Ended;
            }
            LogEvent::Missing => self.stage = Stage::Missing,
            LogEvent::Failed(problem) => self.problem = Some(problem),
        }
        true
    }
}
