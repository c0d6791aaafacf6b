//! Keyboard scripts: what keys in the repository view ask of a database, and what its answers lead to.

use std::path::PathBuf;

use caur_core::queue::{RepoAction, RepoAnswer, RepoOutcome, RepoRequest};
use crossterm::event::{KeyCode, KeyEvent};
use serde_json::{Value, json};

use crate::app::{App, View};
use crate::msg::{BackendMsg, Effect, FileUse, LinkState, Msg, RepoProgress, Request};
use crate::overlay::Overlay;
use crate::overlay::confirm::{Confirm, Danger};
use crate::overlay::repository::RepositoryOverlay;
use crate::screen::repository::fixtures::{app_with, done, refused, report, target};
use crate::testing::NOW;

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

fn notice(app: &App) -> &str {
    &app.notice().expect("something was said").text
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

#[test]
fn a_keep_list_is_read_checked_previewed_and_confirmed() {
    let mut app = app();
    let effects = press(&mut app, "Kkeep.txt\n");
    let path = PathBuf::from("keep.txt");
    assert!(effects.contains(&Effect::Read(FileUse::KeepList, path.clone())));
    let read = |app: &mut App, text: Result<&str, &str>| {
        let text = text.map(str::to_owned).map_err(str::to_owned);
        app.update(Msg::Read(FileUse::KeepList, path.clone(), text))
    };
    assert_eq!(asked(&read(&mut app, Err("no such file"))), None);
    assert_eq!(notice(&app), "keep.txt: no such file");
    press(&mut app, "Kkeep.txt\n");
    assert_eq!(asked(&read(&mut app, Ok("b1\nnot a name\n"))), None);
    assert!(notice(&app).contains("line 2 is no pkgbase"), "{}", notice(&app));
    // Another repository than the one that it was meant for.
    press(&mut app, "Kkeep.txt\n]");
    assert_eq!(asked(&read(&mut app, Ok("b1\n"))), None);
    assert!(notice(&app).contains("another repository"), "{}", notice(&app));
    press(&mut app, "[Kkeep.txt\n");
    let preview = asked(&read(&mut app, Ok("b1 # stays\nb2\nelsewhere\n"))).unwrap();
    let keep = ["b1", "b2", "elsewhere"].map(str::to_owned);
    let expected = RepoAction::AutoRemove { keep: keep.into() };
    assert_eq!((&preview.action, preview.dry_run), (&expected, true));
    let mut told = removal(&["p00", "p01", "p06"], 40);
    told.value["deferred"] = json!([[entries(&["p07"])[0], "on its way from 17"]]);
    answer(&mut app, &preview, told);
    let lines = confirm(&app).lines.join("\n");
    assert!(lines.contains("The list keeps 3 pkgbases."), "{lines}");
    assert!(
        lines.contains("1 of them are not in the repository: elsewhere."),
        "{lines}"
    );
    assert!(lines.contains("- p06 1.0-1"), "{lines}");
    assert!(
        lines.contains("stays for now: p07 1.0-1, on its way from 17"),
        "{lines}"
    );
    let real = ask(&mut app, "3\n");
    assert_eq!((real.action, real.previewed.as_deref()), (expected, Some("abc")));
}

#[test]
fn a_rollback_is_chosen_looked_at_and_confirmed() {
    let mut app = app();
    let history = ask(&mut app, "B");
    assert_eq!(history.action, RepoAction::History { limit: 200 });
    let nothing = json!({ "added": [], "removed": [], "changed": [] });
    let state = |number: u64, kept: bool| {
        json!({
            "number": number, "at": NOW / 1000 - 60, "kind": "publish", "who": "database", "reason": "",
            "difference": nothing, "packages": 40, "snapshot": kept,
        })
    };
    answer(
        &mut app,
        &history,
        done(
            "3 changes",
            json!([state(9, true), state(8, true), state(7, false)]),
        ),
    );
    assert_eq!(asked(&press(&mut app, "k\n")), None);
    assert_eq!(notice(&app), "9 is the present state");
    assert_eq!(asked(&press(&mut app, "jj\n")), None);
    assert!(
        notice(&app).contains("7 are not kept any more"),
        "{}",
        notice(&app)
    );
    let preview = ask(&mut app, "k\n");
    assert_eq!(
        (&preview.action, preview.dry_run),
        (&RepoAction::Rollback { to: 8 }, true)
    );
    let difference = json!({
        "added": entries(&["new"]), "removed": entries(&["p39"]),
        "changed": [{ "pkgname": "p00", "from": "1.0-1", "to": "0.9-1" }],
    });
    let told = done(
        "",
        json!({ "difference": difference, "number": null, "snapshot": "abc" }),
    );
    answer(&mut app, &preview, told.clone());
    assert_eq!(typed(&app), "8");
    assert_eq!(
        confirm(&app).lines[..4],
        [
            "Going back changes this: +1 -1 ~1.",
            "- p39 1.0-1",
            "+ new 1.0-1",
            "~ p00 1.0-1 → 0.9-1"
        ]
    );
    press(&mut app, "\x1b");
    let states = matches!(
        app.overlays().last(),
        Some(Overlay::Repository(RepositoryOverlay::States(_)))
    );
    assert!(states, "another state can be chosen");
    let preview = ask(&mut app, "\n");
    answer(&mut app, &preview, told);
    let real = ask(&mut app, "8\n");
    assert_eq!(
        (real.action, real.dry_run),
        (RepoAction::Rollback { to: 8 }, false)
    );
    assert_eq!(
        (real.previewed.as_deref(), app.overlays().len()),
        (Some("abc"), 1)
    );
    press(&mut app, "\x1b");
    let direct = ask(&mut app, ":rollback 5\n");
    assert_eq!(
        (direct.action, direct.dry_run),
        (RepoAction::Rollback { to: 5 }, true)
    );
}

#[test]
fn a_check_marks_packages_and_lists_what_it_found() {
    let mut app = app();
    press(&mut app, "f");
    assert!(notice(&app).contains("nothing was checked"), "{}", notice(&app));
    let check = ask(&mut app, "c");
    let expected = RepoAction::Check {
        fix: false,
        hashes: false,
        sonames: true,
    };
    assert_eq!((&check.action, check.dry_run), (&expected, false));
    let finding = json!({
        "severity": "error", "text": "p03 is listed, but its file does not exist",
        "finding": { "kind": "file-missing", "package": "p03", "file": "x" },
    });
    let value = json!({ "errors": 1, "warnings": 0, "packages": 40, "findings": [finding] });
    answer(&mut app, &check, done("40 packages: 1 errors, 0 warnings", value));
    press(&mut app, "\n");
    let selected = app.repository().table.selected().unwrap();
    assert_eq!(selected.package.pkgname.as_str(), "p03");
    assert_eq!(selected.marks.len(), 1);
    press(&mut app, "/mark:missing\n");
    assert_eq!(app.repository().table.len(), 1);
    press(&mut app, "f");
    assert!(matches!(
        app.overlays().last(),
        Some(Overlay::Repository(RepositoryOverlay::Findings(0)))
    ));
    // Its marks stay when another repository is looked at meanwhile.
    press(&mut app, "\x1b][");
    assert_eq!(app.repository().table.len(), 1);
    assert_eq!(app.repository().checked().map(|checked| checked.errors), Some(1));
}

#[test]
fn enter_opens_the_job_that_made_the_package() {
    let mut app = app();
    press(&mut app, "\n");
    assert_eq!(
        (app.view(), app.job_screen().job().map(|job| job.0)),
        (View::Job, Some(7))
    );
    press(&mut app, "4j\n");
    assert_eq!(app.view(), View::Repository);
    assert!(
        notice(&app).contains("the job that made p01 is not known"),
        "{}",
        notice(&app)
    );
    let gone = BackendMsg::Changed {
        jobs: Vec::new(),
        gone: vec![caur_core::model::JobId(7)],
        taken: NOW,
    };
    report(&mut app, gone);
    press(&mut app, "k\n");
    assert!(
        notice(&app).contains("job 7, which made p00, is not known any more"),
        "{}",
        notice(&app)
    );
}

#[test]
fn targets_take_turns_and_keep_their_place() {
    let mut app = app();
    assert_eq!(app.repository().target(), Some(&target("extra")));
    press(&mut app, "jjj ]");
    assert_eq!(app.repository().target(), Some(&target("testing")));
    assert!(!app.repository().is_loaded());
    press(&mut app, "]");
    let table = &app.repository().table;
    assert_eq!(
        (table.marks(), table.cursor(), app.repository().is_loaded()),
        (1, 4, true)
    );
}

#[test]
fn a_console_without_rights_says_why_it_asks_nothing() {
    let mut app = app();
    let access = BackendMsg::Access {
        may_operate: false,
        who: "guest".to_owned(),
    };
    report(&mut app, access);
    assert_eq!(asked(&press(&mut app, "c")), None);
    assert_eq!(
        notice(&app),
        "check: a check is a request in the queue, and the Redis user guest may only read"
    );
    for keys in ["x", "K", "B"] {
        assert_eq!(asked(&press(&mut app, keys)), None);
        assert!(notice(&app).contains("may only read"), "{keys}: {}", notice(&app));
        assert!(app.overlays().is_empty());
    }
}
