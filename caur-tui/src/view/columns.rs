//! The columns of the queue table: which ones a width has room for, and what stands in them.

use caur_core::model::{Job, JobState};

use crate::app::App;
use crate::printable::one_line;
use crate::span;
use crate::theme;

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Symbol and word of the state.
    State,
    /// pkgbase.
    Package,
    /// Target repository and architecture.
    Target,
    /// Build class.
    Class,
    /// Who holds it, or built it last.
    Builder,
    /// Attempt.
    Attempt,
    /// Since when it is what it is; the build's run time while it is built.
    Time,
    /// Expected seconds of the build.
    Expected,
    /// Why it is in this state.
    Why,
}

/// A column with its width.
pub type Sized = (Column, u16);

/// From which screen width a column is shown, and how wide it is there.
const COLUMNS: &[(u16, Column, u16)] = &[
    (0, Column::State, theme::WORD_WIDTH + 2),
    (0, Column::Package, 0),
    (120, Column::Target, 20),
    (100, Column::Class, 8),
    (60, Column::Builder, 9),
    (60, Column::Attempt, 3),
    (34, Column::Time, 6),
    (72, Column::Expected, 6),
    (76, Column::Why, 0),
];

/// The columns for a table of this width, with a gap of one column between them.
pub fn columns(width: u16) -> Vec<Sized> {
    let mut columns: Vec<Sized> = COLUMNS
        .iter()
        .filter(|(from, ..)| width >= *from)
        .map(|&(_, column, size)| (column, size))
        .collect();
    let gaps = u16::try_from(columns.len()).unwrap_or(u16::MAX).saturating_sub(1);
    let fixed: u16 = columns.iter().map(|(_, size)| size).sum();
    let free = width.saturating_sub(fixed + gaps);
    let has_why = columns.iter().any(|(column, _)| *column == Column::Why);
    let package = if has_why { (free * 11 / 20).min(40) } else { free };
    for (column, size) in &mut columns {
        match column {
            Column::Package => *size = package,
            Column::Why => *size = free - package,
            Column::State
            | Column::Target
            | Column::Class
            | Column::Builder
            | Column::Attempt
            | Column::Time
            | Column::Expected => {}
        }
    }
    columns
}

impl Column {
    /// The column's heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Package => "package",
            Self::Target => "target",
            Self::Class => "class",
            Self::Builder => "builder",
            Self::Attempt => "try",
            Self::Time => "time",
            Self::Expected => "expect",
            Self::Why => "why",
        }
    }

    /// Whether numbers are aligned at their right.
    pub fn is_right_aligned(self) -> bool {
        matches!(self, Self::Attempt | Self::Time | Self::Expected)
    }

    /// What stands in the column for `job`.
    pub fn text(self, app: &App, job: &Job) -> String {
        match self {
            Self::State => format!("{} {}", theme::symbol(job.state), theme::word(job.state)),
            Self::Package => job.request.pkgbase.to_string(),
            Self::Target => job.request.target.to_string(),
            Self::Class => job.request.class.to_string(),
            Self::Builder => one_line(job.builder.as_deref().unwrap_or_default()),
            Self::Attempt if job.attempt == 0 => String::new(),
            Self::Attempt => job.attempt.to_string(),
            Self::Time => span::seconds(time(app, job)),
            Self::Expected if job.state.is_final() => String::new(),
            Self::Expected => span::seconds(job.expected),
            Self::Why => why(app, job),
        }
    }
}

/// Seconds that the build has run, or else that the job has been in its state.
fn time(app: &App, job: &Job) -> u64 {
    let from = match job.state {
        JobState::Building => job.started.unwrap_or(job.since),
        JobState::Succeeded
        | JobState::AlreadyBuilt
        | JobState::Skipped
        | JobState::Failed
        | JobState::TimedOut
        | JobState::OutOfMemory
        | JobState::Canceled
        | JobState::InfrastructureFailed => job.finished.unwrap_or(job.since),
        JobState::Waiting
        | JobState::Ready
        | JobState::Backoff
        | JobState::Blocked
        | JobState::Held
        | JobState::Uploaded
        | JobState::Publishing => job.since,
    };
    app.queue_now().saturating_sub(from) / 1000
}

/// The reason, else what it waits for, else what its builder is doing.
pub fn why(app: &App, job: &Job) -> String {
    if let Some(reason) = &job.reason {
        return one_line(reason);
    }
    match (job.state, job.waits_for.as_slice()) {
        (JobState::Waiting, [only]) => match app.table().job(*only) {
            Some(other) => format!("waits for {}", other.request.pkgbase),
            None => "waits for 1".to_owned(),
        },
        (JobState::Waiting, [_, ..]) => format!("waits for {}", job.waits_for.len()),
        (JobState::Building, _) => one_line(job.phase.as_deref().unwrap_or_default()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_every_width_exactly() {
        for width in 20..300 {
            let columns = columns(width);
            let total: u16 = columns.iter().map(|(_, size)| size + 1).sum();
            assert!(total - 1 <= width, "{width}");
            assert!(width < 40 || total - 1 == width, "{width}");
            assert!(columns.iter().all(|(_, size)| *size > 0), "{width}: {columns:?}");
        }
    }

    #[test]
    fn eighty_columns_show_why() {
        let package = columns(80)
            .into_iter()
            .find(|(column, _)| *column == Column::Package);
        assert!(package.is_some_and(|(_, size)| size >= 18));
        assert!(
            columns(80)
                .iter()
                .any(|(column, size)| *column == Column::Why && *size >= 14)
        );
    }
}
