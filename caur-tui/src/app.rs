//! The state of the console and how every message changes it.
//!
//! [`App::update`] is pure: it does no I/O and reads no clock; what it wants done it returns as effects.

use caur_core::model::{Job, JobId};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;

use crate::keymap::{self, Action, Motion};
use crate::layout::{self, Areas, Pane, Shape};
use crate::log_pane::LogPane;
use crate::msg::{BackendMsg, Effect, LinkState, Msg};
use crate::queue_table::QueueTable;
use crate::theme::Theme;
use crate::view;

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
}

/// Everything the console knows.
#[derive(Debug)]
pub struct App {
    setup: Setup,
    now: u64,
    screen: Rect,
    link: LinkState,
    link_since: u64,
    /// How far the queue's clock is ahead of ours, in milliseconds; none before the first jobs.
    skew: Option<i64>,
    /// When the jobs on screen ceased to be live.
    stale_since: Option<u64>,
    table: QueueTable,
    log: LogPane,
    focus: Pane,
    full: bool,
    help: Option<u16>,
    typing: bool,
}

impl App {
    /// A console that has not heard of anything yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            now: setup.now,
            link_since: setup.now,
            setup,
            screen: Rect::default(),
            link: LinkState::Connecting,
            skew: None,
            stale_since: None,
            table: QueueTable::default(),
            log: LogPane::default(),
            focus: Pane::Queue,
            full: false,
            help: None,
            typing: false,
        }
    }

    /// Takes one message and says what has to be done because of it.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = match msg {
            Msg::Key(event) => self.key(event),
            Msg::Resize(width, height) => {
                self.screen = Rect::new(0, 0, width, height);
                vec![Effect::Draw]
            }
            Msg::Tick(now) => {
                self.now = now;
                let ages = self.table.total() > 0 || self.link != LinkState::Online;
                if ages { vec![Effect::Draw] } else { Vec::new() }
            }
            Msg::Backend(msg) => self.backend(msg),
        };
        self.settle(&mut effects);
        effects
    }

    /// How the console was started.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The rows of the queue.
    pub fn table(&self) -> &QueueTable {
        &self.table
    }

    /// The log of the selected job.
    pub fn log(&self) -> &LogPane {
        &self.log
    }

    /// The link to the queue.
    pub fn link(&self) -> &LinkState {
        &self.link
    }

    /// Seconds since the link changed its state.
    pub fn link_age(&self) -> u64 {
        self.now.saturating_sub(self.link_since) / 1000
    }

    /// Seconds since the jobs on screen were last known to be true; none while they are live or there are none.
    pub fn stale_for(&self) -> Option<u64> {
        self.stale_since
            .map(|since| self.now.saturating_sub(since) / 1000)
    }

    /// Whether any queue was ever received.
    pub fn has_data(&self) -> bool {
        self.skew.is_some()
    }

    /// Milliseconds since 1970 by the queue's clock; it stands still while the jobs on screen are stale.
    pub fn queue_now(&self) -> u64 {
        let now = self.stale_since.unwrap_or(self.now);
        now.saturating_add_signed(self.skew.unwrap_or_default())
    }

    /// The selected job, as long as the queue lists it.
    pub fn selected_job(&self) -> Option<&Job> {
        self.table.selected().and_then(|id| self.table.job(id))
    }

    /// The pane that keys act on.
    pub fn focus(&self) -> Pane {
        if self.full { Pane::Log } else { self.focus }
    }

    /// How far the help is scrolled, while it is open.
    pub fn help(&self) -> Option<u16> {
        self.help
    }

    /// Whether a filter is being typed.
    pub fn is_typing(&self) -> bool {
        self.typing
    }

    /// The parts of a screen of this size.
    pub fn areas(&self, screen: Rect) -> Areas {
        let notice = match self.link {
            LinkState::Connecting | LinkState::Online => false,
            // Without data the reason stands in the queue's place, where that is seen.
            LinkState::Reconnecting { .. } | LinkState::Failed { .. } => {
                self.has_data() || self.focus() == Pane::Log
            }
        };
        let shape = Shape {
            focus: self.focus,
            full: self.full,
            notice,
        };
        layout::areas(screen, shape)
    }

    fn backend(&mut self, msg: BackendMsg) -> Vec<Effect> {
        match msg {
            BackendMsg::Link(link) => {
                if link != LinkState::Online && self.has_data() && self.stale_since.is_none() {
                    self.stale_since = Some(self.now);
                }
                self.link = link;
                self.link_since = self.now;
            }
            BackendMsg::Jobs(snapshot) => {
                self.skew = Some(snapshot.taken.wrapping_sub(self.now).cast_signed());
                self.stale_since = None;
                self.table.replace(snapshot.jobs);
            }
            BackendMsg::Log(job, event) => {
                if !self.log.take(job, event) {
                    return Vec::new();
                }
            }
        }
        vec![Effect::Draw]
    }

    fn key(&mut self, event: KeyEvent) -> Vec<Effect> {
        if event.kind == KeyEventKind::Release {
            return Vec::new();
        }
        let action = keymap::action(event);
        if self.typing && !keymap::is_interrupt(event) {
            self.type_filter(event);
            return vec![Effect::Draw];
        }
        match action {
            None => return Vec::new(),
            Some(Action::Quit) => return vec![Effect::Quit],
            Some(Action::Help) => self.help = if self.help.is_some() { None } else { Some(0) },
            Some(action) if self.help.is_some() => self.help_action(action),
            Some(action) => self.action(action),
        }
        vec![Effect::Draw]
    }

    fn help_action(&mut self, action: Action) {
        let scroll = self.help.unwrap_or_default();
        let page = self.screen.height.saturating_sub(3).max(1);
        let scrolled = match action {
            Action::Move(motion) => match motion {
                Motion::Up => scroll.saturating_sub(1),
                Motion::Down => scroll.saturating_add(1),
                Motion::PageUp => scroll.saturating_sub(page),
                Motion::PageDown => scroll.saturating_add(page),
                Motion::First => 0,
                Motion::Last => u16::MAX,
            },
            Action::Back | Action::FullScreen => {
                self.help = None;
                return;
            }
            Action::Left
            | Action::Right
            | Action::SwitchPane
            | Action::Filter
            | Action::Help
            | Action::Quit => scroll,
        };
        self.help = Some(scrolled.min(view::help::max_scroll(self.screen)));
    }

    fn action(&mut self, action: Action) {
        match action {
            Action::FullScreen => self.full = !self.full,
            Action::SwitchPane if self.full => self.full = false,
            Action::SwitchPane => {
                self.focus = match self.focus {
                    Pane::Queue => Pane::Log,
                    Pane::Log => Pane::Queue,
                }
            }
            Action::Filter => {
                self.full = false;
                self.focus = Pane::Queue;
                self.typing = true;
            }
            Action::Back if self.full => self.full = false,
            Action::Back if self.focus == Pane::Log => self.focus = Pane::Queue,
            Action::Back => self.table.set_filter(String::new()),
            Action::Left | Action::Right => self.log.side_step(action == Action::Right),
            Action::Help | Action::Quit => {}
            Action::Move(motion) => match self.focus() {
                Pane::Queue => self.move_selection(motion),
                Pane::Log => self.scroll_log(motion),
            },
        }
    }

    fn move_selection(&mut self, motion: Motion) {
        let height = self.areas(self.screen).rows.height;
        let page = usize::from(height.saturating_sub(1).max(1)).cast_signed();
        match motion {
            Motion::Up => self.table.move_by(-1),
            Motion::Down => self.table.move_by(1),
            Motion::PageUp => self.table.move_by(-page),
            Motion::PageDown => self.table.move_by(page),
            Motion::First => self.table.select_row(0),
            Motion::Last => self.table.select_row(usize::MAX),
        }
    }

    fn scroll_log(&mut self, motion: Motion) {
        let height = u64::from(self.areas(self.screen).log.height);
        let page = height.saturating_sub(1).max(1).cast_signed();
        match motion {
            Motion::Up => self.log.scroll(-1, height),
            Motion::Down => self.log.scroll(1, height),
            Motion::PageUp => self.log.scroll(-page, height),
            Motion::PageDown => self.log.scroll(page, height),
            Motion::First => self.log.scroll_to_start(height),
            Motion::Last => self.log.follow(),
        }
    }

    fn type_filter(&mut self, event: KeyEvent) {
        let mut filter = self.table.filter().to_owned();
        match event.code {
            KeyCode::Enter | KeyCode::Tab => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                filter.clear();
            }
            KeyCode::Backspace => {
                filter.pop();
            }
            KeyCode::Char('u') if event.modifiers.contains(KeyModifiers::CONTROL) => filter.clear(),
            KeyCode::Char(c)
                if !event
                    .modifiers
                    .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
            {
                filter.push(c);
            }
            KeyCode::Up => self.table.move_by(-1),
            KeyCode::Down => self.table.move_by(1),
            _ => {}
        }
        if filter != self.table.filter() {
            self.table.set_filter(filter);
        }
    }

    /// Keeps selection, scroll position and the watched log in step.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        let height = self.areas(self.screen).rows.height;
        self.table.settle(usize::from(height), self.full);
        let selected: Option<JobId> = self.table.selected();
        if selected != self.log.job() {
            self.log = LogPane::open(selected);
            effects.push(Effect::Watch(selected));
        }
    }
}
