//! The state of the console and how every message changes it.
//!
//! [`App::update`] is pure: it does no I/O and reads no clock; what it wants done it returns as effects.

mod acting;
mod command;
mod fleet;
mod keys;
mod known;
mod lists;
mod news;
mod reading;
mod refusal;
mod repository;
mod watching;

use std::collections::BTreeMap;

use caur_core::model::{Job, JobId};
use ratatui::layout::Rect;

pub use known::{Known, Link};

use crate::keymap::{Context, Keymap, TOGETHER};
use crate::msg::{Effect, Interest, Msg};
use crate::operation::Asked;
use crate::overlay::Overlay;
use crate::recall::Recall;
use crate::screen::activity::{self, ActivityScreen};
use crate::screen::builders::BuildersScreen;
use crate::screen::history::HistoryScreen;
use crate::screen::job::JobScreen;
use crate::screen::queue::QueueScreen;
use crate::screen::repository::RepositoryScreen;
use crate::screen::statistics::StatisticsScreen;
use crate::theme::Theme;
use crate::view::{
    self,
    layout::{self, Areas},
};

/// How long a notice stays on screen, in milliseconds.
const NOTICE: u64 = 6_000;
/// A notice of something that went wrong stays longer.
const NOTICE_BAD: u64 = 12_000;
/// What was there to be read for so long makes room for the next key.
const NOTICE_READ: u64 = 3_000;

/// How the console was started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Colours or none.
    pub theme: Theme,
    /// Whether the user asked for a console that cannot change anything.
    pub read_only: bool,
    /// What the console looks at, for the header.
    pub title: String,
    /// Milliseconds since 1970.
    pub now: u64,
    /// Which key does what.
    pub keymap: Keymap,
    /// Tells this console's operations from all others: letters and digits, another one at each start.
    pub session: String,
    /// Whether the mouse is taken at the start.
    pub mouse: bool,
    /// Minutes by which local time is ahead of UTC.
    pub utc_offset: i32,
    /// Filters that were used before, the newest last.
    pub filters: Vec<String>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    /// Every current job.
    Queue,
    /// One job and its log.
    Job,
    /// The builders.
    Builders,
    /// The packages of a repository.
    Repository,
    /// Finished jobs.
    History,
    /// Who did what.
    Activity,
    /// Charts.
    Statistics,
}

impl View {
    /// Every view, in the order of its number.
    pub const ALL: [Self; 7] = [
        Self::Queue,
        Self::Job,
        Self::Builders,
        Self::Repository,
        Self::History,
        Self::Activity,
        Self::Statistics,
    ];

    /// Its name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Queue => "Queue",
            Self::Job => "Job",
            Self::Builders => "Builders",
            Self::Repository => "Repository",
            Self::History => "History",
            Self::Activity => "Activity",
            Self::Statistics => "Statistics",
        }
    }

    /// A shorter one, for narrow screens.
    pub fn short_title(self) -> &'static str {
        match self {
            Self::Queue => "Queue",
            Self::Job => "Job",
            Self::Builders => "Build",
            Self::Repository => "Repo",
            Self::History => "Hist",
            Self::Activity => "Act",
            Self::Statistics => "Stat",
        }
    }

    /// Where its keys are found, the first place first.
    pub fn contexts(self) -> &'static [Context] {
        match self {
            Self::Queue => TOGETHER[0],
            Self::Job => TOGETHER[1],
            Self::Builders => TOGETHER[2],
            Self::Repository => TOGETHER[3],
            Self::History => TOGETHER[4],
            Self::Activity => TOGETHER[5],
            Self::Statistics => TOGETHER[6],
        }
    }
}

/// Something that was said in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub text: String,
    /// Whether something went wrong.
    pub bad: bool,
    /// Milliseconds since 1970 until which it is shown.
    pub until: u64,
    /// When it was said.
    pub since: u64,
}

