//! `caur-tui`: the console of the Caur build farm.
//!
//! [`app`] holds what is known and what keys do, without I/O; [`view`] draws it; [`runtime`] ties both to
//! the terminal and to a [`backend`].

mod ansi;
mod app;
mod backend;
mod diary;
mod keymap;
mod layout;
mod log_model;
mod log_pane;
mod msg;
mod options;
mod printable;
mod queue_table;
mod runtime;
mod sgr;
mod span;
mod terminal;
#[cfg(test)]
mod testing;
mod theme;
mod view;

use clap::Parser;
use color_eyre::eyre::{Context, Result, bail};
use crossterm::event::EventStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Setup};
use crate::backend::Backend;
use crate::backend::demo::Demo;
use crate::options::Options;
use crate::terminal::Terminal;
use crate::theme::Theme;

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
    let settings = options.apply(caur_core::config::RedisSettings::default());
    bail!(
        "cannot open the queue at {}: this program was built without a connection to Redis; try --demo",
        options::describe(&settings)
    )
}

/// Shows what `backend` reports until the user leaves or the process is told to.
async fn show(backend: impl Backend, title: String, options: &Options) -> Result<()> {
    let app = App::new(Setup {
        theme: Theme::from_no_color(std::env::var("NO_COLOR").ok().as_deref()),
        read_only: options.read_only,
        title,
        now: runtime::now(),
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
    let mut terminal = Terminal::take().context("taking over the terminal")?;
    runtime::run(app, backend, terminal.screen(), EventStream::new(), stop).await
}
