//! Every screen as text, in the sizes that people have, and the colours that carry meaning.

use std::time::Duration;

use caur_core::model::{BuildClass, Job, JobId, JobState};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::app::App;
use crate::msg::{BackendMsg, Effect, LinkState, LogEvent, Msg, Snapshot};
use crate::testing::{self, NOW, job};
use crate::theme::Theme;

const SIZES: [(u16, u16); 3] = [(80, 24), (160, 50), (40, 10)];

fn buffer(app: &App, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| super::draw(app, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(app: &App, width: u16, height: u16) -> String {
    let buffer = buffer(app, width, height);
    let rows = buffer.content.chunks(usize::from(width));
    let rows: Vec<String> = rows
        .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>())
        .collect();
    let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
    rows.join("\n")
}

fn farm() -> Vec<Job> {
    let mut jobs = vec![
        job(10, "mesa-git", JobState::Building),
        job(11, "ungoogled-chromium", JobState::Building),
        job(12, "paru", JobState::Publishing),
        job(13, "yay", JobState::Uploaded),
        job(20, "lib32-mesa-git", JobState::Waiting),
        job(21, "obs-studio-plugin-collection-git", JobState::Waiting),
        job(22, "neovim-git", JobState::Ready),
        job(23, "waybar-git", JobState::Ready),
        job(24, "xone-dkms", JobState::Backoff),
        job(25, "sunshine", JobState::Blocked),
        job(1, "zen-browser", JobState::Succeeded),
        job(2, "vesktop", JobState::AlreadyBuilt),
        job(3, "bottom-git", JobState::Skipped),
        job(4, "emulsion", JobState::Failed),
        job(5, "rpcs3-git", JobState::TimedOut),
        job(6, "firedragon", JobState::OutOfMemory),
        job(7, "dolphin-emu-git", JobState::Canceled),
        job(8, "jellyfin-mpv", JobState::InfrastructureFailed),
    ];
    jobs[0].phase = Some("build".to_owned());
    jobs[1].phase = Some("fetch".to_owned());
    jobs[1].builder = Some("birch".to_owned());
    jobs[4].waits_for = vec![JobId(10)];
    jobs[5].waits_for = vec![JobId(10), JobId(11), JobId(22)];
    jobs[7].request.class = BuildClass::Number(3);
    jobs[8].reason = Some("image pull: connection reset; again in 60 s".to_owned());
    jobs[9].reason = Some("qt6-base-git failed\x1b[2J and the target lacks it".to_owned());
    jobs[13].reason = Some("makepkg: build() failed (exit status 4)".to_owned());
    jobs
}

fn online(width: u16, height: u16) -> App {
    let mut app = testing::app(width, height);
    tell(&mut app, BackendMsg::Link(LinkState::Online));
    tell(
        &mut app,
        BackendMsg::Jobs(Snapshot {
            jobs: farm(),
            taken: NOW,
        }),
    );
    app
}

fn with_log(width: u16, height: u16) -> App {
    let mut app = online(width, height);
    log(&mut app, LogEvent::Begin { attempt: 1 });
    let head = b"\x1b[1;32m==>\x1b[0m Making package: mesa-git\r\n\x1b]0;evil\x07clone  10%\rclone 100%\r\n";
    log(&mut app, LogEvent::Chunk(head.to_vec()));
    for line in 1..=100 {
        let flags = "-O2 -pipe -fno-plt -fexceptions -Wp,-D_FORTIFY_SOURCE=3 -Wformat";
        log(
            &mut app,
            LogEvent::Chunk(format!("[{line}/100] cc {flags} -c src/file_{line}.c\n").into_bytes()),
        );
    }
    app
}

fn tell(app: &mut App, msg: BackendMsg) -> Vec<Effect> {
    app.update(Msg::Backend(msg))
}

fn log(app: &mut App, event: LogEvent) {
    tell(app, BackendMsg::Log(JobId(10), event));
}

fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in keys.chars() {
        let code = match c {
            '⏎' => KeyCode::Enter,
            '⇥' => KeyCode::Tab,
            '⎋' => KeyCode::Esc,
            '⌫' => KeyCode::Backspace,
            '↑' => KeyCode::Up,
            '↓' => KeyCode::Down,
            '→' => KeyCode::Right,
            '⇞' => KeyCode::PageUp,
            other => KeyCode::Char(other),
        };
        effects.extend(app.update(Msg::Key(KeyEvent::from(code))));
    }
    effects
}

