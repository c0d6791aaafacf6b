//! The loop that owns everything the application itself is kept away from: terminal, keys, backend, clock, files.
//!
//! It draws only when something changed, takes whole bursts before it draws once, and limits frames that
//! nobody asked for by a key, so that a flood of log lines does not fill a slow link. Long work of the application is
//! done in pieces between the keys.

use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use color_eyre::eyre::{Context, Result};
use crossterm::event::Event;
use futures::{Stream, StreamExt};
use ratatui::Terminal;
use ratatui::backend::Backend as Screen;
use ratatui::layout::{Position, Rect};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::app::App;
use crate::backend::{Backend, Wishes};
use crate::files;
use crate::msg::{Effect, Interest, Msg, Request};
use crate::view;

const TICK: Duration = Duration::from_secs(1);
/// The least time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(40);
/// The most messages that are taken before a frame is drawn.
const BURST: usize = 1024;
const REPORT_BUFFER: usize = 64;

/// What the terminal can do besides showing cells.
pub trait Surroundings {
    /// Puts a text on the clipboard.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    fn copy(&mut self, text: &str) -> std::io::Result<()>;

    /// Rings the bell and tells the desktop.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    fn notify(&mut self, text: &str) -> std::io::Result<()>;

    /// Takes the mouse, or gives it back.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    fn mouse(&mut self, taken: bool) -> std::io::Result<()>;

    /// Waits until somebody else stops the process or has continued it.
    fn told(&mut self) -> impl Future<Output = JobControl>;

    /// Gives the terminal back, stops the process until it is continued where that is asked, and takes the terminal
    /// again; after it nothing that was drawn is there.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    fn obey(&mut self, what: JobControl) -> impl Future<Output = std::io::Result<()>>;
}

/// What shells do to their jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobControl {
    /// The process is to stop.
    Stop,
    /// The process goes on after it was stopped in a way that cannot be noticed, and the terminal may be anyhow.
    Continued,
}

impl<T: Surroundings> Surroundings for &mut T {
    fn copy(&mut self, text: &str) -> std::io::Result<()> {
        (**self).copy(text)
    }

    fn notify(&mut self, text: &str) -> std::io::Result<()> {
        (**self).notify(text)
    }

    fn mouse(&mut self, taken: bool) -> std::io::Result<()> {
        (**self).mouse(taken)
    }

    async fn told(&mut self) -> JobControl {
        (**self).told().await
    }

    async fn obey(&mut self, what: JobControl) -> std::io::Result<()> {
        (**self).obey(what).await
    }
}

/// Runs the console until the user leaves, `stop` is done or the input ends.
///
/// # Errors
/// When the terminal can no longer be read or written.
pub async fn run<B, S>(
    mut app: App,
    backend: B,
    screen: &mut Terminal<S>,
    mut surroundings: impl Surroundings,
    mut input: impl Stream<Item = std::io::Result<Event>> + Unpin,
    stop: impl Future<Output = ()>,
) -> Result<App>
where
    B: Backend,
    S: Screen<Error: Send + Sync + 'static>,
{
    let (want, interest) = watch::channel(Interest::default());
    let (ask, requests) = mpsc::unbounded_channel();
    let (reports, mut reported) = mpsc::channel(REPORT_BUFFER);
    let (done, mut files_done) = mpsc::unbounded_channel();
    let mut backend = tokio::spawn(backend.run(Wishes { interest, requests }, reports));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tokio::pin!(stop);

    let size = screen.get_frame().area();
    let mut todo = Todo {
        want,
        ask,
        files: done,
        draw: false,
        redraw: false,
        work: false,
        job_control: None,
        quit: false,
    };
    todo.add(
        app.update(Msg::Resize(size.width, size.height)),
        &mut surroundings,
    )?;
    let mut next_frame = Instant::now();
    let mut backend_alive = true;
    loop {
        if let Some(what) = todo.job_control.take() {
            surroundings
                .obey(what)
                .await
                .context("giving the terminal back and taking it again")?;
            // Nobody tells a job that is stopped of a new size.
            let size = screen.size().context("asking the terminal for its size")?;
            let resized = app.update(Msg::Resize(size.width, size.height));
            todo.add(resized, &mut surroundings)?;
            (todo.draw, todo.redraw) = (true, true);
            next_frame = Instant::now();
        }
        let first = tokio::select! {
            biased;
            () = &mut stop => break,
            what = surroundings.told() => {
                todo.job_control = Some(what);
                None
            }
            event = input.next() => match event {
                None => break,
                Some(event) => {
                    next_frame = Instant::now();
                    todo.event_msg(&event.context("reading from the terminal")?)
                }
            },
            () = sleep_until(next_frame), if todo.draw => {
                if std::mem::take(&mut todo.redraw) {
                    // Not `clear`, which asks the terminal where the cursor is: the answer would be taken for input.
                    let size = screen.size().context("asking the terminal for its size")?;
                    screen.resize(Rect::from((Position::ORIGIN, size))).context("clearing the terminal")?;
                }
                screen.draw(|frame| view::draw(&app, frame)).context("drawing on the terminal")?;
                todo.draw = false;
                next_frame = Instant::now() + FRAME;
                None
            }
            msg = reported.recv(), if backend_alive => {
                if msg.is_none() {
                    backend_alive = false;
                    pass_panic_on((&mut backend).await);
                }
                msg.map(Msg::from)
            }
            Some(msg) = files_done.recv() => Some(msg),
            _ = ticks.tick() => Some(Msg::Tick(now())),
            () = std::future::ready(()), if todo.work => {
                todo.work = false;
                // Whoever else is ready goes first, such as the backend on this thread.
                tokio::task::yield_now().await;
                Some(Msg::Work)
            }
        };
        let Some(first) = first else { continue };
        todo.add(app.update(first), &mut surroundings)?;
        for _ in 0..BURST {
            // Polled with this task's own waker: the terminal's stream wakes only the first one it was given.
            let msg = if let Poll::Ready(Some(event)) = futures::poll!(input.next()) {
                todo.event_msg(&event.context("reading from the terminal")?)
            } else if let Ok(msg) = reported.try_recv() {
                Some(Msg::from(msg))
            } else {
                break;
            };
            if let Some(msg) = msg {
                todo.add(app.update(msg), &mut surroundings)?;
            }
            if todo.quit || todo.job_control.is_some() {
                break;
            }
        }
        if todo.quit {
            break;
        }
    }
    backend.abort();
    Ok(app)
}

