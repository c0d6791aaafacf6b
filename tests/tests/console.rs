//! The real `caur-tui` in a real terminal: what it shows, and that the terminal is given back however it ends.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use caur_core::model::{Arch, BuildClass, JobRequest, Pkgbase, SourceRepo, Target, TargetRepo};
use caur_core::queue::{Asker, Queue};
use caur_core::testing::{RedisServer, Sshd};
use caur_tests::{Window, caur_tui, eventually, run};
use pty_process::Command;
use rustix::process::Signal;
use tempfile::TempDir;
use vt100::{Color, MouseProtocolMode, Screen};

/// Keys that have no character.
const ESCAPE: &str = "\x1b";
const CTRL_L: &str = "\x0c";
const CTRL_Z: &str = "\x1a";
const UP: &str = "\x1b[A";

/// A person's home directory, with nothing in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn tui_toml(&self) -> PathBuf {
        self.path("config/caur/tui.toml")
    }

    fn write_tui_toml(&self, text: &str) {
        std::fs::create_dir_all(self.path("config/caur")).unwrap();
        std::fs::write(self.tui_toml(), text).unwrap();
    }

    /// What a login gives to every program.
    fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let path = std::env::var_os("PATH").expect("there is a PATH");
        vec![
            ("HOME", self.0.path().to_owned()),
            ("XDG_CONFIG_HOME", self.path("config")),
            ("XDG_STATE_HOME", self.path("state")),
            ("PATH", path.into()),
            ("TERM", "xterm-256color".into()),
            ("LANG", "C.UTF-8".into()),
            ("PS1", "shell> ".into()),
        ]
    }

    fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        Command::new(program.as_ref())
            .args(arguments)
            .env_clear()
            .envs(self.environment())
    }

    /// The console in a window of the usual size.
    fn console(&self, arguments: &[&str]) -> Window {
        Window::open(self.command(caur_tui(), arguments), 80, 24)
    }

    /// The console without any terminal.
    fn detached(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(caur_tui());
        command.args(arguments).env_clear().envs(self.environment());
        command
    }
}

/// Nothing of the console is left of what it switched on.
fn is_given_back(screen: &Screen) -> bool {
    !screen.alternate_screen()
        && !screen.hide_cursor()
        && !screen.bracketed_paste()
        && screen.mouse_protocol_mode() == MouseProtocolMode::None
}

#[track_caller]
fn assert_given_back(window: &Window) {
    assert!(is_given_back(&window.screen()), "{}", window.text());
    assert_eq!(window.modes(), window.modes_before());
}

#[track_caller]
fn assert_status(status: ExitStatus, code: i32) {
    assert_eq!(status.code(), Some(code), "{status}");
}

#[tokio::test]
async fn the_demo_is_shown_and_obeys_keys() {
    let home = Home::new();
    let mut window = home.console(&["--demo"]);
    window.shows("online").await;
    window
        .until("a job on the queue", |screen| {
            screen.contents().contains("building")
        })
        .await;
    let screen = window.screen();
    assert!(screen.alternate_screen() && screen.bracketed_paste());
    assert_eq!(
        screen.mouse_protocol_mode(),
        MouseProtocolMode::PressRelease,
        "movements are not wanted"
    );
    assert_ne!(window.modes(), window.modes_before());
    window.types("/state:failed\r").await;
    window
        .until("failed jobs only", |screen| {
            let text = screen.contents();
            text.contains("✗ failed") && !text.contains("▶ building")
        })
        .await;
    window.types("?").await;
    window.shows("keys of").await;
    window.types(ESCAPE).await;
    window
        .until("the queue", |screen| !screen.contents().contains("keys of"))
        .await;
    window.types("\r").await;
    window.shows("2 Job").await;
    window.types("qq").await;
    assert_status(window.end().await, 0);
    assert_given_back(&window);
    assert_eq!(window.text().trim(), "", "nothing is left on the screen");
}