fn lost() -> BackendMsg {
    BackendMsg::Link(LinkState::Reconnecting {
        attempt: 3,
        next_in: Duration::from_secs(8),
        reason: "the SSH server farm.example:22 closed the connection".to_owned(),
    })
}

fn failed() -> BackendMsg {
    let reason = "Redis at farm.example:6379 refused the password of user viewer; check REDIS_PASSWORD or the \
                  address given with --redis-url";
    BackendMsg::Link(LinkState::Failed {
        reason: reason.to_owned(),
    })
}

/// Draws what `scene` makes in every size and compares it with the stored screens.
fn check(name: &str, scene: impl Fn(u16, u16) -> App) {
    for (width, height) in SIZES {
        let app = scene(width, height);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(&app, width, height));
    }
}

#[test]
fn queue() {
    check("queue", with_log);
}

#[test]
fn queue_with_a_waiting_job_selected() {
    check("waiting", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "jjjjjjj");
        let selected = app.table().selected().unwrap();
        tell(&mut app, BackendMsg::Log(selected, LogEvent::Missing));
        app
    });
}

#[test]
fn full_log() {
    check("log", |width, height| {
        let mut app = with_log(width, height);
        press(&mut app, "⏎");
        app
    });
}

#[test]
fn paused_log_that_was_cut() {
    check("log_paused", |width, height| {
        let mut app = with_log(width, height);
        press(&mut app, "⇥⇞↑→");
        log(&mut app, LogEvent::Cut(1_234_567));
        log(&mut app, LogEvent::Chunk(b"the end\n".to_vec()));
        log(&mut app, LogEvent::End);
        app
    });
}

#[test]
fn help() {
    check("help", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "?");
        app
    });
}

#[test]
fn filter() {
    check("filter", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "/mesa x⌫⌫");
        app
    });
}

#[test]
fn no_match() {
    check("no_match", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "/zzz⏎");
        app
    });
}

#[test]
fn loading() {
    check("loading", testing::app);
}

#[test]
fn empty() {
    check("empty", |width, height| {
        let mut app = testing::app(width, height);
        tell(&mut app, BackendMsg::Link(LinkState::Online));
        let jobs = Vec::new();
        tell(&mut app, BackendMsg::Jobs(Snapshot { jobs, taken: NOW }));
        app
    });
}

#[test]
fn stale() {
    check("stale", |width, height| {
        let mut app = with_log(width, height);
        app.update(Msg::Tick(NOW + 10_000));
        tell(&mut app, lost());
        app.update(Msg::Tick(NOW + 13_000));
        app
    });
}

#[test]
fn error_without_data() {
    check("error", |width, height| {
        let mut app = testing::app(width, height);
        tell(&mut app, failed());
        app
    });
}

#[test]
fn error_with_data() {
    check("error_stale", |width, height| {
        let mut app = with_log(width, height);
        tell(&mut app, failed());
        app.update(Msg::Tick(NOW + 300_000));
        app
    });
}

fn coloured(theme: Theme) -> Buffer {
    let mut app = App::new(crate::app::Setup {
        theme,
        ..testing::app(80, 24).setup().clone()
    });
    app.update(Msg::Resize(80, 24));
    let jobs = farm();
    tell(&mut app, BackendMsg::Jobs(Snapshot { jobs, taken: NOW }));
    log(&mut app, LogEvent::Begin { attempt: 1 });
    log(&mut app, LogEvent::Chunk(b"\x1b[31mred\n".to_vec()));
    buffer(&app, 80, 24)
}

#[test]
fn selection_and_states_have_their_colours() {
    let buffer = coloured(Theme::Color);
    let selected = &buffer[(2, 2)];
    assert!(selected.modifier.contains(Modifier::REVERSED) && selected.fg == Color::Cyan);
    assert_eq!(buffer[(0, 2)].symbol(), ">");
    assert!(!buffer[(2, 3)].modifier.contains(Modifier::REVERSED));
    assert_eq!(buffer[(2, 6)].fg, Color::Blue, "ready");
    assert_eq!(buffer[(0, 14)].fg, Color::Red, "the log");
}

#[test]
fn mono_has_no_colour_at_all_and_a_visible_selection() {
    let buffer = coloured(Theme::Mono);
    for cell in &buffer.content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
    assert!(buffer[(2, 2)].modifier.contains(Modifier::REVERSED));
    assert_eq!(buffer[(0, 2)].symbol(), ">");
}

