//! What the history looks like, and what its keys do.

use caur_core::model::{CommitId, Job, JobId, JobState, PastAttempt};
use ratatui::style::Modifier;

use super::PAGE;
use crate::app::{App, View};
use crate::msg::{BackendMsg, Effect, Msg};
use crate::operation::Act;
use crate::testing::{NOW, job};
use crate::tests::snapshots::{assert_screens, lost};
use crate::tests::{buffer, online, operations, press, tell, text};
use crate::theme::Theme;

/// A job that ended so many minutes ago.
fn ended(minutes: u64, pkgbase: &str, state: JobState) -> Job {
    let end = NOW - minutes * 60_000;
    let started = end - (minutes % 7 + 1) * 100_000;
    Job {
        id: JobId(started - 42_000),
        started: Some(started),
        finished: Some(end),
        since: end,
        ..job(minutes, pkgbase, state)
    }
}

fn jobs() -> Vec<Job> {
    let mut failed = ended(3, "emulsion", JobState::Failed);
    failed.reason = Some("makepkg: build() failed (exit status 4)\x1b[2J".to_owned());
    failed.attempt = 2;
    failed.history = vec![PastAttempt {
        attempt: 1,
        outcome: "infrastructure".to_owned(),
        builder: "birch".to_owned(),
        started: None,
        ended: failed.started.unwrap() - 5_000,
        reason: "image pull: connection reset".to_owned(),
    }];
    let mut built = ended(1, "zen-browser", JobState::Succeeded);
    built.built_commit = Some(CommitId::new("0123456789abcdef0123456789abcdef01234567").unwrap());
    let mut canceled = ended(200, "dolphin-emu-git", JobState::Canceled);
    canceled.reason = Some("canceled by kim".to_owned());
    canceled.attempt = 0;
    vec![
        built,
        failed,
        ended(9, "vesktop", JobState::AlreadyBuilt),
        ended(31, "bottom-git", JobState::Skipped),
        ended(75, "rpcs3-git", JobState::TimedOut),
        ended(80, "firedragon", JobState::OutOfMemory),
        canceled,
        ended(3000, "jellyfin-mpv", JobState::InfrastructureFailed),
        ended(4000, "paru", JobState::Succeeded),
        ended(4001, "yay", JobState::Succeeded),
    ]
}

fn filled(width: u16, height: u16) -> App {
    let mut app = online(width, height);
    press(&mut app, "5");
    tell(&mut app, BackendMsg::History(jobs(), true));
    app
}

#[test]
fn the_view_in_its_states() {
    assert_screens("history", filled);
    assert_screens("history_filtered", |width, height| {
        let mut app = filled(width, height);
        press(&mut app, "/state:succeeded,failed⏎j");
        app
    });
    assert_screens("history_loading", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "5");
        app
    });
    assert_screens("history_empty", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "5");
        tell(&mut app, BackendMsg::History(Vec::new(), true));
        app
    });
    assert_screens("history_stale", |width, height| {
        let mut app = filled(width, height);
        tell(&mut app, BackendMsg::Link(lost()));
        app.update(Msg::Tick(NOW + 5_000));
        app
    });
}

#[test]
fn outcomes_have_their_colours_and_the_selection_is_reversed() {
    for theme in Theme::ALL {
        let mut app = filled(80, 24);
        press(&mut app, &format!(":theme {}⏎", theme.name()));
        let buffer = buffer(&app, 80, 24);
        for (row, state) in (4..).zip([JobState::Succeeded, JobState::Failed, JobState::AlreadyBuilt]) {
            let cell = &buffer[(9, row)];
            assert_eq!(cell.symbol(), crate::theme::symbol(state));
            assert_eq!(
                cell.fg,
                theme.state(state).fg.unwrap_or_default(),
                "{theme:?} {state}"
            );
            assert_eq!(cell.modifier.contains(Modifier::REVERSED), row == 4);
        }
    }
}

#[test]
fn what_has_ended_is_retried_from_here() {
    let mut app = filled(80, 24);
    let sent = operations(&press(&mut app, "jr"));
    assert_eq!(sent.len(), 1);
    assert!(matches!(sent[0].act, Act::Retry(..)));
    assert_eq!(sent[0].about, "emulsion");
    assert!(
        operations(&press(&mut app, "*r")).is_empty(),
        "of many it is asked"
    );
    assert_eq!(operations(&press(&mut app, "y")).len(), jobs().len());
    assert_eq!(app.history().table.marks(), 0);
    press(&mut app, "⏎");
    assert_eq!(app.view(), View::Job);
}

#[test]
fn more_is_wanted_when_the_end_is_near() {
    let mut app = online(80, 24);
    let wanted = |effects: &[Effect]| {
        effects.iter().rev().find_map(|effect| match effect {
            Effect::Want(interest) => Some(interest.history),
            _ => None,
        })
    };
    assert_eq!(wanted(&press(&mut app, "5")), Some(PAGE));
    let page = |count: usize| -> Vec<Job> {
        let minutes = 1..=u64::try_from(count).unwrap();
        minutes
            .map(|minutes| ended(minutes, "foo", JobState::Succeeded))
            .collect()
    };
    let told = tell(&mut app, BackendMsg::History(page(PAGE), false));
    assert_eq!(wanted(&told), None, "the first page is enough at its top");
    assert_eq!(wanted(&press(&mut app, "G")), Some(2 * PAGE));
    assert_eq!(wanted(&press(&mut app, "k")), None, "not twice");
    tell(&mut app, BackendMsg::History(page(PAGE + 20), true));
    assert_eq!(wanted(&press(&mut app, "G")), None, "there are no older ones");
    assert!(text(&app, 80, 24).contains(&format!("{} jobs", PAGE + 20)));
}

#[test]
fn filters_and_orders_know_how_long_things_took() {
    let mut app = filled(80, 24);
    let shown = |app: &App| -> Vec<String> {
        let rows = app.history().table.shown();
        rows.map(|row| row.job.request.pkgbase.to_string()).collect()
    };
    press(&mut app, ":filter waited:<10s state:failed⏎");
    assert_eq!(shown(&app), ["emulsion"], "five seconds after the attempt before");
    press(&mut app, "⎋:filter took:>9m⏎");
    assert_eq!(shown(&app), ["rpcs3-git"]);
    press(&mut app, "⎋:sort took⏎");
    assert_eq!(shown(&app)[..3], ["rpcs3-git", "yay", "jellyfin-mpv"]);
}
