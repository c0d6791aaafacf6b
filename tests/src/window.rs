//! A terminal with a person in front of it: what a program shows on a pseudo terminal, and keys, sizes and signals for
//! it.

use std::io;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use pty_process::blocking::{Command, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{tcgetattr, tcgetpgrp, tcsetwinsize};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use vt100::{Parser, Screen};

use crate::wait::eventually;

/// How long a program may take to show what is waited for.
const LIMIT: Duration = Duration::from_secs(30);
const READ: usize = 16 << 10;

/// A terminal window with one program in it, which is killed when the window is dropped.
pub struct Window {
    master: Arc<AsyncFd<OwnedFd>>,
    child: Child,
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
        pty.resize(pty_process::Size::new(rows, columns))
            .expect("a new terminal can be sized");
        let child = command
            .spawn(inside)
            .unwrap_or_else(|error| panic!("cannot start the program: {error}"));
        let master = OwnedFd::from(pty);
        let flags = rustix::fs::fcntl_getfl(&master).expect("it is open");
        rustix::fs::fcntl_setfl(&master, flags | rustix::fs::OFlags::NONBLOCK).expect("it is open");
        let master = Arc::new(AsyncFd::new(master).expect("a runtime is there"));
        let shown = watch::Sender::new(Parser::new(cells(rows), cells(columns), 0));
        let reading = tokio::spawn(read(Arc::clone(&master), shown.clone()));
        Self {
            master,
            child,
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
        if tokio::time::timeout(LIMIT, waiting).await.is_err() {
            panic!("waited in vain for {what}; the screen is\n{}", self.text());
        }
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
    pub async fn types(&self, keys: &str) {
        let mut bytes = keys.as_bytes();
        while !bytes.is_empty() {
            let mut ready = self.master.writable().await.expect("the runtime runs");
            match ready.try_io(|master| Ok(rustix::io::write(master, bytes)?)) {
                Ok(written) => bytes = &bytes[written.expect("the program listens")..],
                Err(_would_block) => {}
            }
        }
    }

    /// Gives the window another size; the system tells the program in the foreground.
    ///
    /// # Panics
    /// When the window is closed.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.shown
            .send_modify(|parser| parser.set_size(cells(rows), cells(columns)));
        let size = rustix::termios::Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&*self.master, size).expect("the window is open");
    }

    /// The terminal's modes now.
    ///
    /// # Panics
    /// When the window is closed.
    #[must_use]
    pub fn modes(&self) -> Modes {
        let modes = tcgetattr(&*self.master).expect("the window is open");
        Modes {
            input: modes.input_modes.bits(),
            output: modes.output_modes.bits(),
            control: modes.control_modes.bits(),
            local: modes.local_modes.bits(),
        }
    }

    /// The job in the foreground: its process group, which has the number of its first process.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn foreground(&self) -> Pid {
        tcgetpgrp(&*self.master).expect("a session has a foreground")
    }

    /// The program that the window was opened with.
    ///
    /// # Panics
    /// Never: process ids are positive.
    #[must_use]
    pub fn program(&self) -> Pid {
        Pid::from_child(&self.child)
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
        if tokio::time::timeout(LIMIT, &mut self.reading).await.is_err() {
            panic!("the program does not end; the screen is\n{}", self.text());
        }
        self.ended().await
    }

    /// Closes the window under the program, and waits until that has ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn close(mut self) -> ExitStatus {
        self.reading.abort();
        let _aborted = (&mut self.reading).await;
        let (_, nowhere) = io::pipe().expect("the system has pipes");
        // The last handle of the window goes.
        self.master = Arc::new(AsyncFd::new(nowhere.into()).expect("a runtime is there"));
        self.ended().await
    }

    async fn ended(&mut self) -> ExitStatus {
        let ended = eventually(LIMIT, || {
            let ended = self.child.try_wait().expect("one's own child can be waited for");
            async move { ended }
        })
        .await;
        ended.unwrap_or_else(|after| panic!("the program has not ended after {after:?}"))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.reading.abort();
        // Both fail only where it has ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Shows what the program writes, until nobody has the terminal open any more.
async fn read(master: Arc<AsyncFd<OwnedFd>>, shown: watch::Sender<Parser>) {
    let mut buffer = vec![0; READ];
    loop {
        let Ok(mut ready) = master.readable().await else {
            return;
        };
        match ready.try_io(|master| Ok(rustix::io::read(master, &mut buffer)?)) {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(count)) => shown.send_modify(|parser| parser.process(&buffer[..count])),
            Err(_would_block) => {}
        }
    }
}
