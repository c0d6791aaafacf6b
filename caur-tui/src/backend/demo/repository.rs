//! The made-up repositories of the demo: what they list, and a database that carries out what is asked of them.

use caur_core::model::{IdError, Job, JobState, PublishedPackage, Target};
use caur_core::queue::{RepoRequest, WaitingRequest};

use super::database::Shelf;
use crate::msg::{BackendMsg, FarmNews, RepoProgress, RepositoryNews};

/// Milliseconds that a request waits for the database, and that it is worked on.
const WAITS: u64 = 900;
const WORKS: u64 = 2_400;
/// How long uploads are gathered: long enough for a preview to be confirmed now and then.
const GATHERS: u64 = 40_000;

/// The repositories, and what is asked of them.
#[derive(Debug)]
pub struct DemoRepositories {
    shelves: Vec<Shelf>,
    open: Vec<Open>,
    /// What the console was told last: of which target, which state, and how many requests in which states.
    told: Option<(Target, u64, Vec<bool>)>,
    /// When uploads were published last.
    published: u64,
}

#[derive(Debug)]
struct Open {
    request: RepoRequest,
    why: String,
    asked: u64,
    running: bool,
}

/// The files that a job of the demo publishes.
pub fn files(job: &Job) -> Vec<String> {
    let version = format!("1.{}.{}-1", job.id.0 / 1_000_000 % 100, job.id.0 / 1000 % 1000);
    vec![format!("{}-{version}-x86_64.pkg.tar.zst", job.request.pkgbase)]
}

impl DemoRepositories {
    /// Repositories that hold packages of the last weeks before `now`, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`IdError`] if a name of the demo is no valid identifier; a test shows that all are.
    pub fn new(names: &[&str], now: u64) -> Result<Self, IdError> {
        let target = |repo: &str| -> Result<Target, IdError> {
            Ok(Target {
                repo: repo.parse()?,
                arch: "x86_64".parse()?,
            })
        };
        let few: Vec<&str> = names.iter().copied().step_by(3).collect();
        Ok(Self {
            shelves: vec![
                Shelf::new(target("garden")?, names, now)?,
                Shelf::new(target("garden-next")?, &few, now)?,
            ],
            open: Vec::new(),
            told: None,
            published: 0,
        })
    }

    /// What the farm is made of.
    pub fn farm(&mut self) -> BackendMsg {
        self.told = None;
        BackendMsg::Farm(FarmNews {
            targets: self.shelves.iter().map(|shelf| shelf.target.clone()).collect(),
            logs_url: Some("https://farm.example/logs/logs.html".to_owned()),
        })
    }

    /// Takes a request.
    pub fn ask(&mut self, request: RepoRequest, why: String, now: u64) -> BackendMsg {
        let id = request.id.clone();
        if !self.open.iter().any(|open| open.request.id == id) {
            self.open.push(Open {
                request,
                why,
                asked: now,
                running: false,
            });
        }
        BackendMsg::Repo(id, RepoProgress::Waiting)
    }

    /// What the console knows of its requests once the link is lost.
    pub fn lost(&self) -> Vec<BackendMsg> {
        let open = self.open.iter();
        open.map(|open| BackendMsg::Repo(open.request.id.clone(), RepoProgress::Unknown))
            .collect()
    }

    /// What jobs built is listed, some of it after a while.
    pub fn publish(&mut self, jobs: &[Job], now: u64) {
        if now < self.published + GATHERS {
            return;
        }
        self.published = now;
        for shelf in &mut self.shelves {
            let is_published =
                |job: &&Job| job.state == JobState::Succeeded && job.request.target == shelf.target;
            let published: Vec<&Job> = jobs.iter().filter(is_published).collect();
            shelf.publish(&published, now);
        }
    }

    /// What is new of requests, and of the target that is looked at.
    pub fn news(&mut self, wanted: Option<&Target>, now: u64) -> Vec<BackendMsg> {
        let mut news = Vec::new();
        let shelves = &mut self.shelves;
        self.open.retain_mut(|open| {
            let age = now.saturating_sub(open.asked);
            let progress = if age > WAITS + WORKS {
                let shelf = shelves
                    .iter_mut()
                    .find(|shelf| shelf.target == open.request.target);
                shelf.map(|shelf| RepoProgress::Answered(shelf.carry_out(&open.request, &open.why, now)))
            } else if age > WAITS && !open.running {
                open.running = true;
                Some(RepoProgress::Running)
            } else {
                None
            };
            let ended = matches!(progress, Some(RepoProgress::Answered(_)));
            news.extend(progress.map(|progress| BackendMsg::Repo(open.request.id.clone(), progress)));
            !ended
        });
        news.extend(self.listed(wanted));
        news
    }