#[tokio::test]
async fn a_filter_is_remembered_until_the_next_start() {
    let home = Home::new();
    for keys in ["/state:failed class:>3\r", "/"] {
        let mut window = home.console(&["--demo"]);
        window.shows("online").await;
        window.types(keys).await;
        if keys == "/" {
            window.types(UP).await;
        }
        window.shows("state:failed class:>3").await;
        window.types(ESCAPE).await;
        window.signal(window.program(), Signal::TERM);
        window.end().await;
    }
    let filters = std::fs::read_to_string(home.path("state/caur/filters")).unwrap();
    assert_eq!(filters, "state:failed class:>3\n");
    let log = home.path("state/caur/tui.log").metadata().unwrap();
    assert_eq!(log.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_tiny_window_is_no_end() {
    let home = Home::new();
    let mut window = home.console(&["--demo"]);
    window.shows("online").await;
    for (columns, rows) in [(20, 5), (1, 1), (200, 2), (2, 60)] {
        window.resize(columns, rows);
        // Whatever can be seen of it: it takes keys.
        window.types(CTRL_L).await;
    }
    window.resize(80, 24);
    window.shows("online").await;
    window.resize(20, 5);
    window.types("?").await;
    window.shows("keys of").await;
    window.types(ESCAPE).await;
    window.resize(80, 24);
    window.shows("building").await;
    window.types("q").await;
    assert_status(window.end().await, 0);
    assert_given_back(&window);
}

#[tokio::test]
async fn a_stopped_console_leaves_the_terminal_to_the_shell() {
    let home = Home::new();
    let shell = home.command("bash", &["--noprofile", "--norc", "-i"]);
    let mut window = Window::open(shell, 80, 24);
    window.shows("shell> ").await;
    window.types(&format!("{} --demo\r", caur_tui().display())).await;
    window.shows("online").await;
    let job = window.foreground();
    for how in [None, Some(Signal::TSTP), Some(Signal::STOP)] {
        match how {
            None => window.types(CTRL_Z).await,
            Some(signal) => window.signal(job, signal),
        }
        window
            .until("the shell's word and its prompt", |screen| {
                let text = screen.contents();
                text.split_once("Stopped")
                    .is_some_and(|(_, rest)| rest.contains("shell>"))
            })
            .await;
        let stopped = window.screen();
        if how == Some(Signal::STOP) {
            // Nobody can do anything about this one, but after it all is well.
            assert!(stopped.alternate_screen());
        } else {
            assert!(
                !stopped.alternate_screen() && stopped.mouse_protocol_mode() == MouseProtocolMode::None,
                "{}",
                window.text()
            );
            window.types("stty -a\r").await;
            window
                .until("modes for lines", |screen| {
                    screen
                        .contents()
                        .split_whitespace()
                        .any(|word| word == "icanon" || word == "icanon;")
                })
                .await;
        }
        window.types("clear; fg\r").await;
        window
            .until("the console again", |screen| {
                let text = screen.contents();
                screen.alternate_screen() && text.contains("online") && !text.contains("shell>")
            })
            .await;
        assert_eq!(window.foreground(), job);
        let screen = window.screen();
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::PressRelease);
    }
    window.types("?").await;
    window.shows("keys of").await;
    window.types("q").await;
    window.types("q").await;
    window
        .until("the shell", |screen| {
            !screen.alternate_screen() && !screen.contents().contains("online")
        })
        .await;
    window.types("exit $?\r").await;
    assert_status(window.end().await, 0);
}

#[tokio::test]
async fn a_console_that_nobody_could_continue_does_not_stop() {
    let home = Home::new();
    let mut window = home.console(&["--demo"]);
    window.shows("online").await;
    window.types(CTRL_Z).await;
    window.signal(window.program(), Signal::TSTP);
    window.types("?").await;
    window.shows("keys of").await;
    window.signal(window.program(), Signal::TERM);
    assert_status(window.end().await, 143);
}

#[tokio::test]
async fn signals_end_the_console_and_the_terminal_is_as_before() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let home = Home::new();
        let mut window = home.console(&["--demo"]);
        window.shows("online").await;
        window.signal(window.program(), signal);
        assert_status(window.end().await, code);
        assert_given_back(&window);
        assert_eq!(window.text().trim(), "");
    }
}

#[tokio::test]
async fn a_panic_is_read_on_the_terminal_as_it_was() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_broken-console");
    let mut window = Window::open(home.command(program, &[]), 80, 24);
    window.shows("ready to break").await;
    window.types("r").await;
    let status = window.end().await;
    assert_status(status, 101);
    assert_given_back(&window);
    let text = window.text();
    assert!(
        text.lines()
            .any(|line| line.starts_with("Message:") && line.contains("a bug in the backend met")),
        "{text}"
    );
    assert!(!text.contains("ready to break"), "{text}");
}

#[tokio::test]
async fn a_closed_terminal_ends_the_console_quietly() {
    let home = Home::new();
    let window = home.console(&["--demo"]);
    window.shows("online").await;
    assert_status(window.close().await, 129);

    // One that is not told of it finds out when it draws.
    let told = home.path("status");
    let script = format!(
        "trap '' HUP; {} --demo; echo $? > {}",
        caur_tui().display(),
        told.display()
    );
    let window = Window::open(home.command("sh", &["-c", &script]), 80, 24);
    window.shows("online").await;
    window.close().await;
    assert_eq!(std::fs::read_to_string(told).unwrap(), "129\n");
    let log = std::fs::read_to_string(home.path("state/caur/tui.log")).unwrap();
    assert!(
        log.contains("the terminal is gone") && !log.contains("panic"),
        "{log}"
    );
}

