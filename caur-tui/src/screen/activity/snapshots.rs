//! What the trail looks like, and what its keys do.

use caur_core::model::JobId;
use caur_core::queue::TrailEntry;
use ratatui::style::Modifier;

use crate::app::{App, View};
use crate::msg::{BackendMsg, Effect, Msg};
use crate::testing::NOW;
use crate::tests::snapshots::{assert_screens, lost};
use crate::tests::{buffer, online, press, tell};

fn entry(seconds: u64, action: &str, about: &str, job: Option<u64>, by: &str, why: &str) -> TrailEntry {
    TrailEntry {
        id: format!("{}-0", NOW - seconds * 1000),
        action: action.to_owned(),
        about: about.to_owned(),
        job: job.map(JobId),
        by: by.to_owned(),
        why: why.to_owned(),
    }
}

fn entries() -> Vec<TrailEntry> {
    let long = "superseded by the next version, which upstream has released this morning after the security notice, so that nobody needs this one";
    vec![
        entry(9, "cancel", "extra/x86_64/paru", Some(12), "kim", long),
        entry(70, "pause", "builder alder", None, "kim\x1b[2J", "kernel update"),
        entry(
            4000,
            "submit",
            "extra/x86_64: 40 packages",
            None,
            "ci",
            "40 queued, 0 replaced, 0 refused",
        ),
        entry(
            90_000,
            "priority",
            "extra/x86_64/mesa-git",
            Some(10),
            "robin",
            "50",
        ),
        entry(200_000, "resume", "queue", None, "robin", ""),
    ]
}

fn filled(width: u16, height: u16) -> App {
    let mut app = online(width, height);
    press(&mut app, "6");
    tell(&mut app, BackendMsg::Activity(entries()));
    app
}

#[test]
fn the_view_in_its_states() {
    assert_screens("activity", filled);
    assert_screens("activity_filtered", |width, height| {
        let mut app = filled(width, height);
        press(&mut app, "/by:kim⏎j");
        app
    });
    assert_screens("activity_loading", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "6");
        app
    });
    assert_screens("activity_empty", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "6");
        tell(&mut app, BackendMsg::Activity(Vec::new()));
        app
    });
    assert_screens("activity_stale", |width, height| {
        let mut app = filled(width, height);
        tell(&mut app, BackendMsg::Link(lost()));
        app.update(Msg::Tick(NOW + 5_000));
        app
    });
}

#[test]
fn the_selection_is_reversed() {
    let mut app = filled(80, 24);
    press(&mut app, "j");
    let buffer = buffer(&app, 80, 24);
    let reversed = |row: u16| buffer[(10, row)].modifier.contains(Modifier::REVERSED);
    assert_eq!((3..6).map(reversed).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn enter_opens_the_job_that_it_was_about() {
    let mut app = filled(80, 24);
    press(&mut app, "j⏎");
    assert_eq!(app.view(), View::Activity);
    assert!(
        app.notice()
            .is_some_and(|notice| notice.text.contains("no single job"))
    );
    let effects = press(&mut app, "k⏎");
    assert_eq!(app.view(), View::Job);
    assert_eq!(app.job_screen().job(), Some(JobId(12)));
    let wants =
        |effect: &Effect| matches!(effect, Effect::Want(interest) if interest.details == Some(JobId(12)));
    assert!(effects.iter().any(wants));
    press(&mut app, "⎋");
    assert_eq!(app.view(), View::Activity);
}

#[test]
fn a_new_entry_leaves_the_selection_where_it_is() {
    let mut app = filled(80, 24);
    press(&mut app, "jj");
    let mut entries = entries();
    entries.insert(0, entry(1, "hold", "extra/x86_64/yay", Some(13), "kim", ""));
    tell(&mut app, BackendMsg::Activity(entries));
    let selected = app.activity().table.selected().unwrap();
    assert_eq!(selected.entry.action, "submit");
    assert_eq!(app.activity().table.cursor(), 3);
}
