//! `caur-tui`: the console of the Caur build farm.

use caur_core::config::Loader;
use caur_core::connect::{ConnectOptions, redis_link_with};
use caur_tui::app::{App, Setup};
use caur_tui::backend::Backend;
use caur_tui::backend::demo::Demo;
use caur_tui::backend::redis::Farm;
use caur_tui::keymap::Keymap;
use caur_tui::options::{self, Options};
use caur_tui::terminal::Terminal;
use caur_tui::theme::Theme;
use caur_tui::{diary, runtime};
use clap::Parser;
use color_eyre::eyre::{Context, Result};
use crossterm::event::EventStream;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<()> {
    color_eyre::install()?;
    let options = Options::parse();
    if let Err(error) = diary::start() {
        eprintln!("caur-tui: no log of its own is kept: {error}");
    }
    if options.demo {
        let demo = Demo::new(runtime::now()).context("setting up the demo farm")?;
        return show(demo, "demo farm".to_owned(), &options).await;
    }
    let mut loader = Loader::new(std::env::vars_os());
    loader.file.clone_from(&options.config);
    let settings = options.apply(loader.load()?.config.queue_redis());
    // Consoles are used over slow links, and what the queue says compresses well.
    let connect = ConnectOptions {
        compress: true,
        ..ConnectOptions::default()
    };
    let link = redis_link_with(&settings, connect);
    show(Farm::new(link, who()), options::describe(&settings), &options).await
}

/// Who acts, as the trail shows it.
fn who() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "someone at a console".to_owned())
}

/// Shows what `backend` reports until the user leaves or the process is told to.
async fn show(backend: impl Backend, title: String, options: &Options) -> Result<()> {
    let app = App::new(Setup {
        theme: Theme::choose(options.theme, None, std::env::var("NO_COLOR").ok().as_deref()),
        read_only: options.read_only,
        title,
        now: runtime::now(),
        keymap: Keymap::default(),
        session: format!("{:016x}", rand::random::<u64>()),
        mouse: true,
        utc_offset: 0,
        filters: Vec::new(),
    });
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let mouse = app.has_mouse();
    let mut terminal = Terminal::take(mouse).context("taking over the terminal")?;
    let (screen, surroundings) = terminal.parts();
    runtime::run(app, backend, screen, surroundings, EventStream::new(), stop)
        .await
        .map(drop)
}