#[tokio::test]
async fn the_first_start_asks_and_writes_a_private_file() {
    let home = Home::new();
    let mut window = home.console(&[]);
    window.shows("SSH server in front of it").await;
    window.types("\r").await;
    window.shows("Redis of the farm").await;
    window.types("http://farm\r").await;
    window.shows("That is not it: ").await;
    window.types("\x15unix:///nonexistent/redis.sock\r").await;
    window.shows("Name of this farm").await;
    window.types("shed\r").await;
    window
        .until("the console", |screen| {
            let text = screen.contents();
            screen.alternate_screen() && text.contains("/nonexistent/redis.sock")
        })
        .await;
    window.types("q").await;
    assert_status(window.end().await, 0);
    assert_given_back(&window);
    let mode = home.tui_toml().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(home.tui_toml()).unwrap();
    assert!(text.contains("[profiles.shed]"), "{text}");

    // Nothing is asked again.
    let window = home.console(&[]);
    window.shows("/nonexistent/redis.sock").await;
}

#[tokio::test]
async fn leaving_the_first_start_writes_nothing() {
    for (keys, signal, code) in [
        (ESCAPE, None, 1),
        ("\x03", None, 1),
        ("", Some(Signal::TERM), 143),
    ] {
        let home = Home::new();
        let mut window = home.console(&[]);
        window.shows("SSH server in front of it").await;
        window.types("me@farm\r").await;
        window.shows("Redis of the farm").await;
        window.types(keys).await;
        if let Some(signal) = signal {
            window.signal(window.program(), signal);
        }
        assert_status(window.end().await, code);
        assert_eq!(window.modes(), window.modes_before());
        assert!(!home.path("config").exists());
    }
}

#[tokio::test]
async fn without_a_terminal_it_says_what_to_write_where() {
    let home = Home::new();
    let path = home.tui_toml().display().to_string();
    run_detached(
        &home,
        &[],
        &[&path, "[profiles.farm]", "redis-url", "--redis-url"],
    )
    .await;
    run_detached(&home, &["--demo"], &["no terminal"]).await;
    home.write_tui_toml("[profiles.farm]\nssh = \"farm\"\n");
    run_detached(&home, &[], &["no terminal"]).await;
    run_detached(&home, &["--profile", "barn"], &["no profile barn", "farm"]).await;
}