/// A panic has given the terminal back already, wherever it happened, so the console cannot go on.
fn pass_panic_on(ended: std::result::Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What the application wants and did not get yet.
struct Todo {
    want: watch::Sender<Interest>,
    ask: mpsc::UnboundedSender<Request>,
    files: mpsc::UnboundedSender<Msg>,
    draw: bool,
    redraw: bool,
    work: bool,
    job_control: Option<JobControl>,
    quit: bool,
}

impl Todo {
    fn event_msg(&mut self, event: &Event) -> Option<Msg> {
        match event {
            Event::Key(key) => Some(Msg::Key(*key)),
            Event::Mouse(mouse) => Some(Msg::Mouse(*mouse)),
            Event::Paste(text) => Some(Msg::Paste(text.clone())),
            Event::Resize(width, height) => {
                // Even to the size that is known already: it may have been smaller for a moment, and lost what it showed.
                (self.draw, self.redraw) = (true, true);
                Some(Msg::Resize(*width, *height))
            }
            Event::FocusGained | Event::FocusLost => None,
        }
    }

    fn add(&mut self, effects: Vec<Effect>, surroundings: &mut impl Surroundings) -> Result<()> {
        for effect in effects {
            match effect {
                Effect::Draw => self.draw = true,
                Effect::Redraw => (self.draw, self.redraw) = (true, true),
                Effect::Continue => self.work = true,
                Effect::Quit => self.quit = true,
                Effect::Suspend => self.job_control = Some(JobControl::Stop),
                Effect::Want(interest) => {
                    self.want.send_replace(*interest);
                }
                // Without a receiver the backend has ended, and the link's state says so.
                Effect::Ask(request) => drop(self.ask.send(*request)),
                Effect::Copy(text) => surroundings.copy(&text).context("copying")?,
                Effect::Notify(text) => surroundings.notify(&text).context("ringing the bell")?,
                Effect::Mouse(taken) => surroundings.mouse(taken).context("switching the mouse")?,
                Effect::Save(path, text) => files::save(path, text, self.files.clone()),
                Effect::Read(purpose, path) => files::read(purpose, path, self.files.clone()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use caur_core::model::{JobId, JobState};
    use crossterm::event::{KeyCode, KeyEvent};
    use futures::stream;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::backend::scripted::{Scripted, Step};
    use crate::msg::{BackendMsg, LinkState, LogEvent, Snapshot};
    use crate::terminal::Nothing;
    use crate::testing::{self, NOW, job};

    fn key(code: KeyCode) -> std::io::Result<Event> {
        Ok(Event::Key(KeyEvent::from(code)))
    }

    /// What was written to the terminal, observable while the console runs.
    #[derive(Clone)]
    struct Written(watch::Sender<Vec<u8>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send_modify(|all| all.extend_from_slice(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn keys_and_reports_meet_on_the_screen() {
        let jobs = vec![
            job(1, "first", JobState::Building),
            job(2, "second", JobState::Ready),
        ];
        let script = Scripted(vec![
            Step::Report(BackendMsg::Link(LinkState::Online)),
            Step::Report(BackendMsg::Jobs(Snapshot {
                jobs,
                taken: NOW,
                partial: false,
            })),
            Step::AwaitWanted(JobId(2)),
            Step::Report(BackendMsg::Log(
                JobId(2),
                LogEvent::Begin { attempt: 1, total: 0 },
            )),
            Step::Report(BackendMsg::Log(
                JobId(2),
                LogEvent::Pieces(
                    vec![caur_core::log::LogPiece {
                        offset: 0,
                        at: NOW,
                        bytes: b"unmistakable\n".to_vec(),
                    }],
                    Vec::new(),
                ),
            )),
        ]);
        let written = Written(watch::Sender::new(Vec::new()));
        let mut seen = written.0.subscribe();
        let area = ratatui::layout::Rect::new(0, 0, 80, 24);
        let options = ratatui::TerminalOptions {
            viewport: ratatui::Viewport::Fixed(area),
        };
        let screen = ratatui::backend::CrosstermBackend::new(written);
        let mut screen = Terminal::with_options(screen, options).unwrap();
        let (keyboard, mut keys) = mpsc::unbounded_channel();
        let input = stream::poll_fn(move |context| keys.poll_recv(context));
        let person = async move {
            let shows = |text: &'static str| {
                move |all: &Vec<u8>| all.windows(text.len()).any(|part| part == text.as_bytes())
            };
            seen.wait_for(shows("second")).await.unwrap();
            keyboard.send(key(KeyCode::Char('j'))).unwrap();
            keyboard.send(key(KeyCode::Enter)).unwrap();
            seen.wait_for(shows("unmistakable")).await.unwrap();
            keyboard.send(key(KeyCode::Char('q'))).unwrap();
            std::future::pending::<()>().await;
        };
        let console = run(testing::app(80, 24), script, &mut screen, Nothing, input, person);
        tokio::time::timeout(Duration::from_secs(20), console)
            .await
            .expect("the console ends")
            .map(drop)
            .unwrap();
    }

    #[tokio::test]
    async fn q_ends_the_console() {
        let mut screen = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let input = stream::iter(vec![key(KeyCode::Char('q'))]).chain(stream::pending());
        let console = run(
            testing::app(80, 24),
            Scripted(Vec::new()),
            &mut screen,
            Nothing,
            Box::pin(input),
            std::future::pending(),
        );
        tokio::time::timeout(Duration::from_secs(20), console)
            .await
            .expect("the console ends")
            .map(drop)
            .unwrap();
    }

    #[tokio::test]
    async fn input_is_always_polled_with_a_waker_that_wakes() {
        let mut screen = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let mut polls = 0;
        let input = stream::poll_fn(move |context| {
            assert!(!context.waker().will_wake(std::task::Waker::noop()));
            polls += 1;
            match polls {
                1 => Poll::Ready(Some(key(KeyCode::Char('j')))),
                2..=4 => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                _ => Poll::Ready(Some(key(KeyCode::Char('q')))),
            }
        });
        let console = run(
            testing::app(80, 24),
            Scripted(Vec::new()),
            &mut screen,
            Nothing,
            input,
            std::future::pending(),
        );
        tokio::time::timeout(Duration::from_secs(20), console)
            .await
            .expect("the console ends")
            .map(drop)
            .unwrap();
    }

    /// A backend with a bug.
    struct Broken;

    impl Backend for Broken {
        async fn run(self, _: Wishes, _: crate::backend::Reports) {
            panic!("a bug in the backend");
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_backend_ends_the_console() {
        let console = tokio::spawn(async {
            let mut screen = Terminal::new(TestBackend::new(80, 24)).unwrap();
            let input = Box::pin(stream::pending());
            run(
                testing::app(80, 24),
                Broken,
                &mut screen,
                Nothing,
                input,
                std::future::pending(),
            )
            .await
        });
        let ended = tokio::time::timeout(Duration::from_secs(20), console).await;
        assert!(ended.expect("the console ends").unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn the_end_of_input_ends_the_console() {
        let mut screen = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let console = run(
            testing::app(80, 24),
            Scripted(Vec::new()),
            &mut screen,
            Nothing,
            stream::empty(),
            std::future::pending(),
        );
        tokio::time::timeout(Duration::from_secs(20), console)
            .await
            .expect("the console ends")
            .map(drop)
            .unwrap();
    }
}
