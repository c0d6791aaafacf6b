//! The log of the job that is looked at: its end at once, then what comes, and older parts as they are wanted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use caur_core::link::RedisLink;
use caur_core::log::{
    LogChunk, LogCursor, LogError, LogPage, LogPiece, LogReader, MAX_PAGE, page_at, page_before, tail,
};
use caur_core::model::JobId;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use crate::log::PageWish;
use crate::msg::{BackendMsg, Interest, LogEvent, WantedPage};

/// Bytes of a log's end that are fetched when it is opened, and of a page when somebody scrolls.
const TAIL: u64 = 256 << 10;
const PAGE: u64 = 512 << 10;
/// How often a page is asked for that never comes.
const TRIES: usize = 3;
/// How long one read waits.
const WAIT: Duration = Duration::from_secs(20);

type Shown = Option<(JobId, Option<u32>)>;

/// Reports the log of whatever job is looked at.
pub async fn follow(hub: &Hub, mut pages: UnboundedReceiver<WantedPage>) {
    let part = |interest: &Interest| interest.log;
    let mut shown: Shown = None;
    loop {
        let Some((job, attempt)) = shown else {
            shown = hub.interest_other_than(&None, part).await;
            continue;
        };
        let newest = newest_attempt(hub, job).await;
        tokio::select! {
            now = hub.interest_other_than(&shown, part) => shown = now,
            () = newer_attempt(hub, job, newest), if attempt.is_none() => {}
            () = read(hub, job, attempt.or(newest), &mut pages) => {}
        }
    }
}

/// The newest attempt of a job that was started.
async fn newest_attempt(hub: &Hub, job: JobId) -> Option<u32> {
    let known = {
        let jobs = hub.jobs.lock().expect("nobody panics with the lock");
        jobs.all.get(&job).map(|job| job.attempt)
    };
    let attempt = match known {
        Some(attempt) => Some(attempt),
        // One that ended long ago.
        None => loop {
            match hub.queue().await.job(job).await {
                Ok(job) => break job.map(|job| job.attempt),
                Err(error) => {
                    tracing::info!(%job, %error, "cannot look the job up for now");
                    hub.link.wait_until_up(&CancellationToken::new()).await;
                }
            }
        },
    };
    attempt.filter(|attempt| *attempt > 0)
}

