//! The console with a backend, from taking the terminal to giving it back.

use std::io;
use std::sync::OnceLock;

use color_eyre::eyre::{Context, Result};
use crossterm::event::EventStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Setup};
use crate::backend::Backend;
use crate::runtime;
use crate::terminal::Terminal;

/// How a console ended that did not fail.
#[derive(Debug)]
pub struct Ended {
    /// As it was at the end.
    pub app: App,
    /// The signal that ended it; none: the user left.
    pub signal: Option<i32>,
}

/// Shows what `backend` reports until the user leaves or the process is told to.
///
/// # Errors
/// Without a terminal, and when it can no longer be read or written: see [`lost_terminal`].
pub async fn show(backend: impl Backend, setup: Setup) -> Result<Ended> {
    let app = App::new(setup);
    let told = OnceLock::new();
    let ending = told_to_end()?;
    let stop = async {
        let signal = ending.await;
        told.get_or_init(|| signal);
    };
    let mut terminal = Terminal::take(app.has_mouse()).context("taking over the terminal")?;
    let (screen, surroundings) = terminal.parts();
    let app = runtime::run(app, backend, screen, surroundings, EventStream::new(), stop).await?;
    Ok(Ended {
        app,
        signal: told.get().copied(),
    })
}

/// The signal that tells this process to end, once one does.
///
/// # Errors
/// When signals cannot be listened for.
pub fn told_to_end() -> Result<impl Future<Output = i32>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        let kind = tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hang_up.recv() => SignalKind::hangup(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        };
        kind.as_raw_value()
    })
}

/// Whether this is what is met when the terminal was closed: nobody is there to read more about it.
pub fn lost_terminal(error: &color_eyre::Report) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| {
            error.kind() == io::ErrorKind::BrokenPipe
                || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
        })
    })
}