#[test]
fn the_selected_job_stays_selected_and_its_log_open() {
    let mut app = online(80, 24);
    let effects = press(&mut app, "j");
    assert!(effects.contains(&Effect::Watch(Some(JobId(11)))));
    let mut jobs = farm();
    jobs[1].state = JobState::Succeeded;
    jobs[1].finished = Some(NOW);
    let effects = tell(&mut app, BackendMsg::Jobs(Snapshot { jobs, taken: NOW }));
    assert_eq!(app.table().selected(), Some(JobId(11)));
    assert_eq!(effects, [Effect::Draw], "the log is not opened again");
}

#[test]
fn a_full_screen_log_stays_when_its_job_leaves_the_queue() {
    let mut app = with_log(80, 24);
    press(&mut app, "⏎");
    let jobs = farm().split_off(1);
    tell(&mut app, BackendMsg::Jobs(Snapshot { jobs, taken: NOW }));
    assert_eq!(app.log().job(), Some(JobId(10)));
    let effects = press(&mut app, "⏎");
    assert!(effects.contains(&Effect::Watch(Some(JobId(11)))));
}

#[test]
fn a_paused_log_shows_the_same_lines_whatever_arrives() {
    let mut app = with_log(80, 24);
    press(&mut app, "⇥⇞");
    let lines = |app: &App| -> Vec<String> {
        let text = text(app, 80, 24);
        text.lines().skip(14).take(9).map(str::to_owned).collect()
    };
    let before = lines(&app);
    for line in 0..1000 {
        log(&mut app, LogEvent::Chunk(format!("more {line}\n").into_bytes()));
    }
    assert_eq!(lines(&app), before);
    press(&mut app, "G");
    assert!(text(&app, 80, 24).contains("more 999"));
}

#[test]
fn ctrl_c_leaves_from_everywhere_and_q_is_a_letter_in_a_filter() {
    for keys in ["", "/", "?", "⏎"] {
        let mut app = online(80, 24);
        press(&mut app, keys);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(app.update(Msg::Key(interrupt)).contains(&Effect::Quit), "{keys}");
    }
    let mut app = online(80, 24);
    assert!(!press(&mut app, "/q").contains(&Effect::Quit));
    assert_eq!(app.table().filter(), "q");
    assert!(press(&mut app, "⏎q").contains(&Effect::Quit));
}

#[test]
fn ages_follow_the_clock_of_the_queue() {
    let mut app = testing::app(80, 24);
    // The queue's clock is an hour behind this machine's.
    let taken = NOW - 3_600_000;
    let mut jobs = vec![job(1, "a", JobState::Ready)];
    jobs[0].since = taken - 5_000;
    tell(&mut app, BackendMsg::Jobs(Snapshot { jobs, taken }));
    assert_eq!(app.queue_now(), taken);
    assert!(text(&app, 80, 24).contains(" 5s "));
}

#[test]
fn nothing_is_drawn_for_news_that_nobody_sees() {
    let mut app = testing::app(80, 24);
    tell(&mut app, BackendMsg::Link(LinkState::Online));
    assert_eq!(app.update(Msg::Tick(NOW + 1000)), []);
    let other = BackendMsg::Log(JobId(99), LogEvent::Chunk(b"x\n".to_vec()));
    assert_eq!(tell(&mut app, other), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_any_keys_any_log(
        width in 0_u16..180,
        height in 0_u16..60,
        keys in prop::collection::vec(0_usize..16, 0..24),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        const KEYS: [char; 16] = [
            'j', 'k', 'g', 'G', '⏎', '⇥', '⎋', '/', '?', '↑', '↓', '→', '⇞', 'm', '⌫', 'h',
        ];
        let mut app = with_log(80, 24);
        app.update(Msg::Resize(width, height));
        log(&mut app, LogEvent::Chunk(bytes));
        for key in keys {
            press(&mut app, &KEYS[key].to_string());
            for cell in &buffer(&app, width, height).content {
                prop_assert!(!cell.symbol().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn only_colours_of_a_log_reach_the_cells(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut app = online(80, 24);
        log(&mut app, LogEvent::Begin { attempt: 1 });
        log(&mut app, LogEvent::Chunk(bytes));
        press(&mut app, "⏎");
        for cell in &buffer(&app, 80, 24).content {
            let refused = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            let symbol = cell.symbol();
            prop_assert!(!symbol.contains(refused), "{:?}", symbol);
            prop_assert!(!cell.modifier.intersects(Modifier::HIDDEN | Modifier::SLOW_BLINK | Modifier::RAPID_BLINK));
        }
    }
}
