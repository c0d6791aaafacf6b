//! `caur-tui`: the console of the Caur build farm.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use caur_core::connect::{ConnectOptions, SshLogin, redis_link_with};
use caur_tui::app::Setup;
use caur_tui::backend::demo::Demo;
use caur_tui::backend::interviewer::{Interviewed, Interviewer};
use caur_tui::backend::redis::Farm;
use caur_tui::console::{self, Ended};
use caur_tui::first_start::{self, FirstStartError};
use caur_tui::options::Options;
use caur_tui::settings::{self, Place, Settings};
use caur_tui::{diary, profile, runtime, state_folder, terminal};
use clap::Parser;
use color_eyre::eyre::{Context, Result, bail};
use crossterm::event::EventStream;

/// How long the end waits for what still runs, such as a file that is being saved.
const PATIENCE: Duration = Duration::from_millis(500);
/// As shells write the end by a signal.
const BY_SIGNAL: u8 = 128;
/// SIGHUP, for a terminal that is gone.
const HANG_UP: i32 = 1;

fn main() -> ExitCode {
    // Local time is looked up while there is no other thread, as the lookup reads the environment.
    let utc_offset =
        time::UtcOffset::current_local_offset().map_or(0, |offset| i32::from(offset.whole_minutes()));
    let options = Options::parse();
    let ended = color_eyre::install().and_then(|()| {
        let threads = tokio::runtime::Runtime::new().context("starting threads")?;
        let ended = threads.block_on(start(&options, utc_offset));
        threads.shutdown_timeout(PATIENCE);
        ended
    });
    match ended {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(signal)) => by_signal(signal),
        Err(error) if console::lost_terminal(&error) => {
            tracing::warn!("the terminal is gone: {error:#}");
            by_signal(HANG_UP)
        }
        Err(error) => {
            tracing::error!("{error:#}");
            // Standard error may be gone as well, which is no reason to panic.
            let _nobody_reads = writeln!(std::io::stderr(), "caur-tui: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn by_signal(signal: i32) -> ExitCode {
    ExitCode::from(BY_SIGNAL.saturating_add(u8::try_from(signal).unwrap_or_default()))
}

/// Runs the console; the signal that ended it, if one did.
async fn start(options: &Options, utc_offset: i32) -> Result<Option<i32>> {
    let state = state_folder::open();
    if let Err(error) = state
        .as_ref()
        .map_err(ToString::to_string)
        .and_then(|folder| diary::start(folder).map_err(|error| format!("{}: {error}", folder.display())))
    {
        eprintln!("caur-tui: no log of its own is kept: {error}");
    }
    let state = state.as_deref().ok();
    let path = profile::path()?;
    let mut settings = settings::gather(options, &path, std::env::vars_os())?;
    if matches!(settings.farm, Place::Unsaid) {
        if !terminal::is_there() {
            return Err(FirstStartError::NobodyToAsk { path }.into());
        }
        tokio::select! {
            signal = console::told_to_end()? => return Ok(Some(signal)),
            written = first_start::configure(&path, EventStream::new()) => written?,
        }
        settings = settings::gather(options, &path, std::env::vars_os())?;
    }
    let ended = show(settings, state, utc_offset).await?;
    if let Some(folder) = state {
        state_folder::remember_filters(folder, ended.app.used_filters());
    }
    Ok(ended.signal)
}

async fn show(settings: Settings, state: Option<&Path>, utc_offset: i32) -> Result<Ended> {
    let setup = Setup {
        theme: settings.theme,
        read_only: settings.read_only,
        title: settings.title,
        now: runtime::now(),
        keymap: settings.keymap,
        session: format!("{:016x}", rand::random::<u64>()),
        mouse: settings.mouse,
        utc_offset,
        filters: state.map(state_folder::filters).unwrap_or_default(),
    };
    match settings.farm {
        Place::Redis { redis, through } => {
            let (questions, interview) = Interviewer::new();
            let link = redis_link_with(
                &redis,
                ConnectOptions {
                    questions: Some(questions),
                    compress: true,
                    login: through.map_or(SshLogin::Settings, |ssh| SshLogin::SshConfig {
                        user: ssh.user,
                        port: ssh.port,
                    }),
                },
            );
            console::show(Interviewed::new(Farm::new(link, who()), interview), setup).await
        }
        Place::Demo => {
            let demo = Demo::new(runtime::now()).context("setting up the demo farm")?;
            console::show(demo, setup).await
        }
        Place::Unsaid => bail!("the configuration was removed while caur-tui started; start it again"),
    }
}

/// Who acts, as the trail shows it.
fn who() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