async fn run_detached(home: &Home, arguments: &[&str], words: &[&str]) {
    run(home.detached(arguments), "").await.expect(1).says(words);
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_line_and_key() {
    let home = Home::new();
    home.write_tui_toml("theme = \"dark\"\n[profiles.farm]\nredis-ulr = \"redis://me:s3cret@farm\"\n");
    let place = format!("{}:3: profiles.farm.redis-ulr: ", home.tui_toml().display());
    for arguments in [&[][..], &["--demo"], &["--profile", "farm"]] {
        let mut window = Window::open(home.command(caur_tui(), arguments), 200, 24);
        assert_status(window.end().await, 1);
        let text = window.text();
        assert!(
            text.contains(&place) && text.contains("did you mean redis-url?"),
            "{text}"
        );
        assert!(!text.contains("s3cret"), "{text}");
    }
    home.write_tui_toml("[keys]\nhelp = [\"q\"]\n");
    let place = format!("{}:2: ", home.tui_toml().display());
    run_detached(&home, &["--demo"], &[&place, "keys.help", "keys.quit"]).await;
}

#[tokio::test]
async fn the_first_frame_does_not_wait_for_a_server() {
    let home = Home::new();
    for (arguments, state) in [
        (&["--redis-url", "redis://127.0.0.1:1"][..], "reconnecting"),
        // Nobody answers there: addresses of TEST-NET-1 belong to nobody.
        (
            &["--redis-url", "redis://127.0.0.1:1", "--ssh", "me@192.0.2.1"],
            "connecting",
        ),
    ] {
        let begin = Instant::now();
        let mut window = home.console(arguments);
        window
            .until("a frame", |screen| screen.contents().contains("Queue"))
            .await;
        let took = begin.elapsed();
        println!("{arguments:?}: the first frame after {took:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        window.shows(state).await;
        window.types("q").await;
        assert_status(window.end().await, 0);
        assert_given_back(&window);
    }
}

#[tokio::test]
async fn without_colours_the_selection_can_be_seen() {
    let home = Home::new();
    let command = home.command(caur_tui(), &["--demo"]).env("NO_COLOR", "1");
    let window = Window::open(command, 80, 24);
    window.shows("building").await;
    let screen = window.screen();
    let mut marked = 0;
    for row in 0..24 {
        for column in 0..80 {
            let cell = screen.cell(row, column).expect("it is on the screen");
            assert_eq!((cell.fgcolor(), cell.bgcolor()), (Color::Default, Color::Default));
            marked += u32::from(cell.inverse());
        }
    }
    assert!(marked > 0, "{}", window.text());
}

#[tokio::test]
async fn keys_of_the_configuration_hold() {
    let home = Home::new();
    home.write_tui_toml("mouse = false\n[keys]\nquit = [\"X\"]\n");
    let mut window = home.console(&["--demo"]);
    window.shows("online").await;
    assert_eq!(window.screen().mouse_protocol_mode(), MouseProtocolMode::None);
    window.types("X").await;
    assert_status(window.end().await, 0);
    let gone = eventually(Duration::from_secs(5), || async {
        is_given_back(&window.screen()).then_some(())
    });
    gone.await.unwrap();
}

/// What OpenSSH's own program says.
async fn ssh_keygen(arguments: &[&str]) -> String {
    let mut command = std::process::Command::new("ssh-keygen");
    command.args(arguments);
    run(command, "").await.expect(0).stdout
}

#[tokio::test]
async fn an_unknown_server_and_an_encrypted_key_are_asked_about_once() {
    let (redis, sshd) = (RedisServer::start(), Sshd::start());
    let home = Home::new();
    // Without OpenSSH's client, whose idea of where the home directory is does not come from the environment.
    let no_programs = home.path("bin");
    std::fs::create_dir_all(home.path(".ssh")).unwrap();
    let (key, host_key) = (home.path(".ssh/id_ed25519"), home.path("host_key.pub"));
    std::fs::copy(sshd.client_key(), &key).unwrap();
    let key = key.display().to_string();
    ssh_keygen(&["-p", "-q", "-P", "", "-N", "open sesame", "-f", &key]).await;
    std::fs::write(&host_key, sshd.host_key()).unwrap();
    let printed = ssh_keygen(&["-l", "-f", &host_key.display().to_string()]).await;
    let fingerprint = printed.split(' ').nth(1).expect("size, fingerprint, comment");

    let server = format!("{}@127.0.0.1:{}", sshd.target().user, sshd.port());
    let socket = format!("unix://{}", redis.socket().display());
    let arguments = ["--ssh", &server, "--redis-url", &socket];
    let start = || {
        let command = home.command(caur_tui(), &arguments);
        Window::open(command.env("PATH", &no_programs), 80, 24)
    };
    let mut window = start();
    window.shows("is this the right server?").await;
    window.shows(fingerprint).await;
    window.types("n").await;
    window.shows("failed").await;
    assert!(!home.path(".ssh/known_hosts").exists(), "a no is not recorded");
    // Another try asks again.
    window.types("r").await;
    window.shows("is this the right server?").await;
    window.types("y").await;
    window.types("\t\r").await;
    window.shows("an encrypted key").await;
    window.types("open sezame\r").await;
    window.shows("That was wrong").await;
    window.types("open sesame\r").await;
    window.shows("online").await;
    let known = std::fs::read_to_string(home.path(".ssh/known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 1, "{known}");
    window.types("q").await;
    assert_status(window.end().await, 0);

    let mut window = start();
    window.shows("an encrypted key").await;
    window.types("open sesame\r").await;
    window.shows("online").await;

    // The tunnel is cut; what was answered holds.
    sshd.cut_sessions();
    let queue = Queue::open(redis.link()).await.unwrap();
    let asker = Asker { by: "test", why: "" };
    queue.submit(vec![request("after-the-cut")], asker).await.unwrap();
    // Only another connection tells that, and nobody was asked anything for it.
    window.shows("after-the-cut").await;
    window.shows("online").await;
    window.types("q").await;
    assert_status(window.end().await, 0);
    assert_given_back(&window);
    let log = std::fs::read_to_string(home.path("state/caur/tui.log")).unwrap();
    assert!(!log.contains("sesame") && !log.contains("sezame"), "{log}");
}

fn request(pkgbase: &str) -> JobRequest {
    JobRequest {
        target: Target {
            repo: TargetRepo::new("test-repo").unwrap(),
            arch: Arch::new("x86_64").unwrap(),
        },
        source: SourceRepo::new("tests").unwrap(),
        pkgbase: Pkgbase::new(pkgbase).unwrap(),
        class: BuildClass::DEFAULT,
        names: vec![pkgbase.to_owned()],
        needs: Vec::new(),
        build_commit: None,
        status_commit: None,
        arch_mirror: None,
        rebuild: false,
    }
}
