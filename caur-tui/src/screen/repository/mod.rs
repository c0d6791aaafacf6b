//! What the repositories list, and what is asked of them.
//!
//! Each repository keeps its place: its rows, marks, filter and last check are there again when it is looked at again.

pub mod answer;
pub mod asked;
pub mod draw;
pub mod findings;
#[cfg(test)]
pub mod fixtures;
pub mod overlays;
mod row;
#[cfg(test)]
mod snapshots;

use std::collections::{BTreeMap, HashMap};

use caur_core::model::{Job, JobId, JobState, PublishedPackage, RequestId, Target};
use caur_core::queue::{RepoAnswer, RepoRequest, WaitingRequest};

pub use row::PackageRow;

use self::asked::RepoAsked;
use self::findings::Checked;
use crate::msg::{FarmNews, RepoProgress, RepositoryNews};
use crate::table::Table;

/// Requests of this console that are remembered.
const REMEMBERED: usize = 200;

/// The state of the repository view.
#[derive(Debug, Default)]
pub struct RepositoryScreen {
    /// The packages of the target that is looked at.
    pub table: Table<PackageRow>,
    page: Page,
    target: Option<Target>,
    targets: Vec<Target>,
    /// What is known of the targets that are not looked at.
    put_away: BTreeMap<Target, (Table<PackageRow>, Page)>,
    /// The newest job that published a file, by the file's name.
    makers: HashMap<Target, HashMap<String, JobId>>,
    /// What this console asked, oldest first.
    asked: Vec<RepoAsked>,
    /// How many requests this console has named.
    named: u64,
    /// For which target a keep-list is being read.
    keep_list_for: Option<Target>,
}

/// What is known of a target besides its packages.
#[derive(Debug, Default)]
struct Page {
    loaded: bool,
    bytes: u64,
    requests: Vec<WaitingRequest>,
    checked: Option<Checked>,
}

impl RepositoryScreen {
    /// The target that is looked at.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// Every target of the farm.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Whether its packages came.
    pub fn is_loaded(&self) -> bool {
        self.page.loaded
    }

    /// The size of all its packages, in bytes.
    pub fn bytes(&self) -> u64 {
        self.page.bytes
    }

    /// Requests of anybody to it that have not ended.
    pub fn requests(&self) -> &[WaitingRequest] {
        &self.page.requests
    }

    /// What its last check in this console found.
    pub fn checked(&self) -> Option<&Checked> {
        self.page.checked.as_ref()
    }

    /// Everything that this console asked, oldest first.
    pub fn all_asked(&self) -> &[RepoAsked] {
        &self.asked
    }

    /// What this console asked under this name.
    pub fn asked(&self, id: &RequestId) -> Option<&RepoAsked> {
        self.asked.iter().find(|asked| asked.request.id == *id)
    }

    /// A request of this console like this one that has not ended.
    pub fn under_way(&self, like: &RepoRequest) -> Option<&RepoAsked> {
        self.asked.iter().find(|asked| {
            let request = &asked.request;
            !asked.has_ended()
                && (&request.target, &request.action, request.dry_run, request.force)
                    == (&like.target, &like.action, like.dry_run, like.force)
        })
    }

    /// Takes what the farm is made of.
    pub fn take_farm(&mut self, farm: &FarmNews) {
        self.targets.clone_from(&farm.targets);
        let is_there = self
            .target
            .as_ref()
            .is_some_and(|target| self.targets.contains(target));
        if !is_there {
            self.show(self.targets.first().cloned());
        }
    }

    /// Looks at the target so many places further in the list.
    pub fn turn(&mut self, step: isize) {
        let count = self.targets.len();
        let Some(at) = self
            .targets
            .iter()
            .position(|target| Some(target) == self.target.as_ref())
        else {
            return;
        };
        let next = (at + count).wrapping_add_signed(step) % count;
        self.show(Some(self.targets[next].clone()));
    }

    fn show(&mut self, target: Option<Target>) {
        let (table, page) = target
            .as_ref()
            .and_then(|target| self.put_away.remove(target))
            .unwrap_or_default();
        let table = std::mem::replace(&mut self.table, table);
        let page = std::mem::replace(&mut self.page, page);
        if let Some(before) = std::mem::replace(&mut self.target, target) {
            self.put_away.insert(before, (table, page));
        }
        self.rebuild();
    }

