//! What the repository view and its overlays look like.

use std::time::Duration;

use caur_core::queue::{RepoAction, RepoRequest, WaitingRequest};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use serde_json::{Value, json};

use super::fixtures::{app_with, done, package, refused, report, target};
use crate::app::App;
use crate::msg::{BackendMsg, Effect, FarmNews, LinkState, Msg, RepoProgress, RepositoryNews, Request};
use crate::testing::{self, NOW};
use crate::view;

const SIZES: [(u16, u16); 3] = [(80, 24), (160, 50), (40, 10)];

fn buffer(app: &App, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(app, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    (area.top()..area.bottom())
        .map(|y| {
            let cells = (area.left()..area.right()).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        })
        .collect()
}

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

/// What the keys ask for is answered like this.
fn answered(app: &mut App, keys: &str, progress: RepoProgress) {
    let request = press(app, keys).into_iter().find_map(|effect| match effect {
        Effect::Ask(request) => match *request {
            Request::Repository(request, _) => Some(request),
            _ => None,
        },
        _ => None,
    });
    let RepoRequest { id, .. } = request.expect("something is asked");
    report(app, BackendMsg::Repo(id, progress));
    // What was said in passing is over.
    app.update(Msg::Tick(NOW + 21_000));
}

fn check() -> RepoProgress {
    let finding = |severity: &str, kind: &str, package: &str, text: &str| json!({ "severity": severity, "text": text, "finding": { "kind": kind, "package": package } });
    let findings = [
        finding(
            "warning",
            "soname-missing",
            "p01",
            "usr/bin/p01 of p01 needs libjack.so.0 (64 bits), which nobody provides",
        ),
        finding(
            "error",
            "file-missing",
            "p03",
            "p03 is listed, but p03-1.0-1-x86_64.pkg.tar.zst does not exist",
        ),
        finding(
            "error",
            "soname-broken",
            "p01",
            "usr/lib/p01/core.so of p01 needs libicuuc.so.75 (64 bits), which nobody provides; icu provides libicuuc.so.76",
        ),
    ];
    let value = json!({ "errors": 2, "warnings": 1, "packages": 40, "findings": findings });
    RepoProgress::Answered(done("40 packages: 2 errors, 1 warnings", value))
}

fn entry(name: &str) -> Value {
    json!({ "pkgname": name, "pkgbase": "b0", "version": "1.0-1" })
}

fn removal(names: &[&str]) -> RepoProgress {
    let removed: Vec<Value> = names.iter().map(|name| entry(name)).collect();
    let value = json!({
        "removed": removed, "deferred": [[entry("p30"), "on its way from 17"]], "listed": 40, "number": null,
        "snapshot": "abc",
    });
    RepoProgress::Answered(done("1 of 40 packages would be removed", value))
}

fn filled(size: (u16, u16)) -> App {
    let mut app = app_with(40, size.0, size.1);
    press(&mut app, "4");
    app
}

fn snap(name: &str, app: &App, size: (u16, u16)) {
    let name = format!("{name}_{}x{}", size.0, size.1);
    insta::assert_snapshot!(name, lines(&buffer(app, size)).join("\n"));
}

#[test]
fn the_view_in_its_states() {
    for size in SIZES {
        let mut app = testing::app(size.0, size.1);
        press(&mut app, "4");
        snap("unknown", &app, size);
        report(&mut app, BackendMsg::Link(LinkState::Online));
        let farm = FarmNews {
            targets: vec![target("extra")],
            logs_url: None,
        };
        report(&mut app, BackendMsg::Farm(farm));
        snap("loading", &app, size);
        let nothing = RepositoryNews {
            packages: Some(Vec::new()),
            requests: Vec::new(),
        };
        report(&mut app, BackendMsg::Repository(target("extra"), nothing));
        snap("empty", &app, size);

        let mut app = filled(size);
        snap("filled", &app, size);
        answered(&mut app, "c", check());
        press(&mut app, "\x1b/size:>30M\n  j");
        snap("checked_filtered_marked", &app, size);
        let lost = LinkState::Reconnecting {
            attempt: 2,
            next_in: Duration::from_secs(4),
            reason: "the server does not answer".to_owned(),
        };
        report(&mut app, BackendMsg::Link(lost));
        app.update(Msg::Tick(NOW + 90_000));
        snap("stale", &app, size);
    }
}

#[test]
fn requests_are_seen_until_they_end() {
    for size in SIZES {
        let mut app = filled(size);
        let others = RepositoryNews {
            packages: None,
            requests: vec![WaitingRequest {
                id: "other".parse().unwrap(),
                target: target("extra"),
                what: RepoAction::AutoRemove { keep: [].into() }.to_string(),
                by: "ci".to_owned(),
                why: String::new(),
                asked: NOW - 40_000,
                running: true,
                round: 0,
            }],
        };
        report(&mut app, BackendMsg::Repository(target("extra"), others));
        answered(&mut app, "x", RepoProgress::Waiting);
        snap("request_waits", &app, size);
        press(&mut app, "\x1b");
        snap("request_left", &app, size);
        answered(&mut app, "jx", RepoProgress::Unknown);
        snap("request_unknown", &app, size);
        press(&mut app, "\x1b");
        let guard =
            "this removes 6 of the 40 packages of extra/x86_64, more than a tenth; nothing was changed";
        answered(&mut app, "jx", RepoProgress::Answered(refused(guard)));
        snap("request_refused", &app, size);
    }
}

#[test]
fn questions_and_lists_lie_over_it() {
    for size in SIZES {
        let mut app = filled(size);
        answered(&mut app, "x", removal(&["p00"]));
        snap("confirm_one", &app, size);
        press(&mut app, "\x1b     ");
        answered(&mut app, "x", removal(&["p00", "p01", "p02", "p03", "p04"]));
        snap("confirm_guarded", &app, size);
        press(&mut app, "\x1b\x1b");
        answered(&mut app, "c", check());
        press(&mut app, "j");
        snap("findings", &app, size);
        press(&mut app, "\x1b");
        let state = |number: u64, kind: &str, kept: bool, added: &[&str]| {
            let added: Vec<Value> = added.iter().map(|name| entry(name)).collect();
            json!({
                "number": number, "at": NOW / 1000 - (20 - number) * 3000, "kind": kind, "who": "ada",
                "reason": "its licence", "difference": { "added": added, "removed": [], "changed": [] },
                "packages": 40, "snapshot": kept,
            })
        };
        let states = json!([
            state(12, "publish", true, &["p00"]),
            state(11, "auto-remove", true, &[]),
            state(10, "add", false, &["p01", "p02"]),
        ]);
        answered(&mut app, "B", RepoProgress::Answered(done("3 changes", states)));
        snap("states", &app, size);
        let difference = json!({
            "added": [entry("new")], "removed": [entry("p39")],
            "changed": [{ "pkgname": "p00", "from": "1.0-1", "to": "0.9-1" }],
        });
        let rollback = json!({ "difference": difference, "number": null, "snapshot": "abc" });
        answered(&mut app, "\n", RepoProgress::Answered(done("", rollback)));
        snap("confirm_rollback", &app, size);
    }
}

#[test]
fn nothing_breaks_where_there_is_no_room() {
    for width in 1..30 {
        for height in 1..12 {
            let size = (width, height);
            let mut app = filled(size);
            buffer(&app, size);
            answered(&mut app, "c", check());
            buffer(&app, size);
            press(&mut app, "\x1b");
            answered(&mut app, "x", RepoProgress::Running);
            buffer(&app, size);
        }
    }
}

#[test]
fn selection_and_marks_are_seen_with_colours_and_without() {
    let size = (80, 24);
    for (theme, error) in [("dark", Some(Color::LightRed)), ("mono", None)] {
        let mut app = filled(size);
        answered(&mut app, "c", check());
        press(&mut app, &format!("\x1b:theme {theme}\n"));
        let drawn = buffer(&app, size);
        let shown = lines(&drawn);
        let line = |text: &str| {
            let at = shown.iter().position(|line| line.contains(text)).unwrap();
            u16::try_from(at).unwrap()
        };
        let selected = &drawn[(4, line(" p00 "))];
        assert!(selected.modifier.contains(Modifier::REVERSED), "{theme}");
        let broken = &drawn[(2, line(" p03 "))];
        assert_eq!(broken.symbol(), "✗");
        assert_eq!(
            broken.style().fg.filter(|color| *color != Color::Reset),
            error,
            "{theme}"
        );
        assert!(shown[usize::from(line(" p03 "))].ends_with("missing"));
    }
}

#[test]
fn names_from_a_repository_cannot_reach_the_terminal() {
    let mut app = filled((80, 24));
    let packages = vec![caur_core::model::PublishedPackage {
        version: "1\x1b[2J-1".to_owned(),
        file_name: "a\u{202e}b".to_owned(),
        ..package("evil", "evil", 1)
    }];
    let news = RepositoryNews {
        packages: Some(packages),
        requests: Vec::new(),
    };
    report(&mut app, BackendMsg::Repository(target("extra"), news));
    let mut told = removal(&["p\x1b[31m"]);
    if let RepoProgress::Answered(answer) = &mut told {
        answer.message = "so\x1b]0;it is".to_owned();
    }
    answered(&mut app, "x", told);
    let shown = lines(&buffer(&app, (80, 24))).join("");
    assert!(shown.contains("1^[[2J-1") && shown.contains("p^[[31m"), "{shown}");
    assert!(!shown.contains(['\x1b', '\u{202e}']));
}