/// Everything the console knows.
#[derive(Debug)]
pub struct App {
    setup: Setup,
    now: u64,
    screen: Rect,
    /// What is known of the farm besides what the views hold.
    known: Known,
    view: View,
    /// Views to come back to.
    trail: Vec<View>,
    queue: QueueScreen,
    job: JobScreen,
    builders: BuildersScreen,
    repository: RepositoryScreen,
    history: HistoryScreen,
    activity: ActivityScreen,
    statistics: StatisticsScreen,
    overlays: Vec<Overlay>,
    notice: Option<Notice>,
    /// How often something was complained about.
    complaints: u64,
    /// Whether a search of the log was begun at its end.
    search_from_end: bool,
    operations: Vec<Asked>,
    next_operation: u64,
    filters: Recall,
    commands: Recall,
    arguments: Recall,
    searches: Recall,
    /// Jobs whose end somebody waits for, with the names of their packages.
    watched: BTreeMap<JobId, String>,
    mouse: bool,
    interest: Interest,
}

impl App {
    /// A console that has not heard of anything yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            now: setup.now,
            known: Known::new(setup.now),
            screen: Rect::default(),
            view: View::Queue,
            trail: Vec::new(),
            queue: QueueScreen::default(),
            job: JobScreen::new(setup.utc_offset),
            builders: BuildersScreen::default(),
            repository: RepositoryScreen::default(),
            history: HistoryScreen::default(),
            activity: ActivityScreen::default(),
            statistics: StatisticsScreen::default(),
            overlays: Vec::new(),
            notice: None,
            complaints: 0,
            search_from_end: true,
            operations: Vec::new(),
            next_operation: 0,
            filters: Recall::new(setup.filters.clone()),
            commands: Recall::default(),
            arguments: Recall::default(),
            searches: Recall::default(),
            watched: BTreeMap::new(),
            mouse: setup.mouse,
            interest: Interest::default(),
            setup,
        }
    }

    /// Takes one message and says what has to be done because of it.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = match msg {
            Msg::Key(event) => self.key(event),
            Msg::Mouse(event) => self.mouse(event),
            Msg::Paste(text) => self.paste(&text),
            Msg::Resize(width, height) => {
                self.screen = Rect::new(0, 0, width, height);
                vec![Effect::Draw]
            }
            Msg::Tick(now) => self.tick(now),
            Msg::Work => self.work(),
            Msg::Backend(msg) => self.backend(*msg),
            Msg::Saved(path, outcome) => self.saved(&path, outcome),
            Msg::Read(purpose, path, outcome) => self.read(purpose, &path, outcome),
        };
        self.settle(&mut effects);
        effects
    }

    /// How the console was started.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The colours.
    pub fn theme(&self) -> Theme {
        self.setup.theme
    }

    /// Milliseconds since 1970 by this machine's clock.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What is known of the farm.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Milliseconds since 1970 by the queue's clock; it stands still while what is on screen is stale.
    pub fn queue_now(&self) -> u64 {
        self.known.queue_now(self.now)
    }

    /// Seconds since what is on screen was last known to be true; none while it is live or there is nothing.
    pub fn stale_for(&self) -> Option<u64> {
        self.known.stale_for(self.now)
    }

    /// Seconds since the link changed its state.
    pub fn link_age(&self) -> u64 {
        self.now.saturating_sub(self.known.link.since) / 1000
    }

    /// What is looked at.
    pub fn view(&self) -> View {
        self.view
    }

    /// The queue.
    pub fn queue(&self) -> &QueueScreen {
        &self.queue
    }

    /// The job that is looked at.
    pub fn job_screen(&self) -> &JobScreen {
        &self.job
    }

    /// The builders.
    pub fn builders(&self) -> &BuildersScreen {
        &self.builders
    }

    /// The repositories.
    pub fn repository(&self) -> &RepositoryScreen {
        &self.repository
    }

    /// Finished jobs.
    pub fn history(&self) -> &HistoryScreen {
        &self.history
    }

    /// Who did what.
    pub fn activity(&self) -> &ActivityScreen {
        &self.activity
    }

    /// Charts.
    pub fn statistics(&self) -> &StatisticsScreen {
        &self.statistics
    }

    /// A job, wherever it is known from.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.queue.job(id).or_else(|| self.history.job(id))
    }

    /// The job that the job view shows.
    pub fn shown_job(&self) -> Option<&Job> {
        let id = self.job.job()?;
        self.job(id)
            .or_else(|| self.known.details_of(id).map(|details| &details.job))
    }

    /// The job that actions are about.
    pub fn selected_job(&self) -> Option<&Job> {
        match self.view {
            View::Queue => self.queue.table.selected().map(|row| &row.job),
            View::Job => self.shown_job(),
            View::History => self.history.table.selected().map(|row| &row.job),
            View::Builders | View::Repository | View::Activity | View::Statistics => None,
        }
    }

    /// What lies over the view, the topmost last.
    pub fn overlays(&self) -> &[Overlay] {
        &self.overlays
    }

    /// The newest notice.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// Everything that was asked for in this console, oldest first.
    pub fn operations(&self) -> &[Asked] {
        &self.operations
    }

    /// Whether the mouse is taken.
    pub fn has_mouse(&self) -> bool {
        self.mouse
    }

    /// Whether somebody waits for the end of this job.
    pub fn is_watched(&self, job: JobId) -> bool {
        self.watched.contains_key(&job)
    }

    /// Filters that were used, the newest last.
    pub fn used_filters(&self) -> &[String] {
        self.filters.entries()
    }

    /// The parts of the screen.
    pub fn areas(&self, screen: Rect) -> Areas {
        layout::areas(self, screen)
    }

    /// Says something in passing.
    fn say(&mut self, text: impl Into<String>) {
        self.notify(text.into(), false);
    }

    /// Says that something went wrong, or cannot be done.
    fn complain(&mut self, text: impl Into<String>) {
        self.complaints += 1;
        self.notify(text.into(), true);
    }

    fn notify(&mut self, text: String, bad: bool) {
        let until = self.now + if bad { NOTICE_BAD } else { NOTICE };
        self.notice = Some(Notice {
            text,
            bad,
            until,
            since: self.now,
        });
    }

    fn tick(&mut self, now: u64) -> Vec<Effect> {
        self.now = now;
        self.notice.take_if(|notice| notice.until <= now);
        let queue_now = self.queue_now();
        self.queue.table.set_time(queue_now);
        self.repository.table.set_time(queue_now);
        self.builders.table.set_time(queue_now);
        self.history.table.set_time(queue_now);
        self.activity.table.set_time(queue_now);
        vec![Effect::Draw]
    }

    /// Goes to a view; `Esc` comes back.
    fn go_to(&mut self, view: View) {
        if self.view == view {
            return;
        }
        self.trail.retain(|old| *old != view);
        self.trail.push(self.view);
        self.view = view;
    }

    /// Keeps the topmost overlay's scroll position where there is something to see.
    fn settle_overlay(&mut self) {
        let Some(last) = view::overlays::last_scroll(self, self.screen) else {
            return;
        };
        match self.overlays.last_mut() {
            Some(Overlay::Help(scroll) | Overlay::Operations(scroll)) => *scroll = last.min(*scroll),
            Some(Overlay::Confirm(confirm)) => confirm.scroll = last.min(confirm.scroll),
            _ => {}
        }
    }

    /// Keeps selections and scroll positions in step, and tells the backend what is looked at.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        let areas = self.areas(self.screen);
        let rows = usize::from(areas.body.height.saturating_sub(1));
        self.queue.table.settle(rows);
        self.builders.table.settle(rows);
        self.repository.table.settle(rows);
        self.history.table.settle(rows);
        self.activity.table.settle(rows);
        self.pin_choice();
        self.settle_overlay();
        self.settle_log(effects);
        self.statistics.settle(areas.body);
        let interest = self.interest();
        if interest != self.interest {
            self.interest = interest.clone();
            effects.push(Effect::Want(Box::new(interest)));
        }
    }

    fn interest(&mut self) -> Interest {
        let details = match self.view {
            View::Queue => self.selected_job().map(|job| job.id),
            View::Job => self.job.job(),
            View::Builders | View::Repository | View::History | View::Activity | View::Statistics => None,
        };
        let shown = |view| self.view == view;
        let (builders, activity) = (shown(View::Builders), shown(View::Activity));
        // The builders' success rates are statistics, too.
        let statistics = builders || shown(View::Statistics);
        let (repository, history) = (shown(View::Repository), shown(View::History));
        Interest {
            log: (self.view == View::Job).then(|| self.job.wanted_log()).flatten(),
            log_opened: self.job.opened(),
            details,
            builders,
            repository: repository.then(|| self.repository.target().cloned()).flatten(),
            // The repository view says which jobs made the packages.
            history: if history || repository {
                self.history.wanted()
            } else {
                0
            },
            activity: if activity { activity::ENTRIES } else { 0 },
            statistics: if statistics { self.statistics.hours() } else { 0 },
        }
    }
}
