//! Takes the terminal over and gives it back, also when the program panics, is suspended, or told to end.
//!
//! What is drawn and what else is told to the terminal goes through one [`Tty`], so that nothing reaches the terminal
//! while it is not the console's: a frame that another thread finishes after a panic does not run over the message.

use std::io::{self, IsTerminal, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste};
use crossterm::style::ResetColor;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{Command, queue};
use ratatui::backend::CrosstermBackend;
use rustix::process::{Signal as Signaled, getpgrp, getsid, kill_current_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::printable::one_line;
use crate::runtime::{JobControl, Surroundings};

/// Bytes of text that are put on a clipboard at most: terminals drop longer sequences.
const COPIED: usize = 74_994;

/// Whether the terminal is the console's at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// What the console draws on.
pub type Screen = ratatui::Terminal<CrosstermBackend<Tty>>;

/// The terminal while the console has it; dropping it gives it back.
pub struct Terminal {
    screen: Screen,
    switches: Switches,
}

/// What the terminal can do besides showing cells.
pub struct Switches {
    mouse: bool,
    stop: Signal,
    continued: Signal,
}

impl Terminal {
    /// Raw mode, alternate screen, pasting as one event, and a panic hook that undoes all of it before the message is
    /// printed. Listens for SIGTSTP and SIGCONT from then on.
    ///
    /// # Errors
    /// If standard input or output is no terminal.
    pub fn take(mouse: bool) -> io::Result<Self> {
        if !is_there() {
            let what = "standard input and output are no terminal; start caur-tui in one, without a pipe or redirection";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        let listen = |what: Signaled| signal(SignalKind::from_raw(what.as_raw()));
        let switches = Switches {
            mouse,
            stop: listen(Signaled::TSTP)?,
            continued: listen(Signaled::CONT)?,
        };
        give_back_before_a_panic_speaks();
        let taken = switches.take().and_then(|()| {
            let screen = Screen::new(CrosstermBackend::new(Tty::default()))?;
            Ok(Self { screen, switches })
        });
        if taken.is_err() {
            give_back();
        }
        taken
    }

    /// What is drawn on, and what else the terminal can do.
    pub fn parts(&mut self) -> (&mut Screen, &mut Switches) {
        (&mut self.screen, &mut self.switches)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether there is a terminal to read from and to draw on.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Writes to standard output, a whole frame at a time, while the terminal is the console's; else nowhere.
#[derive(Default)]
pub struct Tty {
    pending: Vec<u8>,
}

impl Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        tell(&pending)
    }
}

/// Writes while the terminal is the console's.
fn tell(bytes: &[u8]) -> io::Result<()> {
    if TAKEN.load(Ordering::Acquire) {
        write(bytes)
    } else {
        Ok(())
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Clicks and the wheel. Movements, which crossterm's command asks for as well, are of no use here and would come by
/// the hundred over a slow link.
struct EnableClicks;

impl Command for EnableClicks {
    fn write_ansi(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        out.write_str("\x1b[?1000h\x1b[?1006h")
    }
}

fn give_back() {
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    let mut bytes = Vec::new();
    let all = queue!(
        bytes,
        DisableMouseCapture,
        DisableBracketedPaste,
        ResetColor,
        LeaveAlternateScreen,
        Show
    );
    if let Err(error) = all.and_then(|()| write(&bytes)).and(disable_raw_mode()) {
        tracing::warn!(%error, "the terminal could not be restored");
    }
}

fn give_back_before_a_panic_speaks() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            hook(info);
        }));
    });
}

/// Whether somebody is there to continue a process that stops: a shell gives every job a process group of its own, and
/// who runs in the first group of the session (`ssh -t farm caur-tui`) would never be continued.
fn is_job_of_a_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

impl Switches {
    fn take(&self) -> io::Result<()> {
        TAKEN.store(true, Ordering::Release);
        enable_raw_mode()?;
        let mut bytes = Vec::new();
        queue!(bytes, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        if self.mouse {
            queue!(bytes, EnableClicks)?;
        }
        write(&bytes)
    }
}

impl Surroundings for Switches {
    fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut end = text.len().min(COPIED);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // OSC 52 reaches the terminal of the person, over SSH too; tmux passes it on itself (`set-clipboard`).
        let text = STANDARD.encode(&text[..end]);
        tell(format!("\x1b]52;c;{text}\x07").as_bytes())
    }

    fn notify(&mut self, text: &str) -> io::Result<()> {
        // The bell, and OSC 9 for terminals that tell the desktop.
        tell(format!("\x07\x1b]9;{}\x07", one_line(text)).as_bytes())
    }

    fn mouse(&mut self, taken: bool) -> io::Result<()> {
        self.mouse = taken;
        let mut bytes = Vec::new();
        if taken {
            queue!(bytes, EnableClicks)?;
        } else {
            queue!(bytes, DisableMouseCapture)?;
        }
        tell(&bytes)
    }

    async fn told(&mut self) -> JobControl {
        tokio::select! {
            Some(()) = self.stop.recv() => JobControl::Stop,
            Some(()) = self.continued.recv() => JobControl::Continued,
            else => std::future::pending().await,
        }
    }

    async fn obey(&mut self, what: JobControl) -> io::Result<()> {
        give_back();
        match what {
            JobControl::Stop if is_job_of_a_shell() => {
                // SIGSTOP and not SIGTSTP, which is listened for; to the group, as the terminal does it.
                kill_current_process_group(Signaled::STOP)?;
                self.continued.recv().await;
            }
            JobControl::Stop | JobControl::Continued => {}
        }
        self.take()
    }
}

/// No terminal at all.
#[cfg(test)]
pub struct Nothing;

#[cfg(test)]
impl Surroundings for Nothing {
    fn copy(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn notify(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn mouse(&mut self, _: bool) -> io::Result<()> {
        Ok(())
    }

    async fn told(&mut self) -> JobControl {
        std::future::pending().await
    }

    async fn obey(&mut self, _: JobControl) -> io::Result<()> {
        Ok(())
    }
}
