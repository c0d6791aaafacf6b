//! The first start: nothing says where the farm is, so the few things that are needed are asked for, one line each, and
//! written to `tui.toml`.
//!
//! Promises: whatever is written was checked; leaving at any point writes nothing; a file that exists is never touched,
//! and a new one is there whole or not at all, readable by its owner only.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crossterm::cursor::MoveToColumn;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType, disable_raw_mode, enable_raw_mode};
use futures::{Stream, StreamExt};

use crate::input::Input;
use crate::options::{RedisUrl, SshEndpoint};

/// Where Redis is, as seen from the machine that it runs on.
const REDIS: &str = "redis://127.0.0.1:6379";

/// Columns of an answer that are shown while it is typed, its end where it is longer.
const SHOWN: usize = 70;

/// What a farm needs to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answers {
    /// The name of the profile.
    name: String,
    /// The SSH server, as it was typed; empty: none.
    ssh: String,
    /// Redis, as it was typed.
    redis_url: String,
}

/// Why there is no configuration after the first start.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// Nobody can be asked.
    #[error(
        "nothing says where the farm is, and there is no terminal to ask on. Give --redis-url (and --ssh), or write \
         {path}, for example:\n\n[profiles.farm]\nssh = \"USER@HOST\"\nredis-url = \"{REDIS}\""
    )]
    NobodyToAsk {
        /// Where the console looks.
        path: PathBuf,
    },
    /// The person left.
    #[error("left without an answer; nothing was written")]
    Left,
    /// The terminal failed.
    #[error("cannot ask on the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Asks on the terminal and writes the answers to `path`.
///
/// # Errors
/// [`FirstStartError`]; then nothing was written.
pub async fn configure(
    path: &Path,
    input: impl Stream<Item = io::Result<Event>> + Unpin,
) -> Result<(), FirstStartError> {
    let answers = {
        let _raw = RawMode::enter()?;
        ask(path, input, &mut io::stdout()).await?
    };
    write(path, &answers).map_err(|source| FirstStartError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

/// Keys come one by one while it lives.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Err(error) = disable_raw_mode() {
            tracing::warn!(%error, "the terminal could not be restored");
        }
    }
}

async fn ask(
    path: &Path,
    mut input: impl Stream<Item = io::Result<Event>> + Unpin,
    out: &mut impl Write,
) -> Result<Answers, FirstStartError> {
    write!(
        out,
        "Nothing says yet where the farm is. Three answers go to\r\n{}.\r\nEnter takes what is in brackets, Esc \
         leaves.\r\n",
        path.display()
    )?;
    let mut question = async |text: &str, default: &str, check: fn(&str) -> Result<(), String>| {
        answer(&mut input, out, text, default, check).await
    };
    let ssh = question(
        "SSH server in front of it, USER@HOST[:PORT] or a host of ssh's configuration",
        "",
        check_ssh,
    )
    .await?;
    let place = if ssh.is_empty() {
        "Redis of the farm"
    } else {
        "Redis of the farm, as that server sees it"
    };
    let redis_url = question(place, REDIS, |text| text.parse::<RedisUrl>().map(drop)).await?;
    let name = question("Name of this farm, for --profile", &usual_name(&ssh), check_name).await?;
    Ok(Answers { name, ssh, redis_url })
}

/// Asks until the answer is a good one.
async fn answer(
    input: &mut (impl Stream<Item = io::Result<Event>> + Unpin),
    out: &mut impl Write,
    question: &str,
    default: &str,
    check: fn(&str) -> Result<(), String>,
) -> Result<String, FirstStartError> {
    let shown = if default.is_empty() { "none" } else { default };
    write!(out, "\r\n{question} [{shown}]:\r\n")?;
    let mut line = Input::default();
    loop {
        draw(out, &line)?;
        let key = match input.next().await {
            None => return Err(FirstStartError::Left),
            Some(event) => match event? {
                Event::Key(key) if key.kind != KeyEventKind::Release => key,
                Event::Paste(text) => {
                    line.insert(&text);
                    continue;
                }
                Event::Key(_)
                | Event::Mouse(_)
                | Event::Resize(..)
                | Event::FocusGained
                | Event::FocusLost => {
                    continue;
                }
            },
        };
        if leaves(key) {
            write!(out, "\r\n")?;
            out.flush()?;
            return Err(FirstStartError::Left);
        }
        if key.code != KeyCode::Enter {
            line.key(key);
            continue;
        }
        let text = match line.text().trim() {
            "" => default,
            typed => typed,
        };
        write!(out, "\r\n")?;
        match check(text) {
            Ok(()) => {
                out.flush()?;
                return Ok(text.to_owned());
            }
            Err(why) => write!(out, "That is not it: {why}\r\n")?,
        }
    }
}

fn draw(out: &mut impl Write, line: &Input) -> io::Result<()> {
    let text = line.text();
    let from = text
        .char_indices()
        .rev()
        .nth(SHOWN - 1)
        .map_or(0, |(start, _)| start);
    queue!(out, MoveToColumn(0), Clear(ClearType::UntilNewLine))?;
    write!(out, "> {}", &text[from..])?;
    if from == 0 {
        let column = u16::try_from(line.column() + 2).unwrap_or(u16::MAX);
        queue!(out, MoveToColumn(column))?;
    }
    out.flush()
}

fn leaves(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Esc => true,
        KeyCode::Char('c' | 'd') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

fn check_ssh(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    text.parse::<SshEndpoint>().map(drop)
}

fn check_name(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        Ok(())
    } else {
        Err("expected letters, digits, - and _".to_owned())
    }
}

/// The first word of the server's name, where it is one.
fn usual_name(ssh: &str) -> String {
    let host = ssh.parse::<SshEndpoint>().map(|ssh| ssh.host).unwrap_or_default();
    let word = host.split('.').next().unwrap_or_default();
    let is_address = word.chars().all(|c| c.is_ascii_digit());
    if !is_address && check_name(word).is_ok() {
        word.to_owned()
    } else {
        "farm".to_owned()
    }
}

/// The file that holds these answers.
fn render(answers: &Answers) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let ssh = if answers.ssh.is_empty() {
        "# ssh = \"USER@HOST\"".to_owned()
    } else {
        format!("ssh = {}", quoted(&answers.ssh))
    };
    format!(
        r#"# What caur-tui is started with. What is commented out says what holds without it.

# The farm that is shown where --profile names no other.
default = "{name}"

# dark, light, high-contrast, color-blind or mono; where NO_COLOR is set it is mono.
# theme = "dark"

# Whether the mouse works in the console; without it, it selects text in the terminal. Ctrl-T switches.
# mouse = true

# Keys by action; docs/KEYS.md has them all. An empty list takes an action's keys away.
[keys]
# quit = ["q", "ctrl-c"]

# A farm. Any number of them may follow, as [profiles.NAME].
[profiles.{name}]
# The SSH server to reach it through: USER@HOST[:PORT], or a host of ssh's configuration. Without it Redis is
# reached directly.
{ssh}
# Redis: redis://[USER@]HOST[:PORT], or redis+unix:///SOCKET; as seen from the SSH server.
redis-url = {redis_url}
# A file whose first line is the password of Redis; without it REDIS_PASSWORD, where that is set.
# redis-password-file = "/home/me/.config/caur/password"
# Whether nothing that changes the farm is offered.
# read-only = false
"#,
        name = answers.name,
        redis_url = quoted(&answers.redis_url),
    )
}

fn write(path: &Path, answers: &Answers) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Such a file is readable by its owner only.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(render(answers).as_bytes())?;
    new.as_file().sync_all()?;
    new.persist_noclobber(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
