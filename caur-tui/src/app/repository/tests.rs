//! Keyboard scripts: what keys in the repository view ask of a database, and what its answers lead to.

mod lists;

use caur_core::queue::{RepoAction, RepoAnswer, RepoOutcome, RepoRequest};
use crossterm::event::{KeyCode, KeyEvent};
use serde_json::{Value, json};

use crate::app::App;
use crate::msg::{BackendMsg, Effect, LinkState, Msg, RepoProgress, Request};
use crate::overlay::Overlay;
use crate::overlay::confirm::{Confirm, Danger};
use crate::overlay::repository::RepositoryOverlay;
use crate::screen::repository::fixtures::{app_with, done, refused, report};

fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let code = |c| match c {
        '\n' => KeyCode::Enter,
        '\x1b' => KeyCode::Esc,
        c => KeyCode::Char(c),
    };
    keys.chars()
        .flat_map(|c| app.update(Msg::Key(KeyEvent::from(code(c)))))
        .collect()
}

/// What was asked of the repository; at most one thing.
fn asked(effects: &[Effect]) -> Option<RepoRequest> {
    let mut requests = effects.iter().filter_map(|effect| match effect {
        Effect::Ask(request) => match &**request {
            Request::Repository(request, _) => Some(request.clone()),
            other => panic!("{other:?}"),
        },
        _ => None,
    });
    let first = requests.next();
    assert_eq!(requests.next(), None, "never twice");
    first
}

fn ask(app: &mut App, keys: &str) -> RepoRequest {
    asked(&press(app, keys)).expect("something is asked")
}

fn progress(app: &mut App, request: &RepoRequest, progress: RepoProgress) {
    let effects = report(app, BackendMsg::Repo(request.id.clone(), progress));
    assert_eq!(asked(&effects), None, "an answer alone asks nothing");
}

fn answer(app: &mut App, request: &RepoRequest, answer: RepoAnswer) {
    progress(app, request, RepoProgress::Waiting);
    progress(app, request, RepoProgress::Running);
    progress(app, request, RepoProgress::Answered(answer));
}

fn confirm(app: &App) -> &Confirm {
    match app.overlays().last() {
        Some(Overlay::Confirm(confirm)) => confirm,
        other => panic!("{other:?}"),
    }
}

fn typed(app: &App) -> &str {
    match &confirm(app).danger {
        Danger::Type(word) => word,
        Danger::Confirm => panic!("a yes alone is not enough"),
    }
}

fn is_waiting(app: &App) -> bool {
    matches!(
        app.overlays().last(),
        Some(Overlay::Repository(RepositoryOverlay::Request(_)))
    )
}

fn notice(app: &App) -> String {
    crate::testing::said(app)
}

fn entries(names: &[&str]) -> Value {
    let entry = |name: &&str| json!({ "pkgname": name, "pkgbase": name, "version": "1.0-1" });
    names.iter().map(entry).collect()
}

fn removal(names: &[&str], listed: usize) -> RepoAnswer {
    let value = json!({
        "removed": entries(names), "deferred": [], "listed": listed, "number": null, "snapshot": "abc",
    });
    done(
        &format!("{} of {listed} packages would be removed", names.len()),
        value,
    )
}

/// A repository of 40 packages `p00` to `p39`.
fn app() -> App {
    let mut app = app_with(40, 80, 24);
    press(&mut app, "4");
    app
}