    /// Takes what a target lists.
    pub fn take(&mut self, target: &Target, news: RepositoryNews) {
        let (table, page) = if self.target.as_ref() == Some(target) {
            (&mut self.table, &mut self.page)
        } else {
            let (table, page) = self.put_away.entry(target.clone()).or_default();
            (table, page)
        };
        page.requests = news.requests;
        if let Some(packages) = news.packages {
            page.loaded = true;
            page.bytes = packages.iter().map(|package| package.size).sum();
            let makers = self.makers.get(target);
            let rows = packages.into_iter().map(|package| row(package, makers, page));
            table.replace(rows);
        }
    }

    /// Takes note of which jobs published what.
    pub fn note_jobs<'a>(&mut self, jobs: impl IntoIterator<Item = &'a Job>) {
        let mut is_news = false;
        for job in jobs {
            if job.state != JobState::Succeeded || job.packages.is_empty() {
                continue;
            }
            let target = &job.request.target;
            if !self.makers.contains_key(target) {
                self.makers.insert(target.clone(), HashMap::new());
            }
            let Some(makers) = self.makers.get_mut(target) else {
                continue;
            };
            for file in &job.packages {
                if makers.get(file).is_none_or(|known| *known < job.id) {
                    makers.insert(file.clone(), job.id);
                    is_news |= self.target.as_ref() == Some(target);
                }
            }
        }
        if is_news {
            self.rebuild();
        }
    }

    /// Takes the answer to a check of a target.
    ///
    /// # Errors
    /// It has another form than this version of the console knows.
    pub fn take_check(&mut self, target: &Target, answer: &RepoAnswer) -> Result<&Checked, String> {
        let is_shown = self.target.as_ref() == Some(target);
        let (table, page) = if is_shown {
            (&self.table, &mut self.page)
        } else {
            let (table, page) = self.put_away.entry(target.clone()).or_default();
            (&*table, page)
        };
        let checked = Checked::read(answer, table.rows().map(|row| &row.package))?;
        page.checked = Some(checked);
        if is_shown {
            self.rebuild();
        }
        let page = if is_shown {
            Some(&self.page)
        } else {
            self.put_away.get(target).map(|(_, page)| page)
        };
        Ok(page
            .and_then(|page| page.checked.as_ref())
            .expect("it was put there above"))
    }

    /// A name for a request that no other console and no other request of this one has.
    pub fn name_request(&mut self, session: &str) -> RequestId {
        self.named += 1;
        RequestId::new(format!("{session}-r{}", self.named)).expect("a session is letters and digits")
    }

    /// Remembers a request that is about to be sent.
    pub fn remember(&mut self, request: RepoRequest, now: u64) {
        self.asked.push(RepoAsked::new(request, now));
        if self.asked.len() > REMEMBERED {
            self.asked.remove(0);
        }
    }

    /// Takes where a request stands; gives it back the first time that it has ended.
    pub fn take_progress(&mut self, id: &RequestId, progress: RepoProgress, now: u64) -> Option<&RepoAsked> {
        let asked = self.asked.iter_mut().find(|asked| asked.request.id == *id)?;
        if asked.has_ended() {
            return None;
        }
        asked.take(progress, now);
        asked.has_ended().then_some(asked)
    }

    /// A keep-list for the target that is looked at is being read.
    pub fn expect_keep_list(&mut self) {
        self.keep_list_for.clone_from(&self.target);
    }

    /// For which target the keep-list is that was read.
    pub fn take_expected_keep_list(&mut self) -> Option<Target> {
        self.keep_list_for.take()
    }

    /// Brings jobs and marks of all rows up to date.
    fn rebuild(&mut self) {
        let makers = self.target.as_ref().and_then(|target| self.makers.get(target));
        let page = &self.page;
        let changed: Vec<PackageRow> = self
            .table
            .rows()
            .filter_map(|old| {
                let new = row(old.package.clone(), makers, page);
                (new != *old).then_some(new)
            })
            .collect();
        if !changed.is_empty() {
            self.table.change(changed, &[]);
        }
    }
}

fn row(package: PublishedPackage, makers: Option<&HashMap<String, JobId>>, page: &Page) -> PackageRow {
    let job = makers.and_then(|makers| makers.get(&package.file_name)).copied();
    let checked = page.checked.as_ref();
    let marks = checked
        .map_or(&[][..], |checked| checked.marks(&package))
        .to_vec();
    PackageRow::new(package, job, &marks)
}
