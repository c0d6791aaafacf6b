//! Keyboard scripts: keep-lists, states, findings, and what needs no request.

use std::path::PathBuf;

use caur_core::model::JobId;
use caur_core::queue::RepoAction;
use serde_json::json;

use super::{answer, app, ask, asked, confirm, entries, notice, press, removal, typed};
use crate::app::{App, View};
use crate::msg::{BackendMsg, Effect, FileUse, Msg};
use crate::overlay::Overlay;
use crate::overlay::repository::RepositoryOverlay;
use crate::screen::repository::fixtures::{done, report, target};
use crate::testing::NOW;

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
        lines.contains("The repository has nothing of: elsewhere."),
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
        gone: vec![JobId(7)],
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
        "check: a check is a request in the queue, and the Redis user of this console may only read"
    );
    for keys in ["x", "K", "B"] {
        assert_eq!(asked(&press(&mut app, keys)), None);
        assert!(notice(&app).contains("may only read"), "{keys}: {}", notice(&app));
        assert!(app.overlays().is_empty());
    }
}
