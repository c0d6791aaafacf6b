//! What the builders view looks like, and what its keys do.

use caur_core::model::{BuilderStatus, JobId};
use ratatui::style::Modifier;

use crate::app::{App, View};
use crate::keymap::Action;
use crate::msg::{BackendMsg, Effect, Msg};
use crate::operation::Act;
use crate::screen::statistics::fixture;
use crate::testing::{self, NOW, builder};
use crate::tests::snapshots::{assert_screens, lost};
use crate::tests::{buffer, online, operations, press, tell, text};
use crate::theme::{Meaning, Theme};

fn builders() -> Vec<BuilderStatus> {
    let mut alder = builder("alder");
    alder.jobs = vec![JobId(10), JobId(999)];
    alder.report.slots = 3;
    let mut birch = builder("birch");
    birch.jobs = vec![JobId(11)];
    birch.report.machine.load = 40.0;
    let mut cedar = builder("cedar");
    cedar.paused = Some("paused by kim: kernel\x1b[2J update".to_owned());
    let mut elder = builder("elder");
    elder.report.note = Some("4 GiB are left, 20 GiB are needed".to_owned());
    elder.report.machine.disk_free = 4 << 30;
    elder.report.class = None;
    let mut fir = builder("fir");
    fir.incompatible = Some("speaks protocol 2, the farm speaks 1".to_owned());
    let mut gum = builder("gum");
    gum.online = false;
    gum.last_seen = NOW - 600_000;
    let mut hazel = builder("hazel");
    hazel.draining = Some("drained by kim".to_owned());
    hazel.double = Some("hazel-2".to_owned());
    vec![alder, birch, cedar, elder, fir, gum, hazel]
}

fn filled(width: u16, height: u16) -> App {
    let mut app = online(width, height);
    press(&mut app, "3");
    tell(&mut app, BackendMsg::Statistics(Box::new(fixture(24))));
    tell(&mut app, BackendMsg::Builders(builders(), None));
    app
}

/// What was said in passing.
fn said(app: &App) -> String {
    app.notice().map(|notice| notice.text.clone()).unwrap_or_default()
}

#[test]
fn the_view_in_its_states() {
    assert_screens("builders", filled);
    assert_screens("builders_paused_one", |width, height| {
        let mut app = filled(width, height);
        press(&mut app, "jj");
        app
    });
    assert_screens("builders_by_state", |width, height| {
        let mut app = filled(width, height);
        press(&mut app, ":sort state⏎");
        app
    });
    assert_screens("builders_loading", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "3");
        app
    });
    assert_screens("builders_empty", |width, height| {
        let mut app = online(width, height);
        press(&mut app, "3");
        tell(&mut app, BackendMsg::Builders(Vec::new(), None));
        app
    });
    assert_screens("builders_stale", |width, height| {
        let mut app = filled(width, height);
        tell(&mut app, BackendMsg::Link(lost()));
        app.update(Msg::Tick(NOW + 5_000));
        app
    });
}

#[test]
fn selection_and_state_are_seen_with_colours_and_without() {
    for theme in Theme::ALL {
        let mut app = filled(80, 24);
        press(&mut app, &format!(":theme {}⏎", theme.name()));
        let buffer = buffer(&app, 80, 24);
        let screen = text(&app, 80, 24);
        let row_of = |name: &str| -> u16 {
            let found = screen
                .lines()
                .position(|line| line.contains(&format!(" {name} ")));
            u16::try_from(found.unwrap()).unwrap()
        };
        let selected = row_of("alder");
        assert!(
            buffer[(20, selected)].modifier.contains(Modifier::REVERSED),
            "{theme:?}"
        );
        let cases = [
            ("birch", Meaning::Good),
            ("cedar", Meaning::Warning),
            ("elder", Meaning::Warning),
            ("fir", Meaning::Error),
            ("gum", Meaning::Error),
        ];
        for (name, meaning) in cases {
            let cell = &buffer[(2, row_of(name))];
            let style = theme.style(meaning);
            assert_eq!(cell.fg, style.fg.unwrap_or_default(), "{theme:?} {name}");
            assert!(!cell.modifier.contains(Modifier::REVERSED));
        }
    }
}