fn remove(names: &[&str]) -> RepoAction {
    RepoAction::Remove {
        pkgnames: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn a_removal_is_previewed_typed_and_bound_to_the_preview() {
    let mut app = app();
    let preview = ask(&mut app, "jx");
    assert_eq!((&preview.action, preview.dry_run), (&remove(&["p01"]), true));
    assert_eq!((preview.force, preview.previewed.as_deref()), (false, None));
    assert!(is_waiting(&app));
    answer(&mut app, &preview, removal(&["p01"], 40));
    assert_eq!(typed(&app), "p01");
    assert_eq!(asked(&press(&mut app, "y\np0\n")), None, "not typed yet");
    let effects = press(&mut app, "\x1b");
    assert_eq!(asked(&effects), None);
    assert!(app.overlays().is_empty());

    let preview = ask(&mut app, "x");
    answer(&mut app, &preview, removal(&["p01"], 40));
    let real = ask(&mut app, "p01\n");
    assert_eq!(real.action, remove(&["p01"]));
    assert_eq!((real.dry_run, real.force), (false, false));
    assert_eq!(real.previewed.as_deref(), Some("abc"));
    assert_ne!(real.id, preview.id);
    assert!(is_waiting(&app), "it is followed to its end");
    answer(&mut app, &real, done("1 of 40 packages removed", Value::Null));
    assert_eq!(
        notice(&app),
        "extra/x86_64 remove p01: done: 1 of 40 packages removed"
    );
    press(&mut app, "\x1b");
    assert!(app.overlays().is_empty());
    // What was asked for stands in the list of this console.
    press(&mut app, "O");
    assert!(
        matches!(app.overlays(), [Overlay::Operations(_)]),
        "{:?}",
        app.overlays()
    );
}

#[test]
fn several_are_confirmed_by_their_number_and_whole_pkgbases_by_name() {
    let mut app = app();
    let preview = ask(&mut app, "  x");
    assert_eq!(preview.action, remove(&["p00", "p01"]));
    answer(&mut app, &preview, removal(&["p00", "p01"], 40));
    assert_eq!(typed(&app), "2");
    assert_eq!(app.repository().table.marks(), 2);
    let _real = ask(&mut app, "2\n");
    assert_eq!(app.repository().table.marks(), 0);
    press(&mut app, "\x1b");

    // p02 and p03 are of one pkgbase.
    let base = ask(&mut app, ":remove pkgbase\n");
    let expected = RepoAction::RemovePkgbase {
        pkgbase: "b1".to_owned(),
    };
    assert_eq!((base.action, base.dry_run), (expected, true));
    press(&mut app, "\x1b");
    let both = ask(&mut app, " jj :remove pkgbase\n");
    assert_eq!(both.action, remove(&["p02", "p03", "p04", "p05"]));
    press(&mut app, "\x1b");
    let named = ask(&mut app, ":remove pkgbase other\n");
    assert!(matches!(named.action, RepoAction::RemovePkgbase { pkgbase } if pkgbase == "other"));
    press(&mut app, "\x1b");
    assert_eq!(asked(&press(&mut app, ":remove everything\n")), None);
    assert!(notice(&app).contains("pkgbase"), "{}", notice(&app));
}

#[test]
fn what_changed_meanwhile_is_left_alone_and_that_is_said() {
    let mut app = app();
    let preview = ask(&mut app, "x");
    answer(&mut app, &preview, removal(&["p00"], 40));
    let real = ask(&mut app, "p00\n");
    let moved = "extra/x86_64 has changed since this was previewed (then abc, now def); nothing was changed: look again";
    answer(&mut app, &real, refused(moved));
    assert!(
        notice(&app).contains("refused: extra/x86_64 has changed since"),
        "{}",
        notice(&app)
    );
    assert!(is_waiting(&app), "its end stays to be read");
    press(&mut app, "\n");
    assert!(app.overlays().is_empty());
}

#[test]
fn more_than_a_tenth_goes_only_when_the_repository_is_typed() {
    let mut app = app();
    let five = ["p00", "p01", "p02", "p03", "p04"];
    let preview = ask(&mut app, "     x");
    answer(&mut app, &preview, removal(&five, 40));
    assert_eq!(typed(&app), "extra");
    assert!(confirm(&app).lines[0].contains("more than a tenth"));
    assert_eq!(asked(&press(&mut app, "5\n\x1b")), None);
    let preview = ask(&mut app, "x");
    answer(&mut app, &preview, removal(&five, 40));
    let real = ask(&mut app, "extra\n");
    assert_eq!((real.force, real.previewed.as_deref()), (true, Some("abc")));
}

#[test]
fn what_the_guard_refuses_after_all_can_be_forced() {
    let mut app = app();
    let preview = ask(&mut app, "x");
    answer(&mut app, &preview, removal(&["p00"], 40));
    let real = ask(&mut app, "p00\n");
    let guard =
        refused("this removes 1 of the 4 packages of extra/x86_64, more than a tenth; nothing was changed");
    answer(&mut app, &real, guard.clone());
    assert_eq!(typed(&app), "extra");
    let forced = ask(&mut app, "extra\n");
    assert_eq!((forced.force, forced.previewed.as_deref()), (true, Some("abc")));
    assert_ne!(forced.id, real.id);
    // Nobody who looks away is asked anything.
    press(&mut app, "\x1b");
    let preview = ask(&mut app, "x");
    answer(&mut app, &preview, removal(&["p00"], 40));
    let real = ask(&mut app, "p00\n\x1b");
    answer(&mut app, &real, guard);
    assert!(app.overlays().is_empty() && notice(&app).contains("more than a tenth"));
}

#[test]
fn a_lost_link_is_no_outcome_and_nothing_is_asked_twice() {
    let mut app = app();
    let preview = ask(&mut app, "x");
    answer(&mut app, &preview, removal(&["p00"], 40));
    let real = ask(&mut app, "p00\n");
    let lost = LinkState::Reconnecting {
        attempt: 1,
        next_in: std::time::Duration::from_secs(3),
        reason: "cut".to_owned(),
    };
    report(&mut app, BackendMsg::Link(lost));
    progress(&mut app, &real, RepoProgress::Unknown);
    let line = app.repository().asked(&real.id).unwrap().line();
    assert!(line.ends_with("unknown, checking …"), "{line}");
    assert_eq!(asked(&press(&mut app, "\x1bx")), None);
    assert!(notice(&app).contains("no link"), "{}", notice(&app));
    let effects = report(&mut app, BackendMsg::Link(LinkState::Online));
    assert_eq!(asked(&effects), None, "the backend finds out");
    answer(&mut app, &real, done("1 of 40 packages removed", Value::Null));
    assert!(notice(&app).contains("done: 1 of 40 packages removed"));
    // An answer that comes once more is no news.
    report(&mut app, BackendMsg::Repo(real.id.clone(), RepoProgress::Unknown));
    assert!(app.repository().asked(&real.id).unwrap().has_ended());
}

#[test]
fn a_preview_can_be_left_and_found_again() {
    let mut app = app();
    let preview = ask(&mut app, "x");
    progress(&mut app, &preview, RepoProgress::Running);
    press(&mut app, "\x1b");
    assert!(app.overlays().is_empty());
    assert_eq!(asked(&press(&mut app, "x")), None, "it is on its way");
    assert!(is_waiting(&app));
    press(&mut app, "\x1b");
    progress(&mut app, &preview, RepoProgress::Answered(removal(&["p00"], 40)));
    assert!(app.overlays().is_empty(), "whoever left is asked nothing");
    assert!(notice(&app).contains("1 of 40 packages would be removed"));
    let again = ask(&mut app, "x");
    let nothing = RepoAnswer {
        outcome: RepoOutcome::Expired,
        ..refused("no database began it in time")
    };
    answer(&mut app, &again, nothing);
    assert!(notice(&app).contains("expired: no database"), "{}", notice(&app));
    assert!(is_waiting(&app));
    // An answer of another version is no preview.
    press(&mut app, "\x1b");
    let again = ask(&mut app, "x");
    answer(&mut app, &again, done("", json!({ "gone": [] })));
    assert!(
        is_waiting(&app) && notice(&app).contains("another version"),
        "{}",
        notice(&app)
    );
}
