//! Takes the terminal over and gives it back, also when the program panics, is suspended or told to end.

use std::io::{self, IsTerminal, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use ratatui::DefaultTerminal;

use crate::printable::one_line;
use crate::runtime::Surroundings;

/// Bytes of text that are put on a clipboard at most: terminals drop longer sequences.
const COPIED: usize = 74_994;

/// The terminal while the console has it; dropping it gives it back.
pub struct Terminal {
    screen: Option<DefaultTerminal>,
    switches: Switches,
}

/// What is switched on besides the screen.
pub struct Switches {
    mouse: bool,
}

impl Terminal {
    /// Raw mode, alternate screen, pasting as one event, and a panic hook that undoes all of it before the message is
    /// printed.
    ///
    /// # Errors
    /// If standard output is no terminal.
    pub fn take(mouse: bool) -> io::Result<Self> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            let what = "standard input and output are no terminal; start caur-tui in one, without a pipe or redirection";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        let screen = ratatui::try_init()?;
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back_switches();
            hook(info);
        }));
        let mut switches = Switches { mouse };
        switches.on()?;
        Ok(Self {
            screen: Some(screen),
            switches,
        })
    }

    /// What is drawn on, and what else the terminal can do.
    pub fn parts(&mut self) -> (&mut DefaultTerminal, &mut Switches) {
        let screen = self.screen.as_mut().expect("it is there until it is dropped");
        (screen, &mut self.switches)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back_switches();
        if let Err(error) = ratatui::try_restore() {
            tracing::warn!(%error, "the terminal could not be restored");
        }
    }
}

fn give_back_switches() {
    if let Err(error) = execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste) {
        tracing::warn!(%error, "the terminal could not be restored");
    }
}

impl Switches {
    fn on(&mut self) -> io::Result<()> {
        execute!(io::stdout(), EnableBracketedPaste)?;
        self.mouse(self.mouse)
    }
}

impl Surroundings for Switches {
    fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut end = text.len().min(COPIED);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // OSC 52 reaches the terminal of the person, over SSH too.
        let text = STANDARD.encode(&text[..end]);
        let mut out = io::stdout();
        write!(out, "\x1b]52;c;{text}\x07")?;
        out.flush()
    }

    fn notify(&mut self, text: &str) -> io::Result<()> {
        // The bell, and OSC 9 for terminals that tell the desktop.
        let mut out = io::stdout();
        write!(out, "\x07\x1b]9;{}\x07", one_line(text))?;
        out.flush()
    }

    fn mouse(&mut self, taken: bool) -> io::Result<()> {
        self.mouse = taken;
        if taken {
            execute!(io::stdout(), EnableMouseCapture)
        } else {
            execute!(io::stdout(), DisableMouseCapture)
        }
    }

    fn suspend(&mut self) -> io::Result<()> {
        give_back_switches();
        ratatui::try_restore()?;
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        crossterm::terminal::enable_raw_mode()?;
        execute!(io::stdout(), crossterm::terminal::EnterAlternateScreen)?;
        self.on()
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

    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
}