async fn newer_attempt(hub: &Hub, job: JobId, than: Option<u32>) {
    let mut changes = hub.changes.subscribe();
    loop {
        {
            let jobs = hub.jobs.lock().expect("nobody panics with the lock");
            let now = jobs
                .all
                .get(&job)
                .map(|job| job.attempt)
                .filter(|attempt| *attempt > 0);
            if now.is_some() && now != than {
                return;
            }
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Reads one attempt's log for ever.
async fn read(hub: &Hub, job: JobId, attempt: Option<u32>, pages: &mut UnboundedReceiver<WantedPage>) {
    let Some(attempt) = attempt else {
        hub.report(BackendMsg::Log(job, LogEvent::Missing)).await;
        return std::future::pending().await;
    };
    let mut log = Log {
        hub,
        job,
        attempt,
        loaded: Vec::new(),
        cursors: BTreeMap::new(),
        wants_all: false,
    };
    let mut reader = loop {
        match log.open().await {
            Ok(reader) => break reader,
            Err(error) => log.wait(&error).await,
        }
    };
    loop {
        let ended = reader.ended();
        // While all is being fetched, what comes live is taken between two pages.
        let wait = if log.wants_all { Duration::ZERO } else { WAIT };
        let done = tokio::select! {
            // A reader that is given up in the middle of a read takes up where it was.
            chunk = reader.next(wait), if !ended => match chunk {
                Ok(Some(chunk)) => { log.report_chunk(chunk).await; Ok(()) }
                Ok(None) => log.fetch_missing_if_wanted().await,
                Err(error) => Err(error),
            },
            wanted = pages.recv(), if !(ended && log.wants_all) => match wanted {
                Some(wanted) if wanted.job == job && wanted.attempt == attempt => {
                    log.fetch_once_asked(wanted.wish).await
                }
                Some(_) => Ok(()),
                None => std::future::pending().await,
            },
            done = log.fetch_missing_if_wanted(), if ended && log.wants_all => done,
        };
        if let Err(error) = done {
            log.wait(&error).await;
        }
    }
}

fn is_transient(error: &LogError) -> bool {
    let LogError::Link { source, .. } = error;
    source.is_transient()
}

/// One attempt's log and what of it was reported.
struct Log<'a> {
    hub: &'a Hub,
    job: JobId,
    attempt: u32,
    /// Ascending, apart from each other.
    loaded: Vec<Range<u64>>,
    /// Places in front of pages, by offset.
    cursors: BTreeMap<u64, LogCursor>,
    /// Whether everything that is missing is to be fetched.
    wants_all: bool,
}

impl Log<'_> {
    fn link(&self) -> &RedisLink {
        &self.hub.link
    }

    async fn report(&self, event: LogEvent) {
        self.hub.report(BackendMsg::Log(self.job, event)).await;
    }

    async fn wait(&self, error: &LogError) {
        tracing::info!(job = %self.job, "the log stops for now: {error}");
        self.hub.link.wait_until_up(&CancellationToken::new()).await;
    }

    /// Fetches and reports the end of the log.
    async fn open(&mut self) -> Result<LogReader, LogError> {
        let tail = tail(self.link(), self.job, self.attempt, TAIL).await?;
        if tail.is_absent() {
            let job = {
                let jobs = self.hub.jobs.lock().expect("nobody panics with the lock");
                jobs.all.get(&self.job).cloned()
            };
            let still_runs = job.is_some_and(|job| !job.state.is_final() && job.attempt == self.attempt);
            if !still_runs {
                self.report(LogEvent::Missing).await;
                return Ok(tail.reader);
            }
        }
        self.report(LogEvent::Begin {
            attempt: self.attempt,
            total: tail.length,
        })
        .await;
        self.report_page(tail.page).await;
        if tail.end.is_some() {
            self.report(LogEvent::End).await;
        }
        Ok(tail.reader)
    }

    async fn report_chunk(&mut self, chunk: LogChunk) {
        match chunk {
            LogChunk::Data { offset, at, bytes } => {
                let piece = LogPiece { offset, at, bytes };
                self.note(offset..piece.end());
                self.report(LogEvent::Pieces(vec![piece], Vec::new())).await;
            }
            LogChunk::Cut(bytes) => {
                let start = self.loaded.last().map_or(0, |range| range.end);
                self.report_cut(start..start + bytes).await;
            }
            LogChunk::End { .. } => self.report(LogEvent::End).await,
        }
    }

    /// Reports that a part was cut out.
    async fn report_cut(&mut self, cut: Range<u64>) {
        self.note(cut.clone());
        self.report(LogEvent::Pieces(Vec::new(), Vec::from([cut]))).await;
    }

    /// Reports a page with what was cut out within it and in front of it.
    async fn report_page(&mut self, page: LogPage) {
        let mut cuts = Vec::new();
        let mut behind = page.reaches_start.then_some(0);
        for piece in &page.pieces {
            if let Some(behind) = behind.filter(|behind| *behind < piece.offset) {
                cuts.push(behind..piece.offset);
            }
            behind = Some(piece.end());
        }
        let (Some(first), Some(last)) = (page.pieces.first(), page.pieces.last()) else {
            return;
        };
        let start = cuts
            .first()
            .map_or(first.offset, |cut| cut.start.min(first.offset));
        self.cursors.insert(first.offset, page.first);
        self.note(start..last.end());
        self.report(LogEvent::Pieces(page.pieces, cuts)).await;
    }

    /// Fetches what is wanted, and again after a loss of the link: the console asks once.
    async fn fetch_once_asked(&mut self, wish: PageWish) -> Result<(), LogError> {
        for _ in 1..TRIES {
            match self.fetch(wish).await {
                Err(error) if is_transient(&error) => self.wait(&error).await,
                done => return done,
            }
        }
        self.fetch(wish).await
    }

    async fn fetch(&mut self, wish: PageWish) -> Result<(), LogError> {
        match wish {
            PageWish::Before(offset) => {
                let cursor = match self.cursors.get(&offset) {
                    Some(cursor) => *cursor,
                    None => {
                        let page =
                            page_at(self.link(), self.job, self.attempt, offset.saturating_sub(1), 1).await?;
                        page.behind
                    }
                };
                let page = page_before(self.link(), self.job, self.attempt, cursor, PAGE).await?;
                // What stands between the page and the place it was to end at was cut out.
                if let Some(end) = page.pieces.last().map(LogPiece::end).filter(|end| *end < offset) {
                    self.report_cut(end..offset).await;
                } else if page.pieces.is_empty() && offset > 0 {
                    self.report_cut(0..offset).await;
                }
                self.report_page(page).await;
            }
            PageWish::At(offset) => {
                let page = page_at(self.link(), self.job, self.attempt, offset, PAGE).await?;
                self.report_page(page).await;
            }
            PageWish::All => self.wants_all = true,
        }
        Ok(())
    }

    async fn fetch_missing_if_wanted(&mut self) -> Result<(), LogError> {
        if self.wants_all {
            self.wants_all = self.fetch_missing().await?;
        }
        Ok(())
    }

    /// Fetches the next missing part of a log of which all is wanted; whether there was one.
    async fn fetch_missing(&mut self) -> Result<bool, LogError> {
        let Some(missing) = self.missing() else {
            return Ok(false);
        };
        let most = (missing.end - missing.start).min(MAX_PAGE);
        let page = page_at(self.link(), self.job, self.attempt, missing.start, most).await?;
        match page.pieces.first().map(|piece| piece.offset) {
            Some(first) if first < missing.end => {
                if first > missing.start {
                    self.report_cut(missing.start..first).await;
                }
                self.report_page(page).await;
            }
            // All of it was cut out.
            Some(_) | None => self.report_cut(missing).await,
        }
        Ok(true)
    }

    fn note(&mut self, range: Range<u64>) {
        let mut merged = range;
        self.loaded.retain(|old| {
            let meets = old.start <= merged.end && merged.start <= old.end;
            if meets {
                merged = old.start.min(merged.start)..old.end.max(merged.end);
            }
            !meets
        });
        let at = self.loaded.partition_point(|old| old.start < merged.start);
        self.loaded.insert(at, merged);
    }

    /// The first part that was not reported; none where all is there.
    fn missing(&self) -> Option<Range<u64>> {
        let mut offset = 0;
        for range in &self.loaded {
            if offset < range.start {
                return Some(offset..range.start);
            }
            offset = offset.max(range.end);
        }
        None
    }
}
