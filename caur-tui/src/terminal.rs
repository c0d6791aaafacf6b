//! Takes the terminal over and gives it back, also when the program panics.

use std::io::{self, IsTerminal};

use ratatui::DefaultTerminal;

/// The terminal while the console has it; dropping it gives it back.
pub struct Terminal(DefaultTerminal);

impl Terminal {
    /// Raw mode, alternate screen, and a panic hook that undoes both before the message is printed.
    ///
    /// # Errors
    /// If standard output is no terminal.
    pub fn take() -> io::Result<Self> {
        if !io::stdout().is_terminal() {
            let what = "standard output is no terminal; start caur-tui in one, without a pipe or redirection";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        ratatui::try_init().map(Self)
    }

    /// What is drawn on.
    pub fn screen(&mut self) -> &mut DefaultTerminal {
        &mut self.0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Err(error) = ratatui::try_restore() {
            tracing::warn!(%error, "the terminal could not be restored");
        }
    }
}
