//! From a key to the frame that shows what it did.
//!
//! A person types into the application as the loop of the console runs it: between keys it does long work in steps,
//! takes news of the farm and draws. A key waits for whatever is under way when it comes, and that counts.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use caur_core::log::LogPiece;
use caur_core::model::{BuildClass, Job, JobId, JobRequest, JobState, Target};
use caur_tests::measure::{Measured, percentile};
use caur_tui::app::{App, Setup};
use caur_tui::keymap::Keymap;
use caur_tui::msg::{BackendMsg, Effect, LinkState, LogEvent, Msg, Snapshot};
use caur_tui::theme::Theme;
use caur_tui::view;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use rustix::time::{ClockId, clock_gettime};

use super::large_log::{LINE, LINES, line};

const JOBS: u64 = 100_000;
const NOW: u64 = 1_764_000_000_000;
const BAR_MS: f64 = 16.0;
/// As fast as a held key repeats.
const REPEAT: Duration = Duration::from_millis(33);
/// The least time between frames that no key asked for, as in the console's loop.
const FRAME: Duration = Duration::from_millis(40);
const NEWS: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_secs(1);

/// A hundred thousand jobs: a fuzzy filter that is typed, corrected and moved in, while jobs change.
pub fn many_jobs() -> Vec<Measured> {
    let mut person = Person::new();
    let jobs: Vec<Job> = (0..JOBS).map(job).collect();
    person.hears(BackendMsg::Link(LinkState::Online));
    person.hears(BackendMsg::Jobs(Snapshot {
        jobs,
        taken: NOW,
        partial: false,
    }));
    person.news = |number| {
        let jobs = (0..5)
            .map(|at| job((number * 7919 + at * 104_729) % JOBS))
            .collect();
        BackendMsg::Changed {
            jobs,
            gone: Vec::new(),
            taken: NOW + number * 100,
        }
    };
    for filter in [
        "~ffx",
        "~qtwbegn",
        "~pythonreq",
        "~e",
        "~zxq state:ready",
        "!~lib ~o",
    ] {
        person.types("/");
        person.types(filter);
        person.types("\u{8}\u{8}");
        person.types(&filter[filter.len() - 2..]);
        person.types("\n");
        person.types("jjjjjjjjjjkkkkkkkkkkGg");
        for _ in 0..5 {
            person.presses(KeyCode::PageDown);
        }
        person.types("/");
        for _ in filter.chars() {
            person.types("\u{8}");
        }
        person.types("\n");
    }
    person.measured("key to frame, p99: 100,000 jobs, fuzzy filter")
}

/// A million lines: a search that is typed, followed and left, and scrolling.
pub fn long_log() -> Vec<Measured> {
    let mut person = Person::new();
    person.hears(BackendMsg::Link(LinkState::Online));
    person.hears(BackendMsg::Jobs(Snapshot {
        jobs: vec![job(2)],
        taken: NOW,
        partial: false,
    }));
    person.update(key(KeyCode::Enter));
    let total = (LINES * LINE) as u64;
    person.hears(BackendMsg::Log(JobId(2), LogEvent::Begin { attempt: 1, total }));
    let mut offset = 0;
    for first in (0..LINES).step_by(10_000) {
        let bytes: Vec<u8> = (first..first + 10_000)
            .flat_map(|number| line(number).into_bytes())
            .collect();
        let piece = LogPiece {
            offset,
            at: NOW,
            bytes,
        };
        offset = piece.end();
        person.hears(BackendMsg::Log(
            JobId(2),
            LogEvent::Pieces(vec![piece], Vec::new()),
        ));
    }
    assert_eq!(offset, total);
    person.hears(BackendMsg::Log(JobId(2), LogEvent::End));
    // The first is nowhere, the second on every line, the third on a few.
    for text in ["nowhere to be found", "build/", "12345", "src/0a", "x86"] {
        person.types("/");
        person.types(text);
        person.types("\n");
        person.types("nnnnnNNNNN");
        person.types("kkkkkkkkkkjjjjjjjjjj");
        for _ in 0..5 {
            person.presses(KeyCode::PageUp);
        }
        person.types("gnnNG");
    }
    person.types("&");
    person.types("777");
    person.types("\n");
    person.types("kkkkkkkkkkgG");
    for _ in 0..5 {
        person.presses(KeyCode::PageUp);
    }
    person.measured("key to frame, p99: log of 1,000,000 lines, search")
}

/// Somebody at the console, and the console's loop.
struct Person {
    app: App,
    terminal: Terminal<CrosstermBackend<Nowhere>>,
    /// What the farm reports now and then.
    news: fn(u64) -> BackendMsg,
    told: u64,
    next_news: Instant,
    next_tick: Instant,
    next_frame: Instant,
    next_key: Instant,
    has_work: bool,
    wants_frame: bool,
    latencies: Vec<Duration>,
    /// Processor time of a key and its frame, without what was under way.
    own: Vec<Duration>,
    longest_step: Duration,
    longest_key: (Duration, String),
}

impl Person {
    fn new() -> Self {
        let mut app = App::new(Setup {
            theme: Theme::Dark,
            read_only: false,
            title: "bench".to_owned(),
            now: NOW,
            keymap: Keymap::default(),
            session: "bench".to_owned(),
            mouse: false,
            utc_offset: 0,
            filters: Vec::new(),
        });
        app.update(Msg::Resize(160, 50));
        let options = TerminalOptions {
            viewport: Viewport::Fixed(Rect::new(0, 0, 160, 50)),
        };
        let now = Instant::now();
        Self {
            app,
            terminal: Terminal::with_options(CrosstermBackend::new(Nowhere), options)
                .expect("nothing to fail"),
            news: |_| BackendMsg::Link(LinkState::Online),
            told: 0,
            next_news: now,
            next_tick: now,
            next_frame: now,
            next_key: now,
            has_work: false,
            wants_frame: false,
            latencies: Vec::new(),
            own: Vec::new(),
            longest_step: Duration::ZERO,
            longest_key: (Duration::ZERO, String::new()),
        }
    }