#[test]
fn a_pause_asks_for_a_reason_and_then_once_more() {
    let mut app = filled(80, 24);
    assert!(operations(&press(&mut app, "pnew kernel⏎")).is_empty());
    assert!(
        operations(&press(&mut app, "⏎")).is_empty(),
        "Enter alone is a no"
    );
    let sent = operations(&press(&mut app, "pnew kernel⏎y"));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].act, Act::PauseBuilder("alder".parse().unwrap()));
    assert_eq!(
        (sent[0].about.as_str(), sent[0].why.as_str()),
        ("alder", "new kernel")
    );
    let sent = operations(&press(&mut app, "D⏎y"));
    assert_eq!(sent[0].act, Act::DrainBuilder("alder".parse().unwrap()));
    assert_eq!(sent[0].why, "");
}

#[test]
fn what_is_paused_is_resumed_at_once_and_several_after_a_question() {
    let mut app = filled(80, 24);
    let sent = operations(&press(&mut app, "jju"));
    assert_eq!(sent[0].act, Act::ResumeBuilder("cedar".parse().unwrap()));
    assert!(operations(&press(&mut app, "*u")).is_empty());
    let sent = operations(&press(&mut app, "y"));
    let names: Vec<&str> = sent.iter().map(|operation| operation.about.as_str()).collect();
    assert_eq!(names, ["cedar", "hazel"], "those that are paused or draining");
    assert_eq!(app.builders().table.marks(), 0);
}

#[test]
fn what_does_not_fit_a_builder_says_why() {
    let cases = [
        ("jjp", "paused already: paused by kim"),
        ("u", "neither paused nor draining"),
        ("jjjjjD", "no process of it is there"),
        ("jjjjjjD", "draining already"),
    ];
    for (keys, reason) in cases {
        let mut app = filled(80, 24);
        assert!(operations(&press(&mut app, keys)).is_empty());
        assert!(said(&app).contains(reason), "{keys}: {}", said(&app));
        assert!(app.overlays().is_empty());
    }
    let app = testing::app(80, 24);
    assert!(app.why_not(Action::PauseBuilder).is_some());
}

#[test]
fn enter_shows_the_jobs_of_a_builder_in_the_queue() {
    let mut app = filled(80, 24);
    press(&mut app, "j⏎");
    assert_eq!(app.view(), View::Queue);
    assert_eq!(app.filter_text(), Some("builder:=birch"));
    let shown: Vec<JobId> = app.queue().table.shown().map(|row| row.job.id).collect();
    assert_eq!(shown, [JobId(11)]);
    press(&mut app, "⎋⎋");
    assert_eq!(app.view(), View::Builders);
    let copied = press(&mut app, "y");
    assert!(copied.contains(&Effect::Copy("birch".to_owned())));
}

#[test]
fn success_rates_follow_the_statistics_and_the_selection_stays() {
    let mut app = filled(80, 24);
    press(&mut app, "j");
    let rate = |app: &App| app.builders().table.selected().unwrap().success();
    let before = rate(&app);
    assert!(before.is_some_and(|rate| rate < 100));
    tell(&mut app, BackendMsg::Statistics(Box::default()));
    assert_eq!(rate(&app), None);
    assert_eq!(app.builders().table.selected().unwrap().name().as_str(), "birch");
}

#[test]
fn no_size_is_too_small_for_any_of_the_views() {
    for keys in ["3", "5", "6", "7"] {
        let mut app = filled(80, 24);
        press(&mut app, keys);
        for (width, height) in (0..45).flat_map(|width| (0..28).map(move |height| (width, height))) {
            app.update(Msg::Resize(width, height));
            if width > 0 && height > 0 {
                buffer(&app, width, height);
            }
        }
    }
}
