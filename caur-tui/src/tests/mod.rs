//! The whole console without a terminal: screens as text, keyboard scripts, and whatever keys and news may come.

mod keyboard;
mod properties;
mod snapshots;

use caur_core::log::LogPiece;
use caur_core::model::{BuildClass, Job, JobId, JobState};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use crate::app::App;
use crate::msg::{BackendMsg, Effect, LinkState, LogEvent, Msg, Request, Snapshot};
use crate::operation::Operation;
use crate::testing::{self, NOW, job};

fn buffer(app: &App, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| crate::view::draw(app, frame)).unwrap();
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
        BackendMsg::Access {
            may_operate: true,
            who: "ada".to_owned(),
        },
    );
    tell(&mut app, BackendMsg::Jobs(snapshot(farm())));
    app
}

fn snapshot(jobs: Vec<Job>) -> Snapshot {
    Snapshot {
        jobs,
        taken: NOW,
        partial: false,
    }
}

/// The log of the first job, opened.
fn with_log(width: u16, height: u16) -> App {
    let mut app = online(width, height);
    press(&mut app, "⏎");
    log(&mut app, LogEvent::Begin { attempt: 1, total: 0 });
    let mut text =
        "\x1b[1;32m==>\x1b[0m Making package: mesa-git\r\n\x1b]0;evil\x07clone  10%\rclone 100%\r\n"
            .to_owned();
    for line in 1..=100 {
        let flags = "-O2 -pipe -fno-plt -fexceptions -Wp,-D_FORTIFY_SOURCE=3 -Wformat";
        text.push_str(&format!("[{line}/100] cc {flags} -c src/file_{line}.c\n"));
        if line == 60 {
            text.push_str("src/file_60.c:12:3: error: expected ';' before 'return'\n");
        }
    }
    log(&mut app, LogEvent::Pieces(vec![piece(0, &text)], Vec::new()));
    app
}

fn piece(offset: u64, text: &str) -> LogPiece {
    LogPiece {
        offset,
        at: NOW,
        bytes: text.as_bytes().to_vec(),
    }
}

fn tell(app: &mut App, msg: BackendMsg) -> Vec<Effect> {
    app.update(Msg::from(msg))
}

fn log(app: &mut App, event: LogEvent) {
    tell(app, BackendMsg::Log(JobId(10), event));
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Msg {
    Msg::Key(KeyEvent::new(code, modifiers))
}

/// Presses keys: letters, and signs for those that have none. Long work is carried out at once.
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
        effects.extend(app.update(key(code, KeyModifiers::NONE)));
        while effects.last() == Some(&Effect::Continue) {
            effects.pop();
            effects.extend(app.update(Msg::Work));
        }
    }
    effects
}

/// The operations among effects.
fn operations(effects: &[Effect]) -> Vec<Operation> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ask(request) => match &**request {
                Request::Operate(operation) => Some(operation.clone()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}