    fn update(&mut self, msg: Msg) {
        for effect in self.app.update(msg) {
            match effect {
                Effect::Draw | Effect::Redraw => self.wants_frame = true,
                Effect::Continue => self.has_work = true,
                _ => {}
            }
        }
    }

    fn hears(&mut self, news: BackendMsg) {
        self.update(Msg::from(news));
    }

    fn draw(&mut self) {
        let app = &self.app;
        self.terminal
            .draw(|frame| view::draw(app, frame))
            .expect("nothing to fail");
        self.wants_frame = false;
        self.next_frame = Instant::now() + FRAME;
    }

    fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.presses(match c {
                '\n' => KeyCode::Enter,
                '\u{8}' => KeyCode::Backspace,
                c => KeyCode::Char(c),
            });
        }
    }

    /// Presses a key when its time has come; until then the loop does what there is to do.
    fn presses(&mut self, code: KeyCode) {
        self.next_key = Instant::now().max(self.next_key) + REPEAT;
        while Instant::now() < self.next_key {
            let begin = Instant::now();
            if self.wants_frame && begin >= self.next_frame {
                self.draw();
            } else if begin >= self.next_news {
                self.next_news = begin + NEWS;
                self.told += 1;
                self.hears((self.news)(self.told));
            } else if begin >= self.next_tick {
                self.next_tick = begin + TICK;
                self.update(Msg::Tick(NOW + self.told * 100));
            } else if std::mem::take(&mut self.has_work) {
                self.update(Msg::Work);
            } else {
                let next = self.next_key.min(self.next_news).min(self.next_tick);
                let next = if self.wants_frame {
                    next.min(self.next_frame)
                } else {
                    next
                };
                std::thread::sleep(next.saturating_duration_since(begin));
                continue;
            }
            self.longest_step = self.longest_step.max(begin.elapsed());
        }
        let cpu = cpu_time();
        self.update(key(code));
        self.draw();
        self.own.push(cpu_time().saturating_sub(cpu));
        let latency = self.next_key.elapsed();
        if latency > self.longest_key.0 {
            self.longest_key = (latency, format!("{code:?}"));
        }
        self.latencies.push(latency);
    }

    fn measured(mut self, what: &str) -> Vec<Measured> {
        let p50 = percentile(&mut self.latencies, 50);
        let p99 = percentile(&mut self.latencies, 99);
        let own = percentile(&mut self.own, 99);
        let (longest, pressed) = &self.longest_key;
        vec![Measured::new(
            what,
            p99.as_secs_f64() * 1e3,
            "ms",
            Some(BAR_MS),
            format!(
                "{} keys, median {p50:.1?}, longest {longest:.1?} ({pressed}); processor time of key and frame p99 \
                 {own:.1?}; longest step between keys {:.1?}",
                self.latencies.len(),
                self.longest_step
            ),
        )]
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn key(code: KeyCode) -> Msg {
    Msg::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// A terminal that shows nobody anything.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A job with a name such as packages have.
fn job(number: u64) -> Job {
    const FIRST: &[&str] = &[
        "python", "lib", "qt6", "firefox", "haskell", "ruby", "gnome", "ttf", "linux", "perl",
    ];
    const SECOND: &[&str] = &[
        "requests",
        "webengine",
        "nightly",
        "core",
        "zen",
        "extra",
        "x11",
        "wayland",
        "kernel",
        "tools",
        "data",
    ];
    const STATES: &[JobState] = &[
        JobState::Waiting,
        JobState::Waiting,
        JobState::Ready,
        JobState::Building,
        JobState::Failed,
        JobState::Succeeded,
    ];
    let pick = |words: &[&'static str], salt: u64| {
        let at = number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(17)
            .wrapping_add(salt)
            >> 7;
        words[usize::try_from(at % words.len() as u64).unwrap_or(0)]
    };
    let pkgbase = format!("{}-{}-{number}", pick(FIRST, 1), pick(SECOND, 1 << 40));
    let state = STATES[usize::try_from(number % STATES.len() as u64).unwrap_or(0)];
    let claimed = state == JobState::Building || state.is_final() || number == 2;
    Job {
        id: JobId(number),
        request: JobRequest {
            target: Target {
                repo: "chaotic-aur".parse().expect("a valid name"),
                arch: "x86_64".parse().expect("a valid name"),
            },
            source: "chaotic-aur".parse().expect("a valid name"),
            pkgbase: pkgbase.parse().expect("a valid name"),
            class: BuildClass::DEFAULT,
            names: vec![pkgbase],
            needs: Vec::new(),
            build_commit: None,
            status_commit: None,
            arch_mirror: None,
            rebuild: false,
        },
        state,
        attempt: u32::from(claimed),
        builder: claimed.then(|| format!("builder-{}", number % 7)),
        instance: None,
        phase: None,
        reason: (state == JobState::Failed).then(|| "a failure occurred in build()".to_owned()),
        canceling: None,
        requested_by: "ci".to_owned(),
        waits_for: Vec::new(),
        broken: Vec::new(),
        released: false,
        priority: i32::try_from(number % 3).unwrap_or(0),
        expected: 120 + number % 1000,
        chain: 300,
        delay: 0,
        ready_at: None,
        built_commit: None,
        packages: Vec::new(),
        since: NOW - 90_000 - number,
        started: claimed.then_some(NOW - 150_000),
        finished: state.is_final().then_some(NOW - 90_000 - number),
        history: Vec::new(),
        phases: Vec::new(),
    }
}
