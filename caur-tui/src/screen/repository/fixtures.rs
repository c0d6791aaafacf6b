//! Packages, answers and requests for tests of the repository view.

use caur_core::model::{JobState, PublishedPackage, Target};
use caur_core::queue::{RepoAnswer, RepoOutcome};
use serde_json::Value;

use crate::app::App;
use crate::msg::{BackendMsg, Effect, FarmNews, LinkState, Msg, RepositoryNews, Snapshot};
use crate::testing::{self, NOW};

/// Where the packages of these tests are.
pub fn target(repo: &str) -> Target {
    Target {
        repo: repo.parse().unwrap(),
        arch: "x86_64".parse().unwrap(),
    }
}

/// A package of so many megabytes, built so many hours before [`NOW`].
pub fn package(name: &str, base: &str, number: u64) -> PublishedPackage {
    PublishedPackage {
        pkgname: name.parse().unwrap(),
        pkgbase: base.parse().unwrap(),
        version: "1.0-1".to_owned(),
        file_name: format!("{name}-1.0-1-x86_64.pkg.tar.zst"),
        size: number * 1_000_000,
        build_date: NOW / 1000 - number * 3600,
        provides: Vec::new(),
    }
}

/// The answer to something that was done.
pub fn done(message: &str, value: Value) -> RepoAnswer {
    RepoAnswer {
        outcome: RepoOutcome::Done,
        message: message.to_owned(),
        value,
        by: "db1".to_owned(),
        at: NOW,
    }
}

/// The answer to something that a rule forbids.
pub fn refused(message: &str) -> RepoAnswer {
    RepoAnswer {
        outcome: RepoOutcome::Refused,
        ..done(message, Value::Null)
    }
}

/// Tells the console something.
pub fn report(app: &mut App, msg: BackendMsg) -> Vec<Effect> {
    app.update(Msg::from(msg))
}

/// A console that is online and knows two repositories; `extra` lists so many packages, two of each pkgbase, and job 7
/// made the first one.
pub fn app_with(packages: usize, width: u16, height: u16) -> App {
    let mut app = testing::app(width, height);
    let packages: Vec<PublishedPackage> = (0..packages)
        .map(|at| package(&format!("p{at:02}"), &format!("b{}", at / 2), at as u64 + 1))
        .collect();
    let mut job = testing::job(7, "b0", JobState::Succeeded);
    job.packages = packages
        .first()
        .map(|package| package.file_name.clone())
        .into_iter()
        .collect();
    let access = BackendMsg::Access {
        may_operate: true,
        who: "ada".to_owned(),
    };
    let jobs = Snapshot {
        jobs: vec![job],
        taken: NOW,
        partial: false,
    };
    let farm = FarmNews {
        targets: vec![target("extra"), target("testing")],
        logs_url: None,
    };
    let news = RepositoryNews {
        packages: Some(packages),
        requests: Vec::new(),
    };
    for msg in [
        BackendMsg::Link(LinkState::Online),
        access,
        BackendMsg::Jobs(jobs),
        BackendMsg::Farm(farm),
        BackendMsg::Repository(target("extra"), news),
    ] {
        report(&mut app, msg);
    }
    app
}