    /// What the target lists, where the console does not know it yet.
    fn listed(&mut self, wanted: Option<&Target>) -> Option<BackendMsg> {
        let shelf = self.shelves.iter().find(|shelf| Some(&shelf.target) == wanted)?;
        let open: Vec<&Open> = self
            .open
            .iter()
            .filter(|open| open.request.target == shelf.target)
            .collect();
        let running: Vec<bool> = open.iter().map(|open| open.running).collect();
        let state = shelf.number();
        let known = self.told.as_ref().filter(|(target, ..)| *target == shelf.target);
        if known.is_some_and(|(_, known, requests)| *known == state && *requests == running) {
            return None;
        }
        let is_new = known.is_none_or(|(_, known, _)| *known != state);
        let packages: Option<Vec<PublishedPackage>> = is_new.then(|| shelf.packages().to_vec());
        let requests = open.iter().map(|open| WaitingRequest {
            id: open.request.id.clone(),
            target: open.request.target.clone(),
            what: open.request.action.to_string(),
            by: "you".to_owned(),
            why: open.why.clone(),
            asked: open.asked,
            running: open.running,
            round: 0,
        });
        let news = RepositoryNews {
            packages,
            requests: requests.collect(),
        };
        let target = shelf.target.clone();
        self.told = Some((target.clone(), state, running));
        Some(BackendMsg::Repository(target, news))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use caur_core::queue::{RepoAction, RepoAnswer, RepoOutcome};

    use super::*;
    use crate::screen::repository::answer::{self, Removal, Rollback, State};
    use crate::screen::repository::findings::Checked;
    use crate::testing::NOW;

    struct Desk {
        demo: DemoRepositories,
        target: Target,
        named: u32,
        now: u64,
    }

    impl Desk {
        fn new() -> Self {
            let demo = DemoRepositories::new(&["paru", "yay", "mesa-git", "zen-browser"], NOW).unwrap();
            Self {
                target: demo.shelves[0].target.clone(),
                demo,
                named: 0,
                now: NOW,
            }
        }

        fn ask(&mut self, action: RepoAction, dry_run: bool, previewed: Option<String>) -> RepoAnswer {
            self.named += 1;
            let request = RepoRequest {
                id: format!("r{}", self.named).parse().unwrap(),
                target: self.target.clone(),
                action,
                force: true,
                dry_run,
                previewed,
                patience: Duration::ZERO,
            };
            let mut steps = vec![self.demo.ask(request, String::new(), self.now)];
            while !matches!(steps.last(), Some(BackendMsg::Repo(_, RepoProgress::Answered(_)))) {
                self.now += 100;
                steps.extend(self.demo.news(None, self.now));
            }
            assert_eq!(steps.len(), 3, "waiting, running, answered");
            match steps.pop() {
                Some(BackendMsg::Repo(_, RepoProgress::Answered(answer))) => answer,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_made_up_database_answers_like_a_real_one() {
        let mut desk = Desk::new();
        let remove = || RepoAction::Remove {
            pkgnames: vec!["paru".to_owned()],
        };
        let preview: Removal = answer::read(&desk.ask(remove(), true, None)).unwrap();
        assert_eq!(preview.removed[0].pkgname, "paru");
        let before = preview.listed;
        let done = desk.ask(remove(), false, Some(preview.snapshot.clone()));
        assert_eq!(done.outcome, RepoOutcome::Done, "{done:?}");
        let again = desk.ask(remove(), false, Some(preview.snapshot));
        assert_eq!(again.outcome, RepoOutcome::Refused);
        assert!(again.message.contains("has changed since"), "{}", again.message);
        let unknown = desk.ask(remove(), true, None);
        assert!(
            unknown.message.contains("does not list paru"),
            "{}",
            unknown.message
        );

        let states: Vec<State> =
            answer::read(&desk.ask(RepoAction::History { limit: 5 }, false, None)).unwrap();
        assert_eq!(
            (states[0].kind.as_str(), states[0].packages),
            ("remove", before - 1)
        );
        let back = RepoAction::Rollback { to: states[1].number };
        let preview: Rollback = answer::read(&desk.ask(back.clone(), true, None)).unwrap();
        assert_eq!(preview.difference.added[0].pkgname, "paru");
        let done = desk.ask(back, false, Some(preview.snapshot));
        assert_eq!(done.outcome, RepoOutcome::Done, "{done:?}");
        assert_eq!(desk.demo.shelves[0].packages().len(), before);

        let check = RepoAction::Check {
            fix: false,
            hashes: false,
            sonames: true,
        };
        let answer = desk.ask(check, false, None);
        let checked = Checked::read(&answer, desk.demo.shelves[0].packages().iter()).unwrap();
        assert!(checked.errors > 0 && checked.findings.iter().all(|finding| finding.package.is_some()));
        let keep = RepoAction::AutoRemove {
            keep: ["yay".to_owned()].into(),
        };
        let left: Removal = answer::read(&desk.ask(keep, false, None)).unwrap();
        assert_eq!(left.removed.len() + desk.demo.shelves[0].packages().len(), before);
    }

    #[test]
    fn what_is_known_is_not_told_again() {
        let mut desk = Desk::new();
        let target = desk.target.clone();
        assert_eq!(desk.demo.news(Some(&target), NOW).len(), 1);
        assert_eq!(desk.demo.news(Some(&target), NOW).len(), 0);
        assert_eq!(desk.demo.news(None, NOW).len(), 0);
    }
}
