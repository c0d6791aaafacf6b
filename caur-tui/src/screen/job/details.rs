//! What is known about a job besides its log, as lines.

use caur_core::model::{Job, JobState, PastBuild};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::app::App;
use crate::msg::JobDetails;
use crate::printable::{cut, one_line};
use crate::screen::queue::{commit, took};
use crate::size::bytes;
use crate::span;
use crate::theme::{self, Theme};
use crate::view::{words, wrapped};

/// Dependencies and dependants that are listed.
const LISTED: usize = 8;
/// Earlier builds that are listed; all are in the bars.
const PAST: usize = 6;
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Everything about the job that is looked at, in lines of at most `width` columns.
pub fn lines(app: &App, width: usize) -> Vec<Line<'static>> {
    let Some(job) = app.shown_job() else {
        return Vec::new();
    };
    let theme = app.theme();
    let details = app.known().details_of(job.id);
    let mut page = Page {
        theme,
        width,
        lines: Vec::new(),
    };
    page.state(app, job);
    page.request(app, job);
    page.timings(app, job);
    page.neighbours(app, job);
    if let Some(details) = details {
        page.results(details);
    }
    page.attempts(app, job);
    if let Some(details) = details {
        page.past(app, &details.past);
    }
    page.lines
}

struct Page {
    theme: Theme,
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Page {
    fn heading(&mut self, text: &str) {
        self.lines
            .push(Line::styled(text.to_owned(), self.theme.title(true)));
    }

    fn text(&mut self, text: &str, style: Style) {
        let lines = wrapped(text, self.width);
        self.lines
            .extend(lines.into_iter().map(|line| Line::styled(line, style)));
    }

    fn entry(&mut self, name: &str, value: &str) {
        let room = self.width.saturating_sub(11);
        for (at, line) in wrapped(value, room).into_iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            self.lines.push(Line::from(vec![
                Span::styled(format!("{name:<10} "), self.theme.faint()),
                Span::raw(line),
            ]));
        }
    }

    fn state(&mut self, app: &App, job: &Job) {
        let state = format!("{} {}", theme::symbol(job.state), job.state);
        self.lines.push(Line::styled(state, self.theme.state(job.state)));
        let why = words::why(app, job);
        if !why.is_empty() {
            self.text(&why, Style::new());
        }
    }

    fn request(&mut self, app: &App, job: &Job) {
        let request = &job.request;
        self.heading("job");
        self.entry("number", &job.id.to_string());
        self.entry("target", &request.target.to_string());
        self.entry("source", request.source.as_str());
        self.entry("class", &request.class.to_string());
        self.entry("by", &one_line(&job.requested_by));
        if let Some(commit) = commit(job) {
            self.entry("commit", &one_line(commit));
        }
        if job.priority != 0 {
            self.entry("priority", &job.priority.to_string());
        }
        if request.rebuild {
            self.entry("rebuild", "yes");
        }
        if let Some(span) = app
            .known()
            .forecast
            .get(&job.id)
            .filter(|_| !job.state.is_final())
        {
            let now = app.queue_now();
            if job.state.is_queued() {
                self.entry("starts", &words::when(span.start, now));
            }
            self.entry("done", &words::when(span.end, now));
        }
    }

    fn timings(&mut self, app: &App, job: &Job) {
        self.heading("times");
        let now = app.queue_now();
        let seconds = |from: u64, to: u64| span::seconds(to.saturating_sub(from) / 1000);
        self.entry("asked for", &format!("{} ago", seconds(job.id.0, now)));
        if let Some(started) = job.started {
            self.entry("waited", &seconds(job.id.0, started));
        }
        let end = if job.state.is_final() { job.since } else { now };
        for (at, phase) in job.phases.iter().enumerate() {
            let until = job.phases.get(at + 1).map_or(end, |next| next.since);
            self.entry(&one_line(&phase.name), &seconds(phase.since, until));
        }
        match took(job, now) {
            Some(took) if job.state == JobState::Building => {
                let expected = span::seconds(job.expected);
                self.entry(
                    "running",
                    &format!("{} of {expected} expected", span::seconds(took)),
                );
            }
            Some(took) => self.entry("took", &span::seconds(took)),
            None if !job.state.is_final() => self.entry("expected", &span::seconds(job.expected)),
            None => {}
        }
    }

