//! `caur-tui`: the console of the Caur build farm.
//!
//! [`app`] holds what is known and what keys do, without I/O; [`view`] draws it; [`runtime`] ties both to
//! the terminal and to a [`backend`].

#![warn(clippy::unwrap_used)]

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

use caur_core::config::Loader;
use caur_core::connect::redis_link;
use clap::Parser;
use color_eyre::eyre::{Context, Result};
use crossterm::event::EventStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Setup};
use crate::backend::Backend;
use crate::backend::demo::Demo;
use crate::backend::redis::Farm;
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
    let mut loader = Loader::new(std::env::vars_os());
    loader.file.clone_from(&options.config);
    let settings = options.apply(loader.load()?.config.queue_redis());
    let link = redis_link(&settings)
        .await
        .context("setting up the connection to the queue")?;
    show(Farm::new(link), options::describe(&settings), &options).await
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
