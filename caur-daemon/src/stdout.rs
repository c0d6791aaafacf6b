//! Standard output of commands. A reader that has seen enough, such as `head`, is no failure.

use std::io::{ErrorKind, Write};

use color_eyre::eyre::{Result, WrapErr};
use serde::Serialize;

/// Writes `text` as it is.
///
/// # Errors
/// Standard output cannot be written to.
pub fn text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.wrap_err("cannot write to standard output"),
    }
}

/// Writes one line.
///
/// # Errors
/// As [`text`].
pub fn line(line: &str) -> Result<()> {
    text(&format!("{line}\n"))
}

/// Writes a value as one line of JSON.
///
/// # Errors
/// As [`text`].
pub fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value).wrap_err("cannot write JSON")?)
}