    fn neighbours(&mut self, app: &App, job: &Job) {
        let dependants: Vec<&Job> = app
            .queue()
            .table
            .rows()
            .map(|row| &row.job)
            .filter(|other| other.waits_for.contains(&job.id))
            .collect();
        let waits: Vec<&Job> = job.waits_for.iter().filter_map(|id| app.job(*id)).collect();
        for (title, jobs) in [("waits for", waits), ("waited for by", dependants)] {
            if jobs.is_empty() {
                continue;
            }
            self.heading(&format!("{title} ({})", jobs.len()));
            for other in jobs.iter().take(LISTED) {
                self.lines.push(Line::from(vec![
                    Span::styled(
                        format!("{} ", theme::symbol(other.state)),
                        self.theme.state(other.state),
                    ),
                    Span::raw(format!("{} ", other.request.pkgbase)),
                    Span::styled(theme::word(other.state), self.theme.state(other.state)),
                ]));
            }
            if jobs.len() > LISTED {
                self.text(&format!("and {} more", jobs.len() - LISTED), self.theme.faint());
            }
        }
        if !job.broken.is_empty() {
            self.heading("left out, as they need it too");
            self.text(&one_line(&job.broken.join(" ")), Style::new());
        }
    }

    fn results(&mut self, details: &JobDetails) {
        let Some(manifest) = &details.manifest else {
            if !details.job.packages.is_empty() {
                self.heading("files");
                for file in &details.job.packages {
                    self.text(&one_line(file), Style::new());
                }
            }
            return;
        };
        self.heading(&format!("files ({})", manifest.files.len()));
        for file in &manifest.files {
            self.text(&one_line(&file.name), Style::new());
            let hash = cut(&file.sha256, 17);
            let line = format!("  {}  sha256 {}", bytes(file.size), one_line(&hash));
            self.lines.push(Line::styled(line, self.theme.faint()));
        }
        self.entry("image", &cut(&one_line(&manifest.image), 20));
        if !manifest.namcap.is_empty() {
            self.heading(&format!("namcap ({})", manifest.namcap.len()));
            for line in &manifest.namcap {
                // namcap marks errors with E:, warnings with W:.
                let style = if line.contains(" E: ") {
                    self.theme.error()
                } else if line.contains(" W: ") {
                    self.theme.warning()
                } else {
                    Style::new()
                };
                self.text(&one_line(line), style);
            }
        }
    }

    fn attempts(&mut self, app: &App, job: &Job) {
        if job.history.is_empty() {
            return;
        }
        self.heading("earlier attempts");
        for past in job.history.iter().rev() {
            let ago = span::seconds(app.queue_now().saturating_sub(past.ended) / 1000);
            let line = format!(
                "{} {} on {}, {ago} ago",
                past.attempt,
                one_line(&past.outcome),
                one_line(&past.builder)
            );
            self.text(&line, Style::new());
            if !past.reason.is_empty() {
                self.text(&format!("  {}", one_line(&past.reason)), self.theme.faint());
            }
        }
    }

    fn past(&mut self, app: &App, past: &[PastBuild]) {
        if past.is_empty() {
            return;
        }
        self.heading(&format!("this package before ({})", past.len()));
        let longest = past
            .iter()
            .map(|build| build.build_seconds)
            .max()
            .unwrap_or(1)
            .max(1);
        let mut bars = Line::default();
        let mut marks = Line::default();
        for build in past.iter().rev() {
            let height = usize::try_from(build.build_seconds * 7 / longest)
                .unwrap_or(7)
                .min(7);
            let (symbol, style) = outcome(self.theme, &build.outcome);
            bars.push_span(Span::styled(BARS[height], style));
            marks.push_span(Span::styled(symbol, style));
        }
        bars.push_span(Span::styled(
            format!("  longest {}", span::seconds(longest)),
            self.theme.faint(),
        ));
        self.lines.push(bars);
        self.lines.push(marks);
        for build in past.iter().take(PAST) {
            let ago = span::seconds(app.queue_now().saturating_sub(build.ended) / 1000);
            let (symbol, style) = outcome(self.theme, &build.outcome);
            self.lines.push(Line::from(vec![
                Span::styled(format!("{symbol} {:<13} ", one_line(&build.outcome)), style),
                Span::styled(
                    format!("{:>6}", span::seconds(build.build_seconds)),
                    Style::new().add_modifier(Modifier::BOLD),
                ),
                Span::styled(
                    format!(" {} {ago} ago", one_line(&build.builder)),
                    self.theme.faint(),
                ),
            ]));
        }
    }
}

/// The symbol and style of an outcome as the history writes it: a state, or one of an attempt that was followed.
fn outcome(theme: Theme, text: &str) -> (&'static str, Style) {
    match text.parse::<JobState>() {
        Ok(state) => (theme::symbol(state), theme.state(state)),
        Err(_) => ("?", theme.warning()),
    }
}
