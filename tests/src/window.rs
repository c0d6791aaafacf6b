//! A terminal with a person in front of it: what a program shows on a pseudo terminal, and keys, sizes and signals for
//! it.

use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;
use std::time::Duration;

use pty_process::{Command, OwnedReadPty, OwnedWritePty, Size, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{tcgetattr, tcgetpgrp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vt100::{Parser, Screen};

/// How long a program may take to show what is waited for, and to end.
const LIMIT: Duration = Duration::from_secs(30);
const READ: usize = 16 << 10;

/// A terminal window with one program in it, which is killed when the window is dropped.
pub struct Window {
    keyboard: OwnedWritePty,
    terminal: OwnedFd,
    before: Modes,
    child: Child,
    program: Pid,
    shown: watch::Sender<Parser>,
    reading: JoinHandle<()>,
}

/// What the terminal does with input and output by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
}

impl Modes {
    fn of(terminal: impl AsFd) -> Self {
        let modes = tcgetattr(terminal).expect("the window is open");
        Self {
            input: modes.input_modes.bits(),
            output: modes.output_modes.bits(),
            control: modes.control_modes.bits(),
            local: modes.local_modes.bits(),
        }
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a window has rows and columns")
}

impl Window {
    /// Starts `command` in a window of so many columns and rows, as the leader of a session of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn open(command: Command, columns: u16, rows: u16) -> Self {
        let (pty, inside) = open().expect("the system has pseudo terminals");
        pty.resize(Size::new(rows, columns))
            .expect("a new terminal can be sized");
        let before = Modes::of(&pty);
        let terminal = pty
            .as_fd()
            .try_clone_to_owned()
            .expect("an open file can be duplicated");
        let child = command
            .kill_on_drop(true)
            .spawn(inside)
            .unwrap_or_else(|error| panic!("cannot start the program: {error}"));
        let program = child
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?))
            .expect("it was just started");
        let shown = watch::Sender::new(Parser::new(cells(rows), cells(columns), 0));
        let (output, keyboard) = pty.into_split();
        let reading = tokio::spawn(read(output, shown.clone()));
        Self {
            keyboard,
            terminal,
            before,
            child,
            program,
            shown,
            reading,
        }
    }

    /// Waits until the screen is as `is_as_wanted` wants it.
    ///
    /// # Panics
    /// When it does not become so in time; the message shows the screen and names `what` was waited for.
    pub async fn until(&self, what: &str, mut is_as_wanted: impl FnMut(&Screen) -> bool) {
        let mut shown = self.shown.subscribe();
        let waiting = shown.wait_for(|parser| is_as_wanted(parser.screen()));
        let is_in_vain = timeout(LIMIT, waiting).await.is_err();
        assert!(
            !is_in_vain,
            "waited in vain for {what:?}; the screen is\n{}",
            self.text()
        );
    }

    /// Waits until the screen shows `text`.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text)).await;
    }

    /// What the screen shows now.
    #[must_use]
    pub fn text(&self) -> String {
        self.shown.borrow().screen().contents()
    }

    /// The screen as it is now.
    #[must_use]
    pub fn screen(&self) -> Screen {
        self.shown.borrow().screen().clone()
    }

    /// Types these characters.
    ///
    /// # Panics
    /// When nobody is at the other end.
    pub async fn types(&mut self, keys: &str) {
        let typed = self.keyboard.write_all(keys.as_bytes()).await;
        typed.expect("a terminal takes keys");
    }

    /// Gives the window another size; the system tells the program in the foreground.
    ///
    /// # Panics
    /// Never: the window is open.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.shown
            .send_modify(|parser| parser.set_size(cells(rows), cells(columns)));
        self.keyboard
            .resize(Size::new(rows, columns))
            .expect("the window is open");
    }

    /// The terminal's modes now.
    #[must_use]
    pub fn modes(&self) -> Modes {
        Modes::of(&self.terminal)
    }

    /// The terminal's modes before the program was started.
    #[must_use]
    pub fn modes_before(&self) -> Modes {
        self.before
    }

    /// The job in the foreground: its process group, which has the number of its first process.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn foreground(&self) -> Pid {
        tcgetpgrp(&self.terminal).expect("a session has a foreground")
    }

    /// The program that the window was opened with.
    #[must_use]
    pub fn program(&self) -> Pid {
        self.program
    }

    /// Sends a signal to a process.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn signal(&self, process: Pid, signal: Signal) {
        kill_process(process, signal).expect("the process is there");
    }

    /// Waits until the program has ended and everything that it wrote is on the screen.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn end(&mut self) -> ExitStatus {
        let is_in_vain = timeout(LIMIT, &mut self.reading).await.is_err();
        assert!(
            !is_in_vain,
            "the program does not end; the screen is\n{}",
            self.text()
        );
        end_of(&mut self.child).await
    }

    /// Closes the window under the program, and waits until that has ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn close(self) -> ExitStatus {
        let Self {
            keyboard,
            terminal,
            mut child,
            reading,
            ..
        } = self;
        reading.abort();
        let _aborted = reading.await;
        drop((keyboard, terminal));
        end_of(&mut child).await
    }
}

async fn end_of(child: &mut Child) -> ExitStatus {
    let ended = timeout(LIMIT, child.wait()).await;
    ended
        .unwrap_or_else(|_| panic!("the program does not end within {LIMIT:?}"))
        .expect("one's own child can be waited for")
}

/// Shows what the program writes, until nobody has the terminal open any more.
async fn read(mut output: OwnedReadPty, shown: watch::Sender<Parser>) {
    let mut buffer = vec![0; READ];
    // The end is told as an error.
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        shown.send_modify(|parser| parser.process(&buffer[..count]));
    }
}
